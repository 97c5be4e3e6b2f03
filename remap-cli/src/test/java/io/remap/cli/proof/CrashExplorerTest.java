package io.remap.cli.proof;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.cli.SimulatedStack;
import io.remap.core.Providers;
import io.remap.testkit.SuiteBudget;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** G1: power cuts at every boundary of every short workload, over the virtual disk and the metadata store together. */
class CrashExplorerTest {
    private static final long SEED = Long.getLong("remap.seed", 20261126L);
    private static final double SECONDS = 60;
    private static final long FLOOR = 170_000;
    private static final long FULL = 3_000_000;
    private static final int LONGEST = 6;
    private static final int LONGEST_SEALED = 4;
    private static final int LONGEST_OF_TWO = 3;
    private static final List<List<Step>> BEGINNINGS_OF_TWO = List.of(
            List.of(Step.MAIN_BAD, Step.WRITE_A, Step.MAP_ADD),
            List.of(Step.MAIN_BAD, Step.FIRST_SPARE_DIES, Step.WRITE_A),
            List.of(Step.MAIN_BAD, Step.WRITE_A, Step.FIRST_SPARE_DIES));
    private static final List<Step> STEPS_OF_TWO = List.of(
            Step.WRITE_A,
            Step.MAIN_BAD,
            Step.MAP_ADD,
            Step.MAP_REMOVE,
            Step.LOG_BAD,
            Step.HEADER_BAD,
            Step.MAPPED_SLOT_BAD,
            Step.FIRST_SPARE_DIES,
            Step.FLUSH,
            Step.RESTART);
    private static final List<Step> SEALING_STEPS = List.of(
            Step.WRITE_A,
            Step.WRITE_PART,
            Step.WRITE_BOTH,
            Step.MAPPED_SLOT_BAD,
            Step.FLUSH,
            Step.RESTART,
            Step.MAP_REMOVE);

    /** What must have happened to the disks, each at least once. */
    private static final List<String> REQUIRED = List.of(
            "metadata.commits-refused",
            "metadata.compactions",
            "remap.bad-slots",
            "remap.new-lost-sectors",
            "remap.redirected-writes",
            "return.units");

    /** Before the loggers are made: each fault would be a line. */
    @BeforeAll
    static void silence() {
        System.setProperty("org.slf4j.simpleLogger.log.io.remap.core.disk", "off");
        System.setProperty("org.slf4j.simpleLogger.log.io.remap.metadata", "off");
    }

    @Test
    void noPowerCutLosesWhatWasFlushedNorShowsWhatWasNot() throws Exception {
        Optional<String> wanted = Optional.ofNullable(System.getProperty("remap.workload"));
        if (wanted.isPresent()) {
            replay(wanted.get());
            return;
        }
        SuiteBudget budget = new SuiteBudget("G1 power cuts over both modules", "crash states", SECONDS, FLOOR, FULL);
        Workloads workloads = new Workloads(LONGEST);
        SimulatedStack product = new SimulatedStack(Providers.load());
        List<Future<Share>> shares = new ArrayList<>();
        int threads = Runtime.getRuntime().availableProcessors();
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        try {
            for (int i = 0; i < threads; i++) {
                shares.add(pool.submit(
                        () -> explore(new CrashExplorer(product, SEED, CrashExplorer.Care.USUAL), workloads, budget)));
            }
            Share sum = new Share();
            for (Future<Share> share : shares) {
                sum.add(share.get());
            }
            FormatExplorer format = new FormatExplorer(product.metadata(), SEED);
            format.explore(false);
            format.explore(true);
            budget.ran(format.states());
            long[] outcomes = format.outcomes();
            assertEquals(4, Arrays.stream(outcomes).filter(count -> count > 0).count(), "outcomes of a format");
            budget.finish(sum.text() + ", " + format.states() + " states of a format");
            assertEquals(List.of(), sum.missing(), () -> "never happened; it met " + sum.counters);
        } finally {
            pool.shutdownNow();
        }
    }

    /** As above, with a spare that is sealed after each step, and opened by the next one that writes to it. */
    @Test
    void noPowerCutDoesWhileChecksumsComeAndGo() throws Exception {
        SuiteBudget budget =
                new SuiteBudget("G1 power cuts while slots are sealed and opened", "crash states", 15, 20_000, 250_000);
        SimulatedStack product = new SimulatedStack(Providers.load()).sealing(1);
        CrashExplorer explorer = new CrashExplorer(product, SEED, CrashExplorer.Care.USUAL);
        Map<String, Long> counters = new TreeMap<>();
        // Each begins with something on the spare.
        Iterator<List<Step>> workloads = Workloads.upTo(LONGEST_SEALED, SEALING_STEPS).stream()
                .flatMap(steps -> Stream.of(List.of(Step.MAP_ADD), List.of(Step.MAIN_BAD, Step.WRITE_A))
                        .map(first ->
                                Stream.concat(first.stream(), steps.stream()).toList()))
                .iterator();
        while (workloads.hasNext() && budget.goesOn()) {
            long before = explorer.states();
            if (explorer.explore(workloads.next(), 2)) {
                explorer.counters().forEach((name, count) -> counters.merge(name, count, Long::sum));
            }
            budget.ran(explorer.states() - before);
        }
        budget.finish(String.format(
                Locale.ROOT,
                "%,d regions sealed, %,d opened",
                counters.get("checksums.sealings"),
                counters.get("checksums.openings")));
        assertEquals(0, counters.get("checksums.mismatches"), "nothing ever rotted");
        assertTrue(counters.get("checksums.openings") >= 2, () -> "seldom opened: " + counters);
    }

