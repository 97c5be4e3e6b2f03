package io.remap.cli.proof;

import io.remap.api.Refusal;
import io.remap.cli.SimulatedStack;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import io.remap.testkit.ReferenceMap.AfterPowerCut;
import io.remap.testkit.SimProduct;
import java.io.IOException;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Supplier;

/**
 * Cuts the power at every boundary between two device operations of a workload. A <i>crash state</i> is the moment, a subset
 * of the sectors of main and spare that were not flushed, and perhaps one sector of it that is torn; or a subset of the
 * physical sectors, one of which cannot be read until it is written. In each the product is started on what is left and read
 * whole, and what it shows is judged by the reference map.
 *
 * <p>States of one step that leave the same bytes are started once and judged each. States count once, at the earliest
 * boundary where they occur with the answers that clients have then.
 *
 * <p>One thread; explorers side by side share nothing.
 */
final class CrashExplorer {
    /** Up to so many states at a boundary all are tried; beyond, {@link #SAMPLES} by seed. */
    static final int EXHAUSTIVE_STATES = 4096;

    static final int SAMPLES = 512;

    /** Up to so many writes of physical sectors all subsets are tried with each of them unreadable; beyond, so many samples. */
    private static final int EXHAUSTIVE_WRITES = 4;

    private static final int UNREADABLE_SAMPLES = 32;
    private static final int SECTORS_PER_UNIT = CrashStack.UNIT_BYTES / CrashStack.SECTOR_BYTES;

    private final CrashStack.Parts parts;
    /** For stacks that are started while a request of the life is under way: with memory of their own. */
    private final CrashStack.Parts partsOfOthers;

    private final long seed;
    private final Care care;
    private final Map<Integer, Life.Beginning> beginnings = new HashMap<>();
    private final Map<Long, Seen> seen = new HashMap<>();
    private long boundaries;
    private long sampledBoundaries;
    private long states;
    private long statesInRecovery;
    private long unreadableStates;
    private long images;
    private long startsFromSecond;
    private Life life;
    private String where = "";
    /** Kept, should the product catch what is thrown through it. */
    private Violation violation;

    /**
     * What is done besides with some of the images.
     *
     * @param againEvery of so many images one is started twice more, each time with one copy of the arenas lost
     * @param nestedEvery in the start on one of so many the power goes again
     */
    record Care(int againEvery, int nestedEvery) {
        static final Care USUAL = new Care(16, 64);
    }

    CrashExplorer(SimProduct product, long seed, Care care) throws Refusal {
        this.parts = CrashStack.Parts.of(product);
        this.partsOfOthers = CrashStack.Parts.of(product);
        this.seed = seed;
        this.care = care;
    }

    long states() {
        return states + statesInRecovery;
    }

    long statesInRecovery() {
        return statesInRecovery;
    }

    /** Of the states those in which a sector cannot be read, without those within a recovery. */
    long unreadableStates() {
        return unreadableStates;
    }

    long boundaries() {
        return boundaries;
    }

    /** Boundaries with more states than are all tried. */
    long sampledBoundaries() {
        return sampledBoundaries;
    }

    /** Times that the product was started. */
    long images() {
        return images;
    }

    /** Starts from the table of a second spare, within recoveries too. */
    long startsFromSecond() {
        return startsFromSecond;
    }

    /** What the disk of the last workload counted. */
    Map<String, Long> counters() {
        return life.stack.running().counters();
    }

    /**
     * Explores the last step (the first start, if there is none); those before it are workloads of their own.
     *
     * @param logBlocks length of the log of the spare
     * @return {@code false} if a step had nothing to do: then it is another workload, and so are all that begin with it
     */
    boolean explore(List<Step> workload, int logBlocks) throws IOException {
        if (!beginnings.containsKey(logBlocks)) {
            beginnings.put(logBlocks, Life.Beginning.of(parts, logBlocks, seed));
        }
        boolean failedWritesLand = (workload.hashCode() & 1) != 0;
        life = new Life(parts, beginnings.get(logBlocks), seed, failedWritesLand);
        where = Step.text(workload) + " with a log of " + logBlocks;
        seen.clear();
        violation = null;
        boolean whole;
        try {
            whole = live(workload);
        } catch (AssertionError e) {
            violation = violation == null ? new Violation(e.getMessage(), e) : violation;
            whole = false;
        }
        if (violation != null) {
            throw new Violation(where + ": " + violation.getMessage(), violation);
        }
        return whole;
    }

