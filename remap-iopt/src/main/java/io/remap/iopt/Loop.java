package io.remap.iopt;

import io.netty.channel.IoEvent;
import io.netty.channel.IoEventLoop;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.channel.epoll.Native;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One event loop, and the connections that want its attention although no event came for them.
 *
 * <p>Those are attended to by an event too (of an eventfd(2)), not as tasks of the loop: it runs tasks for as long as there
 * are any, up to a second, before it looks for events again, and a connection that has to let others have their turn asks
 * for attention again and again. Tasks serve where epoll has no room for the bell, at that price.
 *
 * <p>The thread may hang in a transfer. Then another one takes over ({@link #rescue}), with an epoll set of its own, in which
 * all that belongs to the loop is registered anew. Whatever the loop runs asks {@link #isThisThread} before it touches
 * anything after a transfer, and when an event comes: the thread that hung may be back, with events of its old set.
 *
 * <p>Invariants: a connection is on the list of those that wait at most once; while the list is not empty, the bell has
 * been rung, or a task is queued that rings it or takes its place. The eventfd is written by the thread of the loop alone, which also closes it,
 * so that the number cannot be another file's by then.
 */
final class Loop implements EpollIoHandle {
    /** Memory for what passes by buffers that are not direct: the handshake. */
    private static final int SCRATCH_BYTES = 64 << 10;

    /** Threads that hang in a transfer and were given up; while there are so many, the loop leaves all to workers. */
    private static final int MAX_LOST_THREADS = 4;

    private static final Logger log = LoggerFactory.getLogger(Loop.class);

    private final FastTransport transport;
    private final AtomicReference<Connection> waiting = new AtomicReference<>();
    private final AtomicInteger lostThreads = new AtomicInteger();

    /** Its thread and epoll set; others after a rescue. */
    private volatile IoEventLoop events;

    /** Set by {@link #start}; {@code null} again if the loop had no thread then. */
    private volatile FileDescriptor bell;

    /** The bell cannot be heard: it is closed, and tasks take its place until {@link #start} tries again. */
    private volatile boolean deaf;

    /** The thread of the loop has not been told of the bell yet. */
    private volatile boolean unheard;

    /** Made for a rescue for which there was no thread. It has descriptors, so the next one takes it. */
    private final AtomicReference<IoEventLoop> spare = new AtomicReference<>();

    // By the thread of the loop alone.
    private IoRegistration registration;

    /** Of {@link #waiting}, taken off and not attended to yet. */
    private Connection taken;

    private final Runnable registerIfUnheard = this::registerIfUnheard;
    private final Runnable ring = this::ring;
    private final Runnable attendToAll = this::attendToAll;
    private ByteBuffer scratch;

    Loop(FastTransport transport, IoEventLoop events) {
        this.transport = transport;
        this.events = events;
    }

    /**
     * Begins to hear the bell, if it does not yet.
     *
     * @throws OutOfMemoryError the host gives the loop no thread; then this may be tried again
     */
    synchronized void start() {
        if (bell != null && !deaf) {
            return;
        }
        bell = Native.newEventFd();
        deaf = false;
        unheard = true;
        try {
            if (isThisThread()) {
                registerIfUnheard();
            } else {
                events.execute(registerIfUnheard);
            }
        } catch (RuntimeException | Error e) {
            // The task stays queued, and finds nothing to do should there be a thread one day.
            unheard = false;
            closeBell();
            bell = null;
            throw e;
        }
    }

    private synchronized void registerIfUnheard() {
        if (unheard && isThisThread()) {
            register();
        }
    }

    private void register() {
        unheard = false;
        events.register(this).addListener(future -> {
            if (future.isSuccess()) {
                registration = (IoRegistration) future.getNow();
                hear();
                ((LoopThread) Thread.currentThread()).runs(this);
            } else {
                log.error("an event loop cannot be used", future.cause());
            }
        });
    }

    /** It is here that epoll is told of the bell for the first time, and may have no room for it. */
    private void hear() {
        try {
            registration.submit(EpollIoOps.EPOLLIN.with(EpollIoOps.EPOLLET));
        } catch (RuntimeException e) {
            log.warn(
                    "an event loop cannot hear its bell, and does without until its next connection: {}", e.toString());
            doWithoutBell();
        }
    }

    private synchronized void doWithoutBell() {
        registration.cancel();
        registration = null;
        deaf = true;
        closeBell();
        // It may have been rung.
        execute(attendToAll);
    }

    private void closeBell() {
        try {
            bell.close();
        } catch (IOException e) {
            log.debug("closing a bell: {}", e.toString());
        }
    }

    IoEventLoop events() {
        return events;
    }

    /** Not true of a thread that is lost, from the moment on at which it is: then another one may be at work already. */
    boolean isThisThread() {
        return events.inEventLoop() && !(Thread.currentThread() instanceof LoopThread thread && thread.isLost());
    }

    /** Direct memory for the thread of the loop, empty. */
    ByteBuffer scratch() {
        if (scratch == null) {
            scratch = ByteBuffer.allocateDirect(SCRATCH_BYTES);
        }
        return scratch.clear();
    }

    /** Has the connection attended to soon, after whatever events there are. Any thread; does not wait. */
    void attend(Connection connection) {
        if (!connection.beginToWait()) {
            return;
        }
        Connection first;
        do {
            first = waiting.get();
            connection.nextWaiting = first;
        } while (!waiting.compareAndSet(first, connection));
        if (first == null) {
            if (isThisThread()) {
                ring();
            } else {
                execute(ring);
            }
        }
    }

    /** Runs a task on the thread of the loop, or not at all once the loop has ended; then nothing is left to be done. */
    void execute(Runnable task) {
        try {
            events.execute(task);
        } catch (RejectedExecutionException e) {
            log.debug("the loop has ended: {}", e.toString());
        }
    }

    private void ring() {
        if (!isThisThread()) {
            return;
        }
        if (deaf || bell == null) {
            execute(attendToAll);
        } else if (bell.isOpen()) {
            Native.eventFdWrite(bell.intValue(), 1);
        }
    }

    @Override
    public FileDescriptor fd() {
        return bell;
    }

    @Override
    public void handle(IoRegistration handled, IoEvent event) {
        attendToAll();
    }

    private void attendToAll() {
        // First what a thread left that was lost meanwhile.
        attendToTaken();
        if (isThisThread()) {
            taken = waiting.getAndSet(null);
            attendToTaken();
        }
    }

    private void attendToTaken() {
        while (isThisThread() && taken != null) {
            Connection connection = taken;
            taken = connection.nextWaiting;
            connection.nextWaiting = null;
            connection.attendTo();
        }
    }

    // ---- A thread that hangs

    /** Whether its thread may do what might hang. */
    boolean canBeRescued() {
        return lostThreads.get() < MAX_LOST_THREADS;
    }

    /**
     * Has a new thread take over from one that hangs in a transfer. It sees whatever the other one did before the transfer,
     * which set the state that {@code claim} changes. Called by one thread.
     *
     * @param claim gives the thread up if it hangs still, and tells whether it did
     * @return whether it was given up
     */
    boolean rescue(BooleanSupplier claim) {
        IoEventLoop next = spare.getAndSet(null);
        try {
            if (next == null) {
                next = transport.newEventLoop();
            }
            // Starts the thread: if the host gives none, the loop keeps the one it has.
            next.execute(() -> {});
        } catch (RuntimeException | Error e) {
            spare.set(next);
            log.warn("an event loop is held up, and no other thread can take over: {}", e.toString());
            return false;
        }
        if (!claim.getAsBoolean()) {
            transport.end(next);
            return false;
        }
        lostThreads.incrementAndGet();
        IoEventLoop old = events;
        events = next;
        next.execute(() -> takeOver(old));
        return true;
    }

    /** Calls nothing that might hang: then two threads would be at it. */
    private void takeOver(IoEventLoop old) {
        if (registration != null) {
            registration.cancel();
        }
        if (bell == null || deaf) {
            // Its number may be another file's by now.
            ((LoopThread) Thread.currentThread()).runs(this);
        } else {
            register();
        }
        transport.adoptAllOf(this);
        ring();
        // By its own thread, after it has cancelled what it had registered: what is registered is closed with it.
        old.execute(() -> transport.end(old));
    }

    /** No thread of it can be held up any more. */
    void endSpare() {
        IoEventLoop unused = spare.getAndSet(null);
        if (unused != null) {
            try {
                transport.end(unused);
            } catch (RuntimeException | Error e) {
                log.debug("ending an event loop that never began: {}", e.toString());
            }
        }
    }

    /** A thread that was lost has returned. */
    void lostThreadCameBack() {
        lostThreads.decrementAndGet();
    }

    /** The loop ends. */
    @Override
    public void close() throws IOException {
        if (isThisThread() && bell != null) {
            bell.close();
        }
    }
}
