package io.remap.health;

import io.remap.api.TimeSource;
import io.remap.health.record.Remembered;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A time in which somebody works on the disk: no alerts, and nothing is moved unless a write demands it. It ends by itself, also if
 * the clock was ahead when it began: from when that is put right it lasts no longer than it was to last as a whole. Thread-safe.
 */
final class Maintenance implements Remembered {
    static final long MAX_SECONDS = TimeUnit.DAYS.toSeconds(7);

    private final TimeSource time;

    // Guarded by this: when it ends, and how long it was to last.
    private long untilMillis;
    private long lengthMillis;

    Maintenance(TimeSource time) {
        this.time = time;
    }

    /** @param seconds 0: it is over */
    synchronized void begin(long seconds) {
        lengthMillis = TimeUnit.SECONDS.toMillis(seconds);
        untilMillis = time.wallMillis() + lengthMillis;
    }

    boolean isOn() {
        return untilMillis() > 0;
    }

    /** When it ends, since 1970; 0: it is not on. */
    synchronized long untilMillis() {
        long now = time.wallMillis();
        untilMillis = Math.min(untilMillis, now + lengthMillis);
        return now < untilMillis ? untilMillis : 0;
    }

    @Override
    public String word() {
        return "maintenance";
    }

    @Override
    public synchronized List<String> lines() {
        return List.of(untilMillis() + " " + lengthMillis);
    }

    @Override
    public synchronized void restore(String[] words) {
        long until = Long.parseLong(words[0]);
        // An earlier program did not say how long.
        long length = words.length > 1 ? Long.parseLong(words[1]) : TimeUnit.SECONDS.toMillis(MAX_SECONDS);
        if (length < 0 || length > TimeUnit.SECONDS.toMillis(MAX_SECONDS)) {
            throw new IllegalArgumentException(length + " ms of maintenance");
        }
        untilMillis = until;
        lengthMillis = length;
    }
}
