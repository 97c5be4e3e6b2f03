package io.remap.api;

import java.nio.ByteBuffer;

/** Where a {@link SizedBufferPool} gets its memory from. Thread-safe. */
public interface MemorySource extends AutoCloseable {
    /** Direct memory that somebody has. */
    interface Block {
        /** The memory, from 0 to its capacity; the same view each time. */
        ByteBuffer bytes();

        /** Gives it back; nobody touches it afterwards. Once. */
        void free();
    }

    /**
     * Direct memory of at least so many bytes, its content and alignment undefined.
     *
     * @throws OutOfMemoryError if there is none
     */
    Block allocate(int lengthBytes);

    /** Gives no more memory; blocks that are out stay valid until they are freed. */
    @Override
    default void close() {}
}
