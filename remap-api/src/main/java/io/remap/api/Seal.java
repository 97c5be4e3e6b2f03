package io.remap.api;

/**
 * Where the checksums of a region of a spare stand, packed into a {@code long}. A region is {@value #REGION_SLOTS} slots with
 * neighbouring numbers; while it is <em>sealed</em> nothing of it is written, and what its slots hold is told by the
 * checksums in one block, which stands in a slot of the same spare.
 *
 * <p>The tag is 16 bits of the CRC of that block: an older block in the same slot is not taken for it.
 *
 * <pre>
 * bits 63..32 slot of the block   31..24 spare   23..8 tag   7..2 reserved (0)   1 set   0 reserved (0)
 * </pre>
 *
 * The same layout as a {@link Place} without a slot, so that seals live in the same kind of tree; the place after it is the
 * same one, so that two regions never become one entry.
 */
public final class Seal {
    public static final int REGION_SHIFT = 6;

    /** Slots of a region: 256 KiB. */
    public static final int REGION_SLOTS = 1 << REGION_SHIFT;

    /** Highest number of a region. */
    public static final long MAX_REGION = Place.MAX_SLOT >> REGION_SHIFT;

    private static final long SET = 2;
    private static final int TAG_MASK = 0xffff;

    private Seal() {}

    /** The block in this slot of the spare, with this tag. */
    public static long of(int spare, long slot, int tag) {
        if (slot < 0 || slot > Place.MAX_SLOT || spare < 0 || spare > Place.MAX_SPARE || (tag & ~TAG_MASK) != 0) {
            throw new IllegalArgumentException("no such seal: slot " + slot + " of spare " + spare + ", tag " + tag);
        }
        return slot << 32 | (long) spare << 24 | (long) tag << 8 | SET;
    }

    public static long slot(long seal) {
        return Place.slot(seal);
    }

    public static int spare(long seal) {
        return Place.spare(seal);
    }

    public static int tag(long seal) {
        return (int) (seal >>> 8) & TAG_MASK;
    }

    /** The region that a slot is in. */
    public static long regionOf(long slot) {
        return slot >> REGION_SHIFT;
    }

    /** Which of its region a slot is. */
    public static int indexOf(long slot) {
        return (int) slot & (REGION_SLOTS - 1);
    }
}
