package io.remap.testkit;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceTraits;
import io.remap.api.Errno;
import io.remap.testkit.SectorContents.Content;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/**
 * A device in memory with a volatile cache. Every write goes to the cache, sector by sector, and is journaled until a
 * flush; {@link #crash} gives the device as a power cut would leave it: any subset of the sectors that were not flushed,
 * so also a write that is torn between its sectors. Sparse: sectors never written read as zeros and cost nothing.
 *
 * <p>A drive may instead have written whole physical sectors, and be unable to read the one that it was writing until that is
 * written again ({@link #crashUnreadable}).
 *
 * <p>Faults: the n-th operation fails with an errno, ranges cannot be read or written. After a flush
 * that fails any part of what was in the cache may be durable; the rest is still read back, but no later flush makes it
 * durable, as with a page cache. Or it is a drive ({@link #forgetWhenFlushFails}): then some of it is gone.
 *
 * <p>Thread-safe. An observer is called before each operation, on the calling thread.
 */
public final class CrashDevice implements BlockDevice {
    /** What the device is asked to do. */
    public enum Operation {
        READ,
        WRITE,
        FLUSH,
        DISCARD,
        ZERO
    }

    /** Watches the operations. */
    @FunctionalInterface
    public interface Observer {
        /** Called before the operation has any effect. */
        void before(Operation operation, long offsetBytes, long lengthBytes);
    }

    /**
     * A sector in the cache.
     *
     * @param dropped a flush of it has failed: it may be durable or not, and no later flush changes that
     */
    private record SectorWrite(long sector, Content content, boolean dropped) {}

    private record Fault(long firstOperation, long lastOperation, int errno) {}

    private record Range(long startBytes, long endBytes, boolean reads, boolean writes, int errno) {}

    private final String name;
    private final DeviceTraits traits;
    private final int sectorBytes;
    private final SectorContents durable;
    private final SectorContents visible;
    private final List<SectorWrite> pending = new ArrayList<>();
    /** Sectors that cannot be read until they are written: on the medium, and past the cache. */
    private final Set<Long> unreadable = new HashSet<>();

    private final Set<Long> visiblyUnreadable = new HashSet<>();
    private final List<Fault> faults = new ArrayList<>();
    private final List<Range> badRanges = new ArrayList<>();
    private final Map<Operation, Long> counts = new EnumMap<>(Operation.class);
    private long operations;
    private Observer observer = (operation, offset, length) -> {};
    private boolean failedWritesLand;
    private Runnable whenFlushFails;
    private boolean readOnly;
    private boolean closed;
    private int failingFlush;
    private int failingWrites;

    /** A device of zeros whose physical sector is 4096 bytes and that needs transfers aligned to its sector. */
    public CrashDevice(String name, long sizeBytes, int sectorBytes) {
        this(name, sizeBytes, sectorBytes, Math.max(4096, sectorBytes));
    }

    public CrashDevice(String name, long sizeBytes, int sectorBytes, int physicalSectorBytes) {
        this(
                name,
                new DeviceTraits(
                        sizeBytes, sectorBytes, physicalSectorBytes, sectorBytes, true, false, false, false, false),
                new SectorContents(sizeBytes / sectorBytes, sectorBytes),
                new SectorContents(sizeBytes / sectorBytes, sectorBytes));
    }

    private CrashDevice(String name, DeviceTraits traits, SectorContents durable, SectorContents visible) {
        this.name = name;
        this.traits = traits;
        this.sectorBytes = traits.logicalSectorBytes();
        this.durable = durable;
        this.visible = visible;
    }

    // --- What tests do with it.

    /** Calls this before each operation; {@code null} for none. */
    public synchronized void observe(Observer newObserver) {
        observer = newObserver == null ? (operation, offset, length) -> {} : newObserver;
    }

    /** Operations so far, failed ones included: the number of the next one. */
    public synchronized long operations() {
        return operations;
    }

    public synchronized long operations(Operation operation) {
        return counts.getOrDefault(operation, 0L);
    }

