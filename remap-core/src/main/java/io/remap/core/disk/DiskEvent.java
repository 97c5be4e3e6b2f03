package io.remap.core.disk;

import io.remap.api.DeviceException;
import io.remap.api.Errno;
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
 * @param cause the error of a device that led to it, if one did; the last of several
 * @param detail for people: device, reason
 */
public record DiskEvent(
        long number,
        long firstMillis,
        long lastMillis,
        long count,
        Kind kind,
        Optional<SectorRange> sectors,
        Optional<Cause> cause,
        String detail) {
    /** Most characters of {@link #detail}. */
    static final int MAX_DETAIL_CHARS = 200;

    /**
     * An error of a device.
     *
     * @param operation read, write, flush
     * @param errno its number, 0 where the platform did not tell it
     * @param error its name
     * @param attempts how often it was tried by then
     */
    public record Cause(String operation, int errno, String error, int attempts) {
        static Cause of(DeviceException error, int attempts) {
            return of(error.operation(), error.errno(), attempts);
        }

        static Cause of(String operation, int errno, int attempts) {
            return new Cause(operation, errno, errno == Errno.NONE ? "" : Errno.name(errno), attempts);
        }
    }

    /** What happened. */
    public enum Kind {
        /** The disk was started. */
        STARTED,
        /** As STARTED, after a stop that was not in order. */
        STARTED_AFTER_CRASH,
        /** The disk was stopped in order. */
        STOPPED,
        /** Sectors read well after errors: their unit is watched. */
        WATCHED,
        /** As WATCHED, for the time that makes it weak: it is moved, if the policy has that. */
        WEAK,
        /** Sectors turned out to be unreadable. */
        UNREADABLE,
        /** A whole area of main is left alone from now on: reads there fail at once, writes go to the spare. */
        AVOIDED,
        /** An area that was left alone is not any more. */
        AVOIDED_NO_MORE,
        /** Sectors that were unreadable can be read again. */
        READABLE_AGAIN,
        /** A write that failed was redirected to the spare. */
        REDIRECTED,
        /** Sectors that can be read begin to move to the spare. */
        RELOCATING,
        /** They are on the spare. */
        RELOCATED,
        /** Units of the spare are back on main. */
        RETURNED,
        /** The content of sectors is gone until they are written. */
        LOST,
        /** What stood on a spare is not what was written there; it is given up. */
        CHECKSUM_MISMATCH,
        /** The checksums of a part of a spare cannot be read, or are damaged: it is compared with nothing for a while. */
        CHECKSUMS_LOST,
        /** Main refuses sectors again that should come back to it. */
        RETURN_REFUSED,
        /** Sectors stay on the spare, as they could not be brought back. */
        RETURN_ABANDONED,
        /** An error of a device as a whole. */
        DEVICE_FAULT,
        /** A request was answered with an error since this host was short of something for too long: memory, descriptors. */
        HOST_SHORT,
        /** A request was answered with an error since its deadline was over. */
        OVERDUE,
        /** Errors of main are many, or far apart: what its canaries say. */
        ERRORS_SPREAD,
        /** A device is away; requests wait for it. */
        DEVICE_AWAY,
        /** It is back. */
        DEVICE_BACK,
        /** It was plugged in again, and is opened anew. */
        DEVICE_REOPENED,
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
        /** The table of the mappings is on one more spare. */
        TABLE_COPIED,
        /** The table on a spare does not count any more: that on another one goes on without it. */
        TABLE_LEFT_BEHIND,
        /** Main is not as it was at the last clean stop: it was written without us. */
        MAIN_CHANGED,
        /** What the health module tells. */
        HEALTH
    }

    DiskEvent again(long nowMillis, Optional<SectorRange> where, Optional<Cause> why, String what) {
        return new DiskEvent(
                number, firstMillis, nowMillis, count + 1, kind, where, why.isPresent() ? why : cause, what);
    }
}
