package io.remap.cli.sessions;

import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.Scheduler;
import io.remap.api.Session;
import io.remap.api.SessionFactory;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.random.RandomGenerator;

/**
 * A client's connection, both ends: it encodes requests, moves bytes in pieces of any size to a session and back as {@link
 * Session} says, each move a task of the scheduler, and decodes the replies. It may be cut off at any moment, amid a request
 * too: then each request that was not answered ends with an error once the disk has nothing more to do for it.
 *
 * <p>For one thread at a time, as in a simulation.
 */
final class SimConnection implements Session.Events {
    /** What happens to connections. */
    interface Owner {
        /** Requests of a cut connection end now, so many. */
        void lost(int requests);
    }

    private final Scheduler scheduler;
    private final RandomGenerator random;
    private final Owner owner;
    private final Session session;
    private final ClientWire wire = new ClientWire(this::answered);
    private final ArrayDeque<ByteBuffer> toServer = new ArrayDeque<>();
    /** Sent, and not answered. */
    private final Set<DiskRequest> open = new LinkedHashSet<>();

    private int inDisk;
    private boolean inputScheduled;
    private boolean outputScheduled;
    private boolean sendsNoMore;
    private boolean inputEnded;
    private boolean finished;
    private boolean closed;

    SimConnection(SessionFactory sessions, String export, Scheduler scheduler, RandomGenerator random, Owner owner) {
        this.scheduler = scheduler;
        this.random = random;
        this.owner = owner;
        this.session = sessions.create(export, this);
        toServer.add(ClientWire.begin(export));
        wakeInput();
    }

    // --- the client

    /** Sends a request, after those that wait. Not after {@link #isOver}. */
    void submit(DiskRequest request) {
        open.add(request);
        toServer.add(wire.request(request));
        wakeInput();
    }

    /** Whether it takes no more requests. */
    boolean isOver() {
        return closed || finished || sendsNoMore;
    }

    /** The client is gone, at once. */
    void cut() {
        if (!closed) {
            close();
        }
    }

    /** The client sends no more, perhaps from the middle of a request on, and reads on. */
    void halfClose() {
        if (!isOver()) {
            sendsNoMore = true;
            ByteBuffer last = toServer.peekLast();
            if (last != null && last.hasRemaining()) {
                last.limit(last.position() + random.nextInt(last.remaining()));
            }
            wakeInput();
        }
    }

    private void answered(DiskRequest request, DiskError error) {
        open.remove(request);
        request.complete(error, -1);
    }

    // --- the transport

    private void wakeInput() {
        if (!inputScheduled && !closed) {
            inputScheduled = true;
            scheduler.execute(this::input);
        }
    }

    private void wakeOutput() {
        if (!outputScheduled && !closed) {
            outputScheduled = true;
            scheduler.execute(this::output);
        }
    }

    /** One piece. Starting work may let others run, which may close this. */
    private void input() {
        for (Session.Work work = poll(); work != null; work = poll()) {
            work.start();
        }
        inputScheduled = false;
        if (closed) {
            return;
        }
        while (!toServer.isEmpty() && !toServer.peek().hasRemaining()) {
            toServer.remove();
        }
        if (toServer.isEmpty()) {
            if (sendsNoMore && !inputEnded) {
                inputEnded = true;
                session.inputEnded();
                wakeInput();
            }
            return;
        }
        ByteBuffer into = session.wanted();
        if (into != null) {
            if (!into.hasRemaining()) {
                throw new AssertionError("wanted() gave a full buffer");
            }
            int count = someOf(Math.min(into.remaining(), toServer.peek().remaining()));
            ByteBuffer from = toServer.peek();
            into.put(from.slice(from.position(), count));
            from.position(from.position() + count);
            session.received(count);
            wakeInput();
        }
    }

    private Session.Work poll() {
        return closed ? null : session.poll();
    }

    /** All of it as a rule; at times a part. */
    private int someOf(int most) {
        return random.nextInt(3) == 0 ? 1 + random.nextInt(most) : most;
    }

    private void output() {
        outputScheduled = false;
        if (closed) {
            return;
        }
        ByteBuffer[] gather = new ByteBuffer[Session.MAX_GATHER];
        int buffers = session.replies(gather);
        if (buffers == 0) {
            if (finished) {
                close();
            }
            return;
        }
        long sent = 0;
        for (int i = 0; i < buffers; i++) {
            int count = someOf(gather[i].remaining());
            ByteBuffer piece = gather[i].slice(gather[i].position(), count);
            // Decoded before it is told as sent: the buffer may be another request's then.
            gather[i].position(gather[i].position() + count);
            wire.received(piece);
            sent += count;
            if (gather[i].hasRemaining()) {
                break;
            }
        }
        session.sent(sent);
        wakeOutput();
    }

    @Override
    public void repliesReady() {
        wakeOutput();
    }

    @Override
    public void inputReady() {
        wakeInput();
    }

    @Override
    public void finished(boolean abrupt) {
        finished = true;
        if (abrupt) {
            scheduler.execute(this::cut);
        } else {
            wakeOutput();
        }
    }

    private void close() {
        closed = true;
        session.close();
        endIfDrained();
    }

    private void endIfDrained() {
        if (closed && inDisk == 0) {
            Set<DiskRequest> lost = new LinkedHashSet<>(open);
            open.clear();
            owner.lost(lost.size());
            lost.forEach(request -> request.complete(DiskError.IO, -1));
        }
    }

    // --- the disk

    /** The disk works for it. */
    void workBegins() {
        inDisk++;
    }

    void workEnds() {
        inDisk--;
        endIfDrained();
    }
}
