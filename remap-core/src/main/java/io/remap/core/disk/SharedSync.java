package io.remap.core.disk;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Makes the syncs of one device one at a time, for callers that block. The kernel tells of a failed write-back only once, to
 * one of two syncs that overlap: the other one would prove nothing. And many callers cost no more than two syncs.
 *
 * <p>Invariants: a caller is answered by a sync that began after its call; all whom one sync answers get the same answer; a
 * failure is told before another sync begins.
 *
 * <p>Thread-safe. A caller waits as long as the device lets the one sync wait that is before its own.
 */
final class SharedSync {
    private final BlockDevice device;
    private volatile Lock turn = new ReentrantLock();

    /** Syncs are numbered from 1. Changed by whose turn it is. */
    private final AtomicLong begun = new AtomicLong();

    /** Guarded by the turn, as all that follows. */
    private long answered;

    private long failed;
    private DeviceException failure;

    SharedSync(BlockDevice device) {
        this.device = device;
    }

    /** How callers wait for each other from now on; waits for a sync that is under way. */
    void useLock(Lock lock) {
        Lock before = turn;
        before.lock();
        try {
            turn = lock;
        } finally {
            before.unlock();
        }
    }

    /** What is to be known of a failure before any other sync begins. */
    @FunctionalInterface
    interface FailureNotice {
        void syncFailed(DeviceException error);
    }

    /**
     * Returns after a successful sync that began after this call.
     *
     * @param notice told of a failure by the caller that met it
     * @throws DeviceException the failure, the same object for all who joined
     */
    void sync(FailureNotice notice) throws DeviceException {
        long wanted = begun.get() + 1;
        while (!isDone(wanted, notice)) {
            // The lock was changed while we waited for it.
        }
    }

    private boolean isDone(long wanted, FailureNotice notice) throws DeviceException {
        Lock held = turn;
        held.lock();
        try {
            if (held != turn) {
                return false;
            }
            if (answered < wanted) {
                syncNow(notice);
            } else if (failed >= wanted) {
                throw failure;
            }
            return true;
        } finally {
            held.unlock();
        }
    }

    /** A programming error answers nobody: who waits makes a sync of its own. */
    private void syncNow(FailureNotice notice) throws DeviceException {
        long number = begun.incrementAndGet();
        try {
            device.flush();
        } catch (DeviceException e) {
            notice.syncFailed(e);
            answered = number;
            failed = number;
            failure = e;
            throw e;
        }
        answered = number;
    }
}
