package io.remap.cli.proof;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DiskError;
import io.remap.api.Refusal;
import io.remap.cli.SimulatedStack;
import io.remap.core.Providers;
import io.remap.testkit.SuiteBudget;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * G18: a spare that is full or dies. Only the write that needs what is not there fails; reads go on, and the table is intact after
 * a power cut.
 */
class SpareFullTest {
    private static final long SEED = Long.getLong("remap.seed", 20261126L);
    private static final int MOST_SLOTS = 64;
    private static final int LONGEST_LOG = 16;
    private static final int MANY_SLOTS = Integer.MAX_VALUE;
    private static final int BLOCK = CrashStack.UNIT_BYTES;
    private static final int UNPLUGGED_AT_MOST = 24;
    private static final double SECONDS = 5;
    private static final long FLOOR = 400;
    private static final long FULL = 10_000;

    private final CrashStack.Parts parts = CrashStack.Parts.of(new SimulatedStack(Providers.load()));

    SpareFullTest() throws Refusal {}

    @BeforeAll
    static void silence() {
        CrashExplorerTest.silence();
    }

    /** One life that must go well. */
    @FunctionalInterface
    private interface Trial {
        void run() throws IOException;
    }

    @Test
    void onlyTheWriteThatNeedsASlotFails() throws Exception {
        SuiteBudget budget = new SuiteBudget("G18 full or dying spare", "trials", SECONDS, FLOOR, FULL);
        List<Integer> counts = new ArrayList<>();
        counts.add(run(budget, MOST_SLOTS + 1, this::slotsRunOut));
        counts.add(run(budget, LONGEST_LOG, i -> logFills(1 + i)));
        counts.add(run(budget, LONGEST_LOG, i -> logIsFullForGood(1 + i)));
        counts.add(run(budget, UNPLUGGED_AT_MOST, this::mainIsUnplugged));
        int random = 0;
        for (; budget.goesOn(); random++) {
            int number = random;
            trial("random trial " + number, () -> randomLife(new SplittableRandom(SEED + number)));
            budget.ran(1);
        }
        budget.finish(String.format(
                Locale.ROOT,
                "slots run out at %d counts, %d fills of the log, %d for good, main unplugged at %d operations, %d by seed",
                counts.get(0),
                counts.get(1),
                counts.get(2),
                counts.get(3),
                random));
    }

    /** A trial of a number. */
    @FunctionalInterface
    private interface Numbered {
        void run(int number) throws IOException;
    }

    private int run(SuiteBudget budget, int count, Numbered trial) {
        for (int i = 0; i < count; i++) {
            int number = i;
            trial("trial " + i, () -> trial.run(number));
            budget.ran(1);
        }
        return count;
    }

    private static void trial(String name, Trial trial) {
        try {
            trial.run();
        } catch (AssertionError | IOException | RuntimeException e) {
            throw new AssertionError(name + " with seed " + SEED + ": " + e.getMessage(), e);
        }
    }

    private void slotsRunOut(int slots) throws IOException {
        SmallSpare disk = new SmallSpare(parts, 4, slots);
        disk.start();
        for (int unit = 0; unit < slots; unit++) {
            disk.write(unit, DiskError.NONE);
        }
        disk.write(slots, DiskError.NO_SPACE);
        disk.readEverything();
        for (int unit = 0; unit < slots; unit++) {
            disk.write(unit, DiskError.NONE);
        }
        disk.flush();
        disk.restart(false);
        disk.readEverything();
        disk.write(slots, DiskError.NO_SPACE);
        if (slots > 0) {
            disk.main().heal();
            assertEquals(DiskError.NONE, disk.mapRemove(slots - 1));
            disk.refuseWrites();
            disk.write(slots, DiskError.NONE);
            disk.flush();
        }
        disk.restart(false);
        disk.readEverything();
    }

    /** Each fill of a log of this length is followed by a new generation. */
    private void logFills(int logBlocks) throws IOException {
        SmallSpare disk = new SmallSpare(parts, logBlocks, MANY_SLOTS);
        disk.start();
        long before = compactions(disk);
        for (int unit = 0; unit < 2 * logBlocks + 2; unit++) {
            disk.write(unit, DiskError.NONE);
        }
        assertTrue(compactions(disk) >= before + 2, "the log was filled twice, and there were no new generations");
        disk.readEverything();
        disk.restart(false);
        disk.readEverything();
    }

    private static long compactions(SmallSpare disk) {
        return disk.stack().running().counters().get("metadata.compactions");
    }

