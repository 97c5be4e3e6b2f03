package io.remap.core.disk;

import io.remap.api.Place;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Which units of main were written last, for the fingerprint that is taken at a clean stop; and whether certain units were
 * written since the start, for the comparison with the fingerprint before, which must skip those; and which ones were discarded
 * and not written since, of which nobody knows what they will read as.
 *
 * <p>Written by every thread that writes to main, before the write begins; no lock, no allocation, two plain stores for each
 * unit. A discard takes the monitor. Threads may overwrite each other's notes of <em>recency</em>, which then chooses units
 * less well. A note that a watched unit was written is a byte of its own, so none is lost. Whoever has read from the device what a write put there sees the note
 * of that write: between the two lies a call of the kernel.
 */
public final class RecentWrites {
    /** Units that the list of the newest has, at most. */
    public static final int MAX_RECENT_UNITS = 1024;

    static final int PLACES = 1 << 11;
    private static final int PLACE_SHIFT = 11;

    /** Units at either end of main that never count as discarded for lack of memory: the fingerprint has all of them. */
    public static final long EDGE_UNITS = 1 << 8;

    /** Most discarded ranges that are remembered; of more, those with the smallest gaps become one, half as many in all. */
    static final int MAX_DISCARDS = 1 << 13;

    /** A note: the unit and one, 0 where there is none; whether all of it was written; how many discards had ended before. */
    private static final long UNIT_MASK = (1L << 41) - 1;

    private static final long WHOLE = 1L << 41;
    private static final int DISCARDS_SHIFT = 42;

    /** From then on no write is known to be later than a discard. */
    private static final int MAX_COUNTED_DISCARDS = (1 << (Long.SIZE - DISCARDS_SHIFT)) - 1;

    private final long endUnit;
    private final long[] notes = new long[PLACES];

    private final int[] stamps = new int[PLACES];

    /** One more with each write; some may be lost. */
    private int clock;

    /** Open hash table of the watched units, each and one; 0 where there is none. Set before the first write. */
    private long[] watched = {0};

    private byte[] watchedWritten = {0};
    private boolean watching;

    /** How many have ended; changed under the monitor. */
    private volatile int endedDiscards;

    /** By first unit, apart from each other; guarded by this. */
    private final TreeMap<Long, Discarded> discards = new TreeMap<>();

    /**
     * What was discarded.
     *
     * @param end unit
     * @param number of the discard, the first one is 1: a write that began after so many has replaced what it left
     */
    private record Discarded(long end, int number) {}

    /**
     * Nothing was written so far.
     *
     * @param sizeBytes of main
     */
    public RecentWrites(long sizeBytes) {
        endUnit = (sizeBytes + Place.UNIT_BYTES - 1) >>> Place.UNIT_SHIFT;
    }

    private static int hash(long unit) {
        return (int) (unit ^ (unit >>> PLACE_SHIFT) ^ (unit >>> (2 * PLACE_SHIFT)));
    }

    /** A write of this range is about to begin. */
    void note(long offsetBytes, long lengthBytes) {
        if (lengthBytes <= 0) {
            return;
        }
        long first = offsetBytes >>> Place.UNIT_SHIFT;
        long last = (offsetBytes + lengthBytes - 1) >>> Place.UNIT_SHIFT;
        if (watching) {
            noteWatched(first, last);
        }
        int stamp = ++clock;
        long whole = ((long) endedDiscards << DISCARDS_SHIFT) | WHOLE;
        long firstWhole = (offsetBytes + Place.UNIT_BYTES - 1) >>> Place.UNIT_SHIFT;
        long endWhole = (offsetBytes + lengthBytes) >>> Place.UNIT_SHIFT;
        for (long unit = Math.max(first, last - PLACES + 1); unit <= last; unit++) {
            int place = hash(unit) & (PLACES - 1);
            notes[place] = (unit + 1) | (unit >= firstWhole && unit < endWhole ? whole : 0);
            stamps[place] = stamp;
        }
    }

    /** A discard of this range is about to begin. It is no write: what was written last stays what it was. */
    void noteDiscardBegins(long offsetBytes, long lengthBytes) {
        if (watching && lengthBytes > 0) {
            noteWatched(offsetBytes >>> Place.UNIT_SHIFT, (offsetBytes + lengthBytes - 1) >>> Place.UNIT_SHIFT);
        }
    }

    private void noteWatched(long first, long last) {
        if (last - first < watched.length) {
            for (long unit = first; unit <= last; unit++) {
                int found = find(unit);
                if (watched[found] != 0) {
                    watchedWritten[found] = 1;
                }
            }
            return;
        }
        for (int i = 0; i < watched.length; i++) {
            if (watched[i] > first && watched[i] <= last + 1) {
                watchedWritten[i] = 1;
            }
        }
    }

    /** Where the unit stands, or would stand. The table is never full. */
    private int find(long unit) {
        int at = hash(unit) & (watched.length - 1);
        while (watched[at] != 0 && watched[at] != unit + 1) {
            at = (at + 1) & (watched.length - 1);
        }
        return at;
    }

