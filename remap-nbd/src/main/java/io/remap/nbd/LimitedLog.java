package io.remap.nbd;

import io.remap.api.TimeSource;
import org.slf4j.Logger;

/** A log that clients can make us write to, so it takes a limited number of lines in a time. Thread-safe. */
final class LimitedLog {
    static final int MAX_LINES = 20;
    static final long PERIOD_NANOS = 60_000_000_000L;

    private final Logger log;
    private final TimeSource time;
    private long periodStart;
    private int lines;
    private long leftOut;

    LimitedLog(Logger log, TimeSource time) {
        this.log = log;
        this.time = time;
        this.periodStart = time.nanoTime();
    }

    /** Writes the line, or counts it as left out; the next line after a silence says how many were. */
    synchronized void warn(String line) {
        long now = time.nanoTime();
        if (now - periodStart >= PERIOD_NANOS) {
            periodStart = now;
            lines = 0;
        }
        if (lines == MAX_LINES) {
            leftOut++;
            return;
        }
        lines++;
        if (leftOut > 0) {
            log.warn("{} ({} lines like this were left out before)", line, leftOut);
            leftOut = 0;
        } else {
            log.warn("{}", line);
        }
    }
}
