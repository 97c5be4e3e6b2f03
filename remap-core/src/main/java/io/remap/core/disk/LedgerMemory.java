package io.remap.core.disk;

import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The memory of a {@link Ledger}: the ring of its records, the beginning of those in force, and which writes are at the device
 * now. In a mapped file it outlives the process: SIGKILL keeps what was stored, in the order of the stores.
 *
 * <p>Invariants, for the reader of what a killed process left:
 *
 * <ul>
 *   <li>A record is whole if its mark says its position, and that is not before {@link #start}: the start is stored before
 *       a place of the ring is used again, and a mark after its record.
 *   <li>A write that may have reached the device without a record is among those under way: it is entered before the device
 *       has it, and taken out after it was recorded.
 *   <li>It names the opening of the pair whose records these are, and the one that follows: that one may be killed before it
 *       takes them over, with its name on the pair already. Of the two names one is always whole.
 * </ul>
 *
 * <p>Thread-safe.
 */
final class LedgerMemory {
    private static final long MAGIC = 0x33_47_44_4c_50_4d_45_52L; // "REMPLDG3"
    private static final int HEADER_BYTES = 4096;
    private static final int UNDER_WAY = 2048;
    private static final int UNDER_WAY_AT = HEADER_BYTES;
    private static final int RING_AT = UNDER_WAY_AT + UNDER_WAY * Long.BYTES;

    /** Of a new file that is written at a time. */
    private static final int PART_BYTES = 64 << 10;

    private static final int MAGIC_AT = 0;
    private static final int SECTOR_BYTES_AT = 8;
    private static final int RING_BYTES_AT = 16;
    private static final int PAIR_AT = 24;
    private static final int BOOT_AT = 40;
    private static final int OVERFLOWS_AT = 64;
    private static final int SESSION_AT = 72;
    private static final int NEXT_AT = 88;
    private static final int START_AT = 128;

    /** A write under way: first unit, units; never 0. */
    private static final int UNITS_BITS = 23;

    private static final int MAX_UNITS = (1 << UNITS_BITS) - 1;
    private static final long MAX_UNIT = (1L << (Long.SIZE - UNITS_BITS)) - 1;

    private static final VarHandle LONGS = MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.nativeOrder());

    /** Where a thread looks first for room: another place for each. */
    private static final AtomicInteger SPREAD = new AtomicInteger();

    private final ThreadLocal<Integer> first = ThreadLocal.withInitial(() -> SPREAD.addAndGet(8) & (UNDER_WAY - 1));

    /** {@code null}: it ends with the process, and of all this only the ring is needed. */
    private final ByteBuffer file;

    private final ByteBuffer ring;
    private final boolean left;

    private LedgerMemory(ByteBuffer file, ByteBuffer ring, boolean left) {
        this.file = file;
        this.ring = ring.order(ByteOrder.nativeOrder());
        this.left = left;
    }

    /** One that ends with the process. */
    static LedgerMemory unnamed(int ringBytes) {
        ByteBuffer ring = ByteBuffer.allocateDirect(ringBytes + Ledger.RECORD_BYTES)
                .alignedSlice(Ledger.RECORD_BYTES)
                .limit(ringBytes)
                .slice();
        return new LedgerMemory(null, ring, false);
    }

    /**
     * Whose it is.
     *
     * @param pair the pair of devices
     * @param boot of this machine: after another one nothing is under way any more, and caches are empty
     * @param found which opening of the pair was the last one: had somebody else had it after the process that left the file,
     *     what he wrote would be in no record
     * @param session the opening now
     */
    record Key(UUID pair, UUID boot, UUID found, UUID session) {}

    /**
     * Before an opening puts its name on the pair: names it in a file that the one before has left. Of any other opening the
     * file is good for nothing, and goes.
     */
    static void announce(Path file, Key key) throws IOException {
        boolean named = false;
        if (Files.size(file) >= HEADER_BYTES) {
            ByteBuffer header = map(file, HEADER_BYTES);
            named = header.getLong(MAGIC_AT) == MAGIC
                    && uuid(header, PAIR_AT).equals(key.pair)
                    && uuid(header, BOOT_AT).equals(key.boot)
                    && (uuid(header, SESSION_AT).equals(key.found)
                            || uuid(header, NEXT_AT).equals(key.found));
            if (named) {
                putUuid(header, SESSION_AT, key.found);
                VarHandle.fullFence();
                putUuid(header, NEXT_AT, key.session);
            }
        }
        if (!named) {
            Files.delete(file);
        }
    }

    private static ByteBuffer map(Path file, int bytes) throws IOException {
        try (RandomAccessFile open = new RandomAccessFile(file.toFile(), "rw")) {
            return open.getChannel().map(MapMode.READ_WRITE, 0, bytes).order(ByteOrder.nativeOrder());
        }
    }

    /** That of a file, made anew unless a killed process has left it, and this opening was announced in it. */
    static LedgerMemory of(Path file, int ringBytes, int sectorBytes, Key key) throws IOException {
        int bytes = RING_AT + ringBytes;
        boolean there = Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) && Files.size(file) == bytes;
        if (!there) {
            Files.deleteIfExists(file);
            // Written whole, so that its memory is there: a page that is not is a crash when it is touched.
            writeZeros(file, bytes);
            Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        }
        ByteBuffer mapped = map(file, bytes);
        boolean left = there && isLeft(mapped, ringBytes, sectorBytes, key);
        if (!left) {
            mapped.putLong(MAGIC_AT, 0);
            for (int at = Long.BYTES; at < bytes; at += Long.BYTES) {
                mapped.putLong(at, 0);
            }
        }
        mapped.putInt(SECTOR_BYTES_AT, sectorBytes);
        mapped.putLong(RING_BYTES_AT, ringBytes);
        putUuid(mapped, PAIR_AT, key.pair);
        putUuid(mapped, BOOT_AT, key.boot);
        putUuid(mapped, NEXT_AT, key.session);
        VarHandle.fullFence();
        putUuid(mapped, SESSION_AT, key.session);
        LONGS.setRelease(mapped, MAGIC_AT, MAGIC);
        return new LedgerMemory(mapped, mapped.slice(RING_AT, ringBytes), left);
    }

    /** In parts: the heap may be smaller than the ledger. */
    private static void writeZeros(Path file, int bytes) throws IOException {
        byte[] part = new byte[Math.min(bytes, PART_BYTES)];
        try (OutputStream out = Files.newOutputStream(file)) {
            for (int done = 0; done < bytes; done += part.length) {
                out.write(part, 0, Math.min(part.length, bytes - done));
            }
        }
    }

    private static boolean isLeft(ByteBuffer mapped, int ringBytes, int sectorBytes, Key key) {
        return mapped.getLong(MAGIC_AT) == MAGIC
                && mapped.getInt(SECTOR_BYTES_AT) == sectorBytes
                && mapped.getLong(RING_BYTES_AT) == ringBytes
                && uuid(mapped, PAIR_AT).equals(key.pair)
                && uuid(mapped, BOOT_AT).equals(key.boot)
                && uuid(mapped, SESSION_AT).equals(key.found)
                && uuid(mapped, NEXT_AT).equals(key.session)
                && mapped.getLong(OVERFLOWS_AT) == 0;
    }

    private static UUID uuid(ByteBuffer mapped, int at) {
        return new UUID(mapped.getLong(at), mapped.getLong(at + Long.BYTES));
    }

    private static void putUuid(ByteBuffer mapped, int at, UUID uuid) {
        mapped.putLong(at, uuid.getMostSignificantBits()).putLong(at + Long.BYTES, uuid.getLeastSignificantBits());
    }

    /** Whether it holds what a killed process left. */
    boolean isLeft() {
        return left;
    }

    /** The records, empty or left. */
    ByteBuffer ring() {
        return ring;
    }

    long start() {
        return (long) LONGS.getAcquire(file, START_AT);
    }

    /** Before any place of the ring is used again that this gives back. */
    void start(long position) {
        if (file != null) {
            LONGS.setRelease(file, START_AT, position);
            VarHandle.fullFence();
        }
    }

    // --- writes under way

    /** Enters a write before the device has it; gives what {@link #ended} needs. */
    int begins(long unit, long units) {
        if (file == null) {
            return 0;
        }
        if (unit <= MAX_UNIT && units <= MAX_UNITS) {
            long entry = unit << UNITS_BITS | units;
            int from = first.get();
            for (int i = 0; i < UNDER_WAY; i++) {
                int slot = from + i & (UNDER_WAY - 1);
                if (LONGS.compareAndSet(file, at(slot), 0L, entry)) {
                    return slot + 1;
                }
            }
        }
        LONGS.getAndAdd(file, OVERFLOWS_AT, 1L);
        return 0;
    }

    /** The write was recorded, or its error was. */
    void ended(int entered) {
        if (file == null) {
            return;
        }
        if (entered == 0) {
            LONGS.getAndAdd(file, OVERFLOWS_AT, -1L);
        } else {
            LONGS.setRelease(file, at(entered - 1), 0L);
        }
    }

    private static int at(int slot) {
        return UNDER_WAY_AT + slot * Long.BYTES;
    }

    /** Told of the units of a write. */
    @FunctionalInterface
    interface UnitsVisitor {
        void units(long first, long count);
    }

    /** Takes out all writes that were under way when the process was killed. */
    void takeUnderWay(UnitsVisitor visitor) {
        for (int slot = 0; slot < UNDER_WAY; slot++) {
            long entry = (long) LONGS.getAcquire(file, at(slot));
            if (entry != 0) {
                visitor.units(entry >>> UNITS_BITS, entry & MAX_UNITS);
                LONGS.setRelease(file, at(slot), 0L);
            }
        }
    }
}
