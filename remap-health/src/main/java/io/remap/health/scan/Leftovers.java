package io.remap.health.scan;

import io.remap.api.Place;
import io.remap.api.SectorRange;
import io.remap.api.spi.WatchedDisk.Probeable;
import io.remap.health.scan.ScanJob.Kind;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * What could not be read for the moment, as it was written and not flushed, or is being moved: the units of a segment, and nothing
 * else of it, are looked at again a minute later, {@link #MAX_TRIES} times at most.
 *
 * <p>Invariants: of the pass a unit is read once, or counted once as left out, and never both; what was left of other reads counts
 * nowhere. At most {@link #MAX_LEFT} segments wait; what comes beyond is given up at once. Not thread-safe.
 */
final class Leftovers {
    static final int MAX_LEFT = 1024;
    static final int MAX_TRIES = 5;
    private static final long PAUSE_NANOS = TimeUnit.SECONDS.toNanos(60);

    private record Left(Kind kind, long segment, List<SectorRange> ranges, int tries, long dueNanos) {}

    private final Function<SectorRange, Probeable> disk;
    private final ScanProgress progress;
    private final int sectorBytes;
    private final Deque<Left> left = new ArrayDeque<>();

    /**
     * Nothing is left.
     *
     * @param disk what of a range may be read now
     * @param progress learns of what is given up of the pass
     */
    Leftovers(Function<SectorRange, Probeable> disk, ScanProgress progress, int sectorBytes) {
        this.disk = disk;
        this.progress = progress;
        this.sectorBytes = sectorBytes;
    }

    /** A job over what may be read now of a segment; the rest is left. */
    ScanJob open(Kind kind, long segment, SectorRange sectors, long nowNanos) {
        return open(new Left(kind, segment, List.of(sectors), 0, nowNanos), nowNanos);
    }

    /** The same over what was left first and is due, {@code null} if nothing is. */
    ScanJob takeDue(long nowNanos) {
        Left first = left.peek();
        return first == null || first.dueNanos - nowNanos > 0 ? null : open(left.poll(), nowNanos);
    }

    private ScanJob open(Left what, long nowNanos) {
        List<SectorRange> now = new ArrayList<>();
        List<SectorRange> later = new ArrayList<>();
        for (SectorRange range : what.ranges) {
            Probeable parts = disk.apply(range);
            if (parts.later()) {
                byUnits(range, parts.ranges(), now, later);
            } else {
                now.addAll(parts.ranges());
            }
        }
        leave(what, later, nowNanos);
        return new ScanJob(what.kind, what.segment, now, nowNanos);
    }

    /** As beside what is left for the moment there may be what is never read: it is known as unreadable, or not on main. */
    private void byUnits(
            SectorRange range, List<SectorRange> readable, List<SectorRange> now, List<SectorRange> later) {
        long at = range.firstSector();
        for (SectorRange part : readable) {
            byUnits(at, part.firstSector(), now, later);
            add(part, now);
            at = part.endSector();
        }
        byUnits(at, range.endSector(), now, later);
    }

    private void byUnits(long first, long end, List<SectorRange> now, List<SectorRange> later) {
        long unitSectors = Place.UNIT_BYTES / sectorBytes;
        for (long at = first; at < end; ) {
            long next = Math.min(end, at - at % unitSectors + unitSectors);
            SectorRange unit = new SectorRange(at, next - at);
            Probeable parts = disk.apply(unit);
            if (parts.later()) {
                add(unit, later);
            } else {
                // While a unit moves, nothing can be said of its neighbours but one by one.
                parts.ranges().forEach(part -> add(part, now));
            }
            at = next;
        }
    }

    /** Behind the others, as one with the last if it adjoins it. */
    private static void add(SectorRange range, List<SectorRange> ranges) {
        SectorRange last = ranges.isEmpty() ? null : ranges.get(ranges.size() - 1);
        if (last != null && last.endSector() == range.firstSector()) {
            ranges.set(
                    ranges.size() - 1,
                    new SectorRange(last.firstSector(), last.lengthSectors() + range.lengthSectors()));
        } else {
            ranges.add(range);
        }
    }

    private void leave(Left what, List<SectorRange> later, long nowNanos) {
        if (later.isEmpty() || what.kind == Kind.EXTRA) {
            return;
        }
        Kind kind = what.kind == Kind.PASS ? Kind.LEFT : what.kind;
        if (what.tries < MAX_TRIES && left.size() < MAX_LEFT) {
            left.add(new Left(kind, what.segment, List.copyOf(later), what.tries + 1, nowNanos + PAUSE_NANOS));
        } else if (kind == Kind.LEFT) {
            progress.leftOutBytes +=
                    later.stream().mapToLong(SectorRange::lengthSectors).sum() * sectorBytes;
        }
    }

    OptionalLong nextNanos() {
        return left.isEmpty() ? OptionalLong.empty() : OptionalLong.of(left.peek().dueNanos);
    }

    /** Whether something of the pass is left, which therefore is not over. */
    boolean hasOfPass() {
        return left.stream().anyMatch(one -> one.kind == Kind.LEFT);
    }

    /** The pass that it was left of is no more. */
    void forgetPass() {
        left.removeIf(one -> one.kind == Kind.LEFT);
    }
}
