package io.remap.api.spi;

import io.remap.api.BufferPool;

/** Provides the memory of transfers. */
public interface BufferPoolProvider extends Provider {
    /** A pool that never has more than {@code budgetBytes} out. */
    BufferPool open(long budgetBytes);
}