    /** As above, with the table on two spares: one of them may be behind, and is told so by the other. */
    @Test
    void noPowerCutDoesWithTheTableOnTwoSpares() throws Exception {
        SuiteBudget budget = new SuiteBudget("G1 power cuts with two spares", "crash states", 15, 10_000, 250_000);
        CrashExplorer explorer =
                new CrashExplorer(new SimulatedStack(Providers.load()).withTwoSpares(), SEED, CrashExplorer.Care.USUAL);
        Map<String, Long> counters = new TreeMap<>();
        Iterator<List<Step>> workloads = workloadsOfTwo().iterator();
        while (workloads.hasNext() && budget.goesOn()) {
            long before = explorer.states();
            if (explorer.explore(workloads.next(), 2)) {
                explorer.counters().forEach((name, count) -> counters.merge(name, count, Long::sum));
            }
            budget.ran(explorer.states() - before);
        }
        long units = counters.get(SimulatedStack.ON_SECOND);
        budget.finish(String.format(
                Locale.ROOT,
                "%,d starts from the second spare, %,d workloads ended with units on it",
                explorer.startsFromSecond(),
                units));
        assertTrue(
                explorer.startsFromSecond() > 100 && units > 0, () -> "the second spare is never needed: " + counters);
    }

    /** Something stands on the second spare, or the first one is not there any more: at once, and then with more steps. */
    private static Stream<List<Step>> workloadsOfTwo() {
        List<List<Step>> steps = Workloads.upTo(LONGEST_OF_TWO, STEPS_OF_TWO);
        Stream<List<Step>> begun = steps.stream()
                .flatMap(more -> BEGINNINGS_OF_TWO.stream()
                        .map(first ->
                                Stream.concat(first.stream(), more.stream()).toList()));
        List<List<Step>> all = begun.toList();
        int first = BEGINNINGS_OF_TWO.size() * (1 + STEPS_OF_TWO.size());
        return Stream.of(all.subList(0, first), Workloads.upTo(2, STEPS_OF_TWO), all.subList(first, all.size()))
                .flatMap(List::stream);
    }

    private static Share explore(CrashExplorer explorer, Workloads workloads, SuiteBudget budget) throws Exception {
        Share share = new Share();
        while (workloads.mustGoOn() || budget.goesOn()) {
            Optional<Workloads.Workload> next = workloads.next();
            if (next.isEmpty()) {
                break;
            }
            List<Step> steps = next.get().steps();
            long before = explorer.states();
            if (explorer.explore(steps, next.get().logBlocks())) {
                share.workloads.merge(steps.size(), 1, Integer::sum);
                explorer.counters().forEach((name, count) -> share.counters.merge(name, count, Long::sum));
            }
            budget.ran(explorer.states() - before);
        }
        share.boundaries = explorer.boundaries();
        share.sampled = explorer.sampledBoundaries();
        share.images = explorer.images();
        share.inRecovery = explorer.statesInRecovery();
        share.unreadable = explorer.unreadableStates();
        return share;
    }

    /** What one explorer did. */
    private static final class Share {
        private final Map<Integer, Integer> workloads = new TreeMap<>();
        private final Map<String, Long> counters = new TreeMap<>();
        private long boundaries;
        private long sampled;
        private long images;
        private long inRecovery;
        private long unreadable;

        void add(Share other) {
            other.workloads.forEach((length, count) -> workloads.merge(length, count, Integer::sum));
            other.counters.forEach((name, count) -> counters.merge(name, count, Long::sum));
            boundaries += other.boundaries;
            sampled += other.sampled;
            images += other.images;
            inRecovery += other.inRecovery;
            unreadable += other.unreadable;
        }

        String text() {
            return String.format(
                    Locale.ROOT,
                    "%,d images started, %,d states within a recovery, %,d with an unreadable sector, %,d boundaries (%,d sampled), workloads by steps %s",
                    images,
                    inRecovery,
                    unreadable,
                    boundaries,
                    sampled,
                    workloads);
        }

        List<String> missing() {
            return REQUIRED.stream()
                    .filter(name -> counters.getOrDefault(name, 0L) == 0)
                    .toList();
        }
    }

    /** One workload, as STEP,STEP:LOG-BLOCKS. */
    private static void replay(String workload) throws Exception {
        String[] parts = workload.split(":", -1);
        List<Step> steps = parts[0].isEmpty()
                ? List.of()
                : Arrays.stream(parts[0].split(",", -1)).map(Step::valueOf).toList();
        CrashExplorer explorer =
                new CrashExplorer(new SimulatedStack(Providers.load()), SEED, CrashExplorer.Care.USUAL);
        explorer.explore(steps, parts.length > 1 ? Integer.parseInt(parts[1]) : 2);
        System.out.println(workload + " passes: " + explorer.states() + " states, " + explorer.boundaries()
                + " boundaries, " + explorer.images() + " images");
    }
}
