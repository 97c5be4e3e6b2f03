package io.remap.core;

import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Daemon threads for tasks that may block on a device for half a minute. A task starts at once as long as fewer than the
 * maximum are blocked: a thread is added whenever none is idle, and ends after it was idle for a while.
 *
 * <p>Invariants, under the monitor: {@code idle <= threads <= maxThreads}; while tasks wait, either as many threads were
 * woken for them, or {@code threads} is at its maximum (or the host gives no more). Threads are never interrupted, since
 * they do file I/O.
 */
final class WorkerPool {
    /** Most tasks that wait for a thread. Requests in flight are bounded long before, so more is a programming error. */
    static final int MAX_WAITING_TASKS = 1 << 20;

    private static final Logger LOG = LoggerFactory.getLogger(WorkerPool.class);

    private final String namePrefix;
    private final int maxThreads;
    private final long idleMillis;
    private final ArrayDeque<Runnable> waiting = new ArrayDeque<>();
    private int threads;
    private int idle;
    private long nextThreadNumber = 1;
    private boolean closed;

    /**
     * Starts without a thread.
     *
     * @param namePrefix of the names of its threads
     * @param maxThreads most threads, 1 or more
     * @param idleMillis how long a thread waits for work before it ends
     */
    WorkerPool(String namePrefix, int maxThreads, long idleMillis) {
        this.namePrefix = namePrefix;
        this.maxThreads = maxThreads;
        this.idleMillis = idleMillis;
    }

    /** Runs the task soon; after {@link #close} it is dropped. */
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

    private void startThread() {
        Thread thread = new Thread(this::work, namePrefix + nextThreadNumber++);
        thread.setDaemon(true);
        threads++;
        try {
            thread.start();
        } catch (OutOfMemoryError e) {
            // The host gives no thread now. The others will come to the task, unless there are none.
            threads--;
            if (threads == 0) {
                waiting.pollLast();
                throw e;
            }
            LOG.warn("the host refuses another thread; {} work on", threads);
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
            if (left <= 0) {
                break;
            }
            idle++;
            try {
                wait(left);
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
