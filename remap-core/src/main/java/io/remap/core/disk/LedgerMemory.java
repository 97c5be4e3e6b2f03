package io.remap.core.disk;

import java.io.IOException;
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
 * </ul>
 *
 * <p>Thread-safe.
 */
final class LedgerMemory {
    private static final long MAGIC = 0x32_47_44_4c_50_4d_45_52L; // "REMPLDG2"
    private static final int HEADER_BYTES = 4096;
    private static final int UNDER_WAY = 2048;
    private static final int UNDER_WAY_AT = HEADER_BYTES;
    private static final int RING_AT = UNDER_WAY_AT + UNDER_WAY * Long.BYTES;

    private static final int MAGIC_AT = 0;
    private static final int SECTOR_BYTES_AT = 8;
    private static final int RING_BYTES_AT = 16;
    private static final int PAIR_AT = 24;
    private static final int BOOT_AT = 40;
    private static final int GENERATION_AT = 56;
    private static final int OVERFLOWS_AT = 64;
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
     * @param generation of the metadata now, the first thing that an opening of the pair raises
     */
    record Key(UUID pair, UUID boot, long generation) {}

    /**
     * That of a file, made anew unless a killed process has left it, just before this opening of the same pair since the
     * same boot.
     */
    static LedgerMemory of(Path file, int ringBytes, int sectorBytes, Key key) throws IOException {
        int bytes = RING_AT + ringBytes;
        boolean there = Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) && Files.size(file) == bytes;
        if (!there) {
            Files.deleteIfExists(file);
            // Written whole, so that its memory is there: a page that is not is a crash when it is touched.
            Files.write(file, new byte[bytes]);
            Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        }
        ByteBuffer mapped;
        try (RandomAccessFile open = new RandomAccessFile(file.toFile(), "rw")) {
            mapped = open.getChannel().map(MapMode.READ_WRITE, 0, bytes).order(ByteOrder.nativeOrder());
        }
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
        mapped.putLong(GENERATION_AT, key.generation);
        LONGS.setRelease(mapped, MAGIC_AT, MAGIC);
        return new LedgerMemory(mapped, mapped.slice(RING_AT, ringBytes), left);
    }

    private static boolean isLeft(ByteBuffer mapped, int ringBytes, int sectorBytes, Key key) {
        return mapped.getLong(MAGIC_AT) == MAGIC
                && mapped.getInt(SECTOR_BYTES_AT) == sectorBytes
                && mapped.getLong(RING_BYTES_AT) == ringBytes
                && uuid(mapped, PAIR_AT).equals(key.pair)
                && uuid(mapped, BOOT_AT).equals(key.boot)
                // Somebody else has had the pair meanwhile: what he wrote is in no record.
                && mapped.getLong(GENERATION_AT) + 1 == key.generation
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

    /** The metadata has another generation now. */
    void noteGeneration(long generation) {
        if (file != null) {
            LONGS.setRelease(file, GENERATION_AT, generation);
        }
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
