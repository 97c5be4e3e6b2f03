package io.remap.nbd;

import io.remap.api.BufferPool;
import io.remap.api.Environment;
import io.remap.api.Export;
import io.remap.api.Exports;
import io.remap.api.PagePipe;
import io.remap.api.Scheduler;
import io.remap.api.Session;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One NBD client: first the {@link Handshake}, then the {@link Transmission} of the export that it was granted.
 *
 * <p>Invariants: an answer of the handshake is sent before the next option is looked at, so at most one of them is kept;
 * nothing is decoded any more once the session is over; {@code finished} is told once, but a client that is cut off is told
 * of even if it said goodbye before. In the handshake buffers are on the heap and small; direct memory is taken only with
 * an export.
 */
final class NbdSession implements Session {
    /** What the sessions of a frontend share. */
    record Shared(
            Exports exports,
            BufferPool pool,
            Environment environment,
            SessionMemory memory,
            MemoryPressure pressure,
            NbdCounters counters,
            LimitedLog log,
            long handshakeTimeoutMillis) {}

    private static final Logger LOG = LoggerFactory.getLogger(NbdSession.class);

    private static final int NEGOTIATING = 0;
    private static final int GRANTED = 1;
    private static final int OVER = 2;

    private final Shared shared;
    private final String peer;
    private final Events events;
    private final InputGate gate;
    private final AtomicInteger stage = new AtomicInteger(NEGOTIATING);
    private final Scheduler.Cancellable deadline;

    // Input side.
    private Handshake handshake;
    private ByteBuffer receive = ByteBuffer.allocate(Handshake.RECEIVE_BYTES);
    private boolean heldBack;
    private boolean gaveNone;
    private boolean inputEnded;

    /** Answer of the handshake; set by the input side when it is {@code null}, cleared by the output side. */
    private volatile ByteBuffer answer = Handshake.greeting();

    /** Set once, by the input side. */
    private volatile Transmission transmission;

    private volatile boolean shuttingDown;
    private volatile boolean closed;
    private volatile boolean cutOff;

    NbdSession(Shared shared, String peer, Events events) {
        this.shared = shared;
        this.peer = peer;
        this.events = events;
        this.gate = new InputGate(events);
        this.handshake = new Handshake(shared.exports());
        shared.counters().sessionsBegun.increment();
        deadline = shared.environment().scheduler().schedule(this::handshakeTimedOut, shared.handshakeTimeoutMillis());
        events.repliesReady();
    }

    private void handshakeTimedOut() {
        if (stage.compareAndSet(NEGOTIATING, OVER)) {
            shared.counters().handshakeTimeouts.increment();
            shared.log()
                    .warn(peer + ": asked for no export within " + shared.handshakeTimeoutMillis()
                            + " ms; disconnected");
            events.finished(true);
        }
    }

    // --- input side

    @Override
    public ByteBuffer wanted() {
        if (heldBack || isOver()) {
            gaveNone = true;
            if (heldBack && !isOver() && !gate.isWaiting()) {
                // Room was made since it was held back, which was told before the transport asked, and so to nobody.
                events.inputReady();
            }
            return null;
        }
        Transmission current = transmission;
        return current == null ? receive : current.wanted();
    }

    @Override
    public void received(int lengthBytes) {
        if (lengthBytes <= 0) {
            throw new IllegalArgumentException("received " + lengthBytes + " bytes");
        }
        if (transmission != null) {
            transmission.received(lengthBytes);
        }
        decode();
    }

    @Override
    public void inputEnded() {
        inputEnded = true;
        if (!heldBack) {
            decode();
        }
    }

    @Override
    public Work poll() {
        Transmission current = transmission;
        Work work = current == null ? null : current.poll();
        if (work != null || !heldBack) {
            return work;
        }
        decode();
        if (!heldBack && gaveNone) {
            gaveNone = false;
            events.inputReady();
        }
        current = transmission;
        return current == null ? null : current.poll();
    }

    private boolean isOver() {
        return stage.get() == OVER;
    }

    /** Goes on with what was received. */
    private void decode() {
        if (isOver()) {
            return;
        }
        heldBack = transmission == null && negotiate();
        if (transmission != null) {
            heldBack = transmit();
        }
        if (inputEnded && !heldBack) {
            end();
        }
    }

    /** Takes messages of the handshake; whether one of them has to wait. */
    private boolean negotiate() {
        receive.flip();
        boolean waits = false;
        while (transmission == null && !isOver() && receive.hasRemaining()) {
            gate.waitForRoom();
            if (answer != null) {
                waits = true;
                break;
            }
            gate.goOn();
            Handshake.Outcome outcome = handshake.consume(receive, shuttingDown);
            if (outcome == Handshake.Outcome.MORE) {
                break;
            }
            take(outcome);
        }
        if (transmission == null) {
            receive.compact();
        } else {
            receive = null;
            handshake = null;
        }
        return waits;
    }

