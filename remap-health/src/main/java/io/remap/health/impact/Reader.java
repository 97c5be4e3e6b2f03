package io.remap.health.impact;

import java.nio.ByteBuffer;
import java.util.Optional;

/** Reads bytes of a disk. */
@FunctionalInterface
public interface Reader {
    /**
     * Blocks until they are there.
     *
     * @return little-endian, from position 0; empty if they cannot be read
     */
    Optional<ByteBuffer> read(long offsetBytes, int lengthBytes);
}
