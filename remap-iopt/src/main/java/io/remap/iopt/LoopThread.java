package io.remap.iopt;

import io.netty.util.concurrent.FastThreadLocalThread;
import io.remap.api.DeviceIo;

/**
 * Thread of an event loop. It must not wait for a device: transfers that might are collected while the loop starts the work
 * that it decoded, and handed over together, which wakes a worker once and not for each.
 *
 * <p>Used by itself only. Invariant: what is collected is handed over before the loop waits for events.
 */
final class LoopThread extends FastThreadLocalThread {
    /** Most transfers that are handed over together. */
    static final int MAX_BATCH = 64;

    /** Who takes transfers over. */
    @FunctionalInterface
    interface Workers {
        /** Takes the first {@code count} transfers of the array, which stays the caller's. Does not wait. */
        void take(DeviceIo[] transfers, int count);
    }

    private final DeviceIo[] collected = new DeviceIo[MAX_BATCH];
    private int count;
    private Workers workers;

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
}
