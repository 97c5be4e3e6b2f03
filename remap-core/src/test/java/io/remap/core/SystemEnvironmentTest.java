package io.remap.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Environment;
import io.remap.api.Scheduler;
import io.remap.api.Scheduler.Cancellable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

class SystemEnvironmentTest {
    @Test
    void clocksTimersAndRandomnessWork() throws Exception {
        try (SystemEnvironment system = SystemEnvironment.start()) {
            Environment environment = system.environment();
            long begun = environment.time().nanoTime();
            assertTrue(Math.abs(environment.time().wallMillis() - System.currentTimeMillis()) < 60_000);
            assertNotEquals(
                    environment.random().nextLong(), environment.random().nextLong());

            CountDownLatch ran = new CountDownLatch(2);
            AtomicReference<String> thread = new AtomicReference<>();
            environment.scheduler().execute(ran::countDown);
            environment
                    .scheduler()
                    .schedule(
                            () -> {
                                thread.set(Thread.currentThread().getName());
                                ran.countDown();
                            },
                            20);
            assertTrue(ran.await(20, TimeUnit.SECONDS));
            assertTrue(environment.time().nanoTime() - begun >= TimeUnit.MILLISECONDS.toNanos(20));
            assertTrue(thread.get().startsWith("remap-worker-"), thread.get());
        }
    }

    @Test
    void whatIsCancelledOrLateDoesNotRun() throws Exception {
        AtomicInteger ran = new AtomicInteger();
        SystemEnvironment system = SystemEnvironment.start();
        Cancellable cancelled = system.environment().scheduler().schedule(ran::incrementAndGet, 30);
        cancelled.cancel();
        cancelled.cancel();
        CountDownLatch later = new CountDownLatch(1);
        system.environment().scheduler().schedule(later::countDown, 60);
        assertTrue(later.await(20, TimeUnit.SECONDS));
        system.environment().scheduler().schedule(ran::incrementAndGet, 60_000);
        system.close();
        system.environment().scheduler().execute(ran::incrementAndGet);
        system.environment().scheduler().schedule(ran::incrementAndGet, 0).cancel();
        assertEquals(0, ran.get());
        system.close();
    }

    private static final class ThreadThatDoesNotStart extends Thread {
        private final CountDownLatch refused;

        ThreadThatDoesNotStart(CountDownLatch refused) {
            this.refused = refused;
        }

        @Override
        public synchronized void start() {
            refused.countDown();
            throw new OutOfMemoryError("unable to create native thread");
        }
    }

    /** One that is dropped ends deadlines, autosaves and listeners for ever, as each of these is armed by the one before. */
    @Test
    void aTimerForWhichTheHostHasNoThreadWaitsForOneAndMayBeCancelledMeanwhile() throws Exception {
        ThreadFactory threads = WorkerPool.daemons("test-");
        AtomicBoolean noThread = new AtomicBoolean(true);
        // One of the start, and those of two timers.
        CountDownLatch refused = new CountDownLatch(3);
        CountDownLatch ran = new CountDownLatch(1);
        AtomicInteger cancelled = new AtomicInteger();
        try (SystemEnvironment system = SystemEnvironment.start(
                work -> noThread.get() ? new ThreadThatDoesNotStart(refused) : threads.newThread(work))) {
            Scheduler scheduler = system.environment().scheduler();
            Cancellable second = scheduler.schedule(cancelled::incrementAndGet, 5);
            scheduler.schedule(ran::countDown, 5);
            assertTrue(refused.await(20, TimeUnit.SECONDS));
            second.cancel();
            noThread.set(false);
            assertTrue(ran.await(20, TimeUnit.SECONDS), "a timer was lost for lack of a thread");
        }
        assertEquals(0, cancelled.get());
    }
}
