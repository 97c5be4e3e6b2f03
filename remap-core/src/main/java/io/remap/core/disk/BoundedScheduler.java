package io.remap.core.disk;

import io.remap.api.Scheduler;
import java.util.ArrayDeque;
import java.util.concurrent.locks.Lock;

/**
 * The threads of one disk: a part of those of the service. What a disk runs there may wait for a device that does not
 * answer, and must leave threads to the other disks, and to the sweep that keeps the {@link Deadlines}.
 *
 * <p>Invariants: at most {@code places} tasks are with the scheduler below, and tasks wait only while so many are; they
 * start in the order in which they came. As tasks never wait for each other, those that wait do so for devices alone.
 *
 * <p>Thread-safe.
 */
final class BoundedScheduler implements Scheduler {
    private final Scheduler below;
    private final int places;

    /** Guards itself and {@link #taken}; bounded by what the disk has under way. */
    private final ArrayDeque<Runnable> waiting = new ArrayDeque<>();

    private int taken;

    /** @param places most tasks at a time, 1 or more */
    BoundedScheduler(Scheduler below, int places) {
        this.below = below;
        this.places = places;
    }

    @Override
    public void execute(Runnable task) {
        synchronized (waiting) {
            if (taken == places) {
                waiting.add(task);
                return;
            }
            taken++;
        }
        begin(task);
    }

    private void begin(Runnable task) {
        try {
            below.execute(() -> run(task));
        } catch (RuntimeException | Error e) {
            // It will not run; its place is another one's.
            ended();
            throw e;
        }
    }

    private void run(Runnable task) {
        try {
            task.run();
        } finally {
            ended();
        }
    }

    private void ended() {
        Runnable next;
        synchronized (waiting) {
            next = waiting.poll();
            if (next == null) {
                taken--;
            }
        }
        if (next != null) {
            begin(next);
        }
    }

    @Override
    public Cancellable schedule(Runnable task, long delayMillis) {
        boolean[] cancelled = {false};
        Cancellable timer = below.schedule(
                () -> execute(() -> {
                    synchronized (cancelled) {
                        if (cancelled[0]) {
                            return;
                        }
                    }
                    task.run();
                }),
                delayMillis);
        return () -> {
            synchronized (cancelled) {
                cancelled[0] = true;
            }
            timer.cancel();
        };
    }

    @Override
    public Lock newLock() {
        return below.newLock();
    }
}
