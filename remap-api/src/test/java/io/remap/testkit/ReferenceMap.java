package io.remap.testkit;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.stream.Stream;

/**
 * What a disk may answer: for every cell (a small part of a sector) the contents that are allowed, for every sector
 * whether a read may or must fail. It knows nothing of maps and spares, and shares no code with the product.
 *
 * <p>A content is the stamp of a write, spread over the cell by {@link #fill}; stamp 0 is zeros. The rules: a write that
 * was acknowledged replaces everything that had ended before it began. Writes that overlapped in time leave any of them;
 * once a read has seen one, it stays. A write that failed, or was under way when the process died, may have happened or
 * not, until something newer is acknowledged. A power cut brings back whatever no successful flush has made obsolete.
 *
 * <p>Time is a counter of the calls. Not thread-safe.
 */
public final class ReferenceMap {
    /** Stamp of zeros. */
    public static final long ZEROS = 0;

    /** In the message of every wrong answer to a read. */
    static final String READS_AS = " reads as ";

    private static final long NEVER = Long.MAX_VALUE;

    private final int sectorBytes;
    private final int cellBytes;
    private final List<List<Value>> cells;
    private final List<Write> underWay = new ArrayList<>();
    private final List<Read> reading = new ArrayList<>();
    /** Per sector: since when reads may fail, {@link #NEVER} if they may not; and until when they could before. */
    private final long[] mayFailSince;

    private final long[] mayFailUntil;
    private final long[] mustFailSince;
    /** Per sector: when a write ended that it may not fail, and that was not flushed; else {@link #NEVER}. */
    private final long[] healedAt;
    /** Per sector: when writes that overlapped in time were last begun or ended there, until a flush covers them. */
    private final long[] overlapped;
    /** Sectors of writes that failed: the next open may find that such a write has happened. */
    private final BitSet writesFailed = new BitSet();
    /** Writes that were answered with an error since their time was over: they may happen later. */
    private final List<Write> overdue = new ArrayList<>();

    private long now = 1;

    /** A write, from its beginning to its end. */
    public static final class Write {
        private final long stamp;
        private final long offsetBytes;
        private final long lengthBytes;
        private final long begunAt;
        private long endedAt = NEVER;
        private boolean acknowledged;
        /** A TRIM of a device that forgets. */
        private boolean forgets;

        private Write(long stamp, long offsetBytes, long lengthBytes, long begunAt) {
            this.stamp = stamp;
            this.offsetBytes = offsetBytes;
            this.lengthBytes = lengthBytes;
            this.begunAt = begunAt;
        }

        public long stamp() {
            return stamp;
        }
    }

    /** A read or a flush, from its beginning on. */
    public static final class Read {
        private final long offsetBytes;
        private final long begunAt;

        private Read(long offsetBytes, long begunAt) {
            this.offsetBytes = offsetBytes;
            this.begunAt = begunAt;
        }
    }

    /** One possible content of a cell. */
    private static final class Value {
        private final Write write;
        /** Reads that begin later do not see it. */
        private long supersededAt = NEVER;
        /** Not even a power cut brings it back. */
        private boolean obsolete;

        private Value(Write write) {
            this.write = write;
        }
    }

    /** A disk that holds {@code stamp} everywhere. Cells divide sectors. */
    public ReferenceMap(int sizeBytes, int sectorBytes, int cellBytes, long stamp) {
        this.sectorBytes = sectorBytes;
        this.cellBytes = cellBytes;
        this.mayFailSince = filled(sizeBytes / sectorBytes, NEVER);
        this.mayFailUntil = filled(sizeBytes / sectorBytes, 0);
        this.mustFailSince = filled(sizeBytes / sectorBytes, NEVER);
        this.healedAt = filled(sizeBytes / sectorBytes, NEVER);
        this.overlapped = filled(sizeBytes / sectorBytes, NEVER);
        Write first = new Write(stamp, 0, sizeBytes, 0);
        first.endedAt = 0;
        first.acknowledged = true;
        cells = new ArrayList<>();
        for (int i = 0; i < sizeBytes / cellBytes; i++) {
            cells.add(new ArrayList<>(List.of(new Value(first))));
        }
    }

