package io.remap.core.disk;

import java.util.concurrent.TimeUnit;

/**
 * How often people are told of one kind of thing: each time up to {@link #IN_FULL}, then each time the number has doubled; from
 * the beginning again once a day has passed without it. Thread-safe.
 */
final class LogLimit {
    static final int IN_FULL = 16;
    static final long QUIET_NANOS = TimeUnit.DAYS.toNanos(1);

    private long count;
    private long lastNanos;

    /** It happened; gives whether people are told of it. */
    synchronized boolean admits(long nowNanos) {
        if (count > 0 && nowNanos - lastNanos >= QUIET_NANOS) {
            count = 0;
        }
        lastNanos = nowNanos;
        count++;
        return count <= IN_FULL || Long.bitCount(count) == 1;
    }
}
