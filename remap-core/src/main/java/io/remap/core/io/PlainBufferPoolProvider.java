package io.remap.core.io;

import io.remap.api.BufferPool;
import io.remap.api.spi.BufferPoolProvider;

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
        return new PlainBufferPool(budgetBytes);
    }
}