    private static long[] filled(int length, long value) {
        long[] result = new long[length];
        java.util.Arrays.fill(result, value);
        return result;
    }

    // --- contents

    /** Puts the content of a stamp, as it stands at an offset of the disk, from position to limit. */
    public void fill(ByteBuffer target, long offsetBytes, long stamp) {
        for (long at = offsetBytes; target.hasRemaining(); at += Long.BYTES) {
            target.putLong(word(at, stamp));
        }
    }

    private static long word(long offsetBytes, long stamp) {
        if (stamp == ZEROS) {
            return 0;
        }
        long mixed = (stamp + offsetBytes * 0x9E3779B97F4A7C15L) * 0xBF58476D1CE4E5B9L;
        return mixed ^ mixed >>> 29 ^ stamp;
    }

    private boolean holds(ByteBuffer data, long from, long offsetBytes, long stamp) {
        for (int i = 0; i < cellBytes; i += Long.BYTES) {
            if (data.getLong((int) from + i) != word(offsetBytes + i, stamp)) {
                return false;
            }
        }
        return true;
    }

    /**
     * Which contents the words of a range show, as bits: bit <i>i</i> for stamp <i>i</i>, the sign for words of none.
     *
     * @param data the range, from position 0 to the limit
     * @param lastStamp the largest there can be, at most 62
     */
    public static long stampsIn(ByteBuffer data, long offsetBytes, long lastStamp) {
        long found = 0;
        long stamp = ZEROS;
        for (int i = 0; i < data.limit(); i += Long.BYTES) {
            long word = data.getLong(i);
            if (word != word(offsetBytes + i, stamp)) {
                stamp = ZEROS;
                while (stamp <= lastStamp && word != word(offsetBytes + i, stamp)) {
                    stamp++;
                }
                stamp = stamp > lastStamp ? Long.SIZE - 1 : stamp;
            }
            found |= 1L << stamp;
        }
        return found;
    }

    // --- writes

    /** A write of whole cells was submitted. */
    public Write writeBegins(long offsetBytes, long lengthBytes, long stamp) {
        Write write = new Write(stamp, offsetBytes, lengthBytes, ++now);
        for (Write other : underWay) {
            long from = Math.max(offsetBytes, other.offsetBytes);
            long end = Math.min(offsetBytes + lengthBytes, other.offsetBytes + other.lengthBytes);
            for (long at = from / sectorBytes; from < end && at * sectorBytes < end; at++) {
                overlapped[(int) at] = now;
            }
        }
        underWay.add(write);
        for (List<Value> cell : cellsOf(offsetBytes, lengthBytes)) {
            cell.add(new Value(write));
        }
        for (int sector = firstWhole(offsetBytes); sector < endWhole(offsetBytes + lengthBytes); sector++) {
            mustFailSince[sector] = NEVER;
        }
        return write;
    }

    /** It was acknowledged. */
    public void writeSucceeded(Write write, boolean fua) {
        ended(write, true);
        for (List<Value> cell : cellsOf(write.offsetBytes, write.lengthBytes)) {
            if (cell.stream().anyMatch(value -> value.write.forgets && value.write.endedAt > write.begunAt)) {
                // A TRIM at the same time may have come after it, and then nobody notes what stood there before.
                continue;
            }
            for (Value value : cell) {
                if (value.write != write && value.write.endedAt < write.begunAt) {
                    value.supersededAt = Math.min(value.supersededAt, now);
                    value.obsolete |= fua;
                }
            }
            purge(cell);
        }
        for (int sector = firstWhole(write.offsetBytes);
                sector < endWhole(write.offsetBytes + write.lengthBytes);
                sector++) {
            if (mayFailSince[sector] < write.begunAt) {
                healedAt[sector] = fua ? NEVER : now;
                mayFailSince[sector] = NEVER;
                mayFailUntil[sector] = now;
            }
        }
    }

