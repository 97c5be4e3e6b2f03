package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@link RangeLock}, {@link SlotAllocator} and {@link InFlightTable}, each against its promise. */
class LockAndSlotsTest {
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4})
    void lockIsExclusiveAndGrantedInTheOrderOfArrival(long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        RangeLock lock = new RangeLock(Runnable::run);
        List<RangeLock.Claim> held = new ArrayList<>();
        List<long[]> asked = new ArrayList<>();
        Set<Integer> granted = new HashSet<>();
        for (int i = 0; i < 2_000; i++) {
            if (random.nextInt(3) > 0) {
                int number = asked.size();
                long first = random.nextInt(100);
                long[] range = {first, first + 1 + random.nextInt(20)};
                asked.add(range);
                assertTrue(lock.acquire(range[0], range[1], claim -> {
                    for (RangeLock.Claim other : held) {
                        assertFalse(other.firstUnit < claim.endUnit && claim.firstUnit < other.endUnit, "seed " + seed);
                    }
                    for (int earlier = 0; earlier < number; earlier++) {
                        long[] r = asked.get(earlier);
                        boolean overlaps = r[0] < claim.endUnit && claim.firstUnit < r[1];
                        assertTrue(!overlaps || granted.contains(earlier), "overtaken; seed " + seed);
                    }
                    granted.add(number);
                    held.add(claim);
                }));
            } else if (!held.isEmpty()) {
                lock.release(held.remove(random.nextInt(held.size())));
            }
        }
        while (!held.isEmpty()) {
            lock.release(held.remove(0));
        }
        assertEquals(asked.size(), granted.size(), "seed " + seed);
        assertEquals(0, lock.size());
    }

    @Test
    void lockIsBounded() {
        RangeLock lock = new RangeLock(Runnable::run);
        for (int i = 0; i < RangeLock.MAX_CLAIMS; i++) {
            assertTrue(lock.acquire(0, 1, claim -> {}));
        }
        assertFalse(lock.acquire(5, 6, claim -> {}));
    }

    @Test
    void slotsAreHandedOutOnceAndBadOnesNeverAgain() throws Exception {
        try (DiskRig rig = new DiskRig(8)) {
            SlotAllocator slots = new SlotAllocator(rig.store, 0, rig.store.slots());
            Set<Long> taken = new HashSet<>();
            for (int i = 0; i < 8; i++) {
                assertTrue(taken.add(slots.allocate()));
            }
            assertEquals(-1, slots.allocate());
            slots.markBad(3);
            slots.markBad(3);
            assertEquals(1, slots.badSlots());
            assertThrows(IllegalStateException.class, () -> slots.free(3));
            slots.free(5);
            assertThrows(IllegalStateException.class, () -> slots.free(5));
            assertEquals(5, slots.allocate());
            assertEquals(0, slots.freeSlots());
        }
    }

    @Test
    void moverWaitsForOverlapsOnly() {
        InFlightTable table = new InFlightTable(Runnable::run);
        int far = table.enter(0, 5, true);
        int read = table.enter(10, 12, false);
        int write = table.enter(14, 15, true);
        List<String> told = new ArrayList<>();
        table.awaitOverlapping(5, 10, true, () -> told.add("beside"));
        table.awaitOverlapping(10, 14, false, () -> told.add("reads do not matter"));
        assertEquals(List.of("beside", "reads do not matter"), told);
        table.awaitOverlapping(10, 20, true, () -> told.add("all"));
        table.exit(write);
        assertEquals(2, told.size(), "the read is still under way");
        table.exit(read);
        assertEquals("all", told.get(2));
        table.exit(far);
        assertEquals(0, table.size());
    }

    @Test
    void fullTableRefuses() {
        InFlightTable table = new InFlightTable(Runnable::run);
        for (int i = 0; i < InFlightTable.CAPACITY; i++) {
            assertTrue(table.enter(i, i + 1, true) >= 0);
        }
        assertEquals(-1, table.enter(0, 1, false));
        assertThrows(IllegalArgumentException.class, () -> table.enter(0, InFlightTable.MAX_UNITS + 1, false));
        assertTrue(RequestContext.MAX_PIECE_BYTES / 4096 + 2 <= InFlightTable.MAX_UNITS);
    }
}
