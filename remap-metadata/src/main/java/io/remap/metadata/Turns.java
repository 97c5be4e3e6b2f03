package io.remap.metadata;

import io.remap.api.Scheduler;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whose turn it is to touch the logs of a store: that of a task of the scheduler, which works on what waits, or of
 * whoever closes it. What needs a turn of its own is a <i>job</i>; the work of a turn says when it runs one.
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>One at a time has a turn.
 *   <li>While something waits, a task is {@code scheduled} or somebody has a turn; who ends one sees to the next.
 *   <li>Once it is closed nothing is taken any more; what was taken before is there for the last turn.
 * </ul>
 *
 * <p>Thread-safe. The work and the jobs run without its lock; {@code more}, and what puts something, run under it,
 * and must not call it.
 */
final class Turns {
    private static final Logger LOG = LoggerFactory.getLogger(Turns.class);

    /** Most jobs that wait: a command has one, but whoever waits for a spare that hangs gives up, and asks again. */
    static final int MAX_JOBS = 64;

    private final Scheduler scheduler;
    private final BooleanSupplier more;
    private final Runnable work;
    private final Deque<Runnable> jobs = new ArrayDeque<>();
    private boolean scheduled;
    private boolean taken;
    private boolean reading;

    /** Whoever has the last turn was interrupted, and gets that back at its end. */
    private boolean interrupted;

    private volatile boolean closed;

    /**
     * @param more whether something waits beside the jobs
     * @param work what is done in a turn: a part of what waits, so that others get theirs between
     */
    Turns(Scheduler scheduler, BooleanSupplier more, Runnable work) {
        this.scheduler = scheduler;
        this.more = more;
        this.work = work;
    }

    boolean isClosed() {
        return closed;
    }

    /**
     * Sees to a turn for what is put where {@code more} finds it.
     *
     * @param put puts it there, unless there is no room
     * @return {@code false} if it was not put, as there was no room, or as this is closed
     */
    synchronized boolean offer(BooleanSupplier put) {
        if (closed || !put.getAsBoolean()) {
            return false;
        }
        scheduleIfIdle();
        return true;
    }

    /** Sees to a turn for the job; {@code false} if this is closed, or {@link #MAX_JOBS} wait: it does not run. */
    synchronized boolean add(Runnable job) {
        if (closed || jobs.size() >= MAX_JOBS) {
            return false;
        }
        jobs.add(job);
        scheduleIfIdle();
        return true;
    }

    private void scheduleIfIdle() {
        if (!scheduled && !taken && (!jobs.isEmpty() || more.getAsBoolean())) {
            scheduled = true;
            scheduler.execute(this::run);
        }
    }

    private void run() {
        synchronized (this) {
            scheduled = false;
            if (taken) {
                return;
            }
            taken = true;
        }
        try {
            work.run();
        } finally {
            end();
        }
    }

    /** In a turn: runs the job that waits longest; {@code false} if none does. */
    boolean runJob() {
        Runnable job;
        synchronized (this) {
            job = jobs.poll();
        }
        if (job == null) {
            return false;
        }
        try {
            job.run();
        } catch (RuntimeException e) {
            LOG.error("a job of the metadata failed", e);
        }
        return true;
    }

    /** Keeps the last turn waiting until {@link #endReading}; {@code false} if this is closed. One at a time. */
    synchronized boolean beginReading() {
        if (closed) {
            return false;
        }
        reading = true;
        return true;
    }

    synchronized void endReading() {
        reading = false;
        notifyAll();
    }

    /**
     * Closes this, then waits for its turn, and until nobody reads. {@link #end} has to follow.
     *
     * <p>An interrupt is kept until then: it would close the files that the turn writes to.
     *
     * @return {@code false} if it was closed before
     */
    synchronized boolean beginLast() {
        boolean first = !closed;
        closed = true;
        boolean kept = false;
        while (taken || reading) {
            try {
                wait();
            } catch (InterruptedException e) {
                kept = true;
            }
        }
        // Who is woken and interrupted at once comes back from a wait without being told.
        boolean late = Thread.interrupted();
        interrupted = kept || late;
        taken = true;
        return first;
    }

    synchronized void end() {
        if (interrupted) {
            interrupted = false;
            Thread.currentThread().interrupt();
        }
        taken = false;
        notifyAll();
        scheduleIfIdle();
    }
}