    /** Sector writes that a power cut may lose now. */
    public synchronized int unflushedSectors() {
        return pending.size();
    }

    /** The operation with this number fails, and works again afterwards. */
    public synchronized void failOperation(long number, int errno) {
        faults.add(new Fault(number, number, errno));
    }

    /** All operations from this number on fail. */
    public synchronized void failFrom(long number, int errno) {
        faults.add(new Fault(number, Long.MAX_VALUE, errno));
    }

    /** One flush fails with EIO: the next one, after so many that succeed. */
    public synchronized void failFlushAfter(int successes) {
        failingFlush = successes + 1;
    }

    /**
     * From now on it is a drive and no page cache: of what is in its cache when {@link #failFlushAfter} has a flush fail, some
     * is gone, which a read shows, and the next flush makes the rest durable.
     *
     * @param told at that moment, before anything is gone
     */
    public synchronized void forgetWhenFlushFails(Runnable told) {
        whenFlushFails = told;
    }

    /** The next writes fail with EIO. */
    public synchronized void failWrites(int count) {
        failingWrites = count;
    }

    /**
     * Whether a write that fails changes its sectors nevertheless (by default it does not); those in a range that cannot be
     * written keep what they hold.
     */
    public synchronized void failedWritesLand(boolean land) {
        failedWritesLand = land;
    }

    /** Reads that touch the range fail with EIO; writes do not heal it. */
    public synchronized void makeUnreadable(long offsetBytes, long lengthBytes) {
        badRanges.add(new Range(offsetBytes, offsetBytes + lengthBytes, true, false, Errno.EIO));
    }

    /** Reads that touch the range fail with EIO, and each sector of it reads again once it is written. */
    public synchronized void makeUnreadableUntilWritten(long offsetBytes, long lengthBytes) {
        for (long at = offsetBytes; at < offsetBytes + lengthBytes; at += sectorBytes) {
            unreadable.add(at / sectorBytes);
            visiblyUnreadable.add(at / sectorBytes);
        }
    }

    /** Bytes at which sectors begin that cannot be read until they are written, as on the medium. */
    public synchronized List<Long> unreadableUntilWritten() {
        return unreadable.stream().map(sector -> sector * sectorBytes).sorted().toList();
    }

    /** Writes that touch the range fail with EIO and change nothing. */
    public synchronized void makeUnwritable(long offsetBytes, long lengthBytes) {
        badRanges.add(new Range(offsetBytes, offsetBytes + lengthBytes, false, true, Errno.EIO));
    }

    /** Ends all faults. */
    public synchronized void heal() {
        faults.clear();
        badRanges.clear();
        unreadable.clear();
        visiblyUnreadable.clear();
        failingFlush = 0;
        failingWrites = 0;
    }

    /** Writes fail with EROFS from now on, and a test may rely on it that nothing was written. */
    public synchronized void refuseWrites() {
        readOnly = true;
    }

    /** Bytes as they are read now, past all faults. */
    public synchronized byte[] peek(long offsetBytes, int lengthBytes) {
        ByteBuffer bytes = ByteBuffer.allocate(lengthBytes);
        copyOut(offsetBytes, bytes);
        return bytes.array();
    }

    /** Replaces whole sectors, durably, past all faults. */
    public synchronized void poke(long offsetBytes, byte[] bytes) {
        for (int at = 0; at < bytes.length; at += sectorBytes) {
            Content content = new Content(Arrays.copyOfRange(bytes, at, at + sectorBytes));
            long sector = (offsetBytes + at) / sectorBytes;
            visible.put(sector, content);
            durable.put(sector, content);
            unreadable.remove(sector);
            visiblyUnreadable.remove(sector);
        }
    }

    /** Changes one bit, durably. */
    public synchronized void flipBit(long offsetBytes, int bit) {
        long start = offsetBytes / sectorBytes * sectorBytes;
        byte[] sector = peek(start, sectorBytes);
        sector[(int) (offsetBytes - start)] ^= (byte) (1 << bit);
        poke(start, sector);
    }

