package io.remap.iopt;

import io.netty.channel.epoll.LinuxSocket;
import io.netty.channel.epoll.Native;
import io.netty.channel.unix.Buffer;
import io.remap.api.PagePipe;
import io.remap.api.Session;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The output side of a connection. Whoever has completed requests sends, if nobody does: the loop at the end of a turn, a
 * worker at the end of a batch. If the socket is full, the rest is left to the loop, which is told when there is room.
 *
 * <p>Invariants: at most one thread is at the output side; who leaves it looks again, so nothing is overlooked that was
 * noted meanwhile. Nobody sends while {@link #full}, until the loop saw room. What is sent of a batch is told to the session
 * before the batch is asked for again.
 */
final class ReplySender implements Runnable {
    /** Most bytes sent by one call: copying them takes some 100 microseconds, in which others of the loop wait. */
    private static final int MAX_SEND_BYTES = 1 << 20;

    /** Who has sent so many bytes leaves the rest to the loop, after others have had their turn. */
    private static final int MAX_BYTES_IN_TURN = 2 << 20;

    /** {@code struct iovec} of readv(2) on 64 bits, the only ones that there are native libraries for. */
    private static final int IOV_BYTES = 16;

    private static final int IOV_LENGTH_OFFSET = 8;

    /** A sender asks again what the socket holds when it has sent so many bytes of pages. */
    private static final int BYTES_BEFORE_LOOK = 128 << 10;

    private static final int FREE = 0;
    private static final int TAKEN = 1;
    private static final int CLOSED = 2;

    private final Connection connection;
    private final LinuxSocket socket;
    private final TransportCounters counters;
    /** By the loop. */
    private final SendQueue queue;
    /** By whoever has the side. */
    private final SendQueue queueWhenFull;
    /** By who asks what the client does. */
    private final SendQueue queueLater;

    private final AtomicInteger side = new AtomicInteger();
    private Session session;

    /** The session may give replies; true at first, since it may begin with a greeting. */
    private volatile boolean noted = true;

    private volatile boolean full;
    /** What the socket held when it was full, or was looked at after that. */
    private volatile int heldBytes;

    private volatile boolean finishing;

    // By whoever has the side.
    private final ByteBuffer[] gathered = new ByteBuffer[Session.MAX_GATHER];
    private final ByteBuffer vector =
            ByteBuffer.allocateDirect(Session.MAX_GATHER * IOV_BYTES).order(ByteOrder.nativeOrder());
    private final long vectorAddress = Buffer.memoryAddress(vector);
    private int vectorLength;
    private long sentInAll;
    private long sentOfPages;
    private long looked;
    private ByteBuffer scratch;

    ReplySender(Connection connection, LinuxSocket socket, TransportCounters counters) {
        this.connection = connection;
        this.socket = socket;
        this.counters = counters;
        this.queue = new SendQueue(socket);
        this.queueWhenFull = new SendQueue(socket);
        this.queueLater = new SendQueue(socket);
    }

    /** Takes the session, before anything is sent. */
    void begin(Session begun) {
        session = begun;
    }

    /** There may be replies. Returns whether somebody has to see to it. Any thread. */
    boolean noteReplies() {
        noted = true;
        return !full && side.get() == FREE;
    }

    /** Whether there may be replies that can be sent. */
    boolean hasReplies() {
        return noted && !full;
    }

    /** After the last reply the connection ends. Any thread. */
    void finish() {
        finishing = true;
    }

    boolean isFull() {
        return full;
    }

    /**
     * How many bytes the client has taken since the socket was full or this was asked last, as memory that they took. The
     * kernel tells of room when three quarters are free, which is long after a slow client began to read. One thread at a time,
     * before the socket is closed.
     */
    long readBytes() {
        if (!full) {
            return 0;
        }
        int before = heldBytes;
        int now = queueLater.heldBytes();
        heldBytes = now;
        return now < 0 ? 0 : Math.max(0, before - now);
    }

    /**
     * Whether the client has a good deal to read before it can miss a reply: the socket holds so much that it does not
     * count as writable, which the kernel tells as soon as it does. By the loop, when it has sent what it had.
     *
     * <p>True of replies that cost nothing to wait for, as they come from the page cache. Then requests are better left in
     * the socket until several can be received, answered and sent at once.
     */
    boolean isAhead() {
        if (sentOfPages - looked < BYTES_BEFORE_LOOK) {
            return false;
        }
        looked = sentOfPages;
        return queue.isLong();
    }

    /** The socket takes bytes again; returns whether there is something to be sent. By the loop. */
    boolean roomMade() {
        if (full) {
            noted = true;
            full = false;
        }
        return noted;
    }

    /** Nobody sends any more from now on; {@code false} if somebody does at this moment. */
    boolean close() {
        return side.compareAndSet(FREE, CLOSED) || side.get() == CLOSED;
    }

    /** Sends what there is, if nobody does. Any thread, but not from within the session. */
    @Override
    public void run() {
        try {
            boolean more = true;
            long sentBefore = -1;
            while (more && noted && !full && !connection.isOver() && side.compareAndSet(FREE, TAKEN)) {
                try {
                    if (sentBefore < 0) {
                        sentBefore = sentInAll;
                    }
                    noted = false;
                    more = sendAll(sentBefore + MAX_BYTES_IN_TURN);
                } finally {
                    side.set(FREE);
                }
            }
            if (!more) {
                // Not before the side is free: a loop that came meanwhile would find it taken, and nobody would send.
                connection.loop().attend(connection);
            }
            if (connection.isOver() || (connection.isDraining() && !noted)) {
                connection.loop().attend(connection);
            }
        } catch (IOException | RuntimeException | Error e) {
            connection.failed(e);
            connection.loop().attend(connection);
        }
    }

    /**
     * Sends until there is nothing, the socket is full, or the loop has to go on.
     *
     * @param limit of {@link #sentInAll}
     * @return whether to look again
     */
    private boolean sendAll(long limit) throws IOException {
        // Asked before the session: what was said before this flag has replies that are given now.
        boolean last = finishing;
        while (true) {
            int count = session.replies(gathered);
            PagePipe pages = session.pages();
            if (count == 0 && pages == null) {
                break;
            }
            if (sentInAll - limit >= 0) {
                counters.yields.increment();
                return leaveToLoop();
            }
            boolean direct = areDirect(count);
            if (!direct && !connection.loop().isThisThread()) {
                return leaveToLoop();
            }
            long askedBytes = direct ? fillVector(count) : fillScratch(count);
            long lengthBytes = askedBytes == 0 ? 0 : write(count, direct);
            boolean room = lengthBytes == askedBytes;
            if (room && pages != null && (count == 0 || !gathered[count - 1].hasRemaining())) {
                int pagesBytes = pages.remainingBytes();
                int movedBytes = splice(pages, pagesBytes);
                lengthBytes += movedBytes;
                room = movedBytes == pagesBytes;
            }
            if (lengthBytes > 0) {
                counters.sentBytes.add(lengthBytes);
                session.sent(lengthBytes);
                sentInAll += lengthBytes;
            }
            if (!room) {
                heldBytes = queueWhenFull.heldBytes();
                full = true;
                counters.fullSockets.increment();
                connection.watchForRoom();
                return true;
            }
        }
        if (last) {
            connection.end();
        }
        return true;
    }

    /** The loop is asked to attend when the side is free. */
    private boolean leaveToLoop() {
        noted = true;
        return false;
    }

    private boolean areDirect(int count) {
        for (int i = 0; i < count; i++) {
            if (!gathered[i].isDirect()) {
                return false;
            }
        }
        return true;
    }

    /** Describes the first bytes of the buffers to writev(2); returns how many bytes. */
    private long fillVector(int count) {
        long roomBytes = MAX_SEND_BYTES;
        vectorLength = 0;
        for (int i = 0; i < count && roomBytes > 0; i++) {
            ByteBuffer buffer = gathered[i];
            long lengthBytes = Math.min(buffer.remaining(), roomBytes);
            int entry = i * IOV_BYTES;
            vector.putLong(entry, Buffer.memoryAddress(buffer) + buffer.position());
            vector.putLong(entry + IOV_LENGTH_OFFSET, lengthBytes);
            roomBytes -= lengthBytes;
            vectorLength++;
        }
        return MAX_SEND_BYTES - roomBytes;
    }

    /** Copies the first bytes of the buffers; returns how many. What goes this way is small and rare: the handshake. */
    private long fillScratch(int count) {
        scratch = connection.loop().scratch();
        for (int i = 0; i < count && scratch.hasRemaining(); i++) {
            ByteBuffer buffer = gathered[i];
            int lengthBytes = Math.min(buffer.remaining(), scratch.remaining());
            scratch.put(scratch.position(), buffer, buffer.position(), lengthBytes);
            scratch.position(scratch.position() + lengthBytes);
        }
        return scratch.position();
    }

    /** Sends what was described or copied; returns how many bytes, by which the positions of the buffers move on. */
    private long write(int count, boolean direct) throws IOException {
        long sentBytes;
        if (direct) {
            sentBytes = count == 1 ? sendOne(gathered[0]) : socket.writevAddresses(vectorAddress, vectorLength);
            counters.sentBuffers.add(vectorLength);
        } else {
            sentBytes = socket.send(scratch, 0, scratch.position());
            scratch = null;
            counters.sentBuffers.add(count);
        }
        counters.sends.increment();
        long leftBytes = sentBytes;
        for (int i = 0; i < count && leftBytes > 0; i++) {
            ByteBuffer buffer = gathered[i];
            int lengthBytes = (int) Math.min(buffer.remaining(), leftBytes);
            buffer.position(buffer.position() + lengthBytes);
            leftBytes -= lengthBytes;
        }
        return sentBytes;
    }

    /** Sends one buffer: send(2) costs less than a vector of one, and most headers before pages are alone. */
    private int sendOne(ByteBuffer buffer) throws IOException {
        int position = buffer.position();
        int lengthBytes = Math.min(buffer.remaining(), MAX_SEND_BYTES);
        return socket.sendAddress(Buffer.memoryAddress(buffer), position, position + lengthBytes);
    }

    /** Sends from the pipe; returns how many bytes, which the session takes from it when it is told. */
    private int splice(PagePipe pages, int lengthBytes) throws IOException {
        if (lengthBytes == 0) {
            return 0;
        }
        int movedBytes = Native.splice(pages.descriptor(), -1, socket.intValue(), -1, lengthBytes);
        counters.sends.increment();
        if (movedBytes > 0) {
            counters.pagesBytes.add(movedBytes);
            sentOfPages += movedBytes;
        }
        return movedBytes;
    }
}
