package io.remap.health.record;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Units in which something was found, each counted once however often it is found again.
 *
 * <p>Invariants: the ranges that are known neither overlap nor touch, and are at most {@link #MAX_RANGES}; what does not fit
 * any more is counted and not known, so that it counts again if it is found again. Over restarts {@link #MAX_SAVED} ranges are
 * known, and the count is what it was.
 *
 * <p>Not thread-safe.
 */
public final class FoundUnits implements Remembered {
    /** Most ranges of neighbouring units that are known. */
    static final int MAX_RANGES = 16_384;
    /** Most of them that are known after a restart: the first on the disk. */
    static final int MAX_SAVED = 1_024;

    private static final String COUNT = "count";
    private static final int RANGES_OF_A_LINE = 32;

    private final String word;
    /** By the first unit, the end. */
    private final TreeMap<Long, Long> ranges = new TreeMap<>();

    private long count;
    private boolean restored;

    /** @param word first word of its lines */
    FoundUnits(String word) {
        this.word = word;
    }

    /** How many were found. */
    public long count() {
        return count;
    }

    /** Something was found in these; gives how many of them are new. */
    long add(long firstUnit, long endUnit) {
        long first = firstUnit;
        long end = endUnit;
        long known = 0;
        Map.Entry<Long, Long> before = ranges.floorEntry(firstUnit);
        Map.Entry<Long, Long> next =
                before != null && before.getValue() >= firstUnit ? before : ranges.higherEntry(firstUnit);
        while (next != null && next.getKey() <= endUnit) {
            known += Math.max(0, Math.min(next.getValue(), endUnit) - Math.max(next.getKey(), firstUnit));
            first = Math.min(first, next.getKey());
            end = Math.max(end, next.getValue());
            ranges.remove(next.getKey());
            next = ranges.higherEntry(next.getKey());
        }
        if (ranges.size() < MAX_RANGES) {
            ranges.put(first, end);
        }
        long found = endUnit - firstUnit - known;
        count += found;
        return found;
    }

    /** What a program counted that did not know which ones. */
    void startFrom(long units) {
        if (!restored) {
            count = Math.max(count, units);
        }
    }

    @Override
    public String word() {
        return word;
    }

    @Override
    public List<String> lines() {
        List<String> lines = new ArrayList<>();
        lines.add(COUNT + " " + count);
        StringBuilder line = new StringBuilder();
        int saved = 0;
        for (Map.Entry<Long, Long> range : ranges.entrySet()) {
            line.append(line.length() == 0 ? "" : " ")
                    .append(range.getKey())
                    .append(' ')
                    .append(range.getValue() - range.getKey());
            if (++saved % RANGES_OF_A_LINE == 0 || saved == Math.min(MAX_SAVED, ranges.size())) {
                lines.add(line.toString());
                line.setLength(0);
            }
            if (saved == MAX_SAVED) {
                break;
            }
        }
        return lines;
    }

    @Override
    public void restore(String[] words) {
        if (words[0].equals(COUNT)) {
            long saved = Long.parseLong(words[1]);
            if (saved < 0) {
                throw new IllegalArgumentException("a count of " + saved);
            }
            count = saved;
            restored = true;
            return;
        }
        for (int i = 0; i + 1 < words.length; i += 2) {
            long first = Long.parseLong(words[i]);
            long length = Long.parseLong(words[i + 1]);
            if (first < 0 || length < 1 || length > Long.MAX_VALUE - first) {
                throw new IllegalArgumentException("no range of units: " + first + " " + length);
            }
            long counted = count;
            add(first, first + length);
            // They are in it.
            count = counted;
        }
    }
}