    /** The device after a power cut: the flushed content and a subset of the rest, chosen by the seed. */
    public CrashDevice crash(long seed) {
        Random random = new Random(seed);
        // Few survivors, many, or anything between: the ends are where bugs hide.
        int percent = new int[] {0, 10, 50, 90, 100}[random.nextInt(5)];
        return crashKeeping(i -> random.nextInt(100) < percent);
    }

    /** The device after a power cut that kept exactly the unflushed sector writes with these numbers (oldest 0). */
    public CrashDevice crashKeeping(IntPredicate kept) {
        return crashKeeping(kept, -1, 0);
    }

    /**
     * As the other; one of the writes was under way when the power went.
     *
     * @param torn the number of that write, which left any mixture of what stood there and what it brought; -1 for none
     * @param seed decides the mixture
     */
    public synchronized CrashDevice crashKeeping(IntPredicate kept, int torn, long seed) {
        SectorContents left = durable.copy();
        Set<Long> bad = new HashSet<>(unreadable);
        for (int i = 0; i < pending.size(); i++) {
            SectorWrite write = pending.get(i);
            if (i == torn) {
                left.put(write.sector, torn(left.get(write.sector), write.content, new Random(seed)));
            } else if (kept.test(i)) {
                left.put(write.sector, write.content);
            } else {
                continue;
            }
            bad.remove(write.sector);
        }
        return left(left, bad);
    }

    /**
     * As the others, of a drive that writes physical sectors whole: of each write to one all sectors are kept, or none is. The
     * one that it was writing cannot be read until it is written again.
     *
     * @param kept asked of the first sector of a write to a physical one
     * @param torn the number of a write of the sector that was under way; -1 for none
     */
    public synchronized CrashDevice crashUnreadable(IntPredicate kept, int torn) {
        SectorContents left = durable.copy();
        Set<Long> bad = new HashSet<>(unreadable);
        boolean lands = false;
        for (int i = 0; i < pending.size(); i++) {
            SectorWrite write = pending.get(i);
            lands = (i > 0 && isOneWrite(pending.get(i - 1), write)) ? lands : kept.test(i);
            if (lands) {
                left.put(write.sector, write.content);
                bad.remove(write.sector);
            }
        }
        if (torn >= 0) {
            long perPhysical = Math.max(1, traits.physicalSectorBytes() / sectorBytes);
            long first = pending.get(torn).sector / perPhysical * perPhysical;
            for (long sector = first; sector < first + perPhysical; sector++) {
                bad.add(sector);
            }
        }
        return left(left, bad);
    }

    /** Of the unflushed sector writes (oldest 0) the numbers of those that begin a write to a physical sector. */
    public synchronized List<Integer> physicalWrites() {
        return IntStream.range(0, pending.size())
                .filter(i -> i == 0 || !isOneWrite(pending.get(i - 1), pending.get(i)))
                .boxed()
                .toList();
    }

    private boolean isOneWrite(SectorWrite before, SectorWrite next) {
        long at = next.sector * sectorBytes;
        return next.sector == before.sector + 1 && at % traits.physicalSectorBytes() != 0;
    }

    private CrashDevice left(SectorContents contents, Set<Long> bad) {
        CrashDevice left = new CrashDevice(name, traits, contents, contents.copy());
        left.unreadable.addAll(bad);
        left.visiblyUnreadable.addAll(bad);
        return left;
    }

    /** The new content in words that a seed picks: at the front, at the end, or anywhere. */
    private static Content torn(Content old, Content written, Random random) {
        List<Integer> differing = new ArrayList<>();
        for (int at = 0; at < old.bytes.length; at += Long.BYTES) {
            if (!Arrays.equals(old.bytes, at, at + Long.BYTES, written.bytes, at, at + Long.BYTES)) {
                differing.add(at);
            }
        }
        int manner = random.nextInt(3);
        int cut = differing.isEmpty() ? 0 : random.nextInt(differing.size());
        byte[] bytes = old.bytes.clone();
        for (int i = 0; i < differing.size(); i++) {
            boolean taken = manner == 0 ? i < cut : manner == 1 ? i >= cut : random.nextBoolean();
            if (taken) {
                System.arraycopy(written.bytes, differing.get(i), bytes, differing.get(i), Long.BYTES);
            }
        }
        return new Content(bytes);
    }

