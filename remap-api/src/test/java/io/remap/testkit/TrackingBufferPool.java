package io.remap.testkit;

import io.remap.api.BufferPool;
import io.remap.api.IoBuffer;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A buffer pool that finds leaks and use after release: a released buffer answers with an error, its memory is filled
 * with poison and checked before it is given out again, so that an I/O that writes late is found. Thread-safe.
 */
public final class TrackingBufferPool implements BufferPool {
    private static final byte POISON = (byte) 0xDB;

    private final long budgetBytes;
    /** Guarded by this, as everything below. */
    private final Map<Integer, Deque<ByteBuffer>> free = new HashMap<>();

    private final Set<Tracked> out = new LinkedHashSet<>();
    private List<Runnable> waiting = new ArrayList<>();
    private long bytesInUse;
    private long refusals;

    public TrackingBufferPool(long budgetBytes) {
        this.budgetBytes = budgetBytes;
    }

    private final class Tracked implements IoBuffer {
        private final ByteBuffer memory;
        private final ByteBuffer data;
        private final ByteBuffer whole;
        private final int length;
        private final Throwable acquired = new Throwable("acquired here, by " + Thread.currentThread());
        private int holders = 1;

        private Tracked(ByteBuffer memory, int length) {
            this.memory = memory;
            this.length = length;
            int start = IoBuffer.ALIGNMENT_BYTES;
            this.data = memory.duplicate().clear().slice(start, length);
            this.whole = memory.duplicate().clear().slice(start - HEADROOM_BYTES, HEADROOM_BYTES + length);
        }

        private synchronized void check() {
            if (holders < 1) {
                throw new IllegalStateException("a buffer of " + length + " bytes is used after its release", acquired);
            }
        }

        @Override
        public ByteBuffer data() {
            check();
            return data;
        }

        @Override
        public ByteBuffer withHeadroom() {
            check();
            return whole;
        }

        @Override
        public int lengthBytes() {
            return length;
        }

        @Override
        public synchronized void retain() {
            check();
            holders++;
        }

        @Override
        public void release() {
            synchronized (this) {
                check();
                if (--holders > 0) {
                    return;
                }
            }
            giveBack(this);
        }
    }

    @Override
    public synchronized IoBuffer acquire(int lengthBytes) {
        if (lengthBytes < 1 || lengthBytes > MAX_BUFFER_BYTES) {
            throw new IllegalArgumentException("no buffer has " + lengthBytes + " bytes");
        }
        if (bytesInUse + lengthBytes > budgetBytes) {
            refusals++;
            return null;
        }
        int size = Math.max(IoBuffer.ALIGNMENT_BYTES, Integer.highestOneBit(lengthBytes * 2 - 1));
        ByteBuffer memory = free.computeIfAbsent(size, s -> new ArrayDeque<>()).poll();
        if (memory == null) {
            memory = ByteBuffer.allocateDirect(size + 2 * IoBuffer.ALIGNMENT_BYTES)
                    .alignedSlice(IoBuffer.ALIGNMENT_BYTES);
            poison(memory);
        }
        checkPoison(memory);
        Tracked buffer = new Tracked(memory, lengthBytes);
        out.add(buffer);
        bytesInUse += lengthBytes;
        return buffer;
    }

    private void giveBack(Tracked buffer) {
        List<Runnable> told;
        synchronized (this) {
            out.remove(buffer);
            bytesInUse -= buffer.length;
            poison(buffer.memory);
            int size = Math.max(IoBuffer.ALIGNMENT_BYTES, Integer.highestOneBit(buffer.length * 2 - 1));
            free.get(size).push(buffer.memory);
            told = waiting;
            waiting = new ArrayList<>();
        }
        told.forEach(Runnable::run);
    }

    private static void poison(ByteBuffer memory) {
        byte[] poison = new byte[memory.capacity()];
        java.util.Arrays.fill(poison, POISON);
        memory.duplicate().clear().put(poison);
    }

    private static void checkPoison(ByteBuffer memory) {
        byte[] bytes = new byte[memory.capacity()];
        memory.duplicate().clear().get(bytes);
        for (int i = 0; i < bytes.length; i++) {
            if (bytes[i] != POISON) {
                throw new IllegalStateException("byte " + i + " of a released buffer was written");
            }
        }
    }

    @Override
    public void whenReleased(Runnable callback) {
        synchronized (this) {
            if (bytesInUse > 0) {
                waiting.add(callback);
                return;
            }
        }
        callback.run();
    }

    @Override
    public synchronized long bytesInUse() {
        return bytesInUse;
    }

    /** How often a buffer was refused because the budget was used up. */
    public synchronized long refusals() {
        return refusals;
    }

    /** Forgets the buffers of a process that died. */
    public synchronized void processDied() {
        out.clear();
        waiting = new ArrayList<>();
        bytesInUse = 0;
        free.clear();
    }

    /** Throws if a buffer was not given back, with the place where it was acquired. */
    public synchronized void checkNothingOut() {
        for (Tracked buffer : out) {
            throw new IllegalStateException(
                    out.size() + " buffers were not given back; one of " + buffer.length + " bytes", buffer.acquired);
        }
    }

    @Override
    public void close() {
        checkNothingOut();
    }
}
