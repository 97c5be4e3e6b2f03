package io.remap.health;

import io.remap.health.record.Remembered;
import java.util.ArrayList;
import java.util.List;

/**
 * Counts within the last 24 hours, to the hour, also over a restart: an alert that rests on it is not over by one.
 *
 * <p>Invariant: an hour has one place, which it shares with those a whole number of days away. Thread-safe.
 */
final class DayCounter implements Remembered {
    private static final int HOURS = 24;
    private static final long HOUR_MILLIS = 3_600_000;
    /** More than any disk meets in an hour, and few enough that a day of them is a number. */
    private static final long MOST = Long.MAX_VALUE / (2 * HOURS);

    private final String word;

    // Guarded by this: of each hour of the day, and which hour it was.
    private final long[] counts = new long[HOURS];
    private final long[] hours = new long[HOURS];

    /** @param word first word of its lines */
    DayCounter(String word) {
        this.word = word;
    }

    synchronized void add(long nowMillis) {
        long hour = nowMillis / HOUR_MILLIS;
        int at = (int) (hour % HOURS);
        if (hours[at] != hour) {
            hours[at] = hour;
            counts[at] = 0;
        }
        counts[at]++;
    }

    /** An hour that is yet to come is of a clock that was ahead, and does not count. */
    synchronized long sum(long nowMillis) {
        long last = nowMillis / HOUR_MILLIS;
        long first = last - HOURS;
        long sum = 0;
        for (int i = 0; i < HOURS; i++) {
            sum += first < hours[i] && hours[i] <= last ? counts[i] : 0;
        }
        return sum;
    }

    @Override
    public String word() {
        return word;
    }

    @Override
    public synchronized List<String> lines() {
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < HOURS; i++) {
            if (counts[i] > 0) {
                lines.add(hours[i] + " " + counts[i]);
            }
        }
        return lines;
    }

    @Override
    public synchronized void restore(String[] words) {
        long hour = Long.parseLong(words[0]);
        long count = Long.parseLong(words[1]);
        if (hour < 0 || count < 1 || count > MOST) {
            throw new IllegalArgumentException(count + " in hour " + hour);
        }
        int at = (int) (hour % HOURS);
        if (hour >= hours[at]) {
            hours[at] = hour;
            counts[at] = count;
        }
    }
}
