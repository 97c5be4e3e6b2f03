package io.remap.nbd;

import io.remap.api.Scheduler;
import java.util.ArrayList;
import java.util.List;

/** Timers that run when a test says, also those whose cancellation came too late. */
final class HeldTimers implements Scheduler {
    /** All that were ever scheduled, in this order. */
    final List<Runnable> tasks = new ArrayList<>();

    int cancelled;
    /** Runs after a timer began and before whoever began it has it in its hands. */
    Runnable whenScheduled = () -> {};

    @Override
    public void execute(Runnable task) {
        throw new UnsupportedOperationException();
    }

    @Override
    public Cancellable schedule(Runnable task, long delayMillis) {
        tasks.add(task);
        whenScheduled.run();
        return () -> cancelled++;
    }
}
