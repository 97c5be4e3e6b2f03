package io.remap.nbd;

import io.remap.api.TimeSource;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Whether a session waits for its client, in the middle of a payload or with replies to send, and since when the client did
 * too little about it: it moved fewer than {@link #LEAST_BYTES}, and did not come to the end of the payload or the replies
 * either. A byte now and then is not enough, or two clients could keep the whole budget of the pool from all others for ever.
 *
 * <p>The payload and the replies have a time each, and begin it by themselves; so a client that does not read its replies
 * gains nothing by small WRITEs. What is moved counts for both: a client may send before it reads.
 *
 * <p>Invariant: a time is written before the flag that says that there is something to wait for, so whoever sees the flag
 * sees no older time. Thread-safe; the clock is read at a beginning and once for so many bytes, not per request.
 */
final class ClientProgress {
    /** A client must move so many bytes in the time that it has, or the rest if that is less. */
    static final int LEAST_BYTES = 256 << 10;

    private final TimeSource time;
    /** Since the times began anew. */
    private final AtomicLong movedBytes = new AtomicLong();

    private volatile long receivingSinceNanos;
    private volatile boolean receiving;
    private volatile long sendingSinceNanos;
    private volatile boolean sending;

    /** Of the payload, when it was looked at last; the input side's. */
    private long missingBytes;

    ClientProgress(TimeSource time) {
        this.time = time;
    }

    /** Bytes arrived, or may arrive only now; the rest of a payload that has a buffer is missing. Input side. */
    void payloadMissing(long restBytes) {
        if (receiving) {
            moved(missingBytes - restBytes);
        } else {
            if (!sending) {
                movedBytes.set(0);
            }
            receivingSinceNanos = time.nanoTime();
            receiving = true;
        }
        missingBytes = restBytes;
    }

    /** The payload is complete, or will never be. Input side. */
    void payloadEnded() {
        if (receiving) {
            moved(missingBytes);
            receiving = false;
        }
    }

    /**
     * The disk is done with a request. A transport may have had no thread to receive with while the disk hung, so the
     * time of a client that is amid a payload begins anew. Before the request stops to count as under way. Any thread.
     */
    void diskAnswered() {
        if (receiving) {
            receivingSinceNanos = time.nanoTime();
        }
    }

    /** Replies were given to the transport. Output side. */
    void repliesBegun() {
        if (!receiving) {
            movedBytes.set(0);
        }
        sendingSinceNanos = time.nanoTime();
        sending = true;
    }

    /** Some bytes of the replies left. Output side. */
    void repliesLeft(long lengthBytes) {
        moved(lengthBytes);
    }

    /** The client has read of what left before. Any thread. */
    void repliesTaken(long lengthBytes) {
        moved(lengthBytes);
    }

    /** All replies given to the transport have left. Output side. */
    void repliesSent() {
        sending = false;
    }

    private void moved(long lengthBytes) {
        if (movedBytes.addAndGet(lengthBytes) >= LEAST_BYTES) {
            movedBytes.set(0);
            long now = time.nanoTime();
            receivingSinceNanos = now;
            sendingSinceNanos = now;
        }
    }

    boolean isReceiving() {
        return receiving;
    }

    /** For how long the client did too little of what it should do; 0 or less if there is nothing. */
    long stalledNanos(long nowNanos) {
        long receivingNanos = receiving ? nowNanos - receivingSinceNanos : 0;
        long sendingNanos = sending ? nowNanos - sendingSinceNanos : 0;
        return Math.max(receivingNanos, sendingNanos);
    }
}