    /** A discard of this range has ended: what it left there is undefined, and may change by itself. */
    synchronized void noteDiscarded(long offsetBytes, long lengthBytes) {
        if (lengthBytes <= 0) {
            return;
        }
        long first = offsetBytes >>> Place.UNIT_SHIFT;
        long end = (offsetBytes + lengthBytes + Place.UNIT_BYTES - 1) >>> Place.UNIT_SHIFT;
        int number = Math.min(MAX_COUNTED_DISCARDS + 1, endedDiscards + 1);
        cut(first);
        cut(end);
        discards.subMap(first, end).clear();
        Map.Entry<Long, Discarded> before = discards.lowerEntry(first);
        boolean continues =
                before != null && before.getValue().end == first && before.getValue().number == endedDiscards;
        discards.put(continues ? before.getKey() : Long.valueOf(first), new Discarded(end, number));
        endedDiscards = Math.min(MAX_COUNTED_DISCARDS, number);
        if (discards.size() > MAX_DISCARDS) {
            joinNearest();
        }
    }

    /** None reaches over this unit. The monitor is held. */
    private void cut(long at) {
        Map.Entry<Long, Discarded> over = discards.lowerEntry(at);
        if (over != null && over.getValue().end > at) {
            discards.put(over.getKey(), new Discarded(at, over.getValue().number));
            discards.put(at, over.getValue());
        }
    }

    /** Those with the smallest gaps become one, but over an edge; half as many are left. The monitor is held. */
    private void joinNearest() {
        List<Map.Entry<Long, Discarded>> before = List.copyOf(discards.entrySet());
        long[] gaps = new long[before.size() - 1];
        for (int i = 0; i < gaps.length; i++) {
            gaps[i] = gap(before.get(i).getValue().end, before.get(i + 1).getKey());
        }
        long[] sorted = gaps.clone();
        Arrays.sort(sorted);
        int joins = gaps.length - (MAX_DISCARDS / 2 - 1);
        long widest = sorted[joins - 1];
        int asWide =
                joins - (int) Arrays.stream(gaps).filter(gap -> gap < widest).count();
        discards.clear();
        long first = before.get(0).getKey();
        Discarded last = before.get(0).getValue();
        for (int i = 0; i < gaps.length; i++) {
            Discarded next = before.get(i + 1).getValue();
            if (gaps[i] < widest || (gaps[i] == widest && asWide-- > 0)) {
                last = new Discarded(next.end, Math.max(last.number, next.number));
            } else {
                discards.put(first, last);
                first = before.get(i + 1).getKey();
                last = next;
            }
        }
        discards.put(first, last);
    }

    private long gap(long from, long to) {
        boolean ofEdge = from < to && (from < EDGE_UNITS || to > endUnit - EDGE_UNITS);
        return ofEdge ? Long.MAX_VALUE : to - from;
    }

    /** From now on {@link #wasWritten} can tell of these units. Before the first write. */
    public void watch(List<Long> watchedUnits) {
        long[] table = new long[Integer.highestOneBit(Math.max(1, watchedUnits.size())) << 2];
        watched = table;
        watchedWritten = new byte[table.length];
        for (long unit : watchedUnits) {
            table[find(unit)] = unit + 1;
        }
        watching = !watchedUnits.isEmpty();
    }

    /** Whether a watched unit was written since; of others {@code true}, as nobody knows. */
    public boolean wasWritten(long unit) {
        int at = find(unit);
        return watched[at] == 0 || watchedWritten[at] != 0;
    }

    /** Whether it may have been discarded since the start, and not written whole since then. */
    public synchronized boolean mayBeDiscarded(long unit) {
        Map.Entry<Long, Discarded> range = discards.floorEntry(unit);
        if (range == null || range.getValue().end <= unit) {
            return false;
        }
        long note = notes[hash(unit) & (PLACES - 1)];
        boolean rewritten = (note & UNIT_MASK) == unit + 1
                && (note & WHOLE) != 0
                && (int) (note >>> DISCARDS_SHIFT) >= range.getValue().number;
        return !rewritten;
    }

    /** Takes over, as the oldest, what was recent in an earlier run, the newest first; before the first write. */
    public void restore(List<Long> newestFirst) {
        int stamp = -1;
        for (long unit : newestFirst) {
            int place = hash(unit) & (PLACES - 1);
            if (notes[place] == 0) {
                notes[place] = unit + 1;
                stamps[place] = stamp--;
            }
        }
    }

    /** The units written last, the newest first. */
    public List<Long> newestFirst() {
        int now = clock;
        List<long[]> found = new ArrayList<>();
        for (int place = 0; place < PLACES; place++) {
            if (notes[place] != 0) {
                found.add(new long[] {now - stamps[place], (notes[place] & UNIT_MASK) - 1});
            }
        }
        return found.stream()
                .sorted((one, other) -> Integer.compareUnsigned((int) one[0], (int) other[0]))
                .limit(MAX_RECENT_UNITS)
                .map(one -> one[1])
                .toList();
    }
}