    /** The same for devices of equal flushed content, and different for others as far as 64 bits go. */
    public synchronized long durableKey() {
        long key = durable.key();
        for (long sector : unreadable) {
            key += (sector + 1) * 0xD6E8FEB86659FD93L;
        }
        return key;
    }

    /** An equal device: content, cache, sectors that are unreadable until written, but no other faults and no observer. */
    public synchronized CrashDevice copy() {
        CrashDevice copy = new CrashDevice(name, traits, durable.copy(), visible.copy());
        copy.pending.addAll(pending);
        copy.unreadable.addAll(unreadable);
        copy.visiblyUnreadable.addAll(visiblyUnreadable);
        return copy;
    }

    /** Whether both read the same everywhere. */
    public boolean sameContent(CrashDevice other) {
        return visible.sameAs(other.visible);
    }

    // --- The device.

    @Override
    public void read(long offsetBytes, ByteBuffer target) throws DeviceException {
        int length = target.remaining();
        begin(Operation.READ, offsetBytes, length);
        synchronized (this) {
            failIfTold(Operation.READ, "read", offsetBytes, length);
            copyOut(offsetBytes, target);
        }
    }

    private void copyOut(long offsetBytes, ByteBuffer target) {
        long sector = offsetBytes / sectorBytes;
        while (target.hasRemaining()) {
            target.put(visible.get(sector++).bytes, 0, Math.min(sectorBytes, target.remaining()));
        }
    }

    @Override
    public void write(long offsetBytes, ByteBuffer source) throws DeviceException {
        int length = source.remaining();
        begin(Operation.WRITE, offsetBytes, length);
        synchronized (this) {
            try {
                failIfTold(Operation.WRITE, "write", offsetBytes, length);
            } catch (DeviceException e) {
                if (failedWritesLand && !readOnly) {
                    take(offsetBytes, source);
                }
                throw e;
            }
            take(offsetBytes, source);
        }
    }

    private void take(long offsetBytes, ByteBuffer source) {
        for (long sector = offsetBytes / sectorBytes; source.hasRemaining(); sector++) {
            byte[] content = new byte[sectorBytes];
            source.get(content);
            cache(sector, new Content(content));
        }
    }

    private void cache(long sector, Content content) {
        if (isUnwritable(sector)) {
            return;
        }
        visible.put(sector, content);
        visiblyUnreadable.remove(sector);
        pending.add(new SectorWrite(sector, content, false));
    }

    @Override
    public void flush() throws DeviceException {
        begin(Operation.FLUSH, 0, 0);
        synchronized (this) {
            boolean forgets = failingFlush == 1 && whenFlushFails != null;
            try {
                failIfTold(Operation.FLUSH, "flush", 0, 0);
            } catch (DeviceException e) {
                if (forgets) {
                    whenFlushFails.run();
                    forgetSome(new Random(operations));
                } else {
                    pending.replaceAll(write -> new SectorWrite(write.sector, write.content, true));
                }
                throw e;
            }
            Set<Long> settled = new HashSet<>();
            for (SectorWrite write : pending) {
                if (!write.dropped) {
                    durable.put(write.sector, write.content);
                    unreadable.remove(write.sector);
                    settled.add(write.sector);
                }
            }
            pending.removeIf(write -> settled.contains(write.sector));
        }
    }

    /** Some sectors, one at least. */
    private void forgetSome(Random random) {
        List<Long> sectors = new ArrayList<>(
                new TreeSet<>(pending.stream().map(SectorWrite::sector).toList()));
        Collections.shuffle(sectors, random);
        Set<Long> gone = Set.copyOf(sectors.subList(0, sectors.isEmpty() ? 0 : 1 + random.nextInt(sectors.size())));
        pending.removeIf(write -> gone.contains(write.sector));
        gone.forEach(sector -> visible.put(sector, durable.get(sector)));
        gone.stream().filter(unreadable::contains).forEach(visiblyUnreadable::add);
    }

