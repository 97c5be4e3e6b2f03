package io.remap.core.disk;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Finds the records of a {@link Ledger} by unit, and tells what may stand in a sector: made when the fate of a cache is in
 * doubt. Records are not released while it is used; newer ones are taken in by {@link #advance}.
 *
 * <p>Invariants: a sector is claimed if a firm record says what stands in it and no trim that is not out of date; it may
 * hold what any record says that is not out of date. A trim says nothing but that: no range is verified for it.
 *
 * <p>Not thread-safe.
 */
final class LedgerIndex {
    private static final int NONE = -1;

    /** Runs are found by parts of the device of so many units (8 MiB): the longest ones of clients are in five of them. */
    private static final int PART_SHIFT = 11;

    private final Ledger ledger;
    private final long from;

    /** Unit to one of its records; the others follow in {@link #earlier}. As offsets from {@link #from}. */
    private final Map<Long, Integer> latest = new HashMap<>();

    private final int[] earlier;
    /** Part of the device to the records of more than one unit that have some of it. */
    private final Map<Long, List<Long>> runs = new HashMap<>();

    /** Those of them that say what stands there. */
    private final List<Long> tellingRuns = new ArrayList<>();

    /** Records that were not complete when they were looked at. */
    private List<Long> holes = new ArrayList<>();

    private long next;

    LedgerIndex(Ledger ledger) {
        this.ledger = ledger;
        this.from = ledger.start();
        this.next = from;
        this.earlier = new int[ledger.capacity()];
        advance();
    }

    /** Takes in what was recorded since. */
    void advance() {
        List<Long> before = holes;
        holes = new ArrayList<>();
        before.forEach(this::take);
        for (long end = ledger.now(); next < end; next++) {
            take(next);
        }
    }

    private void take(long position) {
        if (!ledger.isPublished(position)) {
            holes.add(position);
        } else if (ledger.units(position) > 1) {
            takeRun(position);
        } else {
            int offset = (int) (position - from);
            Integer before = latest.put(ledger.unit(position), offset);
            earlier[offset] = before == null ? NONE : before;
        }
    }

    private void takeRun(long position) {
        long last = ledger.unit(position) + ledger.units(position) - 1;
        for (long part = ledger.unit(position) >> PART_SHIFT; part <= last >> PART_SHIFT; part++) {
            runs.computeIfAbsent(part, p -> new ArrayList<>()).add(position);
        }
        if (tells(position)) {
            tellingRuns.add(position);
        }
    }

    /** Whether it says what stands there, and not only that nobody knows. */
    private boolean tells(long position) {
        return ledger.kind(position) != Ledger.Kind.NOTHING;
    }

    /** Whether every write that had begun to be recorded is in it. */
    boolean isComplete() {
        return holes.isEmpty();
    }

    /** Whether any record says what stands in a unit. */
    boolean has(long unit) {
        boolean[] told = {false};
        forEachRecord(unit, position -> told[0] |= tells(position));
        return told[0];
    }

    private boolean isIn(long run, long unit) {
        long start = ledger.unit(run);
        return start <= unit && unit < start + ledger.units(run);
    }

    /** Told about each record of a unit. */
    @FunctionalInterface
    private interface RecordVisitor {
        void record(long position);
    }

    private void forEachRecord(long unit, RecordVisitor visitor) {
        Integer first = latest.get(unit);
        for (int offset = first == null ? NONE : first; offset != NONE; offset = earlier[offset]) {
            visitor.record(from + offset);
        }
        for (long run : runs.getOrDefault(unit >> PART_SHIFT, List.of())) {
            if (isIn(run, unit)) {
                visitor.record(run);
            }
        }
    }

    /** What is known of a unit. */
    final class UnitClaims {
        private final List<Long> records = new ArrayList<>();
        /** Per sector: what was recorded before this is out of date. */
        private final long[] outOfDateBefore = new long[Ledger.MAX_SECTORS_PER_UNIT];

        private int claimed;

        private UnitClaims(long unit) {
            Arrays.fill(outOfDateBefore, -1);
            forEachRecord(unit, records::add);
            for (long record : records) {
                if (ledger.isFirm(record)) {
                    forEachSector(record, s -> outOfDateBefore[s] = Math.max(outOfDateBefore[s], ledger.began(record)));
                }
            }
            int trimmed = 0;
            for (long record : records) {
                int current = currentMask(record);
                if (ledger.kind(record) == Ledger.Kind.NOTHING) {
                    trimmed |= current;
                } else if (ledger.isFirm(record)) {
                    claimed |= current;
                }
            }
            claimed &= ~trimmed;
        }

        /** The sectors that the record is about and for which it is not out of date. */
        private int currentMask(long record) {
            int mask = 0;
            for (int s = 0; s < outOfDateBefore.length; s++) {
                boolean about = (ledger.mask(record) & 1 << s) != 0;
                mask |= about && record >= outOfDateBefore[s] ? 1 << s : 0;
            }
            return mask;
        }

        private void forEachSector(long record, java.util.function.IntConsumer action) {
            int mask = ledger.mask(record);
            for (int s = 0; s < outOfDateBefore.length; s++) {
                if ((mask & 1 << s) != 0) {
                    action.accept(s);
                }
            }
        }

        /** The sectors of which is known what must stand there. */
        int claimedMask() {
            return claimed;
        }

        /** Whether a sector that is claimed may hold this, from position to limit. */
        boolean accepts(int sector, ByteBuffer content) {
            int checksum = ledger.checksumOf(content);
            for (long record : records) {
                if ((ledger.mask(record) & 1 << sector) != 0
                        && record >= outOfDateBefore[sector]
                        && ledger.kind(record) != Ledger.Kind.NOTHING
                        && ledger.checksum(record, sector) == checksum) {
                    return true;
                }
            }
            return false;
        }
    }

    UnitClaims claims(long unit) {
        return new UnitClaims(unit);
    }

    /**
     * The units of which any record says what stands there, in disk order: first, end, first, end, …
     *
     * @param mostRanges if there are more ranges, the smallest gaps between them are counted in
     */
    long[] ranges(int mostRanges) {
        List<long[]> pairs = new ArrayList<>(latest.size() + tellingRuns.size());
        for (Map.Entry<Long, Integer> entry : latest.entrySet()) {
            if (anyTells(entry.getValue())) {
                pairs.add(new long[] {entry.getKey(), entry.getKey() + 1});
            }
        }
        for (long run : tellingRuns) {
            pairs.add(new long[] {ledger.unit(run), ledger.unit(run) + ledger.units(run)});
        }
        pairs.sort((a, b) -> Long.compare(a[0], b[0]));
        return joined(pairs, mostRanges);
    }

    private boolean anyTells(int latestOffset) {
        for (int offset = latestOffset; offset != NONE; offset = earlier[offset]) {
            if (tells(from + offset)) {
                return true;
            }
        }
        return false;
    }

    /** Sorted ranges as one array; if there are too many, the smallest gaps between them are counted in. */
    static long[] joined(List<long[]> sorted, int mostRanges) {
        List<long[]> merged = merged(sorted, 0);
        if (merged.size() > mostRanges) {
            long[] gaps = new long[merged.size() - 1];
            for (int i = 0; i < gaps.length; i++) {
                gaps[i] = merged.get(i + 1)[0] - merged.get(i)[1];
            }
            Arrays.sort(gaps);
            merged = merged(merged, gaps[merged.size() - mostRanges - 1]);
        }
        return merged.stream().flatMapToLong(Arrays::stream).toArray();
    }

    /** Sorted ranges, those with no larger gap between them as one. */
    private static List<long[]> merged(List<long[]> sorted, long gapUnits) {
        List<long[]> result = new ArrayList<>();
        for (long[] pair : sorted) {
            long[] last = result.isEmpty() ? null : result.get(result.size() - 1);
            if (last != null && pair[0] - last[1] <= gapUnits) {
                last[1] = Math.max(last[1], pair[1]);
            } else {
                result.add(pair.clone());
            }
        }
        return result;
    }
}
