package io.remap.core.device;

import java.util.Map;
import java.util.TreeMap;

/**
 * A set of numbers as disjoint half-open ranges. Not thread-safe.
 *
 * <p>Invariant: ranges neither overlap nor touch.
 */
public final class RangeSet {
    private final TreeMap<Long, Long> endByStart = new TreeMap<>();

    public void add(long start, long end) {
        long from = start;
        long to = end;
        for (Map.Entry<Long, Long> near = endByStart.floorEntry(to);
                near != null && near.getValue() >= from;
                near = endByStart.floorEntry(to)) {
            from = Math.min(from, near.getKey());
            to = Math.max(to, near.getValue());
            endByStart.remove(near.getKey());
        }
        endByStart.put(from, to);
    }

    /** Whether every number of the range is in the set. */
    public boolean covers(long start, long end) {
        Map.Entry<Long, Long> at = endByStart.floorEntry(start);
        return at != null && at.getValue() >= end;
    }

    /** The first number of the range that is not in the set, {@code end} if all are. */
    public long firstOutside(long start, long end) {
        Map.Entry<Long, Long> at = endByStart.floorEntry(start);
        return at == null || at.getValue() <= start ? start : Math.min(end, at.getValue());
    }

    /** The first number of the range that is in the set, {@code end} if none is. */
    public long firstInside(long start, long end) {
        if (covers(start, start + 1)) {
            return start;
        }
        Long next = endByStart.higherKey(start);
        return next == null ? end : Math.min(end, next);
    }

    public void clear() {
        endByStart.clear();
    }

    public boolean isEmpty() {
        return endByStart.isEmpty();
    }

    /** The ranges, ascending: starts and their ends. */
    public Map<Long, Long> ranges() {
        return endByStart;
    }
}
