package io.remap.nbd.plain;

import io.remap.api.Pace;
import io.remap.api.Session;
import io.remap.api.TimeSource;
import io.remap.api.listen.Connections;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection and its workers. Each worker does whatever is to be done: carries out decoded work, sends replies,
 * receives. There is no queue (decoded work waits in the session) and nobody waits for a side that another one has.
 *
 * <p>A socket that many requests are waiting in is drained by one thread with few system calls: receive many, carry them
 * out, send the replies together. More threads help only where a request takes longer than waking a thread, so a further
 * one is woken before the work starts once requests take longer than that on average ({@link Pace}). What hangs while
 * requests are usually quick is found by {@link StallWatch}.
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>at most one worker is at the input side of the session, at most one at the output side; who leaves a side looks
 *       again afterwards, so nothing is overlooked that was noted while the side was taken;
 *   <li>at most {@link #allowed} workers carry out work or receive: {@link #workerLimit}, and about as many more
 *       as hang, up to a limit. There may be one more: it sends what other threads complete while all of these hang;
 *   <li>nobody blocks in receiving while there are replies that nobody sends;
 *   <li>whoever else may block (carries out work, sends) leaves the connection watched;
 *   <li>the session is closed once, when the connection is over and both sides have been left;
 *   <li>a worker that does not run is in {@link #idle}, and looks once more after it went there and before it parks.
 * </ul>
 */
final class Connection implements Connections.Connection, Session.Events {
    /** Quick requests whose replies leave together; the client shall not run dry meanwhile. */
    private static final int QUICK_REPLIES_TOGETHER = 8;

    /**
     * Most bytes sent by one call. It returns when the client has taken all of them, and only then the session knows that
     * the client reads.
     */
    private static final int MAX_SEND_BYTES = 256 << 10;

    private static final int INPUT = 1;
    private static final int OUTPUT = 2;
    private static final int CLOSED = 4;
    private static final Logger log = LoggerFactory.getLogger(Connection.class);

    private final PlainTransport transport;
    private final Wire wire;
    private final String peer;
    private final String threadName;
    private final int workerLimit;
    private final TimeSource time;
    private Session session;

    /** Which sides are taken: {@link #INPUT}, {@link #OUTPUT}; finally {@link #CLOSED}. */
    private final AtomicInteger sides = new AtomicInteger();

    /** Workers within {@link Session.Work#start}. */
    private final AtomicInteger executing = new AtomicInteger();

    /** Threads of this connection that do not run, the one that ran last on top; guards {@link #threads} too. */
    private final Deque<Worker> idle = new ArrayDeque<>();

    private int threads;

    /** Workers that may carry out work at this moment. Changed by the watch, and under the lock of {@link #idle}. */
    private volatile int allowed;

    private final ByteBuffer[] gathered = new ByteBuffer[Session.MAX_GATHER];
    private final AtomicBoolean over = new AtomicBoolean();
    private final AtomicBoolean watched = new AtomicBoolean();

    /** Somebody was woken and has not looked yet: he will see whatever was noted before he looks. */
    private final AtomicBoolean waking = new AtomicBoolean();

    /** The session may give replies; true at first, since it may begin with a greeting. */
    private volatile boolean repliesNoted = true;

    /** The session may give work or want bytes. */
    private volatile boolean inputNoted = true;

    private volatile boolean inputEnded;
    private volatile boolean finishing;
    private volatile boolean draining;

    private final Pace pace = new Pace(false);

    /** Changes with whatever gets done. */
    private final LongAdder progress = new LongAdder();

    private long progressSeenByWatch;

    Connection(PlainTransport transport, Wire wire, String peer, long number, int workerLimit) {
        this.transport = transport;
        this.wire = wire;
        this.peer = peer;
        this.threadName = "remap-plain-" + number + "-worker-";
        this.workerLimit = workerLimit;
        this.allowed = workerLimit;
        this.time = transport.time();
    }

    /** Takes the session, for which this object had to exist first, and begins. */
    void start(Session begun) {
        synchronized (this) {
            session = begun;
        }
        Worker first;
        synchronized (idle) {
            first = new Worker(++threads);
        }
        launch(first);
    }

    @Override
    public void repliesReady() {
        repliesNoted = true;
        if (!runsHere() && (sides.get() & OUTPUT) == 0) {
            wake();
        }
    }

    @Override
    public void inputReady() {
        inputNoted = true;
        if (!runsHere() && (sides.get() & INPUT) == 0) {
            wake();
        }
    }

    @Override
    public void finished(boolean abrupt) {
        if (abrupt) {
            end();
        } else {
            finishing = true;
            repliesReady();
        }
    }

    /** Whether the calling thread is a worker of this connection: it looks for what is to be done in any case. */
    private boolean runsHere() {
        return Thread.currentThread() instanceof Worker worker && worker.connection() == this;
    }

    @Override
    public synchronized void drain() {
        if (!draining && sides.get() != CLOSED && session != null) {
            session.shutdown();
        }
        draining = true;
        endIfDrained();
    }

    /** Ends the connection, which {@link #drain} was told of, if nothing is under way any more. */
    private synchronized void endIfDrained() {
        if (sides.get() != CLOSED && (session == null || !session.busy())) {
            end();
        }
    }

    /** Hangs up. What the workers do on the device goes on; the session is closed as soon as its sides are left. */
    @Override
    public void end() {
        if (!over.compareAndSet(false, true)) {
            return;
        }
        try {
            // Wakes whoever is blocked in it.
            wire.close();
        } catch (IOException e) {
            log.debug("{}: closing the socket: {}", peer, e.toString());
        }
        if (!runsHere()) {
            // Somebody must be there to close the session, even if all hang.
            wake();
        }
        wakeAll();
    }

    /** A worker that hangs on a device for a request that was answered keeps nobody waiting: it leaves when the device answers. */
    @Override
    public boolean isServed() {
        return !over.get();
    }

    private void closeSession() {
        if (sides.compareAndSet(0, CLOSED)) {
            closeSessionNow();
        }
    }

    private synchronized void closeSessionNow() {
        session.close();
    }

    // ---- Workers ---------------------------------------------------------------------------------------------------

    /** One thread of a connection. */
    private final class Worker extends Thread {
        private volatile boolean parked;

        /** Work carried out since this thread last looked for replies. */
        private int unsent;

        Worker(int number) {
            super(threadName + number);
            setDaemon(true);
        }

        Connection connection() {
            return Connection.this;
        }

        @Override
        public void run() {
            waking.set(false);
            try {
                while (!over.get()) {
                    turn(this);
                }
            } catch (IOException e) {
                log.debug("{}: the connection broke: {}", peer, e.toString());
            } catch (Throwable e) {
                log.error("{}: an error in the program ended this connection", peer, e);
            }
            end();
            leave();
        }
    }

    /** Does one thing, or parks. */
    private void turn(Worker self) throws IOException {
        boolean mayBlock = !areRepliesToSend();
        Session.Work work = takeWork(mayBlock);
        if (work != null) {
            carryOut(work);
            self.unsent++;
            if (self.unsent < QUICK_REPLIES_TOGETHER && !pace.isSlow()) {
                return;
            }
        }
        self.unsent = 0;
        if (!send() && work == null && mayBlock) {
            park(self);
        }
    }

    /** Whether there are replies that nobody sends at this moment. */
    private boolean areRepliesToSend() {
        return repliesNoted && (sides.get() & OUTPUT) == 0;
    }

    /** Whether there is something that a further thread could do at this moment. */
    private boolean isSomethingToDo() {
        return over.get()
                || areRepliesToSend()
                || (inputNoted && (sides.get() & INPUT) == 0 && executing.get() < allowed);
    }

    /** One more thread shall look, if there is one that does not. */
    private void wake() {
        while (waking.compareAndSet(false, true)) {
            Worker worker;
            boolean isNew = false;
            synchronized (idle) {
                worker = idle.pollFirst();
                // One more than may carry out work, see above; none after the last one left.
                if (worker == null && threads > 0 && threads <= allowed) {
                    worker = new Worker(++threads);
                    isNew = true;
                }
            }
            if (worker != null) {
                if (isNew) {
                    launch(worker);
                } else {
                    unpark(worker);
                }
                return;
            }
            waking.set(false);
            // Who found the flag set meanwhile relied on us.
            synchronized (idle) {
                if (idle.isEmpty()) {
                    return;
                }
            }
            if (!isSomethingToDo()) {
                return;
            }
        }
    }

    private void launch(Worker worker) {
        try {
            transport.start(worker);
        } catch (OutOfMemoryError e) {
            // The limit of threads: the others go on; without any the connection is over.
            transport.warn("no further thread for a connection: " + e.getMessage());
            waking.set(false);
            boolean none;
            synchronized (idle) {
                none = --threads == 0;
            }
            if (none) {
                end();
                closeSession();
                dismissSubstitutes();
                transport.ended(this);
            }
        }
    }

    private void wakeAll() {
        while (true) {
            Worker worker;
            synchronized (idle) {
                worker = idle.pollFirst();
            }
            if (worker == null) {
                return;
            }
            unpark(worker);
        }
    }

    private static void unpark(Worker worker) {
        worker.parked = false;
        LockSupport.unpark(worker);
    }

    private void park(Worker self) {
        self.parked = true;
        synchronized (idle) {
            idle.addFirst(self);
        }
        if (isSomethingToDo()) {
            synchronized (idle) {
                if (idle.remove(self)) {
                    self.parked = false;
                }
            }
        }
        while (self.parked) {
            LockSupport.park(this);
        }
        waking.set(false);
    }

    private void leave() {
        closeSession();
        boolean last;
        synchronized (idle) {
            last = --threads == 0;
        }
        if (last) {
            dismissSubstitutes();
            transport.ended(this);
        }
    }

    // ---- Input side ------------------------------------------------------------------------------------------------

    private boolean enter(int side) {
        while (true) {
            int taken = sides.get();
            if ((taken & (side | CLOSED)) != 0) {
                return false;
            }
            if (sides.compareAndSet(taken, taken | side)) {
                return true;
            }
        }
    }

    private void exit(int side) {
        sides.getAndAdd(-side);
    }

    /**
     * Takes decoded work, and receives until there is some if that may block.
     *
     * @return counted in {@link #executing}; {@code null} if there is none, or no place for more
     */
    private Session.Work takeWork(boolean mayBlock) throws IOException {
        if (!inputNoted || executing.get() >= allowed || !enter(INPUT)) {
            return null;
        }
        try {
            if (executing.get() >= allowed) {
                return null;
            }
            Session.Work work = session.poll();
            while (work == null && mayBlock && receive()) {
                work = session.poll();
            }
            if (work != null) {
                executing.getAndIncrement();
            }
            return work;
        } finally {
            exit(INPUT);
        }
    }

    /** Receives once; returns whether it did. */
    private boolean receive() throws IOException {
        // Taken back before the session is asked: a note that comes while it answers stays.
        inputNoted = false;
        ByteBuffer buffer = session.wanted();
        if (buffer == null || inputEnded) {
            return false;
        }
        inputNoted = true;
        if (areRepliesToSend()) {
            // The session answered something by itself (a greeting, a refusal): that must leave before this blocks.
            return false;
        }
        int lengthBytes = wire.read(buffer);
        progress.increment();
        if (lengthBytes < 0) {
            inputEnded = true;
            session.inputEnded();
        } else {
            session.received(lengthBytes);
        }
        return true;
    }

    private void carryOut(Session.Work work) {
        try {
            if (over.get()) {
                work.abandon();
                return;
            }
            watch();
            if (pace.isSlow() && isSomethingToDo()) {
                wake();
            }
            long startNanos = time.nanoTime();
            work.start();
            pace.note(time.nanoTime() - startNanos);
        } finally {
            progress.increment();
            executing.getAndDecrement();
        }
        if (draining) {
            endIfDrained();
        }
    }

    // ---- Output side -----------------------------------------------------------------------------------------------

    /** Sends what there is; returns whether there was something, and it was for this thread to send. */
    private boolean send() throws IOException {
        boolean sent = false;
        while (repliesNoted && !over.get() && enter(OUTPUT)) {
            sent = true;
            try {
                repliesNoted = false;
                sendAll();
            } finally {
                exit(OUTPUT);
            }
        }
        return sent;
    }

    private void sendAll() throws IOException {
        // Asked before the session: what was said before this flag has replies that are given now.
        boolean last = finishing;
        while (true) {
            int count = session.replies(gathered);
            if (count == 0) {
                break;
            }
            watch();
            long lengthBytes = write(count);
            progress.increment();
            session.sent(lengthBytes);
        }
        if (last) {
            end();
        } else if (draining) {
            endIfDrained();
        }
    }

    /** Sends the first bytes of the first buffers of {@link #gathered}. */
    private long write(int count) throws IOException {
        int whole = 0;
        int roomBytes = MAX_SEND_BYTES;
        while (whole < count && gathered[whole].remaining() <= roomBytes) {
            roomBytes -= gathered[whole].remaining();
            whole++;
        }
        if (whole == count) {
            return wire.write(gathered, whole);
        }
        ByteBuffer cut = gathered[whole];
        int limit = cut.limit();
        cut.limit(cut.position() + roomBytes);
        try {
            return wire.write(gathered, whole + 1);
        } finally {
            cut.limit(limit);
        }
    }

    // ---- Watching --------------------------------------------------------------------------------------------------

    private void watch() {
        if (!watched.get() && watched.compareAndSet(false, true)) {
            transport.stallWatch().add(this);
        }
    }

    /**
     * Looks whether nothing was done since the last time although there is something to do, and brings in a further thread.
     *
     * @return whether to look again
     */
    boolean checkForStall() {
        long now = progress.sum();
        if (now != progressSeenByWatch) {
            progressSeenByWatch = now;
            if (allowed > workerLimit && executing.get() < workerLimit) {
                dismissSubstitutes();
            }
            return true;
        }
        if (over.get() || !mayBeStalled()) {
            watched.set(false);
            if (!over.get() && mayBeStalled()) {
                // It began meanwhile, and found itself watched.
                watch();
            }
            return false;
        }
        if (executing.get() >= allowed) {
            allowSubstitutes();
        }
        if (isSomethingToDo()) {
            pace.hung();
            wake();
        }
        return true;
    }

    /**
     * All workers hang, and there may be work that would not: as many more may look. What waits behind many that hang must not
     * wait for them to be found one by one; a thread begins only when there is something for it to do. Where other connections
     * have taken many, it is one at a time.
     */
    private void allowSubstitutes() {
        synchronized (idle) {
            int more = transport.hasManySubstitutes() ? allowed : 1;
            while (more > 0 && threads > 0 && allowed < transport.hungLimit() && transport.takeSubstitute()) {
                allowed++;
                more--;
            }
        }
    }

    /** Those that hung are back. What threads there are stay, and rest. */
    private void dismissSubstitutes() {
        synchronized (idle) {
            transport.giveBackSubstitutes(allowed - workerLimit);
            allowed = workerLimit;
        }
    }

    private boolean mayBeStalled() {
        return executing.get() > 0 || (sides.get() & OUTPUT) != 0;
    }
}
