package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Place;
import io.remap.api.Seal;
import io.remap.api.spi.SpareSlots;
import io.remap.core.disk.InFlightTable.Awaited;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.UUID;
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

    /** With bits and gates for all of them at once, these are 2 GiB; a server has a heap of 512 MiB. */
    @Test
    void largeSparesAreUsedWholeAndTakeMemoryOnlyForWhatIsTaken() throws Exception {
        SpareSlots all = SpareSlots.of(0, Place.MAX_SLOT + 1, Place.UNIT_BYTES);
        List<Object> kept = new ArrayList<>();
        try (DiskRig rig = new DiskRig(8)) {
            for (int i = 0; i < 4; i++) {
                SlotAllocator slots = new SlotAllocator(rig.store, 0, all);
                assertEquals(Place.MAX_SLOT, slots.allocateLast());
                assertEquals(Place.MAX_SLOT - 1, slots.allocateLast());
                slots.markBad(Place.MAX_SLOT);
                assertEquals(0, slots.allocate());
                slots.free(Place.MAX_SLOT - 1);
                assertEquals(Place.MAX_SLOT - 1, slots.freeSlots());
                SlotGate gate = new SlotGate(new UUID(1, 2), all, 512);
                assertTrue(gate.enter(Place.MAX_SLOT * Place.UNIT_BYTES, Place.UNIT_BYTES));
                assertFalse(gate.close(Seal.MAX_REGION), "a write is under way");
                gate.leave(Place.MAX_SLOT * Place.UNIT_BYTES, Place.UNIT_BYTES);
                assertTrue(gate.takeTouched(Seal.MAX_REGION));
                assertTrue(gate.close(Seal.MAX_REGION));
                assertTrue(gate.isClosed(Seal.MAX_REGION) && !gate.isClosed(0));
                kept.addAll(List.of(slots, gate));
            }
        }
        assertEquals(8, kept.size());
    }

    @Test
    void slotSetIsASetOfSlots() {
        SplittableRandom random = new SplittableRandom(Long.getLong("remap.seed", 1));
        int slots = (3 << 18) + 1000;
        SlotSet set = new SlotSet(slots);
        BitSet model = new BitSet();
        for (int i = 0; i < 2000; i++) {
            int from = random.nextInt(slots);
            int to = Math.min(slots, from + 1 + (random.nextInt(4) == 0 ? random.nextInt(slots) : random.nextInt(100)));
            switch (random.nextInt(4)) {
                case 0 -> {
                    set.set(from, to);
                    model.set(from, to);
                }
                case 1 -> {
                    set.set(from);
                    model.set(from);
                }
                case 2 -> {
                    int end = Math.min(to, from + 2000);
                    for (int slot = from; slot < end; slot++) {
                        set.clear(slot);
                    }
                    model.clear(from, end);
                }
                default -> {
                    int all = i % 100 == 3 ? slots : 0;
                    for (int slot = 0; slot < all; slot++) {
                        set.clear(slot);
                    }
                    model.clear(0, all);
                }
            }
            int taken = model.nextSetBit(from);
            assertEquals(taken >= 0 && taken < to, set.hasAny(from, to));
            int free = model.nextClearBit(from);
            assertEquals(free < slots ? free : -1, set.nextFree(from));
            assertEquals(model.previousClearBit(slots - 1), set.lastFree());
            assertEquals(model.get(from), set.get(from));
            assertEquals(model.cardinality(), set.size());
        }
    }

    @Test
    void moverWaitsForOverlapsOnly() {
        InFlightTable table = new InFlightTable(Runnable::run);
        int far = table.enter(0, 5, true);
        int read = table.enter(10, 12, false);
        int write = table.enter(14, 15, true);
        List<String> told = new ArrayList<>();
        table.awaitOverlapping(5, 10, Awaited.ALL, () -> told.add("beside"));
        table.awaitOverlapping(10, 14, Awaited.WRITES, () -> told.add("reads do not matter"));
        assertEquals(List.of("beside", "reads do not matter"), told);
        table.awaitOverlapping(10, 20, Awaited.ALL, () -> told.add("all"));
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
