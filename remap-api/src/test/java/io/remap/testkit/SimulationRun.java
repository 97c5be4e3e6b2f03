package io.remap.testkit;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/** Runs {@link DiskSimulation}s of many seeds, or of the one that the property {@code remap.seed} names. */
public final class SimulationRun {
    private static final int TRACE_CHARS_MAX = Integer.getInteger("remap.trace", 6_000);

    private final String module;
    private final Class<?> test;
    private final Supplier<SimProduct> product;
    private final SimCoverage coverage = new SimCoverage();
    private boolean devicesOnly;

    /**
     * @param module where the test is, for the command that replays a seed
     * @param test the test class, for the same
     * @param product makes the product of one simulation
     */
    public SimulationRun(String module, Class<?> test, Supplier<SimProduct> product) {
        this.module = module;
        this.test = test;
        this.product = product;
    }

    /** In these lives devices fail as a whole, and no sector ever does: nothing may be redirected. */
    public SimulationRun ofDeviceFaults() {
        devicesOnly = true;
        return this;
    }

    /**
     * Runs the seeds from 1 on until the seconds are spent, and so many at least; throws at the first that fails, and if a
     * class of events was never met. The property {@code remap.seeds} asks for exactly so many.
     *
     * @param fullSeeds how many a soak runs
     * @param required the events that must be met
     */
    public void run(int leastSeeds, double seconds, int fullSeeds, List<String> required) {
        String wanted = System.getProperty(DiskSimulation.SEED_PROPERTY);
        if (wanted != null) {
            long seed = Long.parseLong(wanted);
            failureOf(seed, true).ifPresent(failure -> {
                throw failure;
            });
            System.out.println("seed " + seed + " passes: " + coverage);
            return;
        }
        Integer asked = Integer.getInteger("remap.seeds");
        long least = asked == null ? leastSeeds : asked;
        SuiteBudget budget = new SuiteBudget(
                "G4 " + test.getSimpleName(), "seeds", seconds, least, asked == null ? fullSeeds : asked);
        for (long seed = 1; asked == null ? budget.goesOn() : seed <= asked; seed++) {
            if (failureOf(seed, false).isPresent()) {
                // Once more, with a trace.
                throw failureOf(seed, true)
                        .orElse(new AssertionError(
                                "seed " + seed + " failed once and then not again: not deterministic"));
            }
            budget.ran(1);
        }
        budget.finish(coverage.totals() + "; " + coverage);
        coverage.checkComplete(required);
    }

    /** Which lives are lived to find a defect; the others cannot show it. */
    public enum Lives {
        ALL,
        /** Sectors are moved on request. */
        WITH_MOVES,
        /** The power fails. */
        WITH_POWER_CUTS,
        /** Flushes of main fail, and the power. */
        WITH_FAILED_FLUSHES,
        /** Flushes of the spare fail, and lose what they should have saved. */
        WITH_FAILED_FLUSHES_OF_THE_SPARE,
        /** Transfers to main hang. */
        WITH_HANGS,
        /** What stands in sealed slots changes by itself. */
        WITH_ROT,
        /** Slots are given back and taken by others all the time. */
        WITH_REUSE
    }

    /**
     * The first of so many seeds that fails because a client sees wrong data: for showing that a defect is found, not only
     * by checks from inside.
     */
    public Optional<AssertionError> firstWrongAnswer(int seeds, Lives lives) {
        for (long seed = 1; seed <= seeds; seed++) {
            SimPlan plan = DiskSimulation.plan(seed);
            boolean lived = switch (lives) {
                case ALL -> true;
                case WITH_MOVES -> plan.moves;
                case WITH_POWER_CUTS -> plan.powerCuts;
                case WITH_FAILED_FLUSHES -> plan.flushErrors && plan.powerCuts;
                case WITH_HANGS -> plan.hangs;
                case WITH_ROT -> plan.rots;
                case WITH_REUSE -> plan.reuses;
                case WITH_FAILED_FLUSHES_OF_THE_SPARE -> plan.spareFlushErrors && plan.losesCache;
            };
            if (!lived) {
                continue;
            }
            Optional<AssertionError> failure =
                    failureOf(seed, false).filter(found -> found.getMessage().contains(ReferenceMap.READS_AS));
            if (failure.isPresent()) {
                return failure;
            }
        }
        return Optional.empty();
    }

    private Optional<AssertionError> failureOf(long seed, boolean traced) {
        try (DiskSimulation simulation = new DiskSimulation(seed, product.get(), coverage, traced, devicesOnly)) {
            try {
                simulation.run();
                return Optional.empty();
            } catch (Throwable e) {
                String trace = simulation.trace();
                String tail = trace.substring(Math.max(0, trace.length() - TRACE_CHARS_MAX));
                AssertionError failure = new AssertionError(
                        "seed " + seed + ": " + e.getMessage() + "\nreplay: " + command(seed) + "\nplan: "
                                + simulation.plan + (tail.isEmpty() ? "" : "\n" + tail + "\n" + keep(seed, trace)),
                        e);
                return Optional.of(failure);
            }
        }
    }

    /** Writes the whole of a trace beside the module's build. */
    private static String keep(long seed, String trace) {
        Path file = Path.of("target", "seed-" + seed + ".trace");
        try {
            Files.writeString(file, trace);
            return "the whole trace: " + file.toAbsolutePath();
        } catch (IOException e) {
            return "the whole trace could not be written: " + e;
        }
    }

    private String command(long seed) {
        return "mvn -B -Dquick -pl " + module + " -am test -Dtest=" + test.getSimpleName()
                + " -Dsurefire.failIfNoSpecifiedTests=false -D" + DiskSimulation.SEED_PROPERTY + "=" + seed;
    }
}
