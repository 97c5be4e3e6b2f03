package io.remap.api;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;

/**
 * One buffer of a {@link SizedBufferPool}, and the place for its memory while it has none.
 *
 * <p>Invariants: {@code holders} is 0 while the pool has it; {@code data} and {@code withHeadroom} are views of the same
 * memory and reach to the end of the size class, with limits at the length that was asked for.
 */
final class SizedBuffer implements IoBuffer {
    private static final AtomicIntegerFieldUpdater<SizedBuffer> HOLDERS =
            AtomicIntegerFieldUpdater.newUpdater(SizedBuffer.class, "holders");

    final SizeClass sizeClass;
    final int index;
    private MemorySource.Block block;
    private ByteBuffer data;
    private ByteBuffer withHeadroom;
    private int lengthBytes;
    private volatile int holders;

    SizedBuffer(SizeClass sizeClass, int index) {
        this.sizeClass = sizeClass;
        this.index = index;
    }

    /** Direct memory of the size class: headroom, then the payload at a page boundary. */
    void allocate(MemorySource source) {
        int capacity = sizeClass.capacityBytes;
        block = source.allocate(HEADROOM_BYTES + ALIGNMENT_BYTES + capacity);
        ByteBuffer memory = block.bytes();
        int start = HEADROOM_BYTES;
        int beyondPage = memory.alignmentOffset(start, ALIGNMENT_BYTES);
        if (beyondPage != 0) {
            start += ALIGNMENT_BYTES - beyondPage;
        }
        data = memory.slice(start, capacity);
        withHeadroom = memory.slice(start - HEADROOM_BYTES, HEADROOM_BYTES + capacity);
    }

    /** Lets go of the memory, if it has any. */
    void free() {
        if (block != null) {
            block.free();
            block = null;
        }
        data = null;
        withHeadroom = null;
    }

    /** Gives it to its first holder. */
    SizedBuffer hand(int length) {
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
