package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceException;
import io.remap.api.Refusal;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareContent;
import io.remap.metadata.Explorer.Violation;
import io.remap.metadata.Workload.Step;
import io.remap.testkit.CrashDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Power cuts at every device operation; see {@link Explorer}. */
class ExplorerTest {
    private static final long SEED = Long.getLong("remap.seed", 20240511L);

    @ParameterizedTest
    @CsvSource({"2, 3, 40000", "3, 2, 4000"})
    void everyWorkloadSurvivesEveryPowerCut(int logBlocks, int mostSteps, long leastStates) throws Exception {
        Explorer explorer = new Explorer(logBlocks, UnaryOperator.identity(), SEED);
        List<List<Step>> workloads = new ArrayList<>(List.of(List.of()));
        for (int i = 0; i < workloads.size(); i++) {
            List<Step> steps = workloads.get(i);
            explorer.explore(steps);
            if (steps.size() < mostSteps) {
                for (Step next : Step.values()) {
                    List<Step> longer = new ArrayList<>(steps);
                    longer.add(next);
                    workloads.add(longer);
                }
            }
        }
        System.out.printf(
                "log of %d blocks, seed %d: %d workloads, %d crash points, %d states%n",
                logBlocks, SEED, workloads.size(), explorer.crashPoints(), explorer.states());
        assertTrue(explorer.states() > leastStates, "only " + explorer.states() + " states");
    }

    @Test
    void longerWorkloadsByChance() throws Exception {
        Random random = new Random(SEED);
        for (int i = 0; i < 60; i++) {
            long seed = random.nextLong();
            List<Step> steps = Explorer.randomSteps(new Random(seed), 4 + i % 8);
            new Explorer(2 + i % 4, UnaryOperator.identity(), seed).explore(steps);
        }
    }

    @ParameterizedTest
    @EnumSource(BuggyDevice.Bug.class)
    void noticesABrokenRule(BuggyDevice.Bug bug) {
        Layout layout = Layout.tryPlan(Bench.SPARE_BYTES, 4096, 3);
        Violation violation = assertThrows(Violation.class, () -> {
            Explorer explorer = new Explorer(3, device -> new BuggyDevice(device, bug, layout), SEED);
            explorer.explore(List.of());
            for (Step first : Step.values()) {
                explorer.explore(List.of(first));
                for (Step second : Step.values()) {
                    explorer.explore(List.of(first, second));
                }
            }
        });
        System.out.println(bug + ": " + violation.getMessage());
    }

    @Test
    void aFormatIsDoneOrNotDone() throws Exception {
        LogMetadataProvider provider = new LogMetadataProvider(2);
        CrashDevice old = new CrashDevice("spare", Bench.SPARE_BYTES, Explorer.SECTOR_BYTES);
        provider.format(old, Bench.PAIR, Bench.environment(new Bench.Tasks(), 1));
        Bench.Opened opened = Bench.open(provider, old, false, 1);
        opened.commit(Bench.map(3, 3));
        int[] formatted = new int[2];
        for (CrashDevice start : List.of(new CrashDevice("spare", Bench.SPARE_BYTES, Explorer.SECTOR_BYTES), old)) {
            CrashDevice device = start.copy();
            device.observe((operation, offset, length) -> {
                if (operation == CrashDevice.Operation.WRITE || operation == CrashDevice.Operation.FLUSH) {
                    for (int i = 0; i < 32; i++) {
                        long seed = SEED + device.operations() * 100 + i;
                        formatted[checkFormat(provider, device.crash(seed), start == old, seed)]++;
                    }
                }
            });
            provider.format(device, otherPair(), Bench.environment(new Bench.Tasks(), 2));
            device.observe(null);
            assertTrue(Bench.open(provider, device, false, 3).store().table().isEmpty());
        }
        assertTrue(formatted[0] > 50 && formatted[1] > 50, "both outcomes must occur");
    }

    private static PairIdentity otherPair() {
        return new PairIdentity(new UUID(1, 2), Bench.MAIN_BYTES, 512, "wwn:0x6000");
    }

