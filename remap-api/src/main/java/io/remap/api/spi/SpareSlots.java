package io.remap.api.spi;

/**
 * Where the slots of one spare lie: in two areas, and a third one if the spare has grown; each slot at the begin of a granule of its own.
 *
 * @param frontOffsetBytes first byte of the front area
 * @param frontSlots slots in it, the first ones
 * @param backOffsetBytes first byte of the back area
 * @param backSlots slots in it, numbered on from those of the front area
 * @param grownOffsetBytes first byte of the third area
 * @param grownSlots slots in it, numbered on; 0 if the spare has the size that it was formatted with
 * @param granuleBytes distance of two neighbours, 4096 or more
 */
public record SpareSlots(
        long frontOffsetBytes,
        long frontSlots,
        long backOffsetBytes,
        long backSlots,
        long grownOffsetBytes,
        long grownSlots,
        int granuleBytes) {
    /** One area. */
    public static SpareSlots of(long offsetBytes, long slots, int granuleBytes) {
        return new SpareSlots(offsetBytes, slots, 0, 0, 0, 0, granuleBytes);
    }

    /** Their number. */
    public long count() {
        return frontSlots + backSlots + grownSlots;
    }

    /** The slot that a byte of the spare is in, -1 if it is in none. */
    public long slotAt(long offsetBytes) {
        long slot = slotIn(offsetBytes, frontOffsetBytes, frontSlots, 0);
        slot = slot >= 0 ? slot : slotIn(offsetBytes, backOffsetBytes, backSlots, frontSlots);
        return slot >= 0 ? slot : slotIn(offsetBytes, grownOffsetBytes, grownSlots, frontSlots + backSlots);
    }

    private long slotIn(long offsetBytes, long areaOffsetBytes, long areaSlots, long firstSlot) {
        long behind = offsetBytes - areaOffsetBytes;
        return behind >= 0 && behind < areaSlots * granuleBytes ? firstSlot + behind / granuleBytes : -1;
    }

    /** First byte of a slot on its spare. */
    public long offsetBytes(long slot) {
        if (slot < 0 || slot >= count()) {
            throw new IllegalArgumentException("no such slot: " + slot + " of " + count());
        }
        if (slot < frontSlots) {
            return frontOffsetBytes + slot * granuleBytes;
        }
        long behindFront = slot - frontSlots;
        return behindFront < backSlots
                ? backOffsetBytes + behindFront * granuleBytes
                : grownOffsetBytes + (behindFront - backSlots) * granuleBytes;
    }
}
