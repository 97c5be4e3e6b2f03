package io.remap.core.disk;

import io.remap.api.Place;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicLong;
import java.util.zip.CRC32C;

/**
 * What was written to a device and acknowledged since its last good flush: for each write its place and the checksum of
 * every sector, no content. With it the answer to a failed flush is exact ({@link LedgerVerification}).
 *
 * <p>A ring of records in memory of a fixed size; a record is one unit of a write, or a run of units that were zeroed or
 * trimmed. A position counts records from the beginning of time. The rules:
 *
 * <ul>
 *   <li>A write is recorded after the device has taken it and before anybody is told. It remembers at which position it
 *       began: a record is out of date exactly if a later write <em>began</em> after it was made. Of writes that overlapped
 *       in time either may stand on the device.
 *   <li>Before a write goes to the device it has room for its records promised ({@link #promise}): whatever becomes of it
 *       can be recorded.
 *   <li>A write that failed is recorded as well, without being {@code firm}: it may stand there, and makes no other record
 *       out of date.
 *   <li>A record is in force once its mark is its own position; {@link #publishedEnd} is before the first one that is not.
 *   <li>Records are released only up to a position that was published before the beginning of a flush that succeeded.
 * </ul>
 *
 * <p>Recording neither locks nor allocates; the checksum is computed on the thread that executed the write.
 */
final class Ledger {
    /** One line of memory each, so that threads do not share one. */
    static final int RECORD_BYTES = 64;

    static final long MIN_BYTES = 4 << 10;
    static final long MAX_BYTES = 64L << 20;
    static final int MAX_SECTORS_PER_UNIT = 8;

    /** What a record says about its sectors. */
    enum Kind {
        /** They have these checksums. */
        DATA(0),
        /** They are zeros. */
        ZEROS(1),
        /** Nothing is known of them: they were trimmed. */
        NOTHING(2);

        private final int code;

        Kind(int code) {
            this.code = code;
        }
    }

