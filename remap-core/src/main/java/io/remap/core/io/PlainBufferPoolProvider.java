package io.remap.core.io;

import io.remap.api.BufferPool;
import io.remap.api.MemorySource;
import io.remap.api.SizedBufferPool;
import io.remap.api.spi.BufferPoolProvider;
import io.remap.core.libc.Libc;
import io.remap.core.libc.MappedMemory;
import java.nio.ByteBuffer;

/** The pool of page-aligned direct memory that is always there. */
public final class PlainBufferPoolProvider implements BufferPoolProvider {
    @Override
    public String name() {
        return "plain";
    }

    @Override
    public String description() {
        return "page-aligned direct memory in size classes";
    }

    @Override
    public BufferPool open(long budgetBytes) {
        MemorySource memory = Libc.find().<MemorySource>map(MappedMemory::new).orElse(Collected::new);
        return new SizedBufferPool(budgetBytes, memory);
    }

    /** Memory that the collector frees, where there is no C library to ask. */
    private record Collected(ByteBuffer bytes) implements MemorySource.Block {
        Collected(int lengthBytes) {
            this(ByteBuffer.allocateDirect(lengthBytes));
        }

        @Override
        public void free() {
            // The last reference to it goes with this object.
        }
    }
}