    @Override
    public void discard(long offsetBytes, long lengthBytes) throws DeviceException {
        zeroSectors(Operation.DISCARD, "discard", offsetBytes, lengthBytes);
    }

    @Override
    public void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) throws DeviceException {
        zeroSectors(Operation.ZERO, "zero", offsetBytes, lengthBytes);
    }

    private void zeroSectors(Operation operation, String verb, long offsetBytes, long lengthBytes)
            throws DeviceException {
        begin(operation, offsetBytes, lengthBytes);
        synchronized (this) {
            failIfTold(operation, verb, offsetBytes, lengthBytes);
            for (long at = offsetBytes; at < offsetBytes + lengthBytes; at += sectorBytes) {
                cache(at / sectorBytes, visible.zeros());
            }
        }
    }

    /** Checks the arguments and tells the observer, which may look at this device. */
    private void begin(Operation operation, long offsetBytes, long lengthBytes) {
        Observer told;
        synchronized (this) {
            if (closed) {
                throw new IllegalStateException(name + " is closed");
            }
            if (offsetBytes < 0
                    || offsetBytes % sectorBytes != 0
                    || lengthBytes % sectorBytes != 0
                    || lengthBytes > traits.sizeBytes() - offsetBytes) {
                throw new IllegalArgumentException(name + ": no such range: " + offsetBytes + "+" + lengthBytes);
            }
            told = observer;
        }
        told.before(operation, offsetBytes, lengthBytes);
    }

    private void failIfTold(Operation operation, String verb, long offsetBytes, long lengthBytes)
            throws DeviceException {
        long number = operations++;
        counts.merge(operation, 1L, Long::sum);
        boolean writes = operation != Operation.READ && operation != Operation.FLUSH;
        if (readOnly && writes) {
            throw new DeviceException(name, verb, offsetBytes, lengthBytes, Errno.EROFS);
        }
        for (Fault fault : faults) {
            if (number >= fault.firstOperation && number <= fault.lastOperation) {
                throw new DeviceException(name, verb, offsetBytes, lengthBytes, fault.errno);
            }
        }
        boolean flushFails = operation == Operation.FLUSH && failingFlush > 0 && --failingFlush == 0;
        boolean writeFails = operation == Operation.WRITE && failingWrites > 0 && failingWrites-- > 0;
        if (flushFails || writeFails) {
            throw new DeviceException(name, verb, offsetBytes, lengthBytes, Errno.EIO);
        }
        if (operation == Operation.READ && isVisiblyUnreadable(offsetBytes, lengthBytes)) {
            throw new DeviceException(name, verb, offsetBytes, lengthBytes, Errno.EIO);
        }
        for (Range range : badRanges) {
            boolean concerned = operation == Operation.READ ? range.reads : writes && range.writes;
            if (concerned && offsetBytes < range.endBytes && range.startBytes < offsetBytes + lengthBytes) {
                throw new DeviceException(name, verb, offsetBytes, lengthBytes, range.errno);
            }
        }
    }

    private boolean isVisiblyUnreadable(long offsetBytes, long lengthBytes) {
        for (long sector : visiblyUnreadable) {
            long at = sector * sectorBytes;
            if (offsetBytes < at + sectorBytes && at < offsetBytes + lengthBytes) {
                return true;
            }
        }
        return false;
    }

    private boolean isUnwritable(long sector) {
        long at = sector * sectorBytes;
        for (Range range : badRanges) {
            if (range.writes && at < range.endBytes && range.startBytes < at + sectorBytes) {
                return true;
            }
        }
        return false;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public DeviceTraits traits() {
        return traits;
    }

    @Override
    public DeviceIdentity identity() {
        return DeviceIdentity.ofWhole("path:" + name, "mem:" + name, traits.sizeBytes(), "");
    }

    @Override
    public synchronized void close() {
        closed = true;
    }
}
