package io.remap.cli.proof;

import io.remap.api.BufferPool;
import io.remap.api.IoBuffer;

/** A pool that refuses a given acquisition, and a few after it. One thread. */
final class SweptPool implements BufferPool {
    private final BufferPool pool;
    private long acquisitions;
    private long first = Long.MAX_VALUE;
    private long count;

    SweptPool(BufferPool pool) {
        this.pool = pool;
    }

    /** Acquisitions count from now on; so many are refused from that number (0 the next one) on. */
    void arm(long firstRefused, long refusals) {
        acquisitions = 0;
        first = firstRefused;
        count = refusals;
    }

    void disarm() {
        first = Long.MAX_VALUE;
    }

    /** How many were asked for since {@link #arm}. */
    long acquisitions() {
        return acquisitions;
    }

    @Override
    public IoBuffer acquire(int lengthBytes) {
        long number = acquisitions++;
        return number >= first && number < first + count ? null : pool.acquire(lengthBytes);
    }

    /** There is memory: whoever was refused may try again at once. */
    @Override
    public void whenReleased(Runnable callback) {
        callback.run();
    }

    @Override
    public long bytesInUse() {
        return pool.bytesInUse();
    }

    @Override
    public void close() {
        pool.close();
    }
}
