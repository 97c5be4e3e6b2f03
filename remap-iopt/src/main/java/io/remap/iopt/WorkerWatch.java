package io.remap.iopt;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.locks.LockSupport;

/**
 * Looks every few milliseconds, while workers and loops execute transfers, whether one of them is held up by something that
 * was thought to be quick.
 *
 * <p>Invariant: while anybody is at work, the thread is {@link #awake}. Its thread is started with the first work; while the
 * host gives none ({@link #isThere}) nobody is watched, and it is asked again and again.
 */
final class WorkerWatch {
    private static final long INTERVAL_NANOS = 5_000_000;

    /** So many times it finds nobody at work before it sleeps: waking it costs more than to look. */
    private static final int PATIENCE = 20;

    /** A loop is found in the same transfer so many times before it is taken over, which costs a thread. */
    private static final int HELD_UP_CHECKS = 4;

    static final long RETRY_MILLIS = 1_000;

    private final IoWorkers workers;
    private final List<LoopThread> loops = new CopyOnWriteArrayList<>();
    private final ThreadFactory threads;

    /** {@code null} until it is started. */
    private volatile Thread thread;

    private volatile boolean awake;
    private volatile boolean closed;

    /** The host gave no thread, and is asked again later. */
    private boolean waits;

    WorkerWatch(IoWorkers workers, ThreadFactory threads) {
        this.workers = workers;
        this.threads = threads;
    }

    /** Whether it can watch; not so while the host gives no thread. */
    boolean isThere() {
        return thread != null || start();
    }

    private synchronized boolean start() {
        if (thread != null || closed) {
            return true;
        }
        if (waits) {
            return false;
        }
        Thread begun = threads.newThread(this::run);
        begun.setDaemon(true);
        try {
            begun.start();
        } catch (OutOfMemoryError e) {
            workers.failed("no thread that watches", e);
            waits = true;
            workers.later(this::tryAgain, RETRY_MILLIS);
            return false;
        }
        thread = begun;
        return true;
    }

    private void tryAgain() {
        synchronized (this) {
            waits = false;
        }
        begin();
    }

    /** A loop executes a transfer itself now. */
    void begin(LoopThread loop) {
        if (!loop.isWatched()) {
            loop.watched();
            loops.add(loop);
        }
        begin();
    }

    /** Somebody is at work now. */
    void begin() {
        if (!awake) {
            wake();
        }
    }

    private synchronized void wake() {
        if (start()) {
            awake = true;
            LockSupport.unpark(thread);
        }
    }

    private void run() {
        int idle = 0;
        while (!closed) {
            if (isAnyAtWork()) {
                idle = 0;
            } else if (++idle >= PATIENCE) {
                sleep();
                idle = 0;
            }
            LockSupport.parkNanos(this, INTERVAL_NANOS);
        }
    }

    private boolean isAnyAtWork() {
        try {
            boolean busy = workers.check();
            return checkLoops() || busy;
        } catch (RuntimeException | Error e) {
            workers.failed("the watch", e);
            return true;
        }
    }

    /** Has loops taken over whose threads hang; returns whether any executes transfers. */
    private boolean checkLoops() {
        boolean busy = false;
        loops.removeIf(loop -> loop.isLost() || !loop.isAlive());
        for (LoopThread loop : loops) {
            if (loop.isInTransfer()) {
                busy = true;
                if (loop.isHeldUp(HELD_UP_CHECKS) && loop.giveUp()) {
                    workers.lostLoops.increment();
                }
            }
        }
        return busy;
    }

    private void sleep() {
        awake = false;
        // Who came in before that relied on it.
        if (workers.check() || checkLoops()) {
            awake = true;
        }
        while (!awake && !closed) {
            LockSupport.park(this);
        }
    }

    /** Ends the thread; does not wait for it. */
    void close() {
        closed = true;
        LockSupport.unpark(thread);
    }
}
