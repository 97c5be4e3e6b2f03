package io.remap.api.spi;

import io.remap.api.ErrorClass;

/**
 * Decides what follows from errors; the data path carries it out. Pure and thread-safe: the answer depends on the
 * arguments and on settings only.
 */
public interface FaultPolicy {
    /** What to do about a failed transfer. */
    enum Verdict {
        /** The same again, after {@link #retryDelayMillis}. */
        RETRY,
        /** The sectors are to blame: halve the range, and at the smallest unit redirect (write) or give up (read). */
        BLAME_SECTORS,
        /** The device or the host is to blame: fail the request, change nothing. */
        BLAME_DEVICE
    }

    /**
     * About a read that failed.
     *
     * @param attempts how often the smallest unit was tried, 1 or more
     * @param deviceAlive whether places that read well before still do
     */
    Verdict readFailed(ErrorClass errorClass, int attempts, boolean deviceAlive);

    /** About a write that failed, as {@link #readFailed}. */
    Verdict writeFailed(ErrorClass errorClass, int attempts, boolean deviceAlive);

    /** How long to wait before attempt {@code attempts + 1}, in milliseconds. */
    long retryDelayMillis(int attempts);

    /** Whether a write that main refuses may go to the spare without being asked for. */
    default boolean redirectsWrites() {
        return true;
    }

    /** Whether a write to sectors that could not be read is tried on main, instead of going to the spare at once. */
    default boolean healsUnreadable() {
        return false;
    }

    /** Whether sectors that are weak, and can be read, may go to the spare before they fail. */
    default boolean movesWeak() {
        return redirectsWrites();
    }

    /** How many errors of a unit that was read in the end make it weak; 1 or more. */
    default int errorThreshold() {
        return 3;
    }

    /** After how long without an error their number counts half, in milliseconds. */
    default long watchDecayMillis() {
        return 1_209_600_000;
    }

    /** How many times a second all canaries of a device that is down are asked, at most; 2 or more. */
    default int canaryRoundsPerSecond() {
        return 10;
    }

    /** In how many regions of 128 MiB errors within a minute are a reason to ask all canaries; 2 or more. */
    default int spreadRegions() {
        return 8;
    }

    /** How many units of 4096 bytes may have an entry in the map before none is added without being asked for. */
    default long maxRemappedUnits() {
        return Long.MAX_VALUE;
    }

    /** So many units of 4096 bytes side by side that all fail are an area that is avoided; 0: none is by itself. */
    default int avoidUnits() {
        return 0;
    }

    /** How long each attempt in such an area takes at least, in milliseconds. */
    default long avoidSlowMillis() {
        return 500;
    }

    /** After how long an area that is avoided by itself is tried again, in milliseconds; doubling. */
    default long avoidRetryMillis() {
        return 3_600_000;
    }

    /** How much of the slots of the spares writes to avoided areas may take, in percent. */
    default int avoidSparePercent() {
        return 50;
    }

    /** How long an unreadable sector answers EIO at once before it is tried again, by the number of failed tries. */
    long holdOffMillis(int failures);
}
