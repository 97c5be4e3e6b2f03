package io.remap.health;

/** Counts within the last 24 hours, to the hour. Thread-safe. */
final class DayCounter {
    private static final int HOURS = 24;
    private static final long HOUR_MILLIS = 3_600_000;

    // Guarded by this: of each hour of the day, and which hour it was.
    private final long[] counts = new long[HOURS];
    private final long[] hours = new long[HOURS];

    synchronized void add(long nowMillis) {
        long hour = nowMillis / HOUR_MILLIS;
        int at = (int) (hour % HOURS);
        if (hours[at] != hour) {
            hours[at] = hour;
            counts[at] = 0;
        }
        counts[at]++;
    }

    synchronized long sum(long nowMillis) {
        long first = nowMillis / HOUR_MILLIS - HOURS;
        long sum = 0;
        for (int i = 0; i < HOURS; i++) {
            sum += hours[i] > first ? counts[i] : 0;
        }
        return sum;
    }
}