    /** 1 if the new pair stands there, 0 if it does not. */
    private static int checkFormat(LogMetadataProvider provider, CrashDevice left, boolean wasSpare, long seed) {
        try {
            SpareContent content = provider.inspect(left);
            boolean done = content.pair().map(pair -> pair.equals(otherPair())).orElse(false);
            switch (content.kind()) {
                case BLANK -> assertThrows(Refusal.class, () -> Bench.open(provider, left, false, 3));
                case SPARE -> {
                    Bench.Opened opened = Bench.open(provider, left, false, 3);
                    assertTrue(done || (wasSpare && opened.store().table().extents() == 1), "seed " + seed);
                    assertTrue(!done || opened.store().table().isEmpty(), "seed " + seed);
                }
                default -> throw new Violation("seed " + seed + ": half a format: " + content);
            }
            return done ? 1 : 0;
        } catch (Refusal | DeviceException e) {
            throw new Violation("seed " + seed + ": " + e.getMessage());
        }
    }

    /** What two starts wrote that were cut off must not make up a header of a generation that never was. */
    @Test
    void aTornHeaderCostsItsNumber() throws Exception {
        LogMetadataProvider provider = new LogMetadataProvider(3);
        CrashDevice device = new CrashDevice("spare", Bench.SPARE_BYTES, Explorer.SECTOR_BYTES);
        provider.format(device, Bench.PAIR, Bench.environment(new Bench.Tasks(), SEED));
        // Of copy 0 the first sector of the first start and the second one of the second; of copy 1 all of the second.
        CrashDevice first = cutBeforeFlush(provider, device, 1, 0b0001);
        CrashDevice second = cutBeforeFlush(provider, first, 2, 0b1110);
        assertTrue(Bench.open(provider, second, false, 3).store().table().isEmpty());
    }

    /** Two starts that were cut off have left headers without their tables in one arena; the other one holds. */
    @Test
    void twoStartsThatWereCutOffHideNoGeneration() throws Exception {
        LogMetadataProvider provider = new LogMetadataProvider(3);
        CrashDevice device = new CrashDevice("spare", Bench.SPARE_BYTES, Explorer.SECTOR_BYTES);
        provider.format(device, Bench.PAIR, Bench.environment(new Bench.Tasks(), SEED));
        Bench.open(provider, device, false, 1).commit(Bench.map(3, 3));
        // In their order: two sectors each of table copy 0, table copy 1, header copy 0, header copy 1.
        CrashDevice first = cutBeforeFlush(provider, device, 2, 0b11_00_10_01);
        CrashDevice second = cutBeforeFlush(provider, first, 3, 0b00_11_00_00);
        assertEquals(1, Bench.open(provider, second, false, 4).store().table().extents());
    }

    /** Starts, and cuts the power before the first flush that has something to do. */
    private static CrashDevice cutBeforeFlush(LogMetadataProvider provider, CrashDevice device, long seed, int kept)
            throws Exception {
        CrashDevice[] left = {null};
        device.observe((operation, offset, length) -> {
            if (operation == CrashDevice.Operation.FLUSH && device.unflushedSectors() > 0 && left[0] == null) {
                left[0] = device.crashKeeping(i -> (kept >> i & 1) != 0);
            }
        });
        Bench.open(provider, device, false, seed);
        return left[0];
    }

    @Test
    void aPowerCutDuringRecoveryChangesNothing() throws Exception {
        Random random = new Random(SEED);
        for (int i = 0; i < 40; i++) {
            long seed = random.nextLong();
            Random chance = new Random(seed);
            LogMetadataProvider provider = new LogMetadataProvider(3);
            CrashDevice device = new CrashDevice("spare", Bench.SPARE_BYTES, Explorer.SECTOR_BYTES);
            provider.format(device, Bench.PAIR, Bench.environment(new Bench.Tasks(), seed));
            Workload workload = new Workload(provider, device);
            workload.open();
            for (Step step : Explorer.randomSteps(chance, 3)) {
                workload.run(step);
            }
            Explorer explorer = new Explorer(3, UnaryOperator.identity(), seed);
            CrashDevice left = device.crash(seed);
            left.observe((operation, offset, length) -> {
                if (operation != CrashDevice.Operation.READ) {
                    for (int subset = 0; subset < 12; subset++) {
                        explorer.check(left.crash(chance.nextLong()), workload.allowed(), "nested, seed " + seed);
                    }
                }
            });
            Bench.open(provider, left, false, seed);
        }
    }
}
