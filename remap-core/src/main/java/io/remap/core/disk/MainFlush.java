package io.remap.core.disk;

import io.remap.api.DeviceException;
import io.remap.api.DiskClient;
import io.remap.api.DiskRequest;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import io.remap.api.Scheduler.Cancellable;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/**
 * What a client's flush of main answers: that of a sync, or, if that failed, that of a sync after the ledger was verified.
 *
 * <p>Invariants: success is said only after a sync that began after the flush was taken up, with nothing in doubt then; a
 * flush that is answered after its deadline is answered with the error; each client is told of each loss once, by the first
 * flush or FUA write that ends after it, and so are all that it had under way then.
 *
 * <p>Not for holders of a range lock: the verification may wait for their range. They use {@link VirtualDisk#mainSyncer},
 * which fails at once. Thread-safe.
 */
final class MainFlush {
    /** How soon a sync is made again that overlapped with one of a recovery. */
    static final long OVERLAP_MILLIS = 1;

    private final VirtualDisk disk;
    private final long deadlineMillis;
    /** Of those who say nothing of themselves. */
    private final DiskClient anybody = new DiskClient();

    /** @param deadlineMillis how long a flush waits for a verification */
    MainFlush(VirtualDisk disk, long deadlineMillis) {
        this.disk = disk;
        this.deadlineMillis = deadlineMillis;
    }

    /** Whose request it is. Somebody who comes later is told of the losses that nobody was told of so far. */
    DiskClient clientOf(DiskRequest request) {
        DiskClient client = request.client == null ? anybody : request.client;
        client.lossesTold.compareAndSet(-1, disk.verification.lossesTold());
        return client;
    }

    /** Reports, on any thread, how the flush ended: {@code null} for success. */
    void flush(DiskClient client, Consumer<DeviceException> then) {
        long toldBefore = client.lossesTold.get();
        sync(error -> {
            long losses = disk.verification.losses();
            if (losses > toldBefore) {
                client.lossesTold.accumulateAndGet(losses, Math::max);
                disk.verification.lossesWereTold(losses);
            }
            then.accept(error == null && losses > toldBefore ? lost() : error);
        });
    }

    /** As a flush that is nobody's. */
    void makeRoom(Consumer<DeviceException> then) {
        sync(then);
    }

    private void sync(Consumer<DeviceException> then) {
        disk.mainSyncer.flush(error -> {
            if (error != null && TrackedDevice.isOverlap(error)) {
                disk.environment.scheduler().schedule(() -> sync(then), OVERLAP_MILLIS);
            } else if (error == null || !disk.main.canBeVerified()) {
                then.accept(error);
            } else {
                new Waiting(then).waitFor(error);
            }
        });
    }

    private DeviceException lost() {
        return new DeviceException(
                disk.main.name(),
                "flush",
                0,
                0,
                Errno.EIO,
                ErrorClass.SECTOR,
                "sectors that were written and acknowledged are lost: 'remap map list' shows them; they answer with an error"
                        + " until they are written again",
                null);
    }

    /** A flush whose sync failed. */
    private final class Waiting {
        private final AtomicBoolean answered = new AtomicBoolean();
        private final Consumer<DeviceException> then;
        private Cancellable deadline;
        private volatile DeviceException first;

        Waiting(Consumer<DeviceException> then) {
            this.then = then;
        }

        void waitFor(DeviceException error) {
            first = error;
            deadline = disk.environment.scheduler().schedule(() -> answer(first), deadlineMillis);
            disk.verification.whenSettled(this::settled);
        }

        /** Verified, or given up for now. Another sync, for what was written since the one of the verification began. */
        private void settled(DeviceException error) {
            if (error != null) {
                answer(error);
            } else if (!answered.get()) {
                disk.mainSyncer.flush(again -> {
                    if (again == null || !disk.main.canBeVerified()) {
                        answer(again);
                    } else if (!answered.get()) {
                        disk.verification.whenSettled(this::settled);
                    }
                });
            }
        }

        private void answer(DeviceException error) {
            if (answered.compareAndSet(false, true)) {
                deadline.cancel();
                then.accept(error);
            }
        }
    }
}
