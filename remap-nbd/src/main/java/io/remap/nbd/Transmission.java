package io.remap.nbd;

import io.remap.api.BufferPool;
import io.remap.api.DiskClient;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskTraits;
import io.remap.api.Export;
import io.remap.api.PagePipe;
import io.remap.api.Session;
import io.remap.api.TimeSource;
import io.remap.nbd.Protocol.Command;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;

/**
 * The transmission phase of one session (doc/proto.md, "Transmission"): requests of one export in, simple replies out.
 *
 * <p>Many requests are decoded from one receive. The payload of a WRITE goes to its buffer: what came with the header is
 * copied, a larger rest is received straight into it. After a large WRITE only a header is asked for, since another one is
 * likely to follow, whose payload then is not copied at all.
 *
 * <p>Invariants: a header is taken only with a slot and a buffer for it, so what a client can make us hold is limited by
 * {@link InFlight}; every request that is taken is answered once, also one that makes no sense; the payload of a WRITE is
 * consumed whatever is answered.
 */
final class Transmission {
    /** Longest payload of a refused WRITE that is read and thrown away; a longer one ends the connection. */
    static final long MAX_DISCARDED_BYTES = 4L * NbdExport.MAX_PAYLOAD_BYTES;
    /** Rest of a payload that is worth a receive of its own; less is copied. */
    static final int STRAIGHT_BYTES = 16 << 10;

    /** Why decoding stopped. */
    enum Outcome {
        /** More bytes are needed. */
        MORE,
        /** A limit is reached; the gate tells when to go on. */
        HELD_BACK,
        /** The client said goodbye. */
        DISCONNECTED,
        /** The client broke the protocol, see {@link #violation}. */
        VIOLATED
    }

    /** This connection, as the disk knows it. */
    final DiskClient client = new DiskClient();

    private final Export export;
    private final DiskTraits traits;
    private final NbdCounters counters;
    private final InFlight inFlight;
    private final ClientProgress progress;
    private final ReplyQueue replies;
    private final SessionMemory memory;
    private final ByteBuffer piece;
    private final Session.Events events;
    private final boolean takesPages;

    /** Received up to its position; decoded up to {@link #decoded}. */
    private final ByteBuffer receive;

    private int decoded;
    /** The WRITE whose payload is not complete, and what is missing of it. */
    private NbdRequest incoming;

    private long missingBytes;
    private boolean straight;
    private boolean headerOnly;
    private String violation = "";
    private final ArrayDeque<NbdRequest> ready = new ArrayDeque<>(InFlight.MAX_REQUESTS);
    private volatile boolean shuttingDown;
    private volatile boolean closed;

    /** {@code early}: what the client has sent already. */
    Transmission(
            Export export,
            ByteBuffer early,
            BufferPool pool,
            SessionMemory memory,
            NbdCounters counters,
            InputGate gate,
            Session.Events events,
            MemoryPressure pressure,
            TimeSource time) {
        this.export = export;
        this.traits = export.disk().traits();
        this.counters = counters;
        this.memory = memory;
        this.piece = memory.take();
        this.receive = piece.clear().slice(0, SessionMemory.RECEIVE_BYTES).put(early);
        this.events = events;
        this.inFlight = new InFlight(pool, gate, events, pressure);
        this.takesPages = events.takesPages();
        this.progress = new ClientProgress(time);
        this.replies = new ReplyQueue(
                inFlight, events, progress, piece.slice(SessionMemory.RECEIVE_BYTES, SessionMemory.HEADERS_BYTES));
        inFlight.begin();
    }

    // --- input side

    /** Where the next bytes go. Called when everything received is decoded, but for a part of a header. */
    ByteBuffer wanted() {
        straight = incoming != null && incoming.buffer != null && missingBytes >= STRAIGHT_BYTES;
        if (straight) {
            int length = incoming.buffer.lengthBytes();
            return incoming.buffer.data().limit(length).position(length - (int) missingBytes);
        }
        if (decoded > 0) {
            receive.flip().position(decoded);
            receive.compact();
            decoded = 0;
        }
        return receive.limit(headerOnly && incoming == null ? Protocol.REQUEST_BYTES : receive.capacity());
    }

