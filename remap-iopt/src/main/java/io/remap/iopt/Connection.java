package io.remap.iopt;

import io.netty.channel.IoEvent;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoEvent;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.channel.epoll.LinuxSocket;
import io.netty.channel.unix.FileDescriptor;
import io.remap.api.Session;
import io.remap.api.SessionFactory;
import io.remap.api.listen.Connections;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection: a socket in the epoll set of a loop, without channels or pipelines between it and its session.
 *
 * <p>The thread of the loop has the input side: it receives into {@link Session#wanted}, starts the work that was decoded,
 * and lets others have their turn after a bounded amount of either. The output side is {@link ReplySender}'s.
 *
 * <p>Whether the socket is readable is asked for level-triggered (epoll(7)): what a turn leaves in the socket is told of
 * again, after what other sockets have. While nothing is wanted, interest in it is dropped, though not before an event came
 * in vain; errors and the end of the connection are told of once then (edge-triggered), as they could not be taken back.
 *
 * <p>Nor is it asked for while the client has much to read ({@link ReplySender#isAhead}): it asks for the next things when
 * it has read, one by one, and each would cost a wait, a receive and a send of its own. What it has asked for meanwhile is
 * received together when the socket counts as writable. A client that sends much before it reads is waited for no longer
 * than {@link #MAX_HOLD_MILLIS}.
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>only the thread of the loop is at the input side, changes what epoll watches, shuts the session down and closes it;
 *   <li>what is noted from elsewhere ({@link #inputNoted}, {@link #over} …) is noted before the loop is asked to attend, and
 *       whoever gives up a role ({@link #held}, the output side) looks again afterwards;
 *   <li>the session and the socket are closed once, together, by the loop, when nobody sends any more. So no number of a
 *       descriptor is used that may be another file's.
 * </ul>
 */
final class Connection implements Connections.Connection, EpollIoHandle, Session.Events {
    /** Most work that one turn starts. An engine that runs it at once needs some 100 microseconds for so much from memory. */
    static final int MAX_WORK_IN_TURN = 64;

    /** A turn that received so many bytes is over. */
    static final int MAX_BYTES_IN_TURN = 1 << 20;

    /** Requests stay in the socket for so long if the client does not read. */
    private static final int MAX_HOLD_MILLIS = 10;

    /** Of epoll_ctl(2); Netty has no name for it. Watched without being asked for. */
    private static final int EPOLLHUP = 0x10;

    private static final EpollIoOps NOTHING = EpollIoOps.EPOLLET;
    private static final EpollIoOps IN = EpollIoOps.EPOLLIN;
    private static final EpollIoOps OUT = EpollIoOps.EPOLLOUT.with(EpollIoOps.EPOLLET);
    private static final EpollIoOps IN_AND_OUT = EpollIoOps.EPOLLIN.with(EpollIoOps.EPOLLOUT);
    private static final Logger log = LoggerFactory.getLogger(Connection.class);

    private final FastTransport transport;
    private final TransportCounters counters;
    private final Loop loop;
    private final LinuxSocket socket;
    private final String peer;
    private final SessionFactory sessions;
    private final ReplySender sender;

    // By the thread of the loop alone.
    private Session session;
    private IoRegistration registration;
    private EpollIoOps watched;
    private boolean readable = true;
    private boolean yielded;
    private boolean inputEnded;

    /** Requests are left in the socket until it is writable. */
    private boolean ahead;

    /** {@link #endHold} is scheduled. */
    private boolean holdEnds;

    private boolean shutDown;
    private boolean inTurn;
    private boolean closed;

    /** The session wanted nothing: no turn until {@link #inputNoted}. Set by the loop. */
    private volatile boolean held;

    /** The session may want bytes, or give work. */
    private volatile boolean inputNoted;

    /** What was left in the socket has been there for long enough. */
    private volatile boolean holdOver;

    private final Runnable endHold = this::endHold;

    private volatile boolean draining;
    private volatile boolean over;
    private final AtomicBoolean ending = new AtomicBoolean();

    /** Taken to close the socket, and by who looks at it and is neither the loop nor the sender. */
    private final Object socketUse = new Object();

    private boolean socketClosed;

    /** On the list of {@link #loop}. */
    private final AtomicBoolean waits = new AtomicBoolean();

    /** The next on that list; the loop's. */
    Connection nextWaiting;

    Connection(FastTransport transport, Loop loop, LinuxSocket socket, String peer, SessionFactory sessions) {
        this.transport = transport;
        this.counters = transport.counters();
        this.loop = loop;
        this.socket = socket;
        this.peer = peer;
        this.sessions = sessions;
        this.sender = new ReplySender(this, socket, counters);
    }

    // ---- Events of the session, any thread -------------------------------------------------------------------------

    @Override
    public void repliesReady() {
        if (sender.noteReplies() && !BatchThread.atBatchEndOfThisThread(sender)) {
            loop.attend(this);
        }
    }

    @Override
    public void inputReady() {
        inputNoted = true;
        if (held) {
            loop.attend(this);
        }
    }

    @Override
    public void finished(boolean abrupt) {
        if (abrupt) {
            end();
        } else {
            sender.finish();
            repliesReady();
        }
    }

    @Override
    public boolean takesPages() {
        return true;
    }

    @Override
    public long readBytes() {
        synchronized (socketUse) {
            return socketClosed ? 0 : sender.readBytes();
        }
    }

    // ---- Any thread ------------------------------------------------------------------------------------------------

    /** Hangs up as soon as nobody sends. */
    @Override
    public void end() {
        if (ending.compareAndSet(false, true)) {
            over = true;
            loop.attend(this);
        }
    }

    boolean isOver() {
        return over;
    }

    /** Ends the connection because of what was thrown on its account. */
    void failed(Throwable e) {
        if (e instanceof IOException) {
            log.debug("{}: the connection broke: {}", peer, e.toString());
        } else {
            log.error("{}: an error in the program ended this connection", peer, e);
        }
        end();
    }

    @Override
    public void drain() {
        draining = true;
        loop.attend(this);
    }

    /** The sender found the socket full. */
    void watchForRoom() {
        if (!loop.isThisThread() || !inTurn) {
            loop.attend(this);
        }
    }

    boolean isDraining() {
        return draining;
    }

    Loop loop() {
        return loop;
    }

    /** Whether it did not wait for attention and does from now on. */
    boolean beginToWait() {
        return !waits.get() && waits.compareAndSet(false, true);
    }

    // ---- The thread of the loop ------------------------------------------------------------------------------------

    /** Begins the session. */
    void begin() {
        if (!loop.isThisThread() || session != null) {
            // Another thread took the loop over, and this over with it.
            return;
        }
        if (over) {
            closeNow();
            return;
        }
        try {
            session = sessions.create(peer, this);
            sender.begin(session);
            register();
        } catch (RuntimeException | Error e) {
            failed(e);
        }
    }

    private void register() {
        loop.events().register(this).addListener(future -> {
            if (!loop.isThisThread()) {
                return;
            }
            if (future.isSuccess()) {
                registration = (IoRegistration) future.getNow();
                // Not at once: who takes a loop over registers all before any of them may make it hang again.
                loop.attend(this);
            } else {
                failed(future.cause());
            }
        });
    }

    /**
     * The thread of the loop hangs in a transfer, perhaps in a turn of this connection. This is the one that took over; it
     * only has the connection told of, and calls nothing that might hang in its turn.
     */
    void adopt() {
        inTurn = false;
        watched = null;
        IoRegistration old = registration;
        registration = null;
        if (old != null) {
            old.cancel();
        }
        if (session == null) {
            loop.execute(this::begin);
        } else if (!closed) {
            yielded = true;
            register();
        }
    }

    @Override
    public FileDescriptor fd() {
        return socket;
    }

    @Override
    public void handle(IoRegistration handled, IoEvent event) {
        if (!loop.isThisThread()) {
            return;
        }
        int ops = ((EpollIoEvent) event).ops().value();
        LoopThread thread = beginTurn();
        try {
            if ((ops & EpollIoOps.EPOLLOUT.value()) != 0 && sender.roomMade()) {
                thread.atBatchEnd(sender);
            }
            if (ahead || (ops & ~EpollIoOps.EPOLLOUT.value()) != 0) {
                ahead = false;
                input(ops);
            }
        } catch (IOException | RuntimeException | Error e) {
            failed(e);
        } finally {
            endTurn(thread);
        }
    }

    /** There is something to do that no event told of. */
    void attendTo() {
        waits.set(false);
        attend();
    }

    private void attend() {
        if (closed || (registration == null && !over)) {
            return;
        }
        if (over) {
            closeNow();
            return;
        }
        LoopThread thread = beginTurn();
        try {
            if (draining && !shutDown) {
                shutDown = true;
                session.shutdown();
            }
            if (holdOver) {
                holdOver = false;
                holdEnds = false;
                yielded |= ahead;
                ahead = false;
            }
            if (yielded || (held && inputNoted)) {
                held = false;
                yielded = false;
                turn();
            }
            if (sender.hasReplies()) {
                thread.atBatchEnd(sender);
            }
        } catch (IOException | RuntimeException | Error e) {
            failed(e);
        } finally {
            endTurn(thread);
        }
    }

    private LoopThread beginTurn() {
        LoopThread thread = (LoopThread) Thread.currentThread();
        thread.beginTurn();
        inTurn = true;
        return thread;
    }

    private void endTurn(LoopThread thread) {
        try {
            thread.endTurn();
            if (thread.isLost()) {
                return;
            }
            if (!over) {
                watch();
                if (draining && shutDown && !session.busy()) {
                    end();
                }
            }
        } catch (RuntimeException | Error e) {
            failed(e);
        } finally {
            if (!thread.isLost()) {
                inTurn = false;
            }
        }
    }

    /** The socket is readable, or told that something ended. */
    private void input(int ops) throws IOException {
        if (inputEnded || held) {
            boolean error = (ops & EpollIoOps.EPOLLERR.value()) != 0;
            if (error || (inputEnded && (ops & EPOLLHUP) != 0)) {
                // Nobody is there to take replies. What came before the end is not looked at, as after a failed send.
                end();
            }
            readable = false;
        } else if (!yielded) {
            turn();
        }
    }

    /** Receives and starts work, until there is no more or it is the turn of others. */
    private void turn() throws IOException {
        int started = 0;
        int receives = 0;
        long receivedBytes = 0;
        boolean dry = false;
        try {
            while (!over) {
                Session.Work work = session.poll();
                if (work != null) {
                    work.start();
                    if (((LoopThread) Thread.currentThread()).isLost()) {
                        return;
                    }
                    if (++started == MAX_WORK_IN_TURN) {
                        yieldTurn();
                        return;
                    }
                    continue;
                }
                if (receivedBytes >= MAX_BYTES_IN_TURN) {
                    yieldTurn();
                    return;
                }
                // Asked also if there is nothing to receive: a session that holds work back tells when it goes on.
                ByteBuffer buffer = wanted();
                if (buffer == null || dry || inputEnded) {
                    return;
                }
                int room = buffer.remaining();
                int lengthBytes = receive(buffer);
                dry = lengthBytes < room;
                if (lengthBytes > 0) {
                    receives++;
                    receivedBytes += lengthBytes;
                    session.received(lengthBytes);
                } else if (lengthBytes < 0) {
                    inputEnded = true;
                    readable = false;
                    session.inputEnded();
                    dry = false;
                }
            }
        } finally {
            count(started, receives, receivedBytes);
        }
    }

    private void count(int started, int receives, long receivedBytes) {
        if (started > 0) {
            counters.started.add(started);
        }
        if (receives > 0) {
            counters.receives.add(receives);
            counters.receivedBytes.add(receivedBytes);
        }
    }

    private void yieldTurn() {
        counters.yields.increment();
        yielded = true;
        loop.attend(this);
    }

    /** Where to receive into; {@code null} if nothing is wanted before {@link #inputReady}. */
    private ByteBuffer wanted() {
        if (inputNoted) {
            // Taken back before the session is asked: a note that comes while it answers stays.
            inputNoted = false;
        }
        ByteBuffer buffer = session.wanted();
        if (buffer == null) {
            held = true;
            if (inputNoted) {
                loop.attend(this);
            }
        } else {
            readable = !inputEnded;
        }
        return buffer;
    }

    /** Receives once; returns how many bytes, 0 if there are none now, -1 at the end of the input. */
    private int receive(ByteBuffer buffer) throws IOException {
        int position = buffer.position();
        if (buffer.isDirect()) {
            int lengthBytes = socket.recv(buffer, position, buffer.limit());
            if (lengthBytes > 0) {
                buffer.position(position + lengthBytes);
            }
            return lengthBytes;
        }
        ByteBuffer scratch = loop.scratch();
        int lengthBytes = socket.recv(scratch, 0, Math.min(scratch.capacity(), buffer.remaining()));
        if (lengthBytes > 0) {
            buffer.put(scratch.limit(lengthBytes));
        }
        return lengthBytes;
    }

    /** Has epoll watch what is waited for. */
    private void watch() {
        boolean full = sender.isFull();
        if (!ahead && readable && !full && !yielded && sender.isAhead()) {
            ahead = true;
            counters.holds.increment();
            if (!holdEnds) {
                holdEnds = true;
                transport.scheduler().schedule(endHold, MAX_HOLD_MILLIS);
            }
        }
        EpollIoOps wanted = ahead ? OUT : readable ? (full ? IN_AND_OUT : IN) : (full ? OUT : NOTHING);
        // Said anew where it is told of once only: what made the socket look full may have been a signal. Not so if the
        // client is ahead: whether the socket is writable was asked while that was watched.
        if (!wanted.equals(watched) || (full && wanted.equals(OUT))) {
            watched = wanted;
            registration.submit(wanted);
        }
    }

    /** By a thread of the scheduler. */
    private void endHold() {
        holdOver = true;
        loop.attend(this);
    }

    /** Closes session and socket, unless somebody sends; he asks for attention when he leaves. */
    private void closeNow() {
        if (closed || !sender.close()) {
            return;
        }
        closed = true;
        try {
            if (registration != null) {
                registration.cancel();
            }
            if (session != null) {
                session.close();
            }
        } catch (RuntimeException | Error e) {
            log.error("{}: an error in the program while its connection was closed", peer, e);
        } finally {
            synchronized (socketUse) {
                socketClosed = true;
                ListeningSocket.close(socket);
            }
            transport.ended(this);
        }
    }

    /** The loop ends, which it does after its connections; to be safe. */
    @Override
    public void close() {
        if (loop.isThisThread()) {
            over = true;
            closeNow();
        }
    }
}
