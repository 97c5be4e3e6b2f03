package io.remap.health.record;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.SectorRange;
import io.remap.health.record.RegionRecords.Finding;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** {@link FoundUnits}, and how {@link RegionRecords} counts by it. */
class FoundUnitsTest {
    private static final long SEED = Long.getLong("remap.seed", 1);
    private static final int UNITS = 600;

    private static FoundUnits restored(FoundUnits saved) {
        FoundUnits again = new FoundUnits(saved.word());
        saved.lines().forEach(line -> again.restore(line.split(" ", -1)));
        again.startFrom(1_000_000);
        return again;
    }

    @Test
    void countsAsASetDoes() {
        SplittableRandom random = new SplittableRandom(SEED);
        for (int round = 0; round < 200; round++) {
            FoundUnits found = new FoundUnits("units");
            BitSet model = new BitSet();
            for (int i = 0; i < 120; i++) {
                int first = random.nextInt(UNITS);
                int end = first + 1 + random.nextInt(round % 2 == 0 ? 3 : 40);
                int before = model.cardinality();
                model.set(first, end);
                assertEquals(model.cardinality() - before, found.add(first, end), "seed " + SEED + " round " + round);
                assertEquals(model.cardinality(), found.count());
                if (random.nextInt(10) == 0) {
                    found = restored(found);
                    assertEquals(model.cardinality(), found.count(), "over a restart");
                }
            }
        }
    }

    @Test
    void isBounded() {
        FoundUnits found = new FoundUnits("units");
        for (long unit = 0; unit < 2L * FoundUnits.MAX_RANGES; unit++) {
            assertEquals(1, found.add(2 * unit, 2 * unit + 1));
        }
        assertEquals(2L * FoundUnits.MAX_RANGES, found.count());
        assertEquals(0, found.add(0, 1));
        assertEquals(1, found.add(4L * FoundUnits.MAX_RANGES - 2, 4L * FoundUnits.MAX_RANGES - 1), "it is not known");
        long bytes = found.lines().stream().mapToLong(String::length).sum();
        assertTrue(bytes < 16 << 10, bytes + " bytes");
        FoundUnits again = restored(found);
        assertEquals(found.count(), again.count());
        assertEquals(0, again.add(2L * FoundUnits.MAX_SAVED - 2, 2L * FoundUnits.MAX_SAVED - 1));
        assertEquals(1, again.add(2L * FoundUnits.MAX_SAVED, 2L * FoundUnits.MAX_SAVED + 1));
    }

    @Test
    void whatMakesNoSenseIsRefused() {
        FoundUnits found = new FoundUnits("units");
        for (String line : List.of("count -1", "count x", "-1 5", "3 0", "5 9223372036854775807", "a b")) {
            assertThrows(RuntimeException.class, () -> found.restore(line.split(" ", -1)), line);
        }
        assertEquals(0, found.count());
    }

    @Test
    void oneFlakyUnitIsOneWeakUnit() {
        RegionRecords records = new RegionRecords(512);
        for (int i = 0; i < 100; i++) {
            records.add(0, Finding.RECOVERED, new SectorRange(16, 8), i);
            records.add(0, Finding.SLOW, new SectorRange(16, 8), i);
        }
        assertEquals(1, records.weakUnits());
        assertEquals(2, records.worst(1).get(0).weight() / 8, "its region is no worse for it");
        for (int i = 0; i < 200; i++) {
            records.add(0, Finding.UNREADABLE, new SectorRange(8L * i, 1), i);
        }
        assertEquals(200, records.badUnits(), "with one bad sector each");
        records.add(0, Finding.REDIRECTED, new SectorRange(3, 2), 1);
        assertEquals(200, records.badUnits(), "another one of a unit that is bad");
    }

    @Test
    void earlierCountsGoOn() {
        RegionRecords records = new RegionRecords(512);
        records.restore("-1 80 16 24 0 0 1 2".split(" ", -1));
        records.restored();
        assertEquals(12, records.badUnits());
        assertEquals(3, records.weakUnits());
        records.add(5, Finding.UNREADABLE, new SectorRange(800, 8), 3);
        assertEquals(13, records.badUnits());
    }
}
