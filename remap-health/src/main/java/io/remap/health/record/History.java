package io.remap.health.record;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * How a disk was at the end of each day that it was watched, for trends. At most {@link #MAX_DAYS} days, the oldest first.
 * Thread-safe.
 */
public final class History implements Remembered {
    static final int MAX_DAYS = 400;

    /**
     * One day.
     *
     * @param day days since 1970 UTC
     * @param badUnits units of 4096 bytes found bad so far
     * @param weakUnits units found weak so far
     * @param usedSlots slots of the spare in use, or bad
     * @param slowestNanos what 99 % of the scan's reads did not exceed
     */
    public record Day(long day, long badUnits, long weakUnits, long usedSlots, long slowestNanos) {}

    /** How many days a clock that went back must go on by itself before it is believed. */
    private static final int DAYS_TO_BELIEVE = 2;

    private static final long NO_DAY = -1;

    /** First word of the line that is no day. */
    private static final String BEFORE = "before";

    /** What was found in the days that a clock took away is new for so long after. */
    private static final int DAYS_NEW = 30;

    private final Deque<Day> days = new ArrayDeque<>();
    /** What the clock said first when it went back behind the newest day. */
    private long firstBehind = NO_DAY;
    /** Bad units that were known before the first day: of days that were none. */
    private long knownBefore;

    /** The number of a day. */
    public static long dayOf(long millis) {
        return TimeUnit.MILLISECONDS.toDays(millis);
    }

    /**
     * How it is today; replaces what was said of today before. A clock that is behind the newest day is not believed until it
     * has gone on from there for a day: many computers without a battery start in 1970. Until then this is how it is on
     * the newest day.
     */
    public synchronized void note(Day today) {
        if (!days.isEmpty() && today.day() < days.peekLast().day() && !hasStayedBehind(today.day())) {
            long newest = days.pollLast().day();
            days.add(new Day(newest, today.badUnits(), today.weakUnits(), today.usedSlots(), today.slowestNanos()));
            return;
        }
        firstBehind = NO_DAY;
        if (!days.isEmpty() && days.peekFirst().day() > today.day()) {
            knownBefore = days.peekLast().badUnits() - badUnitsWithin(DAYS_NEW);
        }
        while (!days.isEmpty() && days.peekLast().day() >= today.day()) {
            days.pollLast();
        }
        days.add(today);
        if (days.size() > MAX_DAYS) {
            days.poll();
        }
    }

    private boolean hasStayedBehind(long day) {
        if (firstBehind == NO_DAY || day < firstBehind) {
            firstBehind = day;
        }
        // Whole days: of the first and the last perhaps only a moment was seen.
        return day - firstBehind >= DAYS_TO_BELIEVE;
    }

    /** All days, the oldest first. */
    public synchronized List<Day> days() {
        return List.copyOf(days);
    }

    /** Bad units that were found in the last so many days, as far as the disk was watched. */
    public synchronized long badUnitsWithin(long lastDays) {
        if (days.isEmpty()) {
            return 0;
        }
        Day now = days.peekLast();
        // There are more days than anybody asks for: without an older one the disk was not watched before the first.
        long before = knownBefore;
        for (Day day : days) {
            if (day.day() <= now.day() - lastDays) {
                before = day.badUnits();
            }
        }
        return now.badUnits() - before;
    }

    @Override
    public String word() {
        return "day";
    }

    /** The newest first, as they weigh most. */
    @Override
    public synchronized List<String> lines() {
        List<String> lines = new ArrayList<>();
        if (knownBefore != 0) {
            lines.add(BEFORE + " " + knownBefore);
        }
        days.descendingIterator()
                .forEachRemaining(day -> lines.add(day.day() + " " + day.badUnits() + " " + day.weakUnits() + " "
                        + day.usedSlots() + " " + day.slowestNanos()));
        return lines;
    }

    @Override
    public synchronized void restore(String[] words) {
        if (words[0].equals(BEFORE)) {
            knownBefore = Math.max(0, Long.parseLong(words[1]));
            return;
        }
        long[] n = java.util.Arrays.stream(words).mapToLong(Long::parseLong).toArray();
        Day day = new Day(n[0], n[1], n[2], n[3], n[4]);
        if (days.size() < MAX_DAYS && (days.isEmpty() || day.day() < days.peek().day())) {
            days.addFirst(day);
        }
    }
}
