package io.remap.iopt;

import io.remap.api.BufferPool;
import io.remap.api.SizedBufferPool;
import io.remap.api.spi.BufferPoolProvider;

/** The pool whose memory Netty manages. */
public final class FastBufferPoolProvider implements BufferPoolProvider {
    /** Made by ServiceLoader. */
    public FastBufferPoolProvider() {}

    @Override
    public String name() {
        return "fast";
    }

    @Override
    public String description() {
        return "page-aligned direct memory in size classes, pooled by Netty";
    }

    @Override
    public BufferPool open(long budgetBytes) {
        return new SizedBufferPool(budgetBytes, new NettyMemory());
    }
}
