package io.remap.core.disk;

import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.Seal;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.SpareSlots;
import java.util.BitSet;

/**
 * The free slots of one spare, derived from the committed table and the bad slots at open and stored nowhere.
 *
 * <p>Invariants: a slot handed out is nobody else's until it is freed; a bad or quarantined slot is never freed; a slot
 * that a durable record may name is freed only after a durable record that takes it back.
 *
 * <p>Thread-safe.
 */
final class SlotAllocator {
    private final long slots;
    private final BitSet taken;
    private final BitSet bad = new BitSet();
    private long free;
    private int searchFrom;

    /** The allocator of a spare of up to 2^31 - 1 slots (8 TiB); a larger one is used in part. */
    SlotAllocator(MetadataStore store, int spare, SpareSlots places) {
        this.slots = Math.min(places.count(), Integer.MAX_VALUE);
        this.taken = new BitSet();
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        RemapTable table = store.table();
        for (boolean found = cursor.seek(table, 0); found; found = cursor.next()) {
            long place = cursor.place();
            if (Place.hasSlot(place) && Place.spare(place) == spare) {
                take(store, Place.slot(place), cursor.lengthUnits());
            }
        }
        store.badSlots((badSpare, first, length) -> {
            if (badSpare == spare) {
                taken.set((int) first, (int) (first + length));
                bad.set((int) first, (int) (first + length));
            }
        });
        store.seals((region, seal) -> {
            if (Seal.spare(seal) == spare) {
                take(store, Seal.slot(seal), 1);
            }
        });
        this.free = slots - taken.cardinality();
    }

    private void take(MetadataStore store, long firstSlot, long lengthSlots) {
        int from = (int) firstSlot;
        int to = (int) (firstSlot + lengthSlots);
        if (firstSlot + lengthSlots > slots || isTaken(from, to)) {
            throw new IllegalStateException("pair " + store.pair().pairUuid() + ": slots " + firstSlot + "+"
                    + lengthSlots + " are outside the spare or used twice");
        }
        taken.set(from, to);
    }

    private boolean isTaken(int from, int to) {
        int next = taken.nextSetBit(from);
        return next >= 0 && next < to;
    }

    /** A slot of its own, or -1 if none is free. Neighbours are handed out one after the other where possible. */
    synchronized long allocate() {
        if (free == 0) {
            return -1;
        }
        int slot = taken.nextClearBit(searchFrom);
        if (slot >= slots) {
            slot = taken.nextClearBit(0);
        }
        taken.set(slot);
        searchFrom = slot + 1;
        free--;
        return slot;
    }

    /** As {@link #allocate}, from the other end: for what stands for no unit. */
    synchronized long allocateLast() {
        int slot = free == 0 ? -1 : taken.previousClearBit((int) slots - 1);
        if (slot >= 0) {
            taken.set(slot);
            free--;
        }
        return slot;
    }

    /** The search for the next one begins here, at the latest. */
    synchronized void rewind(long slot) {
        searchFrom = Math.min(searchFrom, (int) slot);
    }

    /** Takes a slot back that no record names. */
    synchronized void free(long slot) {
        if (!taken.get((int) slot) || bad.get((int) slot)) {
            throw new IllegalStateException("slot " + slot + " was not taken, or is bad");
        }
        taken.clear((int) slot);
        free++;
    }

    /** A slot that was handed out is bad: it is never handed out again. */
    synchronized void markBad(long slot) {
        if (!taken.get((int) slot)) {
            throw new IllegalStateException("slot " + slot + " was not taken");
        }
        bad.set((int) slot);
    }

    synchronized long freeSlots() {
        return free;
    }

    synchronized long badSlots() {
        return bad.cardinality();
    }

    long slots() {
        return slots;
    }
}
