package io.remap.api;

/**
 * One change of the remap table, as it is committed: from now on the units of the run are at {@code place}
 * ({@link Place#MAIN}: they have no entry any more), or a slot is bad for good, or a region of a spare is sealed or opened.
 *
 * <p>A change states the whole new place of its units, never a difference, so that replaying it twice is harmless.
 *
 * @param kind what is stated
 * @param firstUnit first unit of the run (SET), first bad slot (BAD_SLOT), first region (SEAL, OPEN)
 * @param lengthUnits number of units, of bad slots, or of regions, 1 or more
 * @param place the place of the first unit; the others follow it by {@link Place#advance} (SET); a {@link Seal} (SEAL); only
 *     its spare number counts (BAD_SLOT, OPEN)
 */
public record MapChange(Kind kind, long firstUnit, long lengthUnits, long place) {
    /** What a change states. */
    public enum Kind {
        SET,
        BAD_SLOT,
        /** What a region of a spare holds is told by checksums from now on, and nothing of it is written. */
        SEAL,
        /** A region is not sealed any more. */
        OPEN
    }

    public MapChange {
        if (firstUnit < 0 || lengthUnits < 1 || lengthUnits > RemapTable.MAX_RUN_UNITS) {
            throw new IllegalArgumentException("no such run: " + firstUnit + "+" + lengthUnits);
        }
    }

    /** The units of the run are at {@code place} and the slots after it. */
    public static MapChange set(long firstUnit, long lengthUnits, long place) {
        return new MapChange(Kind.SET, firstUnit, lengthUnits, place);
    }

    /** The slots must never be used again. */
    public static MapChange badSlot(int spare, long firstSlot, long lengthSlots) {
        return new MapChange(Kind.BAD_SLOT, firstSlot, lengthSlots, Place.onSlot(spare, 0, 0, 0));
    }

    /** The region is sealed; its spare is that of the seal. */
    public static MapChange seal(long region, long seal) {
        return new MapChange(Kind.SEAL, region, 1, seal);
    }

    /** The regions of the spare are sealed no more. */
    public static MapChange open(int spare, long firstRegion, long lengthRegions) {
        return new MapChange(Kind.OPEN, firstRegion, lengthRegions, Place.onSlot(spare, 0, 0, 0));
    }
}
