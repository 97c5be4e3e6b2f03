package io.remap.api.spi;

/**
 * Where the slots of one spare lie: in two areas, each slot at the begin of a granule of its own.
 *
 * @param frontOffsetBytes first byte of the front area
 * @param frontSlots slots in it, the first ones
 * @param backOffsetBytes first byte of the back area
 * @param backSlots slots in it, numbered on from those of the front area
 * @param granuleBytes distance of two neighbours, 4096 or more
 */
public record SpareSlots(
        long frontOffsetBytes, long frontSlots, long backOffsetBytes, long backSlots, int granuleBytes) {
    /** Their number. */
    public long count() {
        return frontSlots + backSlots;
    }

    /** First byte of a slot on its spare. */
    public long offsetBytes(long slot) {
        if (slot < 0 || slot >= count()) {
            throw new IllegalArgumentException("no such slot: " + slot + " of " + count());
        }
        return slot < frontSlots
                ? frontOffsetBytes + slot * granuleBytes
                : backOffsetBytes + (slot - frontSlots) * granuleBytes;
    }
}
