package io.remap.core.disk;

import io.remap.api.SectorRange;

/**
 * A run of sectors that are not plainly on main, for people.
 *
 * @param range where on the virtual disk
 * @param state where they are
 * @param spare number of the spare that they are on, -1 if they are on none
 * @param spareOffsetBytes first byte on that spare, -1 if they are on none, or on one that is not there
 */
public record MapEntry(SectorRange range, State state, int spare, long spareOffsetBytes) {
    /** Where sectors are. */
    public enum State {
        /** On the spare. */
        SPARE,
        /** Nowhere; they read as zeros. */
        ZERO,
        /** On main, but they could not be read the last time. */
        UNREADABLE,
        /** On main, where it is left alone for now: see {@link AvoidedRegions}. */
        AVOIDED,
        /** On the spare, but they could not be read the last time. */
        UNREADABLE_ON_SPARE,
        /** On a spare that is not there. */
        ON_MISSING_SPARE,
        /** Nowhere: reads fail until they are written. */
        LOST
    }
}