    /** It was answered with an error, or promises nothing (TRIM). */
    public void writeFailed(Write write) {
        ended(write, false);
        writesFailed.set(
                firstWhole(write.offsetBytes),
                Math.max(firstWhole(write.offsetBytes), endWhole(write.offsetBytes + write.lengthBytes)));
    }

    /** As {@link #writeFailed}, since its time was over: it may go on. */
    public void writeOverdue(Write write) {
        writeFailed(write);
        overdue.add(write);
    }

    /**
     * A TRIM was submitted to a main that forgets its cache: what it covers is undefined from now on, since nobody notes any
     * more what stood there before, or what is written there meanwhile.
     */
    public Write trimBegins(long offsetBytes, long lengthBytes) {
        Write trim = writeBegins(offsetBytes, lengthBytes, ZEROS);
        trim.forgets = true;
        bringBack(trim);
        return trim;
    }

    /** It ended, well or not. */
    public void trimEnded(Write trim) {
        writeFailed(trim);
        bringBack(trim);
    }

    private void bringBack(Write trim) {
        for (List<Value> cell : cellsOf(trim.offsetBytes, trim.lengthBytes)) {
            for (Value value : cell) {
                value.supersededAt = value.obsolete ? value.supersededAt : NEVER;
            }
        }
    }

    private void ended(Write write, boolean acknowledged) {
        write.endedAt = ++now;
        write.acknowledged = acknowledged;
        underWay.remove(write);
        for (long at = write.offsetBytes / sectorBytes;
                at * sectorBytes < write.offsetBytes + write.lengthBytes;
                at++) {
            overlapped[(int) at] = overlapped[(int) at] == NEVER ? NEVER : now;
        }
    }

    private void purge(List<Value> cell) {
        long oldest = reading.stream().mapToLong(read -> read.begunAt).min().orElse(NEVER);
        cell.removeIf(value -> value.obsolete && value.supersededAt < Math.min(oldest, NEVER));
    }

    // --- reads

    /** A read was submitted. */
    public Read readBegins(long offsetBytes) {
        Read read = new Read(offsetBytes, ++now);
        reading.add(read);
        return read;
    }

    /** It returned these bytes: whole cells, from position 0 to the limit. Throws if they are not allowed. */
    public void readSucceeded(Read read, ByteBuffer data) {
        reading.remove(read);
        now++;
        for (int from = 0; from < data.limit(); from += cellBytes) {
            long offset = read.offsetBytes + from;
            int sector = (int) (offset / sectorBytes);
            if (mustFailSince[sector] < read.begunAt) {
                throw new AssertionError("byte " + offset + " (sector " + sector + ") is lost, but was read");
            }
            checkCell(read, data, from, offset);
        }
    }

    private void checkCell(Read read, ByteBuffer data, int from, long offset) {
        List<Value> cell = cells.get((int) (offset / cellBytes));
        Value seen = null;
        boolean settled = true;
        for (Value value : cell) {
            boolean allowed = value.supersededAt > read.begunAt;
            if (allowed && (seen == null || !seen.write.acknowledged) && holds(data, from, offset, value.write.stamp)) {
                seen = value;
            }
            settled &= value.supersededAt != NEVER || (value.write.acknowledged && value.write.endedAt < read.begunAt);
        }
        if (seen == null) {
            throw new AssertionError("byte " + offset + " (sector " + offset / sectorBytes + ")" + READS_AS
                    + describe(data, from, offset, cell) + "; allowed: " + allowed(cell, read));
        }
        if (settled && seen.supersededAt == NEVER) {
            for (Value value : cell) {
                if (value != seen) {
                    value.supersededAt = Math.min(value.supersededAt, now);
                }
            }
        }
    }

