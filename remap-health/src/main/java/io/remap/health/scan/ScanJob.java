package io.remap.health.scan;

import io.remap.api.Place;
import io.remap.api.SectorRange;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * A range that is being read: in one piece if all goes well, otherwise in ever smaller ones, sixteen to one, down to the
 * unit of 4096 bytes. Sixteen, since each read that meets a bad sector costs a drive seconds: of a megabyte with one bad
 * sector three reads fail, with halves it would be nine.
 *
 * <p>Not thread-safe.
 */
final class ScanJob {
    private static final int PIECES = 16;

    /** Longest examination of one segment; what is left of it then is left to the next pass. */
    private static final long MAX_NANOS = TimeUnit.MINUTES.toNanos(10);

    /** Why it is read. */
    enum Kind {
        /** It is next in the pass. */
        PASS,
        /** The pass left it out before. */
        LEFT,
        /** A visit between. */
        EXTRA,
        /** It is near an error. */
        LOCAL,
        /** It was slow. */
        AGAIN
    }

    /**
     * One read.
     *
     * @param timesSlow how often its sectors were slow before
     * @param failed how many reads failed of which it is a part
     */
    record Probe(SectorRange range, int timesSlow, int failed) {}

    private final Kind kind;
    private final long segment;
    private long dueNanos;
    private final Deque<Probe> open = new ArrayDeque<>();
    private long takenNanos;
    private boolean troubled;

    /** Sectors that were read. */
    long readSectors;
    /** Verdicts that were none. */
    int undecided;

    /**
     * A segment.
     *
     * @param ranges the parts to read
     */
    ScanJob(Kind kind, long segment, List<SectorRange> ranges, long dueNanos) {
        this.kind = kind;
        this.segment = segment;
        this.dueNanos = dueNanos;
        ranges.forEach(range -> open.add(new Probe(range, 0, 0)));
    }

    /** Something slow, in pieces. */
    static ScanJob again(Suspects.Suspect suspect, long nowNanos, int sectorBytes) {
        ScanJob job = new ScanJob(Kind.AGAIN, -1, List.of(), nowNanos);
        for (SectorRange piece : pieces(suspect.range(), sectorBytes)) {
            job.open.add(new Probe(piece, suspect.times(), 0));
        }
        return job;
    }

    /** Keeps what may be read now; whether anything is left. */
    boolean keepOnly(Function<SectorRange, List<SectorRange>> probeable) {
        List<Probe> kept = new ArrayList<>();
        for (Probe probe : open) {
            probeable
                    .apply(probe.range())
                    .forEach(part -> kept.add(new Probe(part, probe.timesSlow(), probe.failed())));
        }
        open.clear();
        open.addAll(kept);
        return !open.isEmpty();
    }

    /** Whether a read of it failed: then what is left of it may have come to be avoided. */
    boolean isTroubled() {
        return troubled;
    }

    Kind kind() {
        return kind;
    }

    /** Whether what it reads is a part of the pass. */
    boolean isOfPass() {
        return kind == Kind.PASS || kind == Kind.LEFT;
    }

    long segment() {
        return segment;
    }

    /** Since when the next read is due. */
    long dueNanos() {
        return dueNanos;
    }

    boolean isDone() {
        return open.isEmpty();
    }

    Probe peek() {
        return open.peek();
    }

    /** The first read was made, with whatever result. */
    void taken(long nanos, long nowNanos) {
        open.poll();
        dueNanos = nowNanos;
        takenNanos += nanos;
    }

    /** A read elsewhere was made on its account. */
    void waited(long nanos, long nowNanos) {
        dueNanos = nowNanos;
        takenNanos += nanos;
    }

    void putBack(Probe probe) {
        open.addFirst(probe);
    }

    long takenNanos() {
        return takenNanos;
    }

    boolean isTooLong() {
        return takenNanos > MAX_NANOS;
    }

    /** Drops the rest; how many sectors that are. */
    long giveUp() {
        long sectors =
                open.stream().mapToLong(probe -> probe.range().lengthSectors()).sum();
        open.clear();
        return sectors;
    }

    /** Cuts a range that failed into pieces; {@code false}: it lies within a unit, so it is not cut any more. */
    boolean narrow(Probe failed, int sectorBytes) {
        if (isUnit(failed.range(), sectorBytes)) {
            return false;
        }
        troubled = true;
        List<SectorRange> pieces = pieces(failed.range(), sectorBytes);
        for (int i = pieces.size() - 1; i >= 0; i--) {
            open.addFirst(new Probe(pieces.get(i), failed.timesSlow(), failed.failed() + 1));
        }
        return true;
    }

    /** Whether the range lies within one unit. */
    static boolean isUnit(SectorRange range, int sectorBytes) {
        long unitSectors = Place.UNIT_BYTES / sectorBytes;
        return range.firstSector() / unitSectors == (range.endSector() - 1) / unitSectors;
    }

    private static List<SectorRange> pieces(SectorRange range, int sectorBytes) {
        long unitSectors = Place.UNIT_BYTES / sectorBytes;
        long sixteenth = (range.lengthSectors() + PIECES - 1) / PIECES;
        long pieceSectors = Math.max(unitSectors, (sixteenth + unitSectors - 1) / unitSectors * unitSectors);
        List<SectorRange> pieces = new ArrayList<>();
        for (long at = range.firstSector(); at < range.endSector(); ) {
            // Pieces begin where units do, so that no unit is in two of them.
            long next = Math.min(range.endSector(), at - at % unitSectors + pieceSectors);
            pieces.add(new SectorRange(at, next - at));
            at = next;
        }
        return pieces;
    }
}
