package io.remap.testkit;

import io.remap.api.Environment;
import io.remap.api.Scheduler;
import io.remap.api.TimeSource;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.PriorityQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.random.RandomGenerator;

/**
 * Runs tasks on the thread of the test, one after the other in their order, in virtual time: time passes only when nothing
 * else is left to do. For tests that need one order and speed; {@link SimScheduler} gives all orders.
 */
public final class TaskQueue implements Scheduler, TimeSource {
    /** More tasks than this without an end are a livelock. */
    private static final int MAX_TASKS = 1_000_000;

    private static final long WALL_START_MILLIS = 1_700_000_000_000L;

    private final ArrayDeque<Runnable> ready = new ArrayDeque<>();
    private final PriorityQueue<Timer> timers =
            new PriorityQueue<>(Comparator.comparingLong(Timer::dueNanos).thenComparingLong(Timer::order));
    private long nowNanos = 1;
    private long order;

    private record Timer(long dueNanos, long order, Runnable task) {}

    /** This as an environment. */
    public Environment environment(RandomGenerator random) {
        return new Environment(this, this, random);
    }

    @Override
    public void execute(Runnable task) {
        ready.add(task);
    }

    @Override
    public Cancellable schedule(Runnable task, long delayMillis) {
        boolean[] cancelled = {false};
        timers.add(new Timer(nowNanos + TimeUnit.MILLISECONDS.toNanos(delayMillis), order++, () -> {
            if (!cancelled[0]) {
                task.run();
            }
        }));
        return () -> cancelled[0] = true;
    }

    /** Runs until nothing is left to do. */
    public void runAll() {
        runWhile(() -> true);
    }

    /** Runs until nothing is left to do, or the condition, asked before each task, does not hold any more. */
    public void runWhile(BooleanSupplier goesOn) {
        for (int i = 0; i < MAX_TASKS; i++) {
            if (!goesOn.getAsBoolean()) {
                return;
            }
            Runnable task = ready.poll();
            if (task == null) {
                Timer timer = timers.poll();
                if (timer == null) {
                    return;
                }
                nowNanos = Math.max(nowNanos, timer.dueNanos);
                task = timer.task;
            }
            task.run();
        }
        throw new AssertionError("no end after " + MAX_TASKS + " tasks: a livelock");
    }

    /** Time passes within a task, as while a device takes its time; nothing else runs. */
    public void sleep(long nanos) {
        nowNanos += nanos;
    }

    @Override
    public long nanoTime() {
        return nowNanos;
    }

    @Override
    public long wallMillis() {
        return WALL_START_MILLIS + TimeUnit.NANOSECONDS.toMillis(nowNanos);
    }
}
