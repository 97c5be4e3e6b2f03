package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Place;
import io.remap.core.disk.SegmentCursor.Target;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SegmentCursorTest {
    private static final int UNITS = 40;
    private static final long SLOTS_AT = 1 << 20;

    private static long slotOffset(long place) {
        return SLOTS_AT + Place.slot(place) * Place.UNIT_BYTES;
    }

    /** Each sector by itself, from the definition; the segments must say the same, and be as long as they can. */
    @ParameterizedTest
    @CsvSource({"1, 512", "2, 512", "3, 1024", "4, 2048", "5, 4096", "6, 512"})
    void segmentsSayWhatEachSectorIs(long seed, int sectorBytes) {
        SplittableRandom random = new SplittableRandom(seed);
        for (int round = 0; round < 500; round++) {
            MapSnapshot snapshot = randomSnapshot(random, Place.fullMask(sectorBytes));
            SegmentCursor cursor = new SegmentCursor(sectorBytes, SegmentCursorTest::slotOffset);
            int sectors = UNITS * (Place.UNIT_BYTES / sectorBytes);
            long first = random.nextInt(sectors);
            long count = 1L + random.nextInt((int) (sectors - first));
            cursor.reset(snapshot, first * sectorBytes, count * sectorBytes);
            long expectedOffset = first * sectorBytes;
            while (cursor.next()) {
                assertEquals(expectedOffset, cursor.offsetBytes(), "seed " + seed);
                assertTrue(cursor.lengthBytes() > 0, "seed " + seed);
                for (long done = 0; done < cursor.lengthBytes(); done += sectorBytes) {
                    checkSector(seed, snapshot, cursor, done, sectorBytes);
                }
                expectedOffset += cursor.lengthBytes();
            }
            assertEquals((first + count) * sectorBytes, expectedOffset, "seed " + seed);
        }
    }

    private static void checkSector(long seed, MapSnapshot snapshot, SegmentCursor cursor, long done, int sectorBytes) {
        long offset = cursor.offsetBytes() + done;
        long unit = offset >> Place.UNIT_SHIFT;
        int bit = 1 << ((int) (offset % Place.UNIT_BYTES) / sectorBytes);
        long place = snapshot.table.placeOf(unit);
        long hint = snapshot.hints.placeOf(unit);
        boolean unreadable = (MapSnapshot.Hint.unreadableMask(hint) & bit) != 0;
        Target expected = Target.MAIN;
        long device = offset;
        if ((Place.lostMask(place) & bit) != 0) {
            expected = Target.LOST;
        } else if ((Place.onSlotMask(place) & bit) != 0) {
            expected = unreadable ? Target.UNREADABLE_SPARE : Target.SPARE;
            device = slotOffset(place) + offset % Place.UNIT_BYTES;
        } else if (Place.isZero(place)) {
            expected = Target.ZERO;
        } else if (snapshot.isAvoided(unit, unit + 1)) {
            expected = Target.AVOIDED_MAIN;
        } else if (unreadable) {
            expected = Target.UNREADABLE_MAIN;
        } else if (place != Place.MAIN || hint != Place.MAIN) {
            expected = Target.MAIN_DIRECT;
        }
        assertEquals(expected, cursor.target(), "byte " + offset + ", seed " + seed);
        assertEquals(device, cursor.deviceOffsetBytes() + done, "byte " + offset + ", seed " + seed);
        assertEquals(MapSnapshot.Hint.barred(hint), cursor.barred(), "byte " + offset + ", seed " + seed);
    }

    private static MapSnapshot randomSnapshot(SplittableRandom random, int full) {
        MapSnapshot snapshot = MapSnapshot.EMPTY;
        for (int i = random.nextInt(12); i > 0; i--) {
            long unit = random.nextInt(UNITS);
            long length = Math.min(UNITS - unit, 1 + random.nextInt(4));
            int onSlot = 1 + random.nextInt(full);
            long place = switch (random.nextInt(4)) {
                case 0 -> Place.lost(1 + random.nextInt(full));
                case 1 -> Place.zero(random.nextInt(full + 1));
                case 2 -> Place.onSlot(0, random.nextInt(50), full, 0);
                default -> Place.onSlot(0, random.nextInt(50), onSlot, full & ~onSlot & random.nextInt(full + 1));
            };
            snapshot = snapshot.withTable(snapshot.table.with(unit, length, place));
        }
        for (int i = random.nextInt(6); i > 0; i--) {
            long unit = random.nextInt(UNITS);
            snapshot = random.nextInt(4) == 0
                    ? snapshot.withBarred(unit)
                    : snapshot.withUnreadable(unit, 1 + random.nextInt(full));
        }
        if (random.nextBoolean()) {
            long first = random.nextInt(UNITS / 2);
            long second = first + 2 + random.nextInt(UNITS / 2);
            snapshot = snapshot.withAvoided(new long[] {first, first + 1, second, second + 1 + random.nextInt(8)});
        }
        return snapshot;
    }

    @Test
    void avoidedRangesAreFoundByPlace() {
        MapSnapshot snapshot = MapSnapshot.EMPTY.withAvoided(new long[] {4, 6, 9, 10});
        for (long unit = 0; unit < 12; unit++) {
            boolean inside = unit == 4 || unit == 5 || unit == 9;
            assertEquals(inside, snapshot.isAvoided(unit, unit + 1), "unit " + unit);
            assertEquals(!inside, snapshot.surelyPlain(unit, unit + 1), "unit " + unit);
        }
        assertTrue(snapshot.isAvoided(0, 5));
        assertFalse(snapshot.isAvoided(6, 9));
        assertEquals(4, snapshot.avoidedChangesAfter(0));
        assertEquals(6, snapshot.avoidedChangesAfter(4));
        assertEquals(9, snapshot.avoidedChangesAfter(6));
        assertTrue(snapshot.avoidedChangesAfter(10) > 1L << 40);
    }

    @Test
    void rangeThatMeetsAMoveIsOneSegment() {
        SegmentCursor cursor = new SegmentCursor(512, SegmentCursorTest::slotOffset);
        MapSnapshot snapshot = MapSnapshot.EMPTY.withMoving(4, 6);
        cursor.reset(snapshot, 0, 5 * Place.UNIT_BYTES);
        assertTrue(cursor.next());
        assertEquals(Target.MOVING, cursor.target());
        assertFalse(cursor.next());
        cursor.reset(snapshot, 0, 4 * Place.UNIT_BYTES);
        assertTrue(cursor.next());
        assertEquals(Target.MAIN, cursor.target());
        cursor.reset(snapshot, 6 * Place.UNIT_BYTES, 512);
        assertTrue(cursor.next());
        assertEquals(Target.MAIN, cursor.target());
    }
}
