package io.remap.core.disk;

import io.remap.api.DeviceException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How a disk stops: it flushes while it still can verify what a flush that fails leaves in doubt, takes no more
 * requests, waits for those under way, ends them when that takes too long, and flushes what the devices may have in
 * their caches by then.
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>Once requests are ended nothing is tried again any more.
 *   <li>No device is flushed at the end, and no ledger given up, while anything is under way: what hangs would
 *       hang here as well.
 * </ul>
 *
 * <p>Thread-safe; {@link #close} blocks.
 */
final class Closing {
    private static final Logger LOG = LoggerFactory.getLogger(Closing.class);

    private final VirtualDisk disk;
    private final Admission admission;
    private volatile boolean ending;

    Closing(VirtualDisk disk, Admission admission) {
        this.disk = disk;
        this.admission = admission;
    }

    /** Whether nothing is tried again any more. */
    boolean isEnding() {
        return ending;
    }

    /** As {@link VirtualDisk#endRequests}. */
    void endRequests() {
        ending = true;
        disk.deadlines.end();
    }

    /** As {@link VirtualDisk#close(long, long)}. */
    boolean close(long clientMillis, long deviceMillis) {
        disk.failback.stop();
        disk.checksums.stop();
        long begun = disk.environment.time().nanoTime();
        long clientsUntil = begun + TimeUnit.MILLISECONDS.toNanos(clientMillis);
        long devicesUntil = clientsUntil + TimeUnit.MILLISECONDS.toNanos(deviceMillis);
        if (devicesUntil != begun && !disk.isStopping() && !flushBeforeTheEnd(clientMillis + deviceMillis)) {
            return false;
        }
        disk.mainWrites.verification.stop();
        disk.spares.all().forEach(spare -> spare.writes.verification.stop());
        admission.takeNoMore();
        boolean ended;
        try {
            ended = awaitDrained(clientsUntil);
            if (!ended) {
                endRequests();
                ended = awaitDrained(devicesUntil);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
        boolean flushed = ended && flush(disk.main);
        for (Spare spare : disk.spares.all()) {
            flushed = flushed && flush(spare.device);
        }
        if (ended) {
            disk.mainWrites.close();
            disk.spares.all().forEach(spare -> spare.writes.close());
        }
        return ended && flushed;
    }

    private boolean awaitDrained(long untilNanos) throws InterruptedException {
        return admission.awaitDrained(untilNanos - disk.environment.time().nanoTime());
    }

    /** While the disk still can verify what a flush that fails leaves in doubt; {@code false}: interrupted. */
    private boolean flushBeforeTheEnd(long timeoutMillis) {
        CountDownLatch answered = new CountDownLatch(1);
        if (!disk.traits().readOnly()) {
            int notable = disk.spares.all().stream()
                    .filter(spare -> spare.writes.isNotable())
                    .mapToInt(spare -> 1 << spare.index)
                    .reduce(0, (a, b) -> a | b);
            disk.clientFlush.sync(true, notable, error -> answered.countDown());
            try {
                answered.await(timeoutMillis, TimeUnit.MILLISECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return false;
            }
        }
        return true;
    }

    private boolean flush(TrackedDevice device) {
        if (disk.traits().readOnly() || device.isClean()) {
            return true;
        }
        try {
            device.flush();
            return true;
        } catch (DeviceException e) {
            LOG.error("{}: the last flush failed: {}", disk.name(), e.getMessage());
            return false;
        }
    }
}