    private static final VarHandle MARKS = MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.nativeOrder());
    private static final Kind[] BY_CODE = {Kind.DATA, Kind.ZEROS, Kind.NOTHING};

    private static final int UNIT_AT = 8;
    private static final int BEGAN_AT = 16;
    private static final int UNITS_AT = 24;
    private static final int WHAT_AT = 28;
    private static final int CHECKSUMS_AT = 32;
    private static final int MASK_SHIFT = 8;
    private static final int FIRM = 1 << 16;

    /** Odd, so that no two endings are the same; a product is no exclusive or, of which alone a CRC is made. */
    private static final int SPREAD = 0x9E3779B1;

    private final LedgerMemory lasting;
    private final ByteBuffer memory;
    private final int capacity;
    private final int sectorBytes;
    private final int zerosChecksum;
    private final Runnable halfFull;
    private final ThreadLocal<CRC32C> checksums = ThreadLocal.withInitial(CRC32C::new);

    /** The end of the records, complete or not. */
    private final AtomicLong end = new AtomicLong();

    /** The end of the records that there will be when all writes under way are recorded. */
    private final AtomicLong promisedEnd = new AtomicLong();

    private volatile long start;

    /** As far as a look for incomplete records came. */
    private volatile long lookedTo;

    /**
     * An empty one.
     *
     * @param bytes memory for records, {@link #MIN_BYTES} to {@link #MAX_BYTES}; a power of two is used
     * @param halfFull called by the thread whose record fills half of it: time for a flush. Must not block
     */
    Ledger(long bytes, int sectorBytes, Runnable halfFull) {
        this(LedgerMemory.unnamed(ringBytes(bytes)), sectorBytes, halfFull);
    }

    /** One in this memory; what a killed process left there is in it. */
    Ledger(LedgerMemory lasting, int sectorBytes, Runnable halfFull) {
        this.lasting = lasting;
        this.memory = lasting.ring();
        this.capacity = memory.capacity() / RECORD_BYTES;
        this.sectorBytes = sectorBytes;
        this.halfFull = halfFull;
        this.zerosChecksum = checksumOf(Zeros.bytes(sectorBytes));
        if (lasting.isLeft()) {
            takeOver();
        }
    }

    /** How many bytes of a wanted number are used for records. */
    static int ringBytes(long bytes) {
        if (bytes < MIN_BYTES || bytes > MAX_BYTES) {
            throw new IllegalArgumentException("no ledger of " + bytes + " bytes");
        }
        return (int) Long.highestOneBit(bytes);
    }

    // --- what a killed process left

    /**
     * Takes the records over that are whole. Of a write that was under way nobody was told how it ended: what stood there
     * before may be gone, so nothing is claimed of it any more.
     */
    private void takeOver() {
        start = lasting.start();
        long last = start;
        for (int i = 0; i < capacity; i++) {
            long position = (long) MARKS.getAcquire(memory, i * RECORD_BYTES) - 1;
            if (position >= start && position - start < capacity && indexOf(position) == i * RECORD_BYTES) {
                last = Math.max(last, position + 1);
            }
        }
        for (long at = start; at < last; at++) {
            if (!isPublished(at) || !isPlausible(at)) {
                publish(at, indexOf(at), 0, 1, at, Kind.DATA, 0, false);
            }
        }
        end.set(last);
        promisedEnd.set(last);
        lookedTo = start;
        boolean[] room = {true};
        lasting.takeUnderWay((unit, units) -> {
            long offsetBytes = unit << Place.UNIT_SHIFT;
            long lengthBytes = units << Place.UNIT_SHIFT;
            room[0] = room[0] && promise(recordsOfRange(offsetBytes, lengthBytes));
            if (room[0]) {
                nothing(now(), offsetBytes, lengthBytes);
            }
        });
        if (!room[0]) {
            // What it claims may be out of date, and there is no place to say so.
            release(end.get());
        }
    }

    private boolean isPlausible(long at) {
        int code = memory.getInt(indexOf(at) + WHAT_AT) & 0xff;
        return code < BY_CODE.length && units(at) > 0 && unit(at) >= 0 && began(at) <= at;
    }

    /** A write goes to the device now: gives what {@link #ended} needs. */
    int begins(long offsetBytes, long lengthBytes) {
        long unit = offsetBytes >> Place.UNIT_SHIFT;
        return lasting.begins(unit, SegmentCursor.endUnit(offsetBytes + lengthBytes) - unit);
    }

    /** It was recorded, whatever became of it. */
    void ended(int underWay) {
        lasting.ended(underWay);
    }

    // --- recording

    /** The position at which a write begins: to be taken before it goes to the device. */
    long now() {
        return end.get();
    }

    /** Whether so little room is left that a write had better wait for a flush. */
    boolean isCrowded() {
        return promisedEnd.get() - start > capacity - capacity / 8;
    }

    /** Up to here a write that begins there is recorded as one; half of the ledger, or it would wait for all others. */
    long endOfRecordable(long offsetBytes) {
        return ((offsetBytes >> Place.UNIT_SHIFT) + capacity / 2) << Place.UNIT_SHIFT;
    }

    /** How many records {@link #data} makes of a write. */
    static int recordsOfData(long offsetBytes, long lengthBytes) {
        return Math.toIntExact(SegmentCursor.endUnit(offsetBytes + lengthBytes) - (offsetBytes >> Place.UNIT_SHIFT));
    }

    /** How many records {@link #zeros} and {@link #nothing} make: a part of a unit, a run of units, a part of a unit. */
    static int recordsOfRange(long offsetBytes, long lengthBytes) {
        long endBytes = offsetBytes + lengthBytes;
        int records = 0;
        for (long at = offsetBytes; at < endBytes; at = pieceEnd(at, endBytes)) {
            records++;
        }
        return records;
    }

    /**
     * Keeps room for the records of a write that is about to go to the device.
     *
     * @return {@code false} if there is none: something has to be flushed first
     */
    boolean promise(int records) {
        while (true) {
            long promised = promisedEnd.get();
            if (promised + records - start > capacity) {
                return false;
            }
            if (promisedEnd.compareAndSet(promised, promised + records)) {
                return true;
            }
        }
    }

    /** What was promised for a write that did not go to the device after all. */
    void takeBack(int records) {
        promisedEnd.addAndGet(-records);
    }

    /**
     * Records a write, for which room was promised.
     *
     * @param began {@link #now} before it
     * @param data what was written, from {@code from} to its limit; its position is at the limit afterwards
     * @param firm the device has taken it
     */
    void data(long began, long offsetBytes, ByteBuffer data, int from, boolean firm) {
        int limit = data.limit();
        long endBytes = offsetBytes + (limit - from);
        long firstUnit = offsetBytes >> Place.UNIT_SHIFT;
        int units = recordsOfData(offsetBytes, limit - from);
        long position = reserve(units);
        int at = from;
        long offset = offsetBytes;
        for (int i = 0; i < units; i++) {
            int record = indexOf(position + i);
            int inUnit = (int) offset & (Place.UNIT_BYTES - 1);
            int length = (int) Math.min(endBytes - offset, Place.UNIT_BYTES - inUnit);
            int sector = inUnit / sectorBytes;
            int sectors = length / sectorBytes;
            for (int s = 0; s < sectors; s++) {
                memory.putInt(
                        record + CHECKSUMS_AT + (sector + s) * Integer.BYTES,
                        checksumOf(data.limit(at + sectorBytes).position(at)));
                at += sectorBytes;
            }
            int mask = ((1 << sectors) - 1) << sector;
            publish(position + i, record, firstUnit + i, 1, began, Kind.DATA, mask, firm);
            offset += length;
        }
        data.limit(limit).position(limit);
        recorded(position, units);
    }

    /** Records that a range was zeroed, as {@link #data}. */
    void zeros(long began, long offsetBytes, long lengthBytes, boolean firm) {
        range(Kind.ZEROS, began, offsetBytes, lengthBytes, firm);
    }

    /** Records that a range holds whatever it likes from now on, as {@link #data}. */
    void nothing(long began, long offsetBytes, long lengthBytes) {
        range(Kind.NOTHING, began, offsetBytes, lengthBytes, true);
    }

    private void range(Kind kind, long began, long offsetBytes, long lengthBytes, boolean firm) {
        long endBytes = offsetBytes + lengthBytes;
        int records = recordsOfRange(offsetBytes, lengthBytes);
        long position = reserve(records);
        long next = position;
        for (long at = offsetBytes; at < endBytes; ) {
            long pieceEnd = pieceEnd(at, endBytes);
            long unit = at >> Place.UNIT_SHIFT;
            int units = (int) (SegmentCursor.endUnit(pieceEnd) - unit);
            int sectors = (int) Math.min(pieceEnd - at, Place.UNIT_BYTES) / sectorBytes;
            int mask = ((1 << sectors) - 1) << (((int) at & (Place.UNIT_BYTES - 1)) / sectorBytes);
            publish(next, indexOf(next), unit, units, began, kind, mask, firm);
            next++;
            at = pieceEnd;
        }
        recorded(position, records);
    }

    private static long pieceEnd(long at, long endBytes) {
        long nextUnit = (at & -Place.UNIT_BYTES) + Place.UNIT_BYTES;
        boolean whole = (at & (Place.UNIT_BYTES - 1)) == 0;
        long wholeEnd = endBytes & -Place.UNIT_BYTES;
        if (whole && wholeEnd > at) {
            return Math.min(wholeEnd, at + ((long) Integer.MAX_VALUE << Place.UNIT_SHIFT));
        }
        return Math.min(nextUnit, endBytes);
    }

    private long reserve(int records) {
        long from = end.getAndAdd(records);
        assert from + records <= promisedEnd.get() : "records that nobody promised room for";
        return from;
    }

    private void publish(
            long position, int record, long unit, int units, long began, Kind kind, int mask, boolean firm) {
        memory.putLong(record + UNIT_AT, unit);
        memory.putLong(record + BEGAN_AT, began);
        memory.putInt(record + UNITS_AT, units);
        memory.putInt(record + WHAT_AT, kind.code | mask << MASK_SHIFT | (firm ? FIRM : 0));
        MARKS.setRelease(memory, record, position + 1);
    }

    private void recorded(long position, int records) {
        // Whoever looks for device events after this sees those that came before the marks.
        VarHandle.fullFence();
        long half = start + capacity / 2;
        if (position < half && position + records >= half) {
            halfFull.run();
        }
    }

    private int indexOf(long position) {
        return (int) (position & (capacity - 1)) * RECORD_BYTES;
    }

    // --- flushing

    /** Everything before this position is recorded completely, and was taken by the device. */
    long publishedEnd() {
        long at = Math.max(start, lookedTo);
        long reserved = end.get();
        while (at < reserved && isPublished(at)) {
            at++;
        }
        lookedTo = at;
        return at;
    }

    /** Whether the record is complete. */
    boolean isPublished(long position) {
        return (long) MARKS.getAcquire(memory, indexOf(position)) == position + 1;
    }

    /** A flush that succeeded covers the records before this position. */
    synchronized void release(long position) {
        if (position > start) {
            lasting.start(position);
            start = position;
        }
    }

    // --- looking

    long start() {
        return start;
    }

    int capacity() {
        return capacity;
    }

    /** Told of the units of a record. */
    @FunctionalInterface
    interface UnitsVisitor {
        void units(long firstUnit, long lengthUnits);
    }

    /** The units of all complete records; one that is released meanwhile may be told of, or another in its place. */
    void forEachRecord(UnitsVisitor visitor) {
        long last = end.get();
        for (long at = start; at < last; at++) {
            if (isPublished(at)) {
                visitor.units(unit(at), units(at));
            }
        }
    }

    /** Records held now, complete or not. */
    long records() {
        return end.get() - start;
    }

    long unit(long position) {
        return memory.getLong(indexOf(position) + UNIT_AT);
    }

    int units(long position) {
        return memory.getInt(indexOf(position) + UNITS_AT);
    }

    /** The position at which the write of this record began. */
    long began(long position) {
        return memory.getLong(indexOf(position) + BEGAN_AT);
    }

    Kind kind(long position) {
        return BY_CODE[memory.getInt(indexOf(position) + WHAT_AT) & 0xff];
    }

    /** The sectors that it is about, of each of its units. */
    int mask(long position) {
        return memory.getInt(indexOf(position) + WHAT_AT) >>> MASK_SHIFT & 0xff;
    }

    boolean isFirm(long position) {
        return (memory.getInt(indexOf(position) + WHAT_AT) & FIRM) != 0;
    }

    /** The checksum of a sector that the record is about; not of kind NOTHING. */
    int checksum(long position, int sector) {
        return kind(position) == Kind.ZEROS
                ? zerosChecksum
                : memory.getInt(indexOf(position) + CHECKSUMS_AT + sector * Integer.BYTES);
    }

    /**
     * The checksum of a sector, from position to limit of the buffer: CRC32C, and the last four bytes. Those, since many file
     * systems end their blocks with a CRC32C of the rest, over which another one is the same whatever the block holds.
     */
    int checksumOf(ByteBuffer sector) {
        int end = sector.limit();
        int last = (sector.get(end - 1) & 0xff)
                | ((sector.get(end - 2) & 0xff) << 8)
                | ((sector.get(end - 3) & 0xff) << 16)
                | (sector.get(end - 4) << 24);
        CRC32C checksum = checksums.get();
        checksum.reset();
        checksum.update(sector);
        return (int) checksum.getValue() ^ (last * SPREAD);
    }

    /** Sectors that records are about, each as often as it was written. */
    long sectors() {
        long count = 0;
        long published = publishedEnd();
        for (long at = start; at < published; at++) {
            count += (long) Integer.bitCount(mask(at)) * units(at);
        }
        return count;
    }
}
