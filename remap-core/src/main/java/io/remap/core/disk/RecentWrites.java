package io.remap.core.disk;

import io.remap.api.Place;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Which units of main were written last, for the fingerprint that is taken at a clean stop; and whether certain units were
 * written since the start, for the comparison with the fingerprint before, which must skip those.
 *
 * <p>Written by every thread that writes to main, before the write begins; no lock, no allocation, two plain stores for each
 * unit. Threads may overwrite each other's notes of <em>recency</em>, which then chooses units less well. A note that a watched
 * unit was written is a byte of its own, so none is lost. Whoever has read from the device what a write put there sees the note
 * of that write: between the two lies a call of the kernel.
 */
public final class RecentWrites {
    /** Units that the list of the newest has, at most. */
    public static final int MAX_RECENT_UNITS = 1024;

    static final int PLACES = 1 << 11;
    private static final int PLACE_SHIFT = 11;

    /** Discarded ranges that are remembered; beyond, every unit counts as discarded. */
    static final int MAX_DISCARDS = 1024;

    /** The unit and one, 0 where there is none. */
    private final long[] units = new long[PLACES];

    private final int[] stamps = new int[PLACES];

    /** One more with each write; some may be lost. */
    private int clock;

    /** Open hash table of the watched units, each and one; 0 where there is none. Set before the first write. */
    private long[] watched = {0};

    private byte[] watchedWritten = {0};
    private boolean watching;

    /** First unit, end unit, …; guarded by this, as all below. */
    private long[] discards = {};

    private int discardCount;

    /** Nothing was written so far. */
    public RecentWrites() {}

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
        for (long unit = Math.max(first, last - PLACES + 1); unit <= last; unit++) {
            int place = hash(unit) & (PLACES - 1);
            units[place] = unit + 1;
            stamps[place] = stamp;
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

    /** A discard of this range is about to begin: what it leaves there is undefined, and may change by itself. */
    void noteDiscard(long offsetBytes, long lengthBytes) {
        note(offsetBytes, lengthBytes);
        long first = offsetBytes >>> Place.UNIT_SHIFT;
        long end = (offsetBytes + lengthBytes + Place.UNIT_BYTES - 1) >>> Place.UNIT_SHIFT;
        synchronized (this) {
            if (discardCount > 0 && discardCount <= MAX_DISCARDS && discards[2 * discardCount - 1] == first) {
                discards[2 * discardCount - 1] = end;
                return;
            }
            if (discardCount < MAX_DISCARDS) {
                if (discards.length == 2 * discardCount) {
                    discards = Arrays.copyOf(discards, Math.max(16, 2 * discards.length));
                }
                discards[2 * discardCount] = first;
                discards[2 * discardCount + 1] = end;
            }
            discardCount = Math.min(MAX_DISCARDS + 1, discardCount + 1);
        }
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

    /** Whether it may have been discarded since the start. */
    public synchronized boolean mayBeDiscarded(long unit) {
        if (discardCount > MAX_DISCARDS) {
            return true;
        }
        for (int i = 0; i < discardCount; i++) {
            if (discards[2 * i] <= unit && unit < discards[2 * i + 1]) {
                return true;
            }
        }
        return false;
    }

    /** Takes over, as the oldest, what was recent in an earlier run, the newest first; before the first write. */
    public void restore(List<Long> newestFirst) {
        int stamp = -1;
        for (long unit : newestFirst) {
            int place = hash(unit) & (PLACES - 1);
            if (units[place] == 0) {
                units[place] = unit + 1;
                stamps[place] = stamp--;
            }
        }
    }

    /** The units written last, the newest first. */
    public List<Long> newestFirst() {
        int now = clock;
        List<long[]> found = new ArrayList<>();
        for (int place = 0; place < PLACES; place++) {
            if (units[place] != 0) {
                found.add(new long[] {now - stamps[place], units[place] - 1});
            }
        }
        return found.stream()
                .sorted((one, other) -> Integer.compareUnsigned((int) one[0], (int) other[0]))
                .limit(MAX_RECENT_UNITS)
                .map(one -> one[1])
                .toList();
    }
}
