package io.remap.core.disk;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Counts what holds a disk open: requests under way, and whatever else must have ended before the devices are given
 * back.
 *
 * <p>Invariants: whoever was counted calls {@link #leave} once; after {@link #takeNoMore} nothing comes in but parts
 * of what is in; once that, too, has left, {@link #awaitDrained} returns, and nothing is counted ever again but to be
 * refused.
 *
 * <p>Thread-safe, without a lock: each request passes twice.
 */
final class Admission {
    /** Set in {@code inside} once no more are taken. */
    private static final long STOPPING = 1L << 62;

    private final AtomicLong inside = new AtomicLong();
    private final CountDownLatch drained = new CountDownLatch(1);

    /** Lets somebody in until {@link #leave}; {@code false}: no more are taken, and he is not counted. */
    boolean enter() {
        if (count()) {
            return true;
        }
        leave();
        return false;
    }

    /**
     * Counts somebody until {@link #leave}, also where he is refused: then until he was told so.
     *
     * @return {@code false}: no more are taken
     */
    boolean count() {
        return (inside.incrementAndGet() & STOPPING) == 0;
    }

    /** As {@link #count}, for a part of what is in already: it is never refused. */
    void holdOpen() {
        inside.incrementAndGet();
    }

    /** What was counted has ended. */
    void leave() {
        if (inside.decrementAndGet() == STOPPING) {
            drained.countDown();
        }
    }

    void takeNoMore() {
        if (inside.accumulateAndGet(STOPPING, (count, bit) -> count | bit) == STOPPING) {
            drained.countDown();
        }
    }

    boolean isStopping() {
        return (inside.get() & STOPPING) != 0;
    }

    /** How many are in. */
    long inside() {
        return inside.get() & ~STOPPING;
    }

    /** Waits until no more are taken and everybody has left; {@code false}: the time is over. */
    boolean awaitDrained(long nanos) throws InterruptedException {
        return drained.await(nanos, TimeUnit.NANOSECONDS);
    }
}
