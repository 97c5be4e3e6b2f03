package io.remap.nbd;

import io.remap.api.TimeSource;

/**
 * Whether a session waits for its client, in the middle of a payload or with replies to send, and since when the client
 * did nothing about it.
 *
 * <p>Invariant: the time is written before the flag that says that there is something to wait for, so whoever sees the
 * flag sees no older time. Thread-safe; the clock is read once per receive and send, not per request.
 */
final class ClientProgress {
    private final TimeSource time;
    private volatile long lastNanos;
    private volatile boolean receiving;
    private volatile boolean sending;

    ClientProgress(TimeSource time) {
        this.time = time;
    }

    /** Bytes arrived, or may arrive only now; the rest of a payload that has a buffer is missing. */
    void payloadMissing() {
        lastNanos = time.nanoTime();
        receiving = true;
    }

    /** The payload is complete, or will never be. Input side. */
    void payloadEnded() {
        if (receiving) {
            receiving = false;
        }
    }

    /**
     * The disk is done with a request. A transport may have had no thread to receive with while the disk hung, so the
     * time of a client that is amid a payload begins anew. Before the request stops to count as under way. Any thread.
     */
    void diskAnswered() {
        if (receiving) {
            lastNanos = time.nanoTime();
        }
    }

    /** Replies were given to the transport, or some bytes of them left, and others have not. Output side. */
    void repliesUnsent() {
        lastNanos = time.nanoTime();
        sending = true;
    }

    /** The client has read of what left before. Any thread. */
    void repliesTaken() {
        lastNanos = time.nanoTime();
    }

    /** All replies given to the transport have left. Output side. */
    void repliesSent() {
        sending = false;
    }

    boolean isReceiving() {
        return receiving;
    }

    /** How long the client did nothing that it should do; 0 or less if there is nothing. */
    long stalledNanos(long nowNanos) {
        return receiving || sending ? nowNanos - lastNanos : 0;
    }
}