    /** The arena for the next generation takes no write in either copy: the write that fills the log fails, no other. */
    private void logIsFullForGood(int logBlocks) throws IOException {
        SmallSpare disk = new SmallSpare(parts, logBlocks, MANY_SLOTS);
        disk.start();
        for (int copy = 0; copy < 2; copy++) {
            disk.spare()
                    .makeUnwritable(
                            disk.places().arenas().get(copy), disk.places().arenaBytes());
        }
        int unit = 0;
        while (disk.write(unit) == DiskError.NONE) {
            unit++;
            assertTrue(unit <= logBlocks, "more commits than the log holds");
        }
        // A log that fills is given up before its end, in the background.
        assertTrue(unit >= logBlocks / 2, "a log of " + logBlocks + " took " + unit + " commits only");
        disk.readEverything();
        for (int mapped = 0; mapped < unit; mapped++) {
            disk.write(mapped, DiskError.NONE);
        }
        disk.readEverything();
        disk.spare().heal();
        disk.restart(true);
        disk.readEverything();
        disk.write(unit, DiskError.NONE);
        disk.restart(false);
        disk.readEverything();
    }

    @Test
    void everyMetadataBlockMayBeBad() throws Exception {
        TinyLog.Places places = new SmallSpare(parts, 3, MANY_SLOTS).places();
        List<Long> offsets = new ArrayList<>(places.superblocks());
        for (long arena : places.arenas()) {
            for (int at = 0; at < places.arenaBytes(); at += BLOCK) {
                offsets.add(arena + at);
            }
        }
        int trials = 4 * offsets.size();
        SuiteBudget budget = new SuiteBudget("G18 bad metadata blocks", "trials", SECONDS, trials, trials);
        for (int i = 0; i < trials && budget.goesOn(); i++) {
            int number = i;
            long offset = offsets.get(number / 4);
            trial("the block at " + offset + " bad, manner " + number % 4, () -> {
                blockIsBad(offset, (number & 1) != 0, (number & 2) != 0);
            });
            budget.ran(1);
        }
        budget.finish(String.format(
                Locale.ROOT, "of %d blocks, before and after the start, writes only or reads too", offsets.size()));
    }

    private void blockIsBad(long offset, boolean readsToo, boolean beforeStart) throws IOException {
        SmallSpare disk = new SmallSpare(parts, 3, MANY_SLOTS);
        if (beforeStart) {
            makeBad(disk, offset, readsToo);
            disk.start();
        } else {
            disk.start();
            makeBad(disk, offset, readsToo);
        }
        for (int unit = 0; unit < 8; unit++) {
            disk.write(unit, DiskError.NONE);
        }
        disk.flush();
        disk.readEverything();
        disk.restart(true);
        disk.readEverything();
        disk.write(9, DiskError.NONE);
        disk.readEverything();
    }

    private static void makeBad(SmallSpare disk, long offset, boolean readsToo) {
        disk.spare().makeUnwritable(offset, BLOCK);
        if (readsToo) {
            disk.spare().makeUnreadable(offset, BLOCK);
        }
    }

    /** No slot is spent on a main that is not there. */
    private void mainIsUnplugged(int operation) throws IOException {
        SmallSpare disk = new SmallSpare(parts, 3, MANY_SLOTS);
        disk.main().heal();
        disk.start();
        disk.unplugMain(operation);
        int failed = 0;
        for (int unit = 0; unit < UNPLUGGED_AT_MOST + 2; unit++) {
            DiskError error = disk.write(unit);
            assertTrue(error == DiskError.NONE || error == DiskError.IO, () -> "a write gave " + error);
            failed += error == DiskError.IO ? 1 : 0;
        }
        assertTrue(failed > 0, "main was gone, and every write succeeded");
        assertEquals(0, disk.stack().running().table().extents(), "mappings");
        assertTrue(disk.stack().running().counters().get("device.faults") > 0, "no device fault is counted");
        disk.main().heal();
        disk.restart(true);
        disk.readEverything();
    }

    /** Slots, log and what is done follow from the seed; a write fails if it needs a slot and none is free, and only then. */
    private void randomLife(SplittableRandom random) throws IOException {
        SmallSpare disk = new SmallSpare(parts, 1 + random.nextInt(LONGEST_LOG), random.nextInt(MOST_SLOTS + 1));
        disk.start();
        int units = 1 + random.nextInt(SmallSpare.UNITS);
        for (int i = 0; i < 100; i++) {
            int unit = random.nextInt(units);
            switch (random.nextInt(20)) {
                case 0 -> disk.flush();
                case 1 -> {
                    disk.flush();
                    disk.restart(false);
                }
                case 2 -> {
                    disk.main().heal();
                    assertEquals(DiskError.NONE, disk.mapRemove(unit));
                    disk.refuseWrites();
                }
                default ->
                    disk.write(unit, disk.hasSlot(unit) || disk.freeSlots() > 0 ? DiskError.NONE : DiskError.NO_SPACE);
            }
        }
        disk.readEverything();
        disk.restart(false);
        disk.readEverything();
    }
}
