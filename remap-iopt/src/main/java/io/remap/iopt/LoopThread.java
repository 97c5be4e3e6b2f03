package io.remap.iopt;

import io.netty.util.concurrent.FastThreadLocalThread;
import io.remap.api.DeviceIo;

/**
 * Thread of an event loop. It must not wait for a device: transfers that might are collected while the loop starts the work
 * that it decoded, and handed over together, which wakes a worker once and not for each. The replies of a turn leave
 * together, after that.
 *
 * <p>Used by itself only. Invariant: what is collected is handed over before the loop waits for events.
 */
final class LoopThread extends FastThreadLocalThread implements BatchThread {
    /** Most transfers that are handed over together. */
    static final int MAX_BATCH = 64;

    /** Most different things to be done at the end of a turn, which are connections with replies. */
    private static final int MAX_ENDS = 16;

    /** Who takes transfers over. */
    @FunctionalInterface
    interface Workers {
        /** Takes the first {@code count} transfers of the array, which stays the caller's. Does not wait. */
        void take(DeviceIo[] transfers, int count);
    }

    private final DeviceIo[] collected = new DeviceIo[MAX_BATCH];
    private int count;
    private Workers workers;

    private final Runnable[] ends = new Runnable[MAX_ENDS];
    private int endCount;
    private boolean inTurn;

    LoopThread(Runnable loop, String name) {
        super(loop, name);
    }

    /** Collects a transfer for these workers. */
    void collect(Workers takers, DeviceIo transfer) {
        if (takers != workers || count == MAX_BATCH) {
            handOver();
            workers = takers;
        }
        collected[count++] = transfer;
    }

    /** Hands over what was collected. */
    void handOver() {
        if (count > 0) {
            int length = count;
            count = 0;
            workers.take(collected, length);
        }
    }

    /** Begins a batch: what one connection is given to do at a time. */
    void beginTurn() {
        inTurn = true;
    }

    @Override
    public boolean atBatchEnd(Runnable task) {
        if (!inTurn) {
            return false;
        }
        for (int i = endCount - 1; i >= 0; i--) {
            if (ends[i] == task) {
                return true;
            }
        }
        if (endCount == MAX_ENDS) {
            return false;
        }
        ends[endCount++] = task;
        return true;
    }

    /** Ends the batch. What the tasks at its end bring with them is done too. */
    void endTurn() {
        handOver();
        try {
            for (int i = 0; i < endCount; i++) {
                Runnable task = ends[i];
                ends[i] = null;
                task.run();
            }
        } finally {
            endCount = 0;
            inTurn = false;
        }
        handOver();
    }
}
