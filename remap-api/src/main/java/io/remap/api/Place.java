package io.remap.api;

/**
 * Where the sectors of a unit are, packed into a {@code long}, so that a table of a million takes no objects.
 *
 * <p>A <b>unit</b> is {@value #UNIT_BYTES} aligned bytes of the virtual disk, a <b>slot</b> as many of a spare; sector
 * <i>i</i> of a unit lies at sector <i>i</i> of its slot. Each mask has one bit per sector of the unit (bit 0 the first;
 * with sectors of 4096 bytes only bit 0 exists). A sector in neither mask is on main.
 *
 * <p>Invariants: a sector is never in both masks; sectors on a slot imply a slot; {@link #zero} implies an empty slot
 * mask and means that every sector not lost reads as zeros without standing anywhere.
 *
 * <pre>
 * bits 63..32 slot   31..24 spare   23..16 on-slot mask   15..8 lost mask   7..2 reserved (0)   1 zero   0 has slot
 * </pre>
 *
 * The value 0 ({@link #MAIN}) is the place of every unit without an entry.
 *
 * <p>A <b>slot id</b> is no place, but names a slot of any spare, so that ids sort by spare, then slot, and no run of
 * slots goes from one spare to the next: the number of the spare in bits 32 to 39, the slot below.
 */
public final class Place {
    public static final int UNIT_BYTES = 4096;
    public static final int UNIT_SHIFT = 12;
    public static final long MAX_SLOT = (1L << 32) - 1;
    public static final int MAX_SPARE = 255;

    /** All sectors on main: no entry. */
    public static final long MAIN = 0;

    private static final long HAS_SLOT = 1;
    private static final long ZERO = 2;
    private static final long SLOT_STEP = 1L << 32;

    private Place() {}

    /** Sectors of {@code onSlotMask} on a slot, those of {@code lostMask} lost, the rest on main. */
    public static long onSlot(int spare, long slot, int onSlotMask, int lostMask) {
        if (slot < 0 || slot > MAX_SLOT || spare < 0 || spare > MAX_SPARE) {
            throw new IllegalArgumentException("no such slot: " + slot + " of spare " + spare);
        }
        checkMasks(onSlotMask, lostMask);
        return slot << 32 | (long) spare << 24 | (long) onSlotMask << 16 | (long) lostMask << 8 | HAS_SLOT;
    }

    /** Sectors of {@code lostMask} lost, the rest on main. An empty mask is {@link #MAIN}. */
    public static long lost(int lostMask) {
        checkMasks(0, lostMask);
        return (long) lostMask << 8;
    }

    /** Sectors of {@code lostMask} lost, the rest reads as zeros. */
    public static long zero(int lostMask) {
        checkMasks(0, lostMask);
        return (long) lostMask << 8 | ZERO;
    }

    private static void checkMasks(int onSlotMask, int lostMask) {
        if ((onSlotMask & ~0xff) != 0 || (lostMask & ~0xff) != 0 || (onSlotMask & lostMask) != 0) {
            throw new IllegalArgumentException("bad sector masks: " + onSlotMask + ", " + lostMask);
        }
    }

    public static boolean hasSlot(long place) {
        return (place & HAS_SLOT) != 0;
    }

    public static boolean isZero(long place) {
        return (place & ZERO) != 0;
    }

    public static long slot(long place) {
        return place >>> 32;
    }

    public static int spare(long place) {
        return (int) (place >>> 24) & 0xff;
    }

    public static int onSlotMask(long place) {
        return (int) (place >>> 16) & 0xff;
    }

    public static int lostMask(long place) {
        return (int) (place >>> 8) & 0xff;
    }

    /** The place of the unit {@code units} further on in the same extent: the slot moves along, all else stays. */
    public static long advance(long place, long units) {
        return hasSlot(place) ? place + units * SLOT_STEP : place;
    }

    /** The mask of all sectors of a unit. */
    public static int fullMask(int sectorBytes) {
        return (1 << (UNIT_BYTES / sectorBytes)) - 1;
    }

    /** The slot id of a slot. */
    public static long slotId(int spare, long slot) {
        return (long) spare << 32 | slot;
    }

    /** The spare that a slot id names. */
    public static int spareOfId(long slotId) {
        return (int) (slotId >>> 32);
    }

    /** The slot that a slot id names, of its spare. */
    public static long slotOfId(long slotId) {
        return slotId & MAX_SLOT;
    }

    public static String toString(long place) {
        if (place == MAIN) {
            return "main";
        }
        StringBuilder text = new StringBuilder();
        if (hasSlot(place)) {
            text.append("spare ").append(spare(place)).append(" slot ").append(slot(place));
            text.append(" sectors 0x").append(Integer.toHexString(onSlotMask(place)));
        }
        if (isZero(place)) {
            text.append("zero");
        }
        if (lostMask(place) != 0) {
            text.append(text.length() == 0 ? "" : ", ").append("lost 0x").append(Integer.toHexString(lostMask(place)));
        }
        return text.toString();
    }
}