    private String describe(ByteBuffer data, int from, long offset, List<Value> cell) {
        for (Value value : cell) {
            if (holds(data, from, offset, value.write.stamp)) {
                return "write " + value.write.stamp + ", which is out of date";
            }
        }
        return holds(data, from, offset, ZEROS) ? "zeros" : "0x" + Long.toHexString(data.getLong(from)) + "…";
    }

    private static String allowed(List<Value> cell, Read read) {
        StringBuilder text = new StringBuilder();
        for (Value value : cell) {
            if (value.supersededAt > read.begunAt) {
                text.append(text.length() == 0 ? "write " : ", write ").append(value.write.stamp);
                text.append(value.write.acknowledged ? "" : " (not acknowledged)");
            }
        }
        return text.toString();
    }

    /** The read was answered with an error; whether the sector of that byte may fail. */
    public boolean readFailed(Read read, long errorOffsetBytes) {
        reading.remove(read);
        now++;
        int sector = (int) (errorOffsetBytes / sectorBytes);
        return mayFail(sector) || mustFailSince[sector] != NEVER || mayFailUntil[sector] > read.begunAt;
    }

    // --- errors that are allowed or required

    /** From now on reads of these sectors may fail, until they are written. */
    public void allowErrors(long firstSector, long lengthSectors) {
        java.util.Arrays.fill(mayFailSince, (int) firstSector, (int) (firstSector + lengthSectors), ++now);
    }

    /** The disk says that these sectors are lost: reads must fail until they are written. */
    public void requireErrors(long firstSector, long lengthSectors) {
        now++;
        for (int sector = (int) firstSector; sector < firstSector + lengthSectors; sector++) {
            long offset = (long) sector * sectorBytes;
            boolean written = Stream.concat(underWay.stream(), overdue.stream())
                    .anyMatch(w -> w.offsetBytes <= offset && offset + sectorBytes <= w.offsetBytes + w.lengthBytes);
            if (!written) {
                mustFailSince[sector] = Math.min(mustFailSince[sector], now);
            }
        }
    }

    public boolean mayFail(long sector) {
        return mayFailSince[(int) sector] != NEVER || mustFailSince[(int) sector] != NEVER;
    }

    private boolean isUnderWay(int sector) {
        long offset = (long) sector * sectorBytes;
        return underWay.stream()
                .anyMatch(w -> w.offsetBytes < offset + sectorBytes && offset < w.offsetBytes + w.lengthBytes);
    }

    /**
     * Whether writes to the sector overlapped in time, of which one may be flushed and another one not: if the flushed one stands
     * there, nobody can tell whether the device took it last, or has lost the other.
     */
    public boolean mayBeUndecided(long sector) {
        return overlapped[(int) sector] != NEVER;
    }

    /** Whether a read of the sector may have failed at some time since the write began, which reads its edges. */
    public boolean mayHaveFailed(long sector, Write since) {
        return mayFail(sector) || mayFailUntil[(int) sector] > since.begunAt;
    }

    // --- flush, death, power

    /** A flush was submitted. */
    public Read flushBegins() {
        return new Read(0, ++now);
    }

    /** It was acknowledged: what was replaced before it began is obsolete. */
    public void flushSucceeded(Read flush) {
        now++;
        for (int sector = 0; sector < healedAt.length; sector++) {
            healedAt[sector] = healedAt[sector] < flush.begunAt ? NEVER : healedAt[sector];
            if (overlapped[sector] < flush.begunAt && !isUnderWay(sector)) {
                overlapped[sector] = NEVER;
            }
        }
        for (List<Value> cell : cells) {
            if (cell.size() > 1) {
                for (Value value : cell) {
                    value.obsolete |= value.supersededAt < flush.begunAt;
                }
                purge(cell);
            }
        }
    }

