package io.remap.api;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * The buffers of one size. Thread-safe, without locks.
 *
 * <p>Invariant: a number below {@code used} is in {@code free} (its buffer has memory and no holder), in {@code empty} (it
 * has no memory), or its buffer is out.
 */
final class SizeClass {
    final SizedBufferPool pool;
    final int capacityBytes;
    private final AtomicReferenceArray<SizedBuffer> buffers;
    private final IndexStack free;
    private final IndexStack empty;
    private final AtomicInteger used = new AtomicInteger();

    /**
     * Begins without a buffer.
     *
     * @param most most buffers that the budget can pay for
     */
    SizeClass(SizedBufferPool pool, int capacityBytes, int most) {
        this.pool = pool;
        this.capacityBytes = capacityBytes;
        buffers = new AtomicReferenceArray<>(most);
        free = new IndexStack(most);
        empty = new IndexStack(most);
    }

    /** A buffer with memory, {@code null} if there is none. */
    SizedBuffer takeFree() {
        int index = free.pop();
        return index < 0 ? null : buffers.get(index);
    }

    /** The place for a new buffer; the budget was charged for it, so that there is one. */
    SizedBuffer takeEmpty() {
        int index = empty.pop();
        if (index >= 0) {
            return buffers.get(index);
        }
        index = used.getAndIncrement();
        SizedBuffer buffer = new SizedBuffer(this, index);
        buffers.set(index, buffer);
        return buffer;
    }

    void putFree(SizedBuffer buffer) {
        free.push(buffer.index);
    }

    void putEmpty(SizedBuffer buffer) {
        buffer.free();
        empty.push(buffer.index);
    }
}
