package io.remap.core;

import io.remap.api.Environment;
import io.remap.api.Scheduler;
import io.remap.api.TimeSource;
import io.remap.api.listen.OccasionalLog;
import java.security.SecureRandom;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The real time, threads and randomness of this process. Closing it ends its threads.
 *
 * <p>Timers have a thread of their own, which only hands tasks to the pool, so that no task makes another one late. A
 * task whose time has come is not lost where the host gives no thread for it: deadlines, autosaves and listeners live by
 * such tasks.
 */
public final class SystemEnvironment implements AutoCloseable {
    /** Most tasks that run at once. Each may be blocked on a bad sector; a thread that waits costs little. */
    static final int MAX_THREADS = 256;

    /** Most tasks that wait for their time. */
    static final int MAX_TIMERS = WorkerPool.MAX_WAITING_TASKS;

    /** How soon the host is asked again for a thread that it refused. */
    static final long AGAIN_MILLIS = 1_000;

    private static final long IDLE_MILLIS = 30_000;
    private static final long CLOSE_MILLIS = 5_000;
    private static final Logger LOG = LoggerFactory.getLogger(SystemEnvironment.class);

    private final TimeSource time = new SystemTime();
    private final OccasionalLog refusals = new OccasionalLog(LOG, time);
    private final WorkerPool pool;
    private final ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(1, task -> {
        Thread thread = new Thread(task, "remap-timer");
        thread.setDaemon(true);
        return thread;
    });
    private final Environment environment =
            new Environment(time, new PoolScheduler(), new SecureRandom(), Hosts.thisOne());

    private SystemEnvironment(ThreadFactory workers) {
        pool = new WorkerPool(workers, MAX_THREADS, IDLE_MILLIS, time, this::startMissingLater);
        timer.setRemoveOnCancelPolicy(true);
    }

    /** Starts the threads. */
    public static SystemEnvironment start() {
        return start(WorkerPool.daemons("remap-worker-"));
    }

    /** @param workers where the threads come from that run tasks */
    static SystemEnvironment start(ThreadFactory workers) {
        SystemEnvironment system = new SystemEnvironment(workers);
        system.timer.prestartCoreThread();
        // From the first one on the pool is never without a thread.
        system.environment.scheduler().schedule(() -> {}, 0);
        return system;
    }

    private void startMissingLater() {
        try {
            var unused = timer.schedule(pool::startMissing, AGAIN_MILLIS, TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            LOG.debug("closed: nobody needs another thread: {}", e.toString());
        }
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
            Timed timed = new Timed(task);
            timed.waitFor(Math.max(0, delayMillis));
            return timed;
        }
    }

    /** A task that waits for its time, and then for a thread. */
    private final class Timed implements Runnable, Scheduler.Cancellable {
        private final Runnable task;
        private volatile boolean cancelled;
        private volatile Future<?> wait;

        private Timed(Runnable task) {
            this.task = task;
        }

        private void waitFor(long millis) {
            try {
                wait = timer.schedule(this, millis, TimeUnit.MILLISECONDS);
            } catch (RejectedExecutionException e) {
                LOG.debug("closed: what waits is dropped, as in the pool: {}", e.toString());
            }
        }

        @Override
        public void run() {
            if (cancelled) {
                return;
            }
            try {
                pool.execute(task);
            } catch (OutOfMemoryError | IllegalStateException e) {
                refusals.warn("a timer is late for lack of a thread, and tries again every second: " + e.getMessage()
                        + "; raise the limit of processes (ulimit -u, or TasksMax= of the service)");
                waitFor(AGAIN_MILLIS);
            }
        }

        @Override
        public void cancel() {
            cancelled = true;
            Future<?> waits = wait;
            if (waits != null) {
                waits.cancel(false);
            }
        }
    }
}
