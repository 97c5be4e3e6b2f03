package io.remap.api;

/**
 * How long requests or transfers of a sort have taken of late, to tell whether one is worth a thread of its own.
 *
 * <p>Thread-safe, without a lock: an update that is lost does no harm.
 */
public final class Pace {
    /** Waking a thread and letting it take over costs some 5 to 20 microseconds. */
    private static final int WORTH_SHARING_NANOS = 50_000;

    /** What one adds at most to the average: one that hung, or whose thread was preempted, is soon forgotten. */
    private static final int SLOWEST_COUNTED_NANOS = 4 * WORTH_SHARING_NANOS;

    /** The average moves by an eighth of the difference. */
    private static final int AVERAGE_SHIFT = 3;

    private final boolean waits;
    private volatile int averageNanos;

    /** {@code waits}: what is of this sort waits for a device in any case. */
    public Pace(boolean waits) {
        this.waits = waits;
    }

    /** Whether one is worth a thread of its own. */
    public boolean isSlow() {
        return waits || averageNanos >= WORTH_SHARING_NANOS;
    }

    /** One hung: the next ones are not counted on. */
    public void hung() {
        averageNanos = SLOWEST_COUNTED_NANOS;
    }

    /** One took so long. */
    public void note(long tookNanos) {
        if (!waits) {
            int counted = (int) Math.min(SLOWEST_COUNTED_NANOS, tookNanos);
            int average = averageNanos;
            averageNanos = average + ((counted - average) >> AVERAGE_SHIFT);
        }
    }
}
