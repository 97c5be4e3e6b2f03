package io.remap.iopt;

import io.netty.util.concurrent.FastThreadLocalThread;
import io.remap.api.DeviceIo;
import io.remap.api.Pace;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.LockSupport;

/**
 * Thread that executes transfers, which may block it for as long as a device likes. It takes them one at a time, so that
 * one that hangs holds up no other, and completes several before it sees to what shall happen at the end of a batch: the
 * replies of quick transfers leave together.
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>it is counted as available unless it is {@link #away}: resting, or in something that takes long. Who changes that
 *       flag changes the count, also somebody else on its behalf;
 *   <li>a batch is at its end before the thread rests and before a transfer that is known to take long; if a quick one
 *       takes long after all, the watch ends the batch.
 * </ul>
 */
final class WorkerThread extends FastThreadLocalThread implements BatchThread {
    /** Most different things to be done at the end of a batch, which are connections with replies. */
    static final int MAX_ENDS = 32;

    /** Most transfers of a batch: the client shall not run dry meanwhile. */
    static final int MAX_BATCH = 8;

    /** A batch is at its end when it holds so many bytes of read data: sending them takes as long as waking a thread. */
    static final int MAX_BATCH_BYTES = 128 << 10;

    private final IoWorkers workers;
    private final int number;
    private final AtomicReferenceArray<Runnable> ends = new AtomicReferenceArray<>(MAX_ENDS);
    private final AtomicBoolean away = new AtomicBoolean();
    private volatile boolean resting;
    private int endCount;
    private boolean ending;
    private int batch;
    private int batchBytes;

    private long steps;

    /** {@link #steps} for the watch: changes with each transfer. Written by this thread. */
    private volatile long progress;

    /** The progress that the watch saw the last time; its own. */
    private long progressSeen = -1;

    /** A worker that is counted as available from the beginning. */
    WorkerThread(IoWorkers workers, int number) {
        super("remap-io-" + number);
        setDaemon(true);
        this.workers = workers;
        this.number = number;
    }

    @Override
    public boolean atBatchEnd(Runnable task) {
        for (int i = endCount - 1; i >= 0; i--) {
            if (ends.get(i) == task) {
                return true;
            }
        }
        if (endCount == MAX_ENDS) {
            return false;
        }
        ends.set(endCount++, task);
        return true;
    }

    @Override
    public void run() {
        try {
            work();
        } finally {
            if (away.compareAndSet(false, true)) {
                workers.leftToRest();
            }
            workers.ended(this);
        }
    }

    private void work() {
        while (true) {
            comeBack();
            DeviceIo transfer = workers.next();
            if (transfer != null) {
                carryOut(transfer);
            } else {
                endBatch();
                if (!rest()) {
                    return;
                }
            }
        }
    }

    private void carryOut(DeviceIo transfer) {
        Pace pace = workers.paceOf(transfer);
        boolean slow = pace.isSlow();
        if (slow) {
            endBatch();
            goAway();
        }
        long startNanos = workers.nanoTime();
        if (transfer.operation == DeviceIo.Operation.READ) {
            batchBytes += transfer.data.remaining();
        }
        workers.carryOut(transfer);
        progress = ++steps;
        batch++;
        if (slow || batch >= MAX_BATCH || batchBytes >= MAX_BATCH_BYTES) {
            endBatch();
        }
        pace.note(workers.nanoTime() - startNanos);
    }

    /** A transfer follows from one that this thread just completed, and it is going to execute it. */
    void goesOn(DeviceIo transfer) {
        if (workers.paceOf(transfer).isSlow()) {
            endBatch();
            goAway();
        }
    }

    private void goAway() {
        if (away.compareAndSet(false, true)) {
            workers.leftForLong();
        }
    }

    private void comeBack() {
        if (away.get() && away.compareAndSet(true, false)) {
            workers.cameBack();
        }
    }

    private void endBatch() {
        if (ending) {
            return;
        }
        ending = true;
        for (int i = 0; i < endCount; i++) {
            runEnd(i);
        }
        endCount = 0;
        ending = false;
        batch = 0;
        batchBytes = 0;
    }

    private void runEnd(int place) {
        Runnable task = ends.get(place) == null ? null : ends.getAndSet(place, null);
        if (task != null) {
            try {
                task.run();
            } catch (RuntimeException | Error e) {
                workers.failed("at the end of a batch", e);
            }
        }
    }

    // ---- resting

    /** Rests until it is woken; {@code false} if this thread shall end. */
    private boolean rest() {
        if (away.compareAndSet(false, true)) {
            workers.leftToRest();
        }
        resting = true;
        workers.idle().add(number);
        while (resting) {
            // After it can be found, so that nothing is overlooked that came before that.
            boolean needed = workers.hasWork();
            if (needed || !workers.mayRest()) {
                if (workers.idle().remove(number)) {
                    resting = false;
                    return needed;
                }
                // Somebody is just waking it.
                Thread.onSpinWait();
                continue;
            }
            long startNanos = workers.nanoTime();
            LockSupport.parkNanos(this, IoWorkers.IDLE_NANOS);
            if (resting
                    && workers.nanoTime() - startNanos >= IoWorkers.IDLE_NANOS
                    && workers.idle().remove(number)) {
                return false;
            }
        }
        progress = ++steps;
        return true;
    }

    /** Somebody took it out of the idle set, and counts it as available. */
    void wake() {
        away.set(false);
        resting = false;
        LockSupport.unpark(this);
    }

    boolean isResting() {
        return resting;
    }

    int number() {
        return number;
    }

    IoWorkers workers() {
        return workers;
    }

    // ---- for the watch

    /**
     * Told now and then, by one thread. If nothing was done since the last time: the batch ends, and who was thought to be
     * quick is not counted on any more.
     *
     * @return whether it was counted on until now
     */
    boolean checkHeldUp() {
        long now = progress;
        if (now != progressSeen) {
            progressSeen = now;
            return false;
        }
        for (int i = 0; i < MAX_ENDS; i++) {
            runEnd(i);
        }
        if (!away.get() && away.compareAndSet(false, true)) {
            workers.leftForLong();
            return true;
        }
        return false;
    }
}
