package io.remap.metadata;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.metadata.Bench.Opened;
import io.remap.metadata.Workload.Step;
import io.remap.metadata.Workload.Version;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.UnaryOperator;

/**
 * Cuts the power at every boundary between two device operations of a workload, with subsets of the sectors that were not
 * flushed, and opens what is left with the real classes. Checks that
 *
 * <ul>
 *   <li>what is recovered contains all that was acknowledged and nothing that was not issued, in order;
 *   <li>each mapped unit shows the data that was written for it, so that no slot was reused too early and no record came
 *       before its data;
 *   <li>opening leaves nothing unflushed, and opening again gives the same.
 * </ul>
 */
final class Explorer {
    /** Smallest sectors that keep a block in two: it tears, and all subsets of a commit can be tried. */
    static final int SECTOR_BYTES = 2048;

    /** Up to this many unflushed sectors, all subsets are tried; beyond, {@link #SAMPLES} of them by seed. */
    static final int EXHAUSTIVE_SECTORS = 6;

    static final int SAMPLES = 48;

    /** The same for blocks, each torn in its turn: what a new generation writes before its first flush, and no more. */
    private static final int EXHAUSTIVE_BLOCKS = 4;

    private final LogMetadataProvider provider;
    private final UnaryOperator<BlockDevice> bug;
    private final long seed;
    private long states;
    private long crashPoints;

    /** @param bug wraps the device that the workload runs on; the identity for the product as it is */
    Explorer(int logBlocks, UnaryOperator<BlockDevice> bug, long seed) {
        this.provider = new LogMetadataProvider(logBlocks);
        this.bug = bug;
        this.seed = seed;
    }

    long states() {
        return states;
    }

    long crashPoints() {
        return crashPoints;
    }

    /** Explores the last step (the opening, if there is none); the steps before are explored as workloads of their own. */
    void explore(List<Step> steps) throws Exception {
        CrashDevice device = new CrashDevice("spare", Bench.SPARE_BYTES, SECTOR_BYTES);
        provider.format(device, Bench.PAIR, Bench.environment(new Bench.Tasks(), seed));
        Workload workload = new Workload(provider, bug.apply(device));
        for (int i = 0; i < steps.size(); i++) {
            if (i == 0) {
                workload.open();
            }
            if (i == steps.size() - 1) {
                watch(device, workload, steps);
            }
            workload.run(steps.get(i));
        }
        if (steps.isEmpty()) {
            watch(device, workload, steps);
            workload.open();
        }
        device.observe(null);
        crashAll(device, workload.allowed(), "after " + steps);
    }

    private void watch(CrashDevice device, Workload workload, List<Step> steps) {
        long[] seen = {-1};
        device.observe((operation, offset, length) -> {
            long changes = device.operations() - device.operations(Operation.READ);
            if (operation != Operation.READ || changes != seen[0]) {
                seen[0] = changes;
                crashAll(device, workload.allowed(), steps + " before " + operation + " " + device.operations());
            }
        });
    }

    /** Tries subsets of the unflushed sectors. */
    private void crashAll(CrashDevice device, List<Version> allowed, String where) {
        crashPoints++;
        int unflushed = device.unflushedSectors();
        if (unflushed <= EXHAUSTIVE_SECTORS) {
            for (int subset = 0; subset < 1 << unflushed; subset++) {
                int kept = subset;
                check(device.crashKeeping(i -> (kept >> i & 1) != 0), allowed, where + ", subset " + subset);
            }
        } else {
            for (int i = 0; i < SAMPLES; i++) {
                long sample = seed * 31 + crashPoints * 1009 + i;
                check(device.crash(sample), allowed, where + ", crash seed " + sample);
            }
        }
        crashUnreadable(device, allowed, where);
    }

    /** As a drive does it whose sectors are blocks, and which cannot read the one that it was writing. */
    private void crashUnreadable(CrashDevice device, List<Version> allowed, String where) {
        int blocks = (device.unflushedSectors() + 1) / 2;
        for (int torn = 0; torn < blocks; torn++) {
            boolean all = blocks <= EXHAUSTIVE_BLOCKS;
            Random random = new Random(seed * 31 + crashPoints * 1009 + torn);
            for (int i = 0; i < (all ? 1 << blocks : SAMPLES / blocks + 1); i++) {
                long kept = all ? i : random.nextLong();
                check(
                        device.crashUnreadable(sector -> (kept >> (sector / 2) & 1) != 0, 2 * torn),
                        allowed,
                        where + ", block " + torn + " unreadable, kept " + Long.toBinaryString(kept));
            }
        }
    }

    /** What a power cut left must open, show an allowed state, and show the same again. */
    void check(CrashDevice left, List<Version> allowed, String where) {
        states++;
        try {
            Version first = recovered(left, allowed, where);
            if (left.unflushedSectors() != 0) {
                throw new Violation(where + ": opening left sectors unflushed");
            }
            // The second opening relies on what the first one wrote.
            if (states % 4 == 0
                    && !recovered(left, List.of(first), where + ", opened again")
                            .equals(first)) {
                throw new Violation(where + ": the second opening shows another state");
            }
        } catch (Refusal | DeviceException e) {
            throw new Violation(where + ": cannot be opened: " + e.getMessage());
        }
    }

    private Version recovered(CrashDevice left, List<Version> allowed, String where) throws Refusal, DeviceException {
        Opened opened = Bench.open(provider, left, false, states);
        String map = Bench.text(opened.store().table());
        String bad = Bench.badSlots(opened.store());
        for (Version version : allowed) {
            if (Bench.text(version.tables().map()).equals(map)
                    && badSlots(version).equals(bad)) {
                checkData(left, opened, version, where);
                return version;
            }
        }
        throw new Violation(where + ": recovered [" + map + "] bad [" + bad + "], allowed "
                + allowed.stream()
                        .map(version -> "[" + Bench.text(version.tables().map()) + "]")
                        .toList());
    }

    private static String badSlots(Version version) {
        StringBuilder text = new StringBuilder();
        version.tables()
                .visitBad((spare, first, length) ->
                        text.append(first).append('+').append(length).append("; "));
        return text.toString();
    }

    private static void checkData(CrashDevice left, Opened opened, Version version, String where) {
        version.data().forEach((unit, writing) -> {
            long slot = Place.slot(opened.store().table().placeOf(unit));
            byte[] found = left.peek(opened.store().slotOffsetBytes(slot), Place.UNIT_BYTES);
            ByteBuffer expected = Workload.pattern(unit, writing);
            if (!ByteBuffer.wrap(found).equals(expected)) {
                throw new Violation(where + ": unit " + unit + " is mapped to slot " + slot
                        + ", which does not hold its data: " + Arrays.toString(Arrays.copyOf(found, 16)));
            }
        });
    }

    /** A promise was broken. Unchecked, since it is thrown from within device calls. */
    static final class Violation extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Violation(String message) {
            super(message);
        }
    }

    /** Random steps, for longer workloads. */
    static List<Step> randomSteps(Random random, int count) {
        Step[] all = Step.values();
        return random.ints(count, 0, all.length).mapToObj(i -> all[i]).toList();
    }
}
