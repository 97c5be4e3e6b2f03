package io.remap.nbd;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;

/**
 * The direct memory that a session needs beside its payloads, kept for the next one: direct memory comes back only with a
 * garbage collection, and clients come and go. Thread-safe.
 */
final class SessionMemory {
    /** Where requests are received: some thousand headers, or a dozen small writes, in one go. */
    static final int RECEIVE_BYTES = 64 << 10;
    /** Replies without payload that leave in one piece. */
    static final int HEADERS_BYTES = InFlight.MAX_REQUESTS * Protocol.SIMPLE_REPLY_BYTES;

    /** Most pieces that are kept. */
    private static final int MAX_KEPT = 32;

    private final ArrayDeque<ByteBuffer> kept = new ArrayDeque<>(MAX_KEPT);

    /** A piece of {@link #RECEIVE_BYTES} and {@link #HEADERS_BYTES}. */
    ByteBuffer take() {
        synchronized (kept) {
            ByteBuffer piece = kept.poll();
            if (piece != null) {
                return piece;
            }
        }
        return ByteBuffer.allocateDirect(RECEIVE_BYTES + HEADERS_BYTES);
    }

    /** Takes a piece back that nobody touches any more. */
    void give(ByteBuffer piece) {
        synchronized (kept) {
            if (kept.size() < MAX_KEPT) {
                kept.push(piece);
            }
        }
    }
}