    private boolean live(List<Step> workload) throws IOException {
        if (workload.isEmpty()) {
            watch();
            life.stack.start();
        } else {
            life.stack.start();
        }
        for (int i = 0; i < workload.size(); i++) {
            if (i == workload.size() - 1) {
                watch();
            }
            if (!life.perform(workload.get(i))) {
                return false;
            }
        }
        life.stack.media.observe(null);
        cutPower("at the end");
        return true;
    }

    private void watch() {
        boolean[] changed = {false};
        CrashDevice.Observer observer = (operation, offset, length) -> {
            if (operation != Operation.READ) {
                // Before the first change everything is as it was at the end of the workload before.
                if (changed[0]) {
                    cutPower("before " + operation + " " + offset + "+" + length);
                }
                changed[0] = true;
            }
        };
        life.stack.media.observe(observer);
    }

    // --- crash states

    private void cutPower(String when) {
        boundaries++;
        AfterPowerCut allowed = life.reference.ifThePowerWentNow();
        leaveUnreadable(withErrorsWhereNotFlushed(allowed), when);
        int sectors = life.stack.media.unflushedSectors();
        if (isExhaustive(sectors)) {
            for (long kept = 0; kept < 1L << sectors; kept++) {
                tryState(kept, -1, allowed, when);
                for (int torn = 0; torn < sectors; torn++) {
                    if ((kept >> torn & 1) != 0) {
                        tryState(kept, torn, allowed, when);
                    }
                }
            }
            return;
        }
        sampledBoundaries++;
        SplittableRandom random = new SplittableRandom(seed + boundaries);
        for (int i = 0; i < SAMPLES; i++) {
            long kept = someOf(sectors, random);
            int torn = random.nextInt(2 * sectors);
            tryState(kept, torn < sectors && (kept >> torn & 1) != 0 ? torn : -1, allowed, when);
        }
    }

    /** Whether all subsets, with none or one of their sectors torn, are few enough. */
    private static boolean isExhaustive(int sectors) {
        return sectors < 12 && (1L << sectors) + sectors * (1L << sectors) / 2 <= EXHAUSTIVE_STATES;
    }

    /** Few survivors, many, or anything between: the ends are where bugs hide. */
    private static long someOf(int sectors, SplittableRandom random) {
        int percent = new int[] {5, 25, 50, 75, 95}[random.nextInt(5)];
        long kept = 0;
        for (int i = 0; i < sectors; i++) {
            kept |= random.nextInt(100) < percent ? 1L << i : 0;
        }
        return kept;
    }

    /** A state of the life at this moment: the sectors kept of main come first. */
    private void tryState(long kept, int torn, AfterPowerCut allowed, String when) {
        states++;
        long tearing = seed + boundaries * 0x9E3779B97F4A7C15L + kept * 64 + torn;
        Media left = life.stack.media.crashKeeping(kept, torn, tearing);
        judge(
                left,
                allowed,
                () -> when + ", kept " + Long.toBinaryString(kept) + " (" + life.stack.main.unflushedSectors()
                        + " of main first)" + (torn < 0 ? "" : ", " + torn + " torn"));
    }

    private void judge(Media left, AfterPowerCut allowed, Supplier<String> state) {
        try {
            Long key = left.durableKey();
            Seen shown = seen.get(key);
            if (shown == null) {
                shown = startOn(left, allowed);
                seen.put(key, shown);
            }
            shown.check(allowed);
        } catch (AssertionError e) {
            violation = new Violation(state.get() + ": " + e.getMessage(), e);
            throw violation;
        }
    }

    /** The drives write physical sectors whole, and of one that was being written nothing can be read afterwards. */
    private void leaveUnreadable(AfterPowerCut allowed, String when) {
        List<Integer> writes = life.stack.media.physicalWrites();
        int count = writes.size();
        if (count <= EXHAUSTIVE_WRITES) {
            for (int torn = 0; torn < count; torn++) {
                for (int kept = 0; kept < 1 << count; kept++) {
                    if ((kept >> torn & 1) == 0) {
                        tryUnreadable(kept, torn, writes, allowed, when);
                    }
                }
            }
            return;
        }
        SplittableRandom random = new SplittableRandom(seed - boundaries);
        for (int i = 0; i < UNREADABLE_SAMPLES; i++) {
            tryUnreadable(someOf(count, random), random.nextInt(count), writes, allowed, when);
        }
    }

