package io.remap.core.device;

import java.util.Map;
import java.util.TreeMap;

/**
 * A set of numbers as disjoint half-open ranges. Not thread-safe.
 *
 * <p>Invariant: ranges neither overlap nor touch.
 */
final class RangeSet {
    private final TreeMap<Long, Long> endByStart = new TreeMap<>();

    void add(long start, long end) {
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
    boolean covers(long start, long end) {
        Map.Entry<Long, Long> at = endByStart.floorEntry(start);
        return at != null && at.getValue() >= end;
    }

    boolean isEmpty() {
        return endByStart.isEmpty();
    }

    /** The ranges, ascending: starts and their ends. */
    Map<Long, Long> ranges() {
        return endByStart;
    }
}
