package io.remap.iopt;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.remap.api.MemorySource;
import java.nio.ByteBuffer;

/**
 * Memory in chunks of Netty's pooled allocator: what one size of buffers gives back is there for another at once, and a
 * chunk without a buffer is freed at once. Memory of the JDK comes back when the collector gets to it, which on a small,
 * quiet heap may be never.
 */
final class NettyMemory implements MemorySource {
    private static final int PAGE_BYTES = 8192;

    /** Chunks of 256 KiB, which soon have no block left and are freed; larger blocks are allocated by themselves. */
    private static final int MAX_ORDER = 5;

    /** Blocks are taken and given back when the load changes, not for each request: one arena, no caches of threads. */
    private final PooledByteBufAllocator allocator =
            new PooledByteBufAllocator(true, 0, 1, PAGE_BYTES, MAX_ORDER, 0, 0, false);

    private record Pooled(ByteBuf memory, ByteBuffer bytes) implements Block {
        @Override
        public void free() {
            memory.release();
        }
    }

    @Override
    public Block allocate(int lengthBytes) {
        ByteBuf memory = allocator.directBuffer(lengthBytes, lengthBytes);
        return new Pooled(memory, memory.nioBuffer(0, lengthBytes));
    }
}
