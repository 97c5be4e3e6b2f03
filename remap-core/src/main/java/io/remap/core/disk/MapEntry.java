package io.remap.core.disk;

import io.remap.api.SectorRange;

/**
 * A run of sectors that are not plainly on main, for people.
 *
 * @param range where on the virtual disk
 * @param state where they are
 * @param spareOffsetBytes first byte on the spare, -1 if they are not there
 */
public record MapEntry(SectorRange range, State state, long spareOffsetBytes) {
    /** Where sectors are. */
    public enum State {
        /** On the spare. */
        SPARE,
        /** Nowhere; they read as zeros. */
        ZERO,
        /** On main, but they could not be read the last time. */
        UNREADABLE,
        /** On the spare, but they could not be read the last time. */
        UNREADABLE_ON_SPARE,
        /** Nowhere: reads fail until they are written. */
        LOST
    }
}