    private void tryUnreadable(long kept, int torn, List<Integer> writes, AfterPowerCut allowed, String when) {
        states++;
        unreadableStates++;
        Media left = crashUnreadable(life.stack.media, kept, torn, writes);
        judge(
                left,
                allowed,
                () -> when + ", of " + writes.size() + " writes " + Long.toBinaryString(kept) + " kept, " + torn
                        + " unreadable");
    }

    private static Media crashUnreadable(Media media, long kept, int torn, List<Integer> writes) {
        return media.crashUnreadable(sector -> (kept >> writes.indexOf(sector) & 1) != 0, writes.get(torn));
    }

    /** As on any drive: where something was written and not flushed, the physical sector may be the unreadable one. */
    private static AfterPowerCut withErrorsWhereNotFlushed(AfterPowerCut allowed) {
        BitSet mayFail = (BitSet) allowed.mayFail().clone();
        for (int sector = 0; sector < allowed.stamps().size(); sector++) {
            if (allowed.stamps().get(sector).length > 1) {
                int first = sector / SECTORS_PER_UNIT * SECTORS_PER_UNIT;
                mayFail.set(first, first + SECTORS_PER_UNIT);
            }
        }
        return new AfterPowerCut(allowed.stamps(), mayFail, allowed.mustFail());
    }

    /**
     * Starts the product on an image. Now and then the power goes again in that start, and now and then it is started once
     * more without one copy of the arenas: what was seen once stays.
     */
    private Seen startOn(Media left, AfterPowerCut allowed) {
        images++;
        if (images % care.nestedEvery == 0) {
            exploreRecovery(left.copy(), allowed);
        }
        Seen shown = start(left);
        for (int copy = 0; copy < 2 && images % care.againEvery == 0; copy++) {
            Media leftAgain = left.crashKeeping(0, -1, 0);
            life.places().loseCopy(leftAgain.spare(), copy);
            Seen again = start(leftAgain);
            if (!again.equals(shown)) {
                throw new Violation("without copy " + copy + " of the arenas the second start shows " + again
                        + ", the first one showed " + shown);
            }
        }
        return shown;
    }

    private Seen start(Media left) {
        life.mediaAfter(left);
        CrashStack stack = new CrashStack(partsOfOthers, left, seed + 1);
        try {
            stack.start();
        } catch (IOException e) {
            throw new Violation("cannot be started: " + e.getMessage(), e);
        }
        if (left.unflushedSectors() > 0) {
            throw new Violation("the start left sectors unflushed");
        }
        if (left.hasTwoSpares() && stack.running().counters().get(SimulatedStack.LED_BY_SECOND) > 0) {
            startsFromSecond++;
        }
        stack.running().checkQuiet();
        return Seen.of(stack, life.lastStamp());
    }

    /** The power goes a second time, at every boundary of the start. */
    private void exploreRecovery(Media left, AfterPowerCut allowed) {
        SplittableRandom random = new SplittableRandom(seed + images);
        left.observe((operation, offset, length) -> {
            int sectors = left.unflushedSectors();
            if (operation == Operation.READ) {
                return;
            }
            for (int i = 0; i < Math.min(1 << sectors, 16); i++) {
                statesInRecovery++;
                long kept = sectors <= 4 ? i : someOf(sectors, random);
                int torn = sectors > 0 && random.nextBoolean() ? random.nextInt(sectors) : -1;
                start(left.crashKeeping(kept, torn, random.nextLong())).check(allowed);
            }
            List<Integer> writes = left.physicalWrites();
            for (int i = 0; i < Math.min(writes.size(), 4); i++) {
                statesInRecovery++;
                int torn = writes.size() <= 4 ? i : random.nextInt(writes.size());
                start(crashUnreadable(left, someOf(writes.size(), random), torn, writes))
                        .check(allowed);
            }
        });
        start(left);
    }
}
