package io.remap.health;

import io.remap.api.TimeSource;
import io.remap.health.record.Remembered;
import java.util.List;

/**
 * A time in which somebody works on the disk: no alerts, and nothing is moved unless a write demands it. It ends by itself.
 * Thread-safe.
 */
final class Maintenance implements Remembered {
    private final TimeSource time;
    private volatile long untilMillis;

    Maintenance(TimeSource time) {
        this.time = time;
    }

    /** @param seconds 0: it is over */
    void begin(long seconds) {
        untilMillis = seconds == 0 ? 0 : time.wallMillis() + 1000 * seconds;
    }

    boolean isOn() {
        return time.wallMillis() < untilMillis;
    }

    /** When it ends, since 1970; 0: it is not on. */
    long untilMillis() {
        return isOn() ? untilMillis : 0;
    }

    @Override
    public String word() {
        return "maintenance";
    }

    @Override
    public List<String> lines() {
        return List.of(Long.toString(untilMillis()));
    }

    @Override
    public void restore(String[] words) {
        untilMillis = Long.parseLong(words[0]);
    }
}
