package io.remap.api;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.NavigableMap;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RemapTableTest {
    private static final int UNITS = 3_000;
    private static final int CHANGES = 4_000;

    /** Against a map of single units; every seed has its own mix of short and long runs. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6})
    void isWhatAMapOfUnitsIs(long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        int longest = 1 << random.nextInt(1, 8);
        RemapTable table = RemapTable.empty();
        TreeMap<Long, Long> model = new TreeMap<>();
        for (int i = 0; i < CHANGES; i++) {
            long first = random.nextInt(UNITS);
            long length = 1L + random.nextInt(longest);
            long place = randomPlace(random, first);
            RemapTable before = table;
            table = table.with(MapChange.set(first, length, place));
            for (long unit = first; unit < first + length; unit++) {
                if (place == Place.MAIN) {
                    model.remove(unit);
                } else {
                    model.put(unit, Place.advance(place, unit - first));
                }
            }
            if (i % 100 == 99) {
                compare(seed, model, table);
                assertEquals(before.mappedUnits(), count(before), "the old table is as it was; seed " + seed);
            }
        }
        RemapTable.Builder builder = new RemapTable.Builder();
        model.forEach((unit, place) -> builder.add(unit, 1, place));
        compare(seed, model, builder.build());
        assertEquals(builder.build().mappedUnits(), table.mappedUnits(), "seed " + seed);
    }

    private static long randomPlace(SplittableRandom random, long first) {
        return switch (random.nextInt(6)) {
            case 0, 1 -> Place.MAIN;
            case 2 -> Place.lost(1 + random.nextInt(255));
            case 3 -> Place.zero(0);
            // Often the slot that continues a neighbour, so that extents join.
            case 4 -> Place.onSlot(0, first, 0xff, 0);
            default -> Place.onSlot(0, random.nextInt(1 << 20), 0x0f, 0x30);
        };
    }

    private static void compare(long seed, NavigableMap<Long, Long> model, RemapTable table) {
        assertEquals(model.size(), table.mappedUnits(), "seed " + seed);
        TreeMap<Long, Long> found = new TreeMap<>();
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        long extents = 0;
        long end = -1;
        for (boolean there = cursor.seek(table, 0); there; there = cursor.next()) {
            assertTrue(cursor.firstUnit() >= end, "extents overlap; seed " + seed);
            end = cursor.endUnit();
            extents++;
            for (long i = 0; i < cursor.lengthUnits(); i++) {
                found.put(cursor.firstUnit() + i, Place.advance(cursor.place(), i));
            }
        }
        assertEquals(model, found, "seed " + seed);
        assertEquals(extents, table.extents(), "seed " + seed);
        for (long unit = 0; unit < UNITS + 300; unit += 7) {
            assertEquals(model.getOrDefault(unit, Place.MAIN), table.placeOf(unit), "unit " + unit + ", seed " + seed);
            Long ceiling = model.ceilingKey(unit);
            assertEquals(ceiling != null, cursor.seek(table, unit), "seed " + seed);
            if (ceiling != null) {
                assertEquals(ceiling, Math.max(unit, cursor.firstUnit()), "seed " + seed);
            }
            if (table.surelyUntouched(unit, unit + 5)) {
                assertTrue(model.subMap(unit, unit + 5).isEmpty(), "seed " + seed);
            }
        }
    }

    private static long count(RemapTable table) {
        long units = 0;
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        for (boolean there = cursor.seek(table, 0); there; there = cursor.next()) {
            units += cursor.lengthUnits();
        }
        return units;
    }

    @Test
    void oneMoreOfAMillionSharesAllButAFewNodes() {
        RemapTable.Builder builder = new RemapTable.Builder();
        for (long i = 0; i < 1_000_000; i++) {
            builder.add(3 * i, 1, Place.onSlot(0, 2 * i, 0xff, 0));
        }
        RemapTable table = builder.build();
        assertEquals(1_000_000, table.extents());
        RemapTable changed = table;
        long started = System.nanoTime();
        for (int i = 0; i < 10_000; i++) {
            changed = changed.with(MapChange.set(3L * i * 97 % 2_999_999 + 1, 1, Place.lost(1)));
        }
        long nanosPerChange = (System.nanoTime() - started) / 10_000;
        assertTrue(nanosPerChange < 1_000_000, "a change took " + nanosPerChange + " ns: it copies the table");
        assertEquals(1_000_000, table.extents());
        assertFalse(table.placeOf(3) == Place.MAIN);
        assertEquals(Place.onSlot(0, 2 * 999_999L, 0xff, 0), changed.placeOf(3 * 999_999L));
    }
}
