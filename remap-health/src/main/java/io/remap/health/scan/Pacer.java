package io.remap.health.scan;

import io.remap.api.spi.WatchedDisk.ClientLoad;

/**
 * Lets clients go first: a read waits until they have been quiet for a while, but not for ever, or a disk that is never
 * idle would never be scrubbed. Looks at counters only, and only when a read is due. Not thread-safe.
 */
final class Pacer {
    private final long idleNanos;
    private final long busyWaitNanos;
    private long lastRequests = -1;
    private long busyNanos;

    Pacer(ScanSettings settings) {
        idleNanos = settings.idleNanos();
        busyWaitNanos = settings.busyWaitNanos();
    }

    /**
     * How long to wait before a read.
     *
     * @param dueNanos since when the read is due
     * @return nanoseconds until the next look; 0: now
     */
    long waitNanos(long nowNanos, long dueNanos, ClientLoad load) {
        if (load.outstanding() > 0 || load.requests() != lastRequests) {
            lastRequests = load.requests();
            busyNanos = nowNanos;
        }
        long quiet = idleNanos - (nowNanos - busyNanos);
        long patience = busyWaitNanos - (nowNanos - dueNanos);
        return Math.max(0, Math.min(quiet, patience));
    }
}