    void received(int lengthBytes) {
        if (straight) {
            missingBytes -= lengthBytes;
        }
    }

    /** Takes what was received, as far as the limits allow. */
    Outcome decode() {
        while (true) {
            if (incoming != null) {
                takePayload();
                if (missingBytes > 0) {
                    if (incoming.buffer != null) {
                        progress.payloadMissing(missingBytes);
                    }
                    return Outcome.MORE;
                }
                NbdRequest complete = incoming;
                incoming = null;
                progress.payloadEnded();
                accept(complete);
            } else if (receive.position() - decoded < Protocol.REQUEST_BYTES) {
                return Outcome.MORE;
            } else {
                Outcome outcome = takeHeader(decoded);
                if (outcome != Outcome.MORE) {
                    return outcome;
                }
            }
        }
    }

    private void takePayload() {
        int count = (int) Math.min(receive.position() - decoded, missingBytes);
        if (count > 0) {
            if (incoming.buffer != null) {
                int length = incoming.buffer.lengthBytes();
                incoming.buffer.data().limit(length).put(length - (int) missingBytes, receive, decoded, count);
            }
            decoded += count;
            missingBytes -= count;
        }
    }

    private Outcome takeHeader(int at) {
        if (receive.getInt(at) != Protocol.REQUEST_MAGIC) {
            return violate("expected a request, found 0x" + Integer.toHexString(receive.getInt(at)));
        }
        int flags = Short.toUnsignedInt(receive.getShort(at + 4));
        int type = Short.toUnsignedInt(receive.getShort(at + 6));
        long offset = receive.getLong(at + 16);
        long length = Integer.toUnsignedLong(receive.getInt(at + 24));
        if (type == Protocol.CMD_DISC) {
            return Outcome.DISCONNECTED;
        }
        Command command = Command.of(type);
        int errno = refusal(command, flags, offset, length);
        if (command == Command.WRITE && errno != 0 && length > MAX_DISCARDED_BYTES) {
            return violate("WRITE of " + length + " bytes, the limit is " + NbdExport.MAX_PAYLOAD_BYTES);
        }
        boolean payload = command != null && command.hasPayload() && errno == 0;
        NbdRequest request = inFlight.claim(this, payload ? (int) length : 0);
        if (request == null) {
            return Outcome.HELD_BACK;
        }
        decoded = at + Protocol.REQUEST_BYTES;
        request.command = command;
        request.cookie = receive.getLong(at + 8);
        request.errno = errno;
        if (errno == 0) {
            fill(request.diskRequest, command, flags, offset, length);
            request.diskRequest.buffer = request.buffer;
        }
        headerOnly = command == Command.WRITE && length >= STRAIGHT_BYTES;
        if (command == Command.WRITE) {
            incoming = request;
            missingBytes = length;
        } else {
            accept(request);
        }
        return Outcome.MORE;
    }

    private void fill(DiskRequest request, Command command, int flags, long offset, long length) {
        request.operation = command.operation;
        request.offsetBytes = offset;
        request.lengthBytes = length;
        request.fua = (flags & Protocol.CMD_FLAG_FUA) != 0;
        request.keepAllocated = (flags & Protocol.CMD_FLAG_NO_HOLE) != 0;
        request.fastOnly = (flags & Protocol.CMD_FLAG_FAST_ZERO) != 0;
        request.pagesWelcome = takesPages && command == Command.READ;
        request.pages = null;
        request.error = DiskError.NONE;
        request.errorOffsetBytes = -1;
    }

    private Outcome violate(String what) {
        violation = what;
        return Outcome.VIOLATED;
    }

    String violation() {
        return violation;
    }

    /** The error that a request gets at once, 0 if it goes to the disk. Offset is unsigned on the wire. */
    private int refusal(Command command, int flags, long offset, long length) {
        if (shuttingDown) {
            return Protocol.ESHUTDOWN;
        }
        if (command == null || (flags & ~command.flags) != 0) {
            return Protocol.EINVAL;
        }
        if (command == Command.FLUSH) {
            return 0;
        }
        if (command.operation.changesData() && traits.readOnly()) {
            return Protocol.EPERM;
        }
        if (offset < 0 || offset > traits.sizeBytes() - length) {
            return command == Command.WRITE || command == Command.WRITE_ZEROES ? Protocol.ENOSPC : Protocol.EINVAL;
        }
        return command.hasPayload() && length > NbdExport.MAX_PAYLOAD_BYTES ? Protocol.EINVAL : 0;
    }

