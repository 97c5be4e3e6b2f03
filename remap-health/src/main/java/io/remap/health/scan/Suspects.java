package io.remap.health.scan;

import io.remap.api.SectorRange;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Ranges that were slow, and are to be read again in smaller pieces: not at once, when the drive has them in its cache, but
 * a while later. Bounded; what comes beyond is left to the next pass. Not thread-safe.
 */
final class Suspects {
    /** Of those that scans find. */
    static final int MAX_SUSPECTS = 4096;

    /**
     * A slow range.
     *
     * @param times how often its sectors were slow
     */
    record Suspect(SectorRange range, int times, long dueNanos) {}

    private final Deque<Suspect> waiting = new ArrayDeque<>();
    private final int most;
    private final long pauseNanos;

    Suspects(int most, long pauseNanos) {
        this.most = most;
        this.pauseNanos = pauseNanos;
    }

    /** Whether there was room for it. */
    boolean add(SectorRange range, int times, long nowNanos) {
        return waiting.size() < most && waiting.add(new Suspect(range, times, nowNanos + pauseNanos));
    }

    void clear() {
        waiting.clear();
    }

    /** Takes the first that is due, {@code null} if none is. */
    Suspect take(long nowNanos) {
        Suspect first = waiting.peek();
        return first != null && first.dueNanos - nowNanos <= 0 ? waiting.poll() : null;
    }

    /** The first, {@code null} if there is none. */
    Suspect next() {
        return waiting.peek();
    }

    int waiting() {
        return waiting.size();
    }
}