    /**
     * The disk was opened anew; what it says it has lost now is to be told again. A sector that was lost and that a failed
     * write covered may be so no more: its record was uncertain.
     */
    public void opened() {
        writesFailed.stream().forEach(sector -> mustFailSince[sector] = NEVER);
        writesFailed.clear();
        overdue.clear();
    }

    /** The process died: writes under way may have happened or not, reads are never answered. */
    public void processDied() {
        List.copyOf(underWay).forEach(this::writeFailed);
        reading.clear();
    }

    /** After {@link #processDied}: whatever was not flushed may be back. */
    public void powerCut() {
        now++;
        for (List<Value> cell : cells) {
            for (Value value : cell) {
                value.supersededAt = value.obsolete ? value.supersededAt : NEVER;
            }
        }
    }

    /**
     * A device lost some of what it had acknowledged, and whoever is asked finds out what: of writes that overlapped in time any
     * may stand there then, though a read has told which one was the last.
     */
    public void cacheLost() {
        for (List<Value> cell : cells) {
            List<Write> present = cell.stream()
                    .filter(value -> value.supersededAt == NEVER)
                    .map(value -> value.write)
                    .toList();
            for (Value value : cell) {
                if (!value.obsolete && present.stream().anyMatch(other -> overlapInTime(other, value.write))) {
                    value.supersededAt = NEVER;
                }
            }
        }
    }

    private static boolean overlapInTime(Write one, Write other) {
        return one.begunAt < other.endedAt && other.begunAt < one.endedAt;
    }

    /** After {@link #powerCut}, behind a page cache: what was written to a bad sector and not flushed never reached it. */
    public void pagesForgotten() {
        for (int sector = 0; sector < healedAt.length; sector++) {
            if (healedAt[sector] != NEVER) {
                healedAt[sector] = NEVER;
                mayFailSince[sector] = Math.min(mayFailSince[sector], now);
            }
        }
    }

    /**
     * What the disk may answer once it was opened after a power cut at this moment.
     *
     * @param stamps for each cell, the contents that are allowed, also mixed
     * @param mayFail sectors whose reads may fail
     * @param mustFail sectors whose reads must fail
     */
    public record AfterPowerCut(List<long[]> stamps, BitSet mayFail, BitSet mustFail) {}

    /** As {@link #processDied}, then {@link #powerCut}, without doing so. */
    public AfterPowerCut ifThePowerWentNow() {
        return allowed(true);
    }

    /** What may be read now; after {@link #processDied}, what the next process may answer. */
    public AfterPowerCut allowedNow() {
        return allowed(false);
    }

    private AfterPowerCut allowed(boolean powerCut) {
        List<long[]> stamps = new ArrayList<>(cells.size());
        for (List<Value> cell : cells) {
            stamps.add(cell.stream()
                    .filter(value -> value.supersededAt == NEVER || (powerCut && !value.obsolete))
                    .mapToLong(value -> value.write.stamp)
                    .toArray());
        }
        BitSet mayFail = new BitSet();
        BitSet mustFail = new BitSet();
        for (int sector = 0; sector < mayFailSince.length; sector++) {
            mayFail.set(sector, mayFail(sector));
            mustFail.set(sector, mustFailSince[sector] != NEVER);
        }
        return new AfterPowerCut(stamps, mayFail, mustFail);
    }

    private List<List<Value>> cellsOf(long offsetBytes, long lengthBytes) {
        if ((offsetBytes | lengthBytes) % cellBytes != 0) {
            throw new IllegalArgumentException("no whole cells: " + offsetBytes + "+" + lengthBytes);
        }
        return cells.subList((int) (offsetBytes / cellBytes), (int) ((offsetBytes + lengthBytes) / cellBytes));
    }

    private int firstWhole(long offsetBytes) {
        return (int) ((offsetBytes + sectorBytes - 1) / sectorBytes);
    }

    private int endWhole(long endBytes) {
        return (int) (endBytes / sectorBytes);
    }
}
