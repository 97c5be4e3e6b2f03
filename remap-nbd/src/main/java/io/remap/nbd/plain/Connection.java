package io.remap.nbd.plain;

import io.remap.api.Pace;
import io.remap.api.Session;
import io.remap.api.TimeSource;
import io.remap.api.listen.Connections;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection, served by its {@link Workers}. Each of them does whatever is to be done: carries out decoded work,
 * sends replies, receives. There is no queue (decoded work waits in the session) and nobody waits for a side that
 * another one has.
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
 *   <li>at most {@link Workers#allowed} workers carry out work or receive;
 *   <li>nobody blocks in receiving while there are replies that nobody sends;
 *   <li>whoever else may block (carries out work, sends) leaves the connection watched;
 *   <li>the session is closed once, when the connection is over and both sides have been left.
 * </ul>
 */
final class Connection implements Connections.Connection, Session.Events, Workers.Job {
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
    private final Workers workers;
    private final TimeSource time;
    private Session session;

    /** Which sides are taken: {@link #INPUT}, {@link #OUTPUT}; finally {@link #CLOSED}. */
    private final AtomicInteger sides = new AtomicInteger();

    /** Workers within {@link Session.Work#start}. */
    private final AtomicInteger executing = new AtomicInteger();

    private final ByteBuffer[] gathered = new ByteBuffer[Session.MAX_GATHER];
    private final AtomicBoolean over = new AtomicBoolean();
    private final AtomicBoolean watched = new AtomicBoolean();

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
        this.workers = new Workers(transport, "remap-plain-" + number + "-worker-", workerLimit, this);
        this.time = transport.time();
    }

    /** Takes the session, for which this object had to exist first, and begins. */
    void start(Session begun) {
        synchronized (this) {
            session = begun;
        }
        workers.begin();
    }

    @Override
    public void repliesReady() {
        repliesNoted = true;
        if (!workers.runHere() && (sides.get() & OUTPUT) == 0) {
            workers.wake();
        }
    }

    @Override
    public void inputReady() {
        inputNoted = true;
        if (!workers.runHere() && (sides.get() & INPUT) == 0) {
            workers.wake();
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
        if (!workers.runHere()) {
            // Somebody must be there to close the session, even if all hang.
            workers.wake();
        }
        workers.wakeAll();
    }

    /** A worker that hangs at a device for a request that was answered keeps nobody waiting. */
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

    @Override
    public void work(Workers.Worker self) {
        try {
            while (!over.get()) {
                turn(self);
            }
        } catch (IOException e) {
            log.debug("{}: the connection broke: {}", peer, e.toString());
        } catch (Throwable e) {
            log.error("{}: an error in the program ended this connection", peer, e);
        }
    }

    @Override
    public void leave() {
        end();
        closeSession();
    }

    @Override
    public void allLeft() {
        transport.ended(this);
    }

    /** Does one thing, or rests. */
    private void turn(Workers.Worker self) throws IOException {
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
            workers.rest(self);
        }
    }

    /** Whether there are replies that nobody sends at this moment. */
    private boolean areRepliesToSend() {
        return repliesNoted && (sides.get() & OUTPUT) == 0;
    }

    @Override
    public boolean isSomethingToDo() {
        return over.get()
                || areRepliesToSend()
                || (inputNoted && (sides.get() & INPUT) == 0 && executing.get() < workers.allowed());
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
        if (!inputNoted || executing.get() >= workers.allowed() || !enter(INPUT)) {
            return null;
        }
        try {
            if (executing.get() >= workers.allowed()) {
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
                workers.wake();
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
            if (workers.hasSubstitutes() && executing.get() < workers.limit()) {
                workers.dismissSubstitutes();
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
        if (executing.get() >= workers.allowed()) {
            workers.allowSubstitutes();
        }
        if (isSomethingToDo()) {
            pace.hung();
            workers.wake();
        }
        return true;
    }

    private boolean mayBeStalled() {
        return executing.get() > 0 || (sides.get() & OUTPUT) != 0;
    }
}
