package io.remap.core.disk;

import io.remap.api.DeviceException;
import io.remap.api.Scheduler.Cancellable;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/**
 * A sync of one device for whoever can wait for a verification: if it fails, the answer is that of a sync after the ledger
 * was verified.
 *
 * <p>Invariants: success is said only after a sync that began after this was asked for, with nothing in doubt then; what is
 * answered after the deadline is answered with the error.
 *
 * <p>Not for holders of a range lock: the verification may wait for their range. They use the {@link Syncer}, which fails at
 * once. Thread-safe.
 */
final class VerifiedSync {
    private final VirtualDisk disk;
    private final TrackedDevice device;
    private final Syncer syncer;
    private final LedgerVerification verification;
    private final long deadlineMillis;

    /**
     * For {@link UnflushedWrites}, of which all else is there by now.
     *
     * @param deadlineMillis how long it waits for a verification
     */
    VerifiedSync(UnflushedWrites writes, long deadlineMillis) {
        this.disk = writes.disk;
        this.device = writes.device;
        this.syncer = writes.syncer;
        this.verification = writes.verification;
        this.deadlineMillis = deadlineMillis;
    }

    /** Reports, on any thread, how it ended: {@code null} for success. */
    void sync(Consumer<DeviceException> then) {
        syncer.flush(error -> {
            if (error == null || !device.canBeVerified()) {
                then.accept(error);
            } else {
                new Waiting(then).waitFor(error);
            }
        });
    }

    /** One whose sync failed. */
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
            verification.whenSettled(this::settled);
        }

        /** Verified, or given up for now. Another sync, for what was written since the one of the verification began. */
        private void settled(DeviceException error) {
            if (error != null) {
                answer(error);
            } else if (!answered.get()) {
                syncer.flush(again -> {
                    if (again == null || !device.canBeVerified()) {
                        answer(again);
                    } else if (!answered.get()) {
                        verification.whenSettled(this::settled);
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
