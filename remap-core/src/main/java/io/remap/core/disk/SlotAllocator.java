package io.remap.core.disk;

import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.Seal;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.SpareSlots;

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
    private final SlotSet taken;
    private final SlotSet bad;
    private long free;
    private long searchFrom;

    /** The allocator of a spare of up to 2^32 slots (16 TiB); a larger one is used in part. */
    SlotAllocator(MetadataStore store, int spare, SpareSlots places) {
        this.slots = Math.min(places.count(), Place.MAX_SLOT + 1);
        this.taken = new SlotSet(slots);
        this.bad = new SlotSet(slots);
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
                taken.set(first, first + length);
                bad.set(first, first + length);
            }
        });
        store.seals((region, seal) -> {
            if (Seal.spare(seal) == spare) {
                take(store, Seal.slot(seal), 1);
            }
        });
        this.free = slots - taken.size();
    }

    private void take(MetadataStore store, long firstSlot, long lengthSlots) {
        long from = firstSlot;
        long to = firstSlot + lengthSlots;
        if (to > slots || isTaken(from, to)) {
            throw new IllegalStateException("pair " + store.pair().pairUuid() + ": slots " + firstSlot + "+"
                    + lengthSlots + " are outside the spare or used twice");
        }
        taken.set(from, to);
    }

    private boolean isTaken(long from, long to) {
        return taken.hasAny(from, to);
    }

    /** A slot of its own, or -1 if none is free. Neighbours are handed out one after the other where possible. */
    synchronized long allocate() {
        if (free == 0) {
            return -1;
        }
        long slot = taken.nextFree(searchFrom);
        if (slot < 0) {
            slot = taken.nextFree(0);
        }
        taken.set(slot);
        searchFrom = slot + 1;
        free--;
        return slot;
    }

    /** As {@link #allocate}, from the other end: for what stands for no unit. */
    synchronized long allocateLast() {
        long slot = free == 0 ? -1 : taken.lastFree();
        if (slot >= 0) {
            taken.set(slot);
            free--;
        }
        return slot;
    }

    /** The search for the next one begins here, at the latest. */
    synchronized void rewind(long slot) {
        searchFrom = Math.min(searchFrom, slot);
    }

    /** Takes a slot back that no record names. */
    synchronized void free(long slot) {
        if (!taken.get(slot) || bad.get(slot)) {
            throw new IllegalStateException("slot " + slot + " was not taken, or is bad");
        }
        taken.clear(slot);
        free++;
    }

    /** A slot that was handed out is bad: it is never handed out again. */
    synchronized void markBad(long slot) {
        if (!taken.get(slot)) {
            throw new IllegalStateException("slot " + slot + " was not taken");
        }
        bad.set(slot);
    }

    synchronized long freeSlots() {
        return free;
    }

    synchronized long badSlots() {
        return bad.size();
    }

    long slots() {
        return slots;
    }
}
