package io.remap.iopt;

/** How long transfers of a sort take, to tell whether one is worth a thread of its own. */
final class TransferPace {
    /** Waking a thread and letting it take over costs some 5 to 20 microseconds. */
    private static final int WORTH_SHARING_NANOS = 50_000;

    /** What one transfer adds at most to an average: one that hung, or whose thread was preempted, is soon forgotten. */
    private static final int SLOWEST_COUNTED_NANOS = 4 * WORTH_SHARING_NANOS;

    /** An average moves by an eighth of the difference. */
    private static final int AVERAGE_SHIFT = 3;

    private final boolean waits;
    private volatile int averageNanos;

    /** {@code waits}: transfers of this sort wait for a device in any case. */
    TransferPace(boolean waits) {
        this.waits = waits;
    }

    /** Whether one is worth a thread of its own. */
    boolean isSlow() {
        return waits || averageNanos >= WORTH_SHARING_NANOS;
    }

    /** One hung: the next ones are not counted on. */
    void hung() {
        averageNanos = SLOWEST_COUNTED_NANOS;
    }

    /** One took so long. A lost update does no harm. */
    void note(long tookNanos) {
        if (!waits) {
            int counted = (int) Math.min(SLOWEST_COUNTED_NANOS, tookNanos);
            int average = averageNanos;
            averageNanos = average + ((counted - average) >> AVERAGE_SHIFT);
        }
    }
}
