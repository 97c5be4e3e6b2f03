package io.remap.api;

import java.util.List;

/**
 * Gives out {@link IoBuffer}s within a budget of bytes. Thread-safe; never blocks.
 */
public interface BufferPool extends AutoCloseable {
    /** Largest buffer, the largest payload of a request. */
    int MAX_BUFFER_BYTES = 32 << 20;

    /**
     * A buffer with one holder, its content undefined.
     *
     * @param lengthBytes 1 to {@link #MAX_BUFFER_BYTES}
     * @return the buffer, or {@code null} if it would exceed the budget at the moment (see {@link #whenReleased}), which a
     *     buffer larger than the budget always does
     * @throws OutOfMemoryError if the host has not what the budget allows; nothing is out then
     */
    IoBuffer acquire(int lengthBytes);

    /**
     * Calls back once, from any thread, after memory came back to the pool following this call (or at once if the
     * budget is free). Spurious calls are allowed: the caller tries again.
     */
    void whenReleased(Runnable callback);

    /** Bytes given out at the moment. */
    long bytesInUse();

    /** What it publishes while it is open, under a prefix of its own. */
    default List<Attribute> attributes() {
        return List.of();
    }

    /** Frees what is pooled; buffers still out are freed when they are released. */
    @Override
    void close();
}
