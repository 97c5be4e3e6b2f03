package io.remap.core.device;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Bytes of a device in memory. Chunks that were never written, or were zeroed, take none. Thread-safe; the order of what
 * overlaps in time and place is not defined.
 */
final class MemoryContent {
    static final int CHUNK_BYTES = 1 << 18;

    private final AtomicReferenceArray<byte[]> chunks;

    MemoryContent(long sizeBytes) {
        chunks = new AtomicReferenceArray<>((int) ((sizeBytes + CHUNK_BYTES - 1) / CHUNK_BYTES));
    }

    void read(long offsetBytes, ByteBuffer target) {
        long offset = offsetBytes;
        while (target.hasRemaining()) {
            int from = (int) (offset % CHUNK_BYTES);
            int length = Math.min(target.remaining(), CHUNK_BYTES - from);
            byte[] chunk = chunks.get((int) (offset / CHUNK_BYTES));
            if (chunk == null) {
                for (int i = 0; i < length; i++) {
                    target.put((byte) 0);
                }
            } else {
                target.put(chunk, from, length);
            }
            offset += length;
        }
    }

    /** Throws an {@link OutOfMemoryError} if the heap is full. */
    void write(long offsetBytes, ByteBuffer source) {
        long offset = offsetBytes;
        while (source.hasRemaining()) {
            int from = (int) (offset % CHUNK_BYTES);
            int length = Math.min(source.remaining(), CHUNK_BYTES - from);
            source.get(chunkForWriting((int) (offset / CHUNK_BYTES)), from, length);
            offset += length;
        }
    }

    private byte[] chunkForWriting(int index) {
        byte[] chunk = chunks.get(index);
        if (chunk == null) {
            byte[] fresh = new byte[CHUNK_BYTES];
            byte[] other = chunks.compareAndExchange(index, null, fresh);
            chunk = other == null ? fresh : other;
        }
        return chunk;
    }

    /** Makes the range read as zeros; frees the chunks that lie wholly inside unless they are to be kept. */
    void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) {
        long end = offsetBytes + lengthBytes;
        for (long offset = offsetBytes; offset < end; ) {
            int index = (int) (offset / CHUNK_BYTES);
            int from = (int) (offset % CHUNK_BYTES);
            int length = (int) Math.min(end - offset, CHUNK_BYTES - from);
            if (length == CHUNK_BYTES && !keepAllocated) {
                chunks.set(index, null);
            } else {
                byte[] chunk = chunks.get(index);
                if (chunk != null) {
                    Arrays.fill(chunk, from, from + length, (byte) 0);
                }
            }
            offset += length;
        }
    }
}
