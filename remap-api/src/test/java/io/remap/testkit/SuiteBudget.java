package io.remap.testkit;

import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What a suite of many tries may cost: it goes on until its seconds are spent, prints one line about what ran, and fails
 * if that is less than its floor. Every number is a count of what ran, never of what was planned.
 *
 * <p>Seconds decide how much more than the floor is tried, never whether a suite passes: a slow machine goes on until the
 * floor is reached, for at most {@value #PATIENCE} times the seconds. With {@code -Dremap.soak=true} they do not count at
 * all, and the full number is the floor; {@code -Dremap.suite.seconds=N} gives each suite N seconds.
 *
 * <p>Thread-safe.
 */
public final class SuiteBudget {
    /** Whether the full counts are asked for. */
    public static final boolean SOAK = Boolean.getBoolean("remap.soak");

    private static final int PATIENCE = 10;

    private final String title;
    private final String unit;
    private final double seconds;
    private final long floor;
    private final long full;
    private final long started = System.nanoTime();
    private final AtomicLong count = new AtomicLong();

    /**
     * Begins now.
     *
     * @param title the goal and what is done for it, as "G1 power cuts"
     * @param unit what is counted, in the plural
     * @param seconds how long {@code ./check} goes on with it
     * @param floor fewer are a failure: a quarter of what two cores did in these seconds
     * @param full how many {@code ./check soak} runs
     */
    public SuiteBudget(String title, String unit, double seconds, long floor, long full) {
        this.title = title;
        this.unit = unit;
        this.seconds = Double.parseDouble(System.getProperty("remap.suite.seconds", String.valueOf(seconds)));
        this.floor = SOAK ? full : floor;
        this.full = full;
    }

    /** So many more have run. */
    public void ran(long more) {
        count.addAndGet(more);
    }

    public long count() {
        return count.get();
    }

    /** Whether there is time for another try, or need of one. */
    public boolean goesOn() {
        if (SOAK) {
            return count.get() < full;
        }
        double elapsed = elapsedSeconds();
        return elapsed < seconds || (count.get() < floor && elapsed < PATIENCE * seconds);
    }

    /** How long {@code ./check} goes on with it. */
    public double seconds() {
        return seconds;
    }

    public double elapsedSeconds() {
        return (System.nanoTime() - started) / 1e9;
    }

    /**
     * Prints the line of the suite, which {@code ./check} shows; throws if too few have run.
     *
     * @param details what else there is to say
     */
    public void finish(String details) {
        String line = String.format(
                Locale.ROOT, "suite: %s: %,d %s in %.1f s; %s", title, count.get(), unit, elapsedSeconds(), details);
        System.out.println(line);
        if (count.get() < floor) {
            throw new AssertionError(line + ": fewer than " + floor);
        }
    }
}
