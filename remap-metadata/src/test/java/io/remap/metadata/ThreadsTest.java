package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Environment;
import io.remap.api.Scheduler;
import io.remap.api.Settings;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.testkit.CrashDevice;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** The store under real threads: many callers, and a stop in the middle. */
class ThreadsTest {
    private static final int CALLERS = 6;
    private static final int CALLS = 60;

    private static Environment environment(ExecutorService pool) {
        Scheduler scheduler = new Scheduler() {
            @Override
            public void execute(Runnable task) {
                pool.execute(task);
            }

            @Override
            public Cancellable schedule(Runnable task, long delayMillis) {
                throw new UnsupportedOperationException("no timers here");
            }
        };
        Environment quiet = Bench.environment(new Bench.Tasks(), 1);
        return new Environment(quiet.time(), scheduler, new Random(1));
    }

    @Test
    void everyCallIsAnsweredOnceAndWhatIsDurableIsFoundAgain() throws Exception {
        CrashDevice spare = Bench.formatted(4);
        ExecutorService pool = Executors.newFixedThreadPool(4);
        ExecutorService callers = Executors.newFixedThreadPool(CALLERS);
        try {
            MetadataStore store = new LogMetadataProvider().open(spare, false, environment(pool), Settings.defaults());
            Queue<Long> durable = new ConcurrentLinkedQueue<>();
            AtomicInteger answers = new AtomicInteger();
            CountDownLatch half = new CountDownLatch(CALLERS * CALLS / 2);
            CountDownLatch issued = new CountDownLatch(CALLERS);
            for (int caller = 0; caller < CALLERS; caller++) {
                int first = caller * CALLS;
                callers.execute(() -> {
                    for (int i = first; i < first + CALLS; i++) {
                        long unit = 2L * i;
                        store.commit(List.of(Bench.map(unit, i)), (outcome, table) -> {
                            if (outcome == Outcome.DURABLE) {
                                durable.add(unit);
                            }
                            answers.incrementAndGet();
                            half.countDown();
                        });
                    }
                    issued.countDown();
                });
            }
            assertTrue(half.await(30, TimeUnit.SECONDS), "half of the commits were not answered in 30 s");
            store.close();
            assertTrue(issued.await(30, TimeUnit.SECONDS));
            pool.shutdown();
            assertTrue(pool.awaitTermination(30, TimeUnit.SECONDS));
            assertEquals(CALLERS * CALLS, answers.get());
            MetadataStore again =
                    Bench.open(spare.crashKeeping(sector -> false)).store();
            assertEquals(durable.size(), again.table().extents());
            durable.forEach(unit -> assertTrue(again.table().placeOf(unit) != 0, "unit " + unit));
        } finally {
            callers.shutdownNow();
            pool.shutdownNow();
        }
    }
}
