package io.remap.core.io;

import io.remap.api.IoBuffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;

/**
 * One buffer of a {@link PlainBufferPool}, and the place for its memory while it has none.
 *
 * <p>Invariants: {@code holders} is 0 while the pool has it; {@code data} and {@code withHeadroom} are views of the same
 * memory and reach to the end of the size class, with limits at the length that was asked for.
 */
final class PlainBuffer implements IoBuffer {
    private static final AtomicIntegerFieldUpdater<PlainBuffer> HOLDERS =
            AtomicIntegerFieldUpdater.newUpdater(PlainBuffer.class, "holders");

    final SizeClass sizeClass;
    final int index;
    private ByteBuffer data;
    private ByteBuffer withHeadroom;
    private int lengthBytes;
    private volatile int holders;

    PlainBuffer(SizeClass sizeClass, int index) {
        this.sizeClass = sizeClass;
        this.index = index;
    }

    /** Direct memory of the size class: headroom, then the payload at a page boundary. */
    void allocate() {
        int capacity = sizeClass.capacityBytes;
        ByteBuffer memory = ByteBuffer.allocateDirect(HEADROOM_BYTES + ALIGNMENT_BYTES + capacity);
        int start = HEADROOM_BYTES;
        int beyondPage = memory.alignmentOffset(start, ALIGNMENT_BYTES);
        if (beyondPage != 0) {
            start += ALIGNMENT_BYTES - beyondPage;
        }
        data = memory.slice(start, capacity);
        withHeadroom = memory.slice(start - HEADROOM_BYTES, HEADROOM_BYTES + capacity);
    }

    /** Lets go of the memory; the collector frees it. */
    void free() {
        data = null;
        withHeadroom = null;
    }

    /** Gives it to its first holder. */
    PlainBuffer hand(int length) {
        lengthBytes = length;
        data.clear().limit(length).order(ByteOrder.BIG_ENDIAN);
        withHeadroom.clear().limit(HEADROOM_BYTES + length).order(ByteOrder.BIG_ENDIAN);
        holders = 1;
        return this;
    }

    @Override
    public ByteBuffer data() {
        requireHeld();
        return data;
    }

    @Override
    public ByteBuffer withHeadroom() {
        requireHeld();
        return withHeadroom;
    }

    @Override
    public int lengthBytes() {
        return lengthBytes;
    }

    private void requireHeld() {
        if (holders == 0) {
            throw new IllegalStateException("the buffer was released");
        }
    }

    @Override
    public void retain() {
        int now;
        do {
            now = holders;
            if (now == 0) {
                throw new IllegalStateException("the buffer was released");
            }
        } while (!HOLDERS.compareAndSet(this, now, now + 1));
    }

    @Override
    public void release() {
        int now;
        do {
            now = holders;
            if (now == 0) {
                throw new IllegalStateException("the buffer was released more often than it was retained");
            }
        } while (!HOLDERS.compareAndSet(this, now, now - 1));
        if (now == 1) {
            sizeClass.pool.takeBack(this);
        }
    }
}
