package io.remap.cli.proof;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Refusal;
import io.remap.cli.SimulatedStack;
import io.remap.cli.proof.FaultSweep.Position;
import io.remap.cli.proof.FaultSweep.Scenario;
import io.remap.core.Providers;
import io.remap.testkit.SuiteBudget;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * G3: every operation of both devices, and every acquisition of a buffer, fails in every way; see {@link FaultSweep}. All of
 * them in a soak; else as many as there is time for, in an order that follows from the seed.
 */
class FaultSweepTest {
    private static final long SEED = Long.getLong("remap.seed", 20261126L);
    private static final double SECONDS = 10;
    private static final long FLOOR = 1_000;
    private static final long FULL = 40_000;

    private final SimulatedStack product = new SimulatedStack(Providers.load());
    private final List<Position> singles = new ArrayList<>();
    private final List<List<Position>> byScenario = new ArrayList<>();
    private final AtomicInteger nextSingle = new AtomicInteger();
    private final AtomicLong pairs = new AtomicLong();
    private final AtomicLong met = new AtomicLong();
    private final AtomicLong failed = new AtomicLong();

    FaultSweepTest() throws Refusal {}

    @BeforeAll
    static void silence() {
        CrashExplorerTest.silence();
    }

    @Test
    void everyOperationMayFail() throws Exception {
        String wanted = System.getProperty("remap.position");
        FaultSweep scout = new FaultSweep(product, SEED);
        for (Scenario scenario : scout.scenarios()) {
            List<Position> positions = scout.positions(scenario);
            singles.addAll(positions);
            // A read of zeros needs no device.
            if (!positions.isEmpty()) {
                byScenario.add(positions);
            }
        }
        if (wanted != null) {
            replay(scout, wanted);
            return;
        }
        SuiteBudget budget = new SuiteBudget("G3 fault sweep", "positions", SECONDS, FLOOR, FULL);
        Collections.shuffle(singles, new Random(SEED));
        int threads = Runtime.getRuntime().availableProcessors();
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        try {
            List<Future<?>> running = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                int number = i;
                running.add(pool.submit(() -> {
                    sweep(budget, number);
                    return null;
                }));
            }
            for (Future<?> one : running) {
                one.get();
            }
        } finally {
            pool.shutdownNow();
        }
        budget.finish(String.format(
                Locale.ROOT,
                "of %,d single faults in %d scenarios, then %,d pairs; met by %,d operations, of which %,d requests failed",
                singles.size(),
                byScenario.size(),
                pairs.get(),
                met.get(),
                failed.get()));
        assertTrue(met.get() > 0 && failed.get() > 0, "no fault was met, or no request ever failed of one");
    }

    private void sweep(SuiteBudget budget, int thread) throws IOException {
        FaultSweep sweep = new FaultSweep(product, SEED);
        Random random = new Random(SEED + thread);
        while (budget.goesOn()) {
            int next = nextSingle.getAndIncrement();
            if (next < singles.size()) {
                sweep.run(singles.get(next));
            } else {
                pairs.incrementAndGet();
                sweep.run(FaultSweep.pair(byScenario.get(random.nextInt(byScenario.size())), random));
            }
            budget.ran(1);
        }
        met.addAndGet(sweep.met());
        failed.addAndGet(sweep.failed());
    }

    /** Positions as a failure names them, joined by a plus. */
    private void replay(FaultSweep sweep, String wanted) throws IOException {
        List<String> names = Arrays.asList(wanted.split("\\+", -1));
        Position[] positions = singles.stream()
                .filter(position -> names.contains(position.toString()))
                .toArray(Position[]::new);
        assertTrue(positions.length == names.size(), "no such position: " + wanted);
        sweep.run(positions);
        System.out.println(wanted + " passes: " + sweep.met() + " operations met it");
    }
}
