package io.remap.api.listen;

import io.remap.api.TimeSource;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;

/**
 * Warns at most once in a while about what a client can cause as often as it likes, and says how often it was. Thread-safe.
 */
public final class OccasionalLog {
    private static final long INTERVAL_NANOS = TimeUnit.SECONDS.toNanos(10);

    private final Logger log;
    private final TimeSource time;
    private long lastNanos;
    private long withheld = -1; // Nothing was said yet.

    public OccasionalLog(Logger log, TimeSource time) {
        this.log = log;
        this.time = time;
    }

    /** Logs the message, or counts it. */
    public synchronized void warn(String message) {
        long now = time.nanoTime();
        if (withheld >= 0 && now - lastNanos < INTERVAL_NANOS) {
            withheld++;
            return;
        }
        log.warn("{}{}", message, withheld > 0 ? " (and " + withheld + " times more before)" : "");
        lastNanos = now;
        withheld = 0;
    }
}