    /** A request is complete: to the disk with it, or back to the client. */
    private void accept(NbdRequest request) {
        inFlight.begun();
        if (request.errno == 0 && shuttingDown) {
            request.errno = Protocol.ESHUTDOWN;
        }
        boolean nothingToDo = request.errno == 0 && request.command.hasPayload() && request.buffer == null;
        if (request.errno != 0 || nothingToDo) {
            answer(request);
            return;
        }
        if (request.buffer != null) {
            request.buffer.data().limit(request.buffer.lengthBytes()).position(0);
        }
        ready.add(request);
    }

    Session.Work poll() {
        return ready.poll();
    }

    /** No more requests come; what is complete is answered. */
    void inputEnded() {
        if (incoming != null) {
            progress.payloadEnded();
            inFlight.releasePayload(incoming);
            incoming = null;
        }
        inFlight.finishWhenIdle();
    }

    // --- any thread

    /** The connection is over: it is not answered, and nobody but its holder would give its buffer back. */
    void abandon(NbdRequest request) {
        inFlight.releasePayload(request);
    }

    void start(NbdRequest request) {
        if (closed) {
            abandon(request);
        } else {
            export.disk().submit(request.diskRequest);
        }
    }

    void completed(NbdRequest request) {
        request.errno = errno(request.diskRequest);
        answer(request);
    }

    private static int errno(DiskRequest request) {
        return switch (request.error) {
            case NONE -> 0;
            case IO -> Protocol.EIO;
            case NO_SPACE -> Protocol.ENOSPC;
            case READ_ONLY -> Protocol.EPERM;
            case INVALID -> Protocol.EINVAL;
            // The protocol allows ENOTSUP for a fast zero only.
            case NOT_SUPPORTED -> request.fastOnly ? Protocol.ENOTSUP : Protocol.EINVAL;
            case SHUTDOWN -> Protocol.ESHUTDOWN;
        };
    }

    private void answer(NbdRequest request) {
        counters.answered(request);
        request.diskRequest.buffer = null;
        if (request.command != Command.READ || request.errno != 0) {
            inFlight.releasePayload(request);
        }
        if (!replies.push(request)) {
            inFlight.releasePayload(request);
        }
        progress.diskAnswered();
        inFlight.queued();
    }

    void shutdown() {
        shuttingDown = true;
    }

    boolean busy() {
        return inFlight.busy();
    }

    boolean waitsForMemory() {
        return inFlight.waitsForMemory();
    }

    /**
     * How long nothing but the client was in the way of buffers that the session holds; 0 or less if it holds none or has
     * requests at a disk. In this order: a request that ends meanwhile has set the time anew.
     */
    long stalledNanos(long nowNanos) {
        return inFlight.nothingUnderWay() && inFlight.heldBytes() > 0 ? progress.stalledNanos(nowNanos) : 0;
    }

    /**
     * Counts what a client that seems to stall has read of what is in its socket; if it is enough, its time begins anew. By
     * one thread.
     */
    void lookWhatIsRead() {
        progress.repliesTaken(events.readBytes());
    }

    /** What a client that stalls keeps from others, for people to read. */
    String held() {
        return inFlight.heldBytes() + " bytes of memory for "
                + (progress.isReceiving() ? "a WRITE that it does not send" : "replies that it does not read");
    }

    // --- output side

    int replies(ByteBuffer[] into) {
        return replies.replies(into);
    }

    PagePipe pages() {
        return replies.pages();
    }

    void sent(long lengthBytes) {
        replies.sent(lengthBytes);
    }

    /** Neither side runs any more. */
    void close() {
        closed = true;
        inFlight.close();
        if (incoming != null) {
            inFlight.releasePayload(incoming);
            incoming = null;
        }
        for (NbdRequest request = ready.poll(); request != null; request = ready.poll()) {
            inFlight.releasePayload(request);
        }
        replies.close();
        memory.give(piece);
    }
}
