package io.remap.core;

import io.remap.api.TimeSource;
import io.remap.api.listen.OccasionalLog;
import java.util.ArrayDeque;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Daemon threads for tasks that may block on a device for half a minute. A task starts at once as long as fewer than the
 * maximum are blocked: a thread is added whenever none is idle, and ends after it was idle for a while. The last one stays:
 * the host may have no other when the next task comes.
 *
 * <p>Invariants, under the monitor: {@code idle <= threads <= maxThreads}; while tasks wait, either as many threads were
 * woken for them, or {@code threads} is at its maximum, or the host gives no more and {@link #startMissing} is due.
 * Threads are never interrupted, since they do file I/O.
 */
final class WorkerPool {
    /** Most tasks that wait for a thread. Requests in flight are bounded long before, so more is a programming error. */
    static final int MAX_WAITING_TASKS = 1 << 20;

    private static final Logger LOG = LoggerFactory.getLogger(WorkerPool.class);

    private final ThreadFactory factory;
    private final int maxThreads;
    private final long idleMillis;
    private final OccasionalLog refusals;
    private final Runnable later;
    private final ArrayDeque<Runnable> waiting = new ArrayDeque<>();
    private int threads;
    private int idle;

    /** {@link #startMissing} is due. */
    private boolean retries;

    private boolean closed;

    /**
     * Starts without a thread.
     *
     * @param factory of daemon threads; what they throw when they are started is the host's refusal
     * @param maxThreads most threads, 1 or more
     * @param idleMillis how long a thread waits for work before it ends, if it is not the last
     * @param later has {@link #startMissing} called in a while; does not wait
     */
    WorkerPool(ThreadFactory factory, int maxThreads, long idleMillis, TimeSource time, Runnable later) {
        this.factory = factory;
        this.later = later;
        this.maxThreads = maxThreads;
        this.idleMillis = idleMillis;
        this.refusals = new OccasionalLog(LOG, time);
    }

    /** Daemon threads of this name, with numbers. */
    static ThreadFactory daemons(String namePrefix) {
        AtomicLong count = new AtomicLong();
        return work -> {
            Thread thread = new Thread(work, namePrefix + count.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        };
    }

    /**
     * Runs the task soon; after {@link #close} it is dropped.
     *
     * @throws OutOfMemoryError there is no thread, and the host gives none now: the task will not run
     */
    synchronized void execute(Runnable task) {
        if (closed) {
            return;
        }
        if (waiting.size() >= MAX_WAITING_TASKS) {
            throw new IllegalStateException("more than " + MAX_WAITING_TASKS + " tasks wait for a thread");
        }
        waiting.add(task);
        if (waiting.size() <= idle) {
            notify();
        } else if (threads < maxThreads) {
            startThread();
        }
    }

    /** @return whether the host gave it */
    private boolean startThread() {
        threads++;
        try {
            factory.newThread(this::work).start();
            return true;
        } catch (OutOfMemoryError e) {
            // The host gives no thread now. The others will come to the task, unless there are none.
            threads--;
            if (threads == 0) {
                waiting.pollLast();
                throw e;
            }
            refusals.warn("the host refuses another thread; " + threads + " work on: raise the limit of processes"
                    + " (ulimit -u, or TasksMax= of the service)");
            if (!retries) {
                retries = true;
                later.run();
            }
            return false;
        }
    }

    /** Tries again what the host refused: those that work may all hang at a device, while nobody brings another task. */
    synchronized void startMissing() {
        retries = false;
        int missing = closed ? 0 : Math.min(waiting.size() - idle, maxThreads - threads);
        while (missing > 0 && startThread()) {
            missing--;
        }
    }

    private void work() {
        for (Runnable task = next(); task != null; task = next()) {
            try {
                task.run();
            } catch (RuntimeException | Error e) {
                LOG.error("a task ended with a programming error", e);
            }
        }
    }

    /** The next task, {@code null} if the thread is to end. */
    private synchronized Runnable next() {
        long idleSince = System.nanoTime();
        while (waiting.isEmpty() && !closed) {
            long left = idleMillis - TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - idleSince);
            if (left <= 0 && threads > 1) {
                break;
            }
            idle++;
            try {
                // 0: until it is woken.
                wait(Math.max(0, left));
            } catch (InterruptedException e) {
                LOG.warn(
                        "{} was interrupted; it goes on", Thread.currentThread().getName());
            } finally {
                idle--;
            }
        }
        Runnable task = waiting.poll();
        if (task == null) {
            threads--;
            notifyAll();
        }
        return task;
    }

    /**
     * Drops the tasks that wait and lets those that run end.
     *
     * @return whether all threads ended in time
     */
    synchronized boolean close(long timeoutMillis) {
        closed = true;
        waiting.clear();
        notifyAll();
        long begun = System.nanoTime();
        while (threads > 0) {
            long left = timeoutMillis - TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begun);
            if (left <= 0) {
                return false;
            }
            try {
                wait(left);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return false;
            }
        }
        return true;
    }

    synchronized int threads() {
        return threads;
    }
}
