package io.remap.core.disk;

import java.nio.ByteBuffer;

/** Zero bytes for devices, aligned for direct transfers; read-only, so that they stay zero. */
final class Zeros {
    /** Most zero bytes written at a time. */
    static final int MAX_BYTES = 1 << 20;

    private static final int ALIGNMENT_BYTES = 4096;
    private static final ByteBuffer BYTES = ByteBuffer.allocateDirect(MAX_BYTES + ALIGNMENT_BYTES)
            .alignedSlice(ALIGNMENT_BYTES)
            .limit(MAX_BYTES)
            .slice()
            .asReadOnlyBuffer();

    private Zeros() {}

    /** A view of its own of so many zero bytes, at most {@link #MAX_BYTES}. */
    static ByteBuffer bytes(int lengthBytes) {
        return BYTES.duplicate().limit(lengthBytes);
    }

    /** Fills a buffer from its position to its limit with zeros. */
    static void fill(ByteBuffer target) {
        int at = target.position();
        int length = target.remaining();
        for (int done = 0; done < length; done += MAX_BYTES) {
            int part = Math.min(MAX_BYTES, length - done);
            target.put(at + done, BYTES, 0, part);
        }
        target.position(target.limit());
    }
}
