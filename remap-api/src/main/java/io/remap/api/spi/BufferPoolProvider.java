package io.remap.api.spi;

import io.remap.api.BufferPool;

/** Provides the memory of transfers. It is told its budget, and reads no settings: {@link #settings} is empty. */
public interface BufferPoolProvider extends Provider {
    /**
     * A pool that never has more than {@code budgetBytes} out.
     *
     * @param budgetBytes {@link BufferPool#MAX_BUFFER_BYTES} to 64 GiB; the small pools of tests and tools have less
     */
    BufferPool open(long budgetBytes);
}
