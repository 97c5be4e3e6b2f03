package io.remap.core.disk;

import io.remap.api.SectorRange;
import java.util.Optional;

/**
 * Something that happened to a disk, or the same thing several times in a row.
 *
 * @param number 1, 2, 3 … over the whole life of the pair
 * @param firstMillis when, milliseconds since 1970
 * @param lastMillis when for the last time
 * @param count how often
 * @param kind what
 * @param sectors where on the virtual disk, if it has a place
 * @param detail for people: device, operation, error
 */
public record DiskEvent(
        long number,
        long firstMillis,
        long lastMillis,
        long count,
        Kind kind,
        Optional<SectorRange> sectors,
        String detail) {
    /** Most characters of {@link #detail}. */
    static final int MAX_DETAIL_CHARS = 200;

    /** What happened. */
    public enum Kind {
        /** The disk was started. */
        STARTED,
        /** As STARTED, after a stop that was not in order. */
        STARTED_AFTER_CRASH,
        /** The disk was stopped in order. */
        STOPPED,
        /** Sectors turned out to be unreadable. */
        UNREADABLE,
        /** A write that failed was redirected to the spare. */
        REDIRECTED,
        /** Main refuses sectors again that should come back to it. */
        RETURN_REFUSED,
        /** Sectors stay on the spare, as they could not be brought back. */
        RETURN_ABANDONED,
        /** An error of a device as a whole. */
        DEVICE_FAULT,
        /** A request was answered with an error since its deadline was over. */
        OVERDUE,
        /** A device is away; requests wait for it. */
        DEVICE_AWAY,
        /** It is back. */
        DEVICE_BACK,
        /** A flush failed: acknowledged writes may be lost. */
        FLUSH_FAILED,
        /** Another server has taken the spare over. */
        TAKEN_OVER,
        /** No heartbeat could be saved for so long that another host may take the pair over. */
        LEASE_OVER,
        /** Main became write-protected: writes are refused. */
        MAIN_READ_ONLY,
        /** Sectors that could not be read took a write, and read back well. */
        HEALED,
        /** A further spare takes part. */
        SPARE_ADDED,
        /** A spare does not take part any more. */
        SPARE_REMOVED,
        /** A spare that stood by is used, since no other one has room. */
        SPARE_TOOK_OVER,
        /** Content that stood on a spare was given up by a person. */
        SPARE_GIVEN_UP,
        /** Main is not as it was at the last clean stop: it was written without us. */
        MAIN_CHANGED,
        /** What the health module tells. */
        HEALTH
    }

    DiskEvent again(long nowMillis, Optional<SectorRange> where, String what) {
        return new DiskEvent(number, firstMillis, nowMillis, count + 1, kind, where, what);
    }
}
