package io.remap.api;

/** The clocks. Passed in everywhere, so that a simulator owns the time. */
public interface TimeSource {
    /** Monotonic, for durations and deadlines; the zero is arbitrary. */
    long nanoTime();

    /** Milliseconds since 1970 UTC, for records that people read. */
    long wallMillis();
}
