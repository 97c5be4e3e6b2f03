package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Place;
import io.remap.api.RemapTable;
import java.util.BitSet;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** What was discarded, beside a model that forgets nothing: never too little, and too much only between near ranges. */
class RecentWritesTest {
    private static final long SEED = Long.getLong("remap.seed", 1);
    private static final int UNITS = 1 << 16;
    private static final int SECTOR = 512;

    private final SplittableRandom random = new SplittableRandom(SEED);
    private final RecentWrites recent = new RecentWrites((long) UNITS * Place.UNIT_BYTES);

    private void discard(long firstUnit, long units) {
        recent.noteDiscarded(firstUnit * Place.UNIT_BYTES, units * Place.UNIT_BYTES);
    }

    /** As long as there is room for all of it, and nothing was forgotten of the writes, it is exact. */
    @Test
    void fewDiscardsAndWritesAreKnownExactly() {
        BitSet discarded = new BitSet();
        for (int i = 0; i < 2000; i++) {
            // A unit of its own place in the table of what is recent.
            int first = random.nextInt(RecentWrites.PLACES - 16);
            int units = 1 + random.nextInt(16);
            if (random.nextInt(3) == 0) {
                discard(first, units);
                discarded.set(first, first + units);
            } else if (random.nextBoolean()) {
                recent.note((long) first * Place.UNIT_BYTES, (long) units * Place.UNIT_BYTES);
                discarded.clear(first, first + units);
            } else {
                // The first unit and the last one keep something of what was discarded.
                recent.note((long) first * Place.UNIT_BYTES + SECTOR, (long) units * Place.UNIT_BYTES);
                for (int unit : new int[] {first, first + units}) {
                    // A unit that was written whole, and then in part, is not known to be whole any more.
                    discarded.set(unit, recent.mayBeDiscarded(unit) || discarded.get(unit));
                }
                discarded.clear(first + 1, first + units);
            }
            int looked = random.nextInt(RecentWrites.PLACES);
            if (discarded.get(looked)) {
                assertTrue(recent.mayBeDiscarded(looked), "unit " + looked + ", seed " + SEED);
            }
        }
        for (int unit = 0; unit < UNITS; unit++) {
            assertEquals(discarded.get(unit), recent.mayBeDiscarded(unit), "unit " + unit + ", seed " + SEED);
        }
    }

    @Test
    void ofTooManyDiscardsTheNearestBecomeOneButNotOverAnEdge() {
        BitSet discarded = new BitSet();
        for (int unit = 1; unit < UNITS; unit += 3) {
            // In no order, each once: 5 is no divisor.
            int at = (int) (unit * 5L % UNITS);
            discard(at, 1);
            discarded.set(at);
        }
        int tooMany = 0;
        for (int unit = 0; unit < UNITS; unit++) {
            boolean may = recent.mayBeDiscarded(unit);
            assertTrue(may || !discarded.get(unit), "unit " + unit + " was discarded");
            boolean edge = unit < RecentWrites.EDGE_UNITS || unit >= UNITS - RecentWrites.EDGE_UNITS;
            assertFalse(edge && may && !discarded.get(unit), "unit " + unit + " of an edge was not");
            tooMany += may && !discarded.get(unit) ? 1 : 0;
        }
        assertTrue(tooMany > 0, "this is more than is remembered");
        assertTrue(tooMany < UNITS / 2, "not all of main: " + tooMany);
        recent.note(30_000L * Place.UNIT_BYTES, Place.UNIT_BYTES);
        assertFalse(recent.mayBeDiscarded(30_000), "written since");
    }

    @Test
    void farRangesStayApartAndTheLastUnitOfAllIsOneLikeAnother() {
        RecentWrites large = new RecentWrites(RemapTable.MAX_UNITS << Place.UNIT_SHIFT);
        for (long i = 0; i < 3L * (RecentWrites.MAX_DISCARDS / 2 - 10); i++) {
            // By threes, with little between them, and far from the others.
            large.noteDiscarded((1 + i / 3 * 1000 + i % 3 * 2) << Place.UNIT_SHIFT, Place.UNIT_BYTES);
        }
        assertTrue(large.mayBeDiscarded(1001) && large.mayBeDiscarded(1003));
        assertFalse(large.mayBeDiscarded(1500));
        long last = RemapTable.MAX_UNITS - 1;
        large.noteDiscarded(last << Place.UNIT_SHIFT, Place.UNIT_BYTES);
        assertTrue(large.mayBeDiscarded(last));
        large.note(last << Place.UNIT_SHIFT, Place.UNIT_BYTES);
        assertFalse(large.mayBeDiscarded(last));
        assertEquals(last, large.newestFirst().get(0));
    }
}
