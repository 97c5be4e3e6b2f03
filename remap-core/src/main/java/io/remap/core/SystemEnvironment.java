package io.remap.core;

import io.remap.api.Environment;
import io.remap.api.Scheduler;
import io.remap.api.TimeSource;
import java.security.SecureRandom;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The real time, threads and randomness of this process. Closing it ends its threads.
 *
 * <p>Timers have a thread of their own, which only hands tasks to the pool, so that no task makes another one late.
 */
public final class SystemEnvironment implements AutoCloseable {
    /** Most tasks that run at once. Each may be blocked on a bad sector; a thread that waits costs little. */
    static final int MAX_THREADS = 256;

    /** Most tasks that wait for their time. */
    static final int MAX_TIMERS = WorkerPool.MAX_WAITING_TASKS;

    private static final long IDLE_MILLIS = 30_000;
    private static final long CLOSE_MILLIS = 5_000;
    private static final Logger LOG = LoggerFactory.getLogger(SystemEnvironment.class);

    private final WorkerPool pool = new WorkerPool("remap-worker-", MAX_THREADS, IDLE_MILLIS);
    private final ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(1, task -> {
        Thread thread = new Thread(task, "remap-timer");
        thread.setDaemon(true);
        return thread;
    });
    private final Environment environment =
            new Environment(new SystemTime(), new PoolScheduler(), new SecureRandom(), Hosts.thisOne());

    private SystemEnvironment() {
        timer.setRemoveOnCancelPolicy(true);
    }

    /** Starts the threads. */
    public static SystemEnvironment start() {
        SystemEnvironment system = new SystemEnvironment();
        system.timer.prestartCoreThread();
        return system;
    }

    /** What is passed around. */
    public Environment environment() {
        return environment;
    }

    /** Lets tasks that run end, drops those that wait, and ends the threads; waits at most five seconds for them. */
    @Override
    public void close() {
        // The thread of the timer does no file I/O: it may be interrupted.
        timer.shutdownNow();
        if (!pool.close(CLOSE_MILLIS)) {
            LOG.warn("{} tasks are still busy, perhaps with a device that does not answer", pool.threads());
        }
    }

    /** The clocks of the host. */
    private static final class SystemTime implements TimeSource {
        @Override
        public long nanoTime() {
            return System.nanoTime();
        }

        @Override
        public long wallMillis() {
            return System.currentTimeMillis();
        }
    }

    /** The pool and the timer. */
    private final class PoolScheduler implements Scheduler {
        @Override
        public void execute(Runnable task) {
            pool.execute(task);
        }

        @Override
        public Cancellable schedule(Runnable task, long delayMillis) {
            if (timer.getQueue().size() >= MAX_TIMERS) {
                throw new IllegalStateException("more than " + MAX_TIMERS + " tasks wait for their time");
            }
            try {
                ScheduledFuture<?> future =
                        timer.schedule(() -> pool.execute(task), Math.max(0, delayMillis), TimeUnit.MILLISECONDS);
                return () -> future.cancel(false);
            } catch (RejectedExecutionException e) {
                // Closed: what waits is dropped, as in the pool.
                return () -> {};
            }
        }
    }
}
