package io.remap.iopt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.testkit.SimScheduler;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class WorkerWatchTest {
    private final SimScheduler scheduler = new SimScheduler(new SplittableRandom(1));
    private final IoWorkers workers = new IoWorkers(scheduler.environment(new SplittableRandom(1)), 1, null);
    private final AtomicInteger asked = new AtomicInteger();
    private final WorkerWatch watch = new WorkerWatch(workers, this::thread);
    private boolean noThread;

    private Thread thread(Runnable task) {
        asked.incrementAndGet();
        return new Thread(task) {
            @Override
            public synchronized void start() {
                if (noThread) {
                    throw new OutOfMemoryError("unable to create native thread");
                }
                super.start();
            }
        };
    }

    @AfterEach
    void close() {
        watch.close();
        workers.close();
        scheduler.close();
    }

    /** What is thought to be quick is left to workers then, and those do without. */
    @Test
    void aHostThatGivesNoThreadIsAskedAgainLater() {
        noThread = true;
        for (int i = 0; i < 10; i++) {
            assertFalse(watch.isThere());
            watch.begin();
        }
        assertEquals(1, asked.get());
        scheduler.runUntil(() -> asked.get() == 3);
        assertFalse(watch.isThere());
        noThread = false;
        scheduler.runUntil(watch::isThere);
        assertEquals(4, asked.get());
        scheduler.runUntilIdle();
        watch.begin();
        assertTrue(watch.isThere());
        assertEquals(4, asked.get());
    }
}
