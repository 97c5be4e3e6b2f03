package io.remap.testkit;

import io.remap.api.Environment;
import io.remap.api.Scheduler;
import io.remap.api.TimeSource;
import java.util.Random;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** The clocks of the host, and threads of the test: for what cannot be tested in simulated time. */
public final class RealEnvironment {
    private RealEnvironment() {}

    /** Runs tasks on these threads, at once or later; randomness is the same each time. */
    public static Environment on(ScheduledExecutorService threads) {
        return new Environment(new Clocks(), new Threads(threads), new Random(1));
    }

    private record Clocks() implements TimeSource {
        @Override
        public long nanoTime() {
            return System.nanoTime();
        }

        @Override
        public long wallMillis() {
            return System.currentTimeMillis();
        }
    }

    private record Threads(ScheduledExecutorService threads) implements Scheduler {
        @Override
        public void execute(Runnable task) {
            threads.execute(task);
        }

        @Override
        public Cancellable schedule(Runnable task, long delayMillis) {
            var future = threads.schedule(task, delayMillis, TimeUnit.MILLISECONDS);
            return () -> future.cancel(false);
        }
    }
}
