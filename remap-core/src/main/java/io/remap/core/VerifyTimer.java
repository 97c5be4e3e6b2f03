package io.remap.core;

import io.remap.api.Refusal;
import io.remap.api.Scheduler;
import io.remap.api.spi.MetadataCopies;
import io.remap.api.spi.MetadataReport;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has the copies of the metadata of a disk read again from time to time, and what is damaged written anew. The next time is
 * counted from the end of the last reading, so that a slow spare is not read without a pause. Thread-safe.
 */
final class VerifyTimer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(VerifyTimer.class);

    private final String disk;
    private final MetadataCopies copies;
    private final Scheduler scheduler;
    private final long intervalMillis;
    private Scheduler.Cancellable next;
    private boolean closed;

    private VerifyTimer(String disk, MetadataCopies copies, Scheduler scheduler, long intervalSeconds) {
        this.disk = disk;
        this.copies = copies;
        this.scheduler = scheduler;
        this.intervalMillis = TimeUnit.SECONDS.toMillis(intervalSeconds);
    }

    static VerifyTimer start(String disk, MetadataCopies copies, Scheduler scheduler, long intervalSeconds) {
        VerifyTimer timer = new VerifyTimer(disk, copies, scheduler, intervalSeconds);
        timer.scheduleNext();
        return timer;
    }

    private synchronized void scheduleNext() {
        if (!closed) {
            next = scheduler.schedule(() -> copies.verify(true, this::ended), intervalMillis);
        }
    }

    private void ended(MetadataReport report, Refusal refusal) {
        if (refusal != null) {
            LOG.warn("disk '{}': the copies of the metadata are not in order: {}", disk, refusal.getMessage());
        } else {
            LOG.debug("disk '{}': metadata verified, {}", disk, report.verdict());
        }
        scheduleNext();
    }

    @Override
    public synchronized void close() {
        closed = true;
        if (next != null) {
            next.cancel();
        }
    }
}
