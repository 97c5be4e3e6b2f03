package io.remap.core.disk;

import io.remap.api.DeviceException;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a virtual disk tells people as it goes. Disks and clients trigger it, so it is limited: events of one kind are told
 * one by one up to {@link #LOG_IN_FULL}, then each time their number has doubled. Thread-safe.
 */
final class DiskLog {
    private static final int LOG_IN_FULL = 16;

    private static final Logger LOG = LoggerFactory.getLogger(DiskLog.class);

    private final String name;
    private final Counters counters;
    private final AtomicBoolean toldOfForgotten = new AtomicBoolean();

    DiskLog(String name, Counters counters) {
        this.name = name;
        this.counters = counters;
    }

    void deviceFault(DeviceException error) {
        counters.deviceFaults.increment();
        if (worthLogging(counters.deviceFaults.sum())) {
            LOG.warn("{}: {}; blamed on the device, nothing was remapped", name, error.getMessage());
        }
    }

    void flushFailed(DeviceException error) {
        if (worthLogging(counters.failedRequests.sum())) {
            LOG.error("{}: {}; acknowledged writes may be lost", name, error.getMessage());
        }
    }

    void unreadable(Map<Long, Integer> unitMasks) {
        if (!unitMasks.isEmpty() && worthLogging(counters.newUnreadableSectors.sum())) {
            LOG.warn("{}: unreadable sectors in units {}", name, unitMasks.keySet());
        }
    }

    void redirected(int units, long firstByte) {
        if (worthLogging(counters.redirectedWrites.sum())) {
            LOG.warn("{}: redirected a failing write of {} units at byte {} to the spare", name, units, firstByte);
        }
    }

    /** For sectors that were not remembered as unreadable. */
    void forgotten(int sectors) {
        counters.droppedHints.add(sectors);
        if (!toldOfForgotten.getAndSet(true)) {
            LOG.warn(
                    "{}: unreadable sectors in {} units are remembered, more are not: these are tried anew at every read",
                    name,
                    MapSnapshot.MAX_HINTED_UNITS);
        }
    }

    void returnRefused(long unit) {
        if (worthLogging(counters.refusedReturns.sum())) {
            LOG.warn("{}: main refuses unit {} again: it stays on the spare", name, unit);
        }
    }

    void returnAbandoned(long unit, int tries) {
        if (worthLogging(counters.abandonedReturns.sum())) {
            LOG.warn(
                    "{}: unit {} could not be brought back to main in {} tries and stays on the spare; 'map remove' tries again",
                    name,
                    unit,
                    tries);
        }
    }

    void returnsDropped() {
        if (worthLogging(counters.droppedReturns.sum())) {
            LOG.warn(
                    "{}: {} units wait to be brought back to main: more stay on the spare until 'map remove'",
                    name,
                    Failback.MAX_WAITING_UNITS);
        }
    }

    private static boolean worthLogging(long count) {
        return count <= LOG_IN_FULL || Long.bitCount(count) == 1;
    }
}
