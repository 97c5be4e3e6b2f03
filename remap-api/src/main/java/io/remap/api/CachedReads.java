package io.remap.api;

import java.nio.ByteBuffer;

/**
 * Ability of a {@link BlockDevice} that has a page cache: reads that do not wait for the device, and reads without a copy.
 * Neither reports errors: who gets none of it reads in the ordinary way, which tells what is wrong. Thread-safe; offsets
 * and lengths as for {@link BlockDevice#read}.
 */
public interface CachedReads {
    /**
     * Fills the buffer if that needs no device (preadv2(2), RWF_NOWAIT).
     *
     * @return {@code false} if not all of it is in memory; then the content of the buffer is undefined, its position and
     *     limit are as before
     */
    boolean tryRead(long offsetBytes, ByteBuffer target);

    /** Whether the page with this byte is in memory; {@code false} also where that cannot be asked. */
    boolean holds(long offsetBytes);

    /**
     * Takes the pages of a range into a pipe; waits for the device where they are not in memory.
     *
     * @param lengthBytes at most {@link PagePipe#MAX_BYTES}
     * @return all of the range, or {@code null} if that did not work or no pipe is free
     */
    PagePipe tryPages(long offsetBytes, int lengthBytes);
}