    private void take(Handshake.Outcome outcome) {
        if (outcome == Handshake.Outcome.REFUSED) {
            violated(handshake.refusal());
            return;
        }
        if (outcome == Handshake.Outcome.GRANTED && !stage.compareAndSet(NEGOTIATING, GRANTED)) {
            return;
        }
        ByteBuffer reply = handshake.takeReply();
        if (reply.hasRemaining()) {
            answer = reply;
            events.repliesReady();
        }
        if (outcome == Handshake.Outcome.GRANTED) {
            begin(handshake.granted());
        } else if (outcome == Handshake.Outcome.ABORTED) {
            end();
        }
    }

    /** The answer is set already: no reply of the transmission leaves before it. */
    private void begin(Export export) {
        deadline.cancel();
        shared.counters().exportsGranted.increment();
        LOG.debug("{}: uses export '{}'", peer, export.name());
        Transmission begun = new Transmission(
                export,
                receive,
                shared.pool(),
                shared.memory(),
                shared.counters(),
                gate,
                events,
                shared.pressure(),
                shared.environment().time());
        transmission = begun;
        shared.pressure().add(this);
        if (shuttingDown) {
            begun.shutdown();
        }
    }

    /** Takes requests; whether one of them has to wait. */
    private boolean transmit() {
        switch (transmission.decode()) {
            case HELD_BACK -> {
                return true;
            }
            case DISCONNECTED -> end();
            case VIOLATED -> violated(transmission.violation());
            case MORE -> {}
        }
        return false;
    }

    /** The client sends no more that counts; what it asked for is still answered. */
    private void end() {
        if (stage.getAndSet(OVER) == OVER) {
            return;
        }
        deadline.cancel();
        if (transmission == null) {
            events.finished(false);
        } else {
            transmission.inputEnded();
        }
    }

    private void violated(String what) {
        if (stage.getAndSet(OVER) == OVER) {
            return;
        }
        deadline.cancel();
        shared.counters().violations.increment();
        shared.log().warn(peer + ": " + what + "; disconnected");
        events.finished(true);
    }

    // --- output side

    @Override
    public int replies(ByteBuffer[] into) {
        // Read in this order: whoever sees the transmission sees the answer that comes before it.
        Transmission current = transmission;
        ByteBuffer first = answer;
        if (first != null) {
            into[0] = first;
            return 1;
        }
        return current == null ? 0 : current.replies(into);
    }

    @Override
    public PagePipe pages() {
        Transmission current = transmission;
        return answer != null || current == null ? null : current.pages();
    }

    @Override
    public void sent(long lengthBytes) {
        ByteBuffer first = answer;
        if (first == null) {
            transmission.sent(lengthBytes);
        } else if (!first.hasRemaining()) {
            answer = null;
            gate.roomMade();
        }
    }

    // --- any thread

    @Override
    public void shutdown() {
        shuttingDown = true;
        Transmission current = transmission;
        if (current != null) {
            current.shutdown();
        }
        // What waits for memory is refused now, and needs none.
        gate.roomMade();
    }

    /** By {@link MemoryPressure}, which knows sessions that have an export alone. */
    boolean waitsForMemory() {
        return !cutOff && transmission.waitsForMemory();
    }

    /**
     * How long nothing but its client was in the way of memory that it holds, see {@link Transmission#stalledNanos}. By
     * {@link MemoryPressure}.
     */
    long stalledNanos(long nowNanos) {
        return cutOff ? 0 : transmission.stalledNanos(nowNanos);
    }

    /**
     * The same, once a client that seems to stall was given credit for what it has read of what is in its socket. By {@link
     * MemoryPressure}.
     */
    long surelyStalledNanos(long nowNanos) {
        transmission.lookWhatIsRead();
        return stalledNanos(nowNanos);
    }

    /** Ends the session of a client that stalls; {@link #close} gives its memory back. By {@link MemoryPressure}. */
    void cutOff(long stalledMillis) {
        cutOff = true;
        if (closed) {
            return;
        }
        stage.set(OVER);
        shared.counters().stalledClients.increment();
        shared.log()
                .warn(peer + ": holds " + transmission.held() + ", moved less than "
                        + (ClientProgress.LEAST_BYTES >> 10) + " KiB in " + stalledMillis
                        + " ms while others wait for memory; disconnected");
        events.finished(true);
    }

    @Override
    public boolean busy() {
        Transmission current = transmission;
        return answer != null || (current != null && current.busy());
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        stage.set(OVER);
        deadline.cancel();
        gate.close();
        shared.pressure().remove(this);
        shared.counters().sessionsEnded.increment();
        if (transmission != null) {
            transmission.close();
        }
    }
}
