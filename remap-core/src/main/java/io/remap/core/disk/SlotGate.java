package io.remap.core.disk;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import io.remap.api.Place;
import io.remap.api.Seal;
import io.remap.api.spi.SpareSlots;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.BooleanSupplier;
import java.util.function.LongConsumer;
import java.util.zip.CRC32C;

/**
 * Stands before the slots of one spare: lets writes through to regions that are open, keeps them from sealed ones, and
 * compares what is read from these with their checksums. Every transfer to slots passes here ({@link TrackedDevice}), so
 * that no writer and no reader can forget it; {@link Checksums} decides when a region is closed and opened.
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>While a region is closed no write to it is under way: one that enters is refused, and it closes only when none is
 *       there. Who enters marks the region as touched, before the transfer; so whoever cleared the mark while nobody was
 *       there, and finds it clear once the region is closed, knows that nothing was written between.
 *   <li>A region is closed wherever a record of its seal may be found at the next start.
 *   <li>What is read is compared only if the same seal was in force before and after: then nothing was written meanwhile, and
 *       what differs is not what was sealed.
 * </ul>
 *
 * <p>Thread-safe. A write costs two atomic operations for each region, and no allocation but for the first one there.
 */
final class SlotGate {
    /** Most regions whose checksums are kept in memory: 9 MiB. */
    static final int MAX_LOADED = 4096;

    /** Of a sector that does not read. */
    private static final int READ_TRIES = 3;

    private static final int CLOSED = 1 << 31;
    private static final SealBlock NOTHING_CLAIMED = new SealBlock();
    private static final VarHandle WORD;

    static {
        try {
            WORD = MethodHandles.lookup().findVarHandle(Region.class, "word", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** What is known of a region. */
    private static final class Region {
        /** {@link #CLOSED}, and how many writes are under way. */
        @SuppressWarnings("unused")
        private volatile int word;

        private volatile boolean touched;
        /** Replaced as a whole, under the monitor of {@link SlotGate#loaded}. */
        private volatile InForce inForce = InForce.NONE;
    }

    /** What is claimed of a region. */
    private static final class InForce {
        private static final InForce NONE = new InForce(0, null);

        /** Durable; 0 if there is none. */
        private final long seal;
        /** Of that seal; {@code null} if they are not in memory. */
        private final SealBlock claims;

        InForce(long seal, SealBlock claims) {
            this.seal = seal;
            this.claims = claims;
        }
    }

    /** The regions by number, in pages that come to be where something is known: most of a large spare is never written. */
    private static final class Regions {
        private static final int PAGE_SHIFT = 10;

        private final AtomicReferenceArray<AtomicReferenceArray<Region>> pages;

        Regions(int count) {
            pages = new AtomicReferenceArray<>(((count - 1) >> PAGE_SHIFT) + 1);
        }

        /** {@code null}: nothing is known of it. */
        private Region get(int index) {
            AtomicReferenceArray<Region> page = pages.get(index >> PAGE_SHIFT);
            return page == null ? null : page.get(index & ((1 << PAGE_SHIFT) - 1));
        }

        private Region make(int index) {
            if (pages.get(index >> PAGE_SHIFT) == null) {
                pages.compareAndSet(index >> PAGE_SHIFT, null, new AtomicReferenceArray<>(1 << PAGE_SHIFT));
            }
            AtomicReferenceArray<Region> page = pages.get(index >> PAGE_SHIFT);
            int place = index & ((1 << PAGE_SHIFT) - 1);
            page.compareAndSet(place, null, new Region());
            return page.get(place);
        }
    }

    private final UUID pairUuid;
    private final SpareSlots slots;
    private final int sectorBytes;
    private final Regions regions;
    private final Deque<Region> loaded = new ArrayDeque<>();

    // Set before the first client.
    private BlockDevice spare;
    private BooleanSupplier alive = () -> true;
    private Runnable whenTouched = () -> {};

    private LongConsumer whenRotten = slot -> {};
    private LongConsumer whenUnclaimed = region -> {};

    SlotGate(UUID pairUuid, SpareSlots slots, int sectorBytes) {
        this.pairUuid = pairUuid;
        this.slots = slots;
        this.sectorBytes = sectorBytes;
        this.regions = new Regions((int) Seal.regionOf(slots.count() - 1) + 1);
    }

    /**
     * Sets what it reads by itself, and who is told; by the threads that transfer, so none of these may block.
     *
     * @param device the spare, past this gate
     * @param isAlive whether it answers: where it does not nothing is told of its sectors
     * @param touched a region was written for the first time since it was last looked at
     * @param rotten a slot does not hold what was sealed
     * @param unclaimed the checksums of a sealed region are not there: nothing is claimed of it
     */
    void listen(
            BlockDevice device,
            BooleanSupplier isAlive,
            Runnable touched,
            LongConsumer rotten,
            LongConsumer unclaimed) {
        spare = device;
        alive = isAlive;
        whenTouched = touched;
        whenRotten = rotten;
        whenUnclaimed = unclaimed;
    }

    private Region region(int index) {
        Region region = regions.get(index);
        return region == null ? regions.make(index) : region;
    }

    private int regionIndex(long offsetBytes) {
        long slot = slots.slotAt(offsetBytes);
        if (slot < 0) {
            throw new IllegalArgumentException("no slot at byte " + offsetBytes);
        }
        return (int) Seal.regionOf(slot);
    }

    // --- writers

    /** Lets a write to slots begin; {@code false}: the region, or one of them, is closed. */
    boolean enter(long offsetBytes, long lengthBytes) {
        int first = regionIndex(offsetBytes);
        int last = regionIndex(offsetBytes + lengthBytes - 1);
        for (int index = first; index <= last; index++) {
            if (!enter(region(index))) {
                for (int entered = first; entered < index; entered++) {
                    WORD.getAndAdd(region(entered), -1);
                }
                return false;
            }
        }
        return true;
    }

    private boolean enter(Region region) {
        while (true) {
            int word = region.word;
            if ((word & CLOSED) != 0) {
                return false;
            }
            if (WORD.compareAndSet(region, word, word + 1)) {
                break;
            }
        }
        if (!region.touched) {
            region.touched = true;
            whenTouched.run();
        }
        return true;
    }

    /** What {@link #enter} let through has ended, whatever came of it. */
    void leave(long offsetBytes, long lengthBytes) {
        int last = regionIndex(offsetBytes + lengthBytes - 1);
        for (int index = regionIndex(offsetBytes); index <= last; index++) {
            WORD.getAndAdd(region(index), -1);
        }
    }

    /** Why a write is refused: no verdict on anything, as it is tried again once the region is open. */
    static DeviceException refusal(BlockDevice device, String operation, long offsetBytes, long lengthBytes) {
        return new DeviceException(
                device.name(),
                operation,
                offsetBytes,
                lengthBytes,
                Errno.NONE,
                ErrorClass.HOST,
                "checksums of these slots are in force, which must be opened first",
                null);
    }

    // --- who seals and opens

    boolean isClosed(long region) {
        Region known = regions.get((int) region);
        return known != null && (known.word & CLOSED) != 0;
    }

    /** The first closed region of a range on the spare, -1 if there is none. */
    long firstClosed(long offsetBytes, long lengthBytes) {
        int last = regionIndex(offsetBytes + lengthBytes - 1);
        for (int index = regionIndex(offsetBytes); index <= last; index++) {
            if (isClosed(index)) {
                return index;
            }
        }
        return -1;
    }

    /** Whether the region was written since it was last asked, or is being written. */
    boolean takeTouched(long region) {
        Region known = region((int) region);
        boolean touched = known.touched;
        known.touched = false;
        return known.word != 0 || touched;
    }

    /** As a write would mark it, if it is open; {@code false}: it is not. */
    boolean touch(long region) {
        Region known = region((int) region);
        boolean entered = enter(known);
        if (entered) {
            WORD.getAndAdd(known, -1);
        }
        return entered;
    }

    /** Closes the region, if nothing was written since {@link #takeTouched} said so, nor is. */
    boolean close(long region) {
        Region known = region((int) region);
        if (!WORD.compareAndSet(known, 0, CLOSED)) {
            return false;
        }
        if (known.touched) {
            known.word = 0;
            return false;
        }
        return true;
    }

    /** The seal of a closed region is durable. */
    void sealed(long region, long seal, SealBlock claims) {
        Region known = region((int) region);
        synchronized (loaded) {
            put(known, new InForce(seal, claims));
        }
    }

    /** At the start: a region is closed as the table states it. */
    void restore(long region, long seal) {
        Region known = region((int) region);
        known.inForce = new InForce(seal, null);
        known.word = CLOSED;
    }

    /** It is not sealed any more, or never came to be. */
    void reopen(long region) {
        Region known = region((int) region);
        synchronized (loaded) {
            known.inForce = InForce.NONE;
        }
        known.touched = true;
        known.word = 0;
        whenTouched.run();
    }

    /** The seal that is in force, 0 if none is. */
    long sealOf(long region) {
        Region known = regions.get((int) region);
        return known == null ? 0 : known.inForce.seal;
    }

    /** Puts another one in its place, if that is still there. */
    private void keep(Region region, InForce before, InForce after) {
        synchronized (loaded) {
            if (region.inForce == before) {
                put(region, after);
            }
        }
    }

    /** Under the monitor. */
    private void put(Region region, InForce after) {
        region.inForce = after;
        loaded.add(region);
        if (loaded.size() > MAX_LOADED) {
            Region oldest = loaded.poll();
            if (oldest.inForce.claims != null) {
                oldest.inForce = new InForce(oldest.inForce.seal, null);
            }
        }
    }

    // --- readers

    /** Whether a read there can only be compared once the checksums were read. */
    boolean needsRead(long offsetBytes, long lengthBytes) {
        if (slots.slotAt(offsetBytes) < 0) {
            return false;
        }
        int last = regionIndex(offsetBytes + lengthBytes - 1);
        for (int index = regionIndex(offsetBytes); index <= last; index++) {
            Region region = regions.get(index);
            InForce inForce = region == null ? InForce.NONE : region.inForce;
            if (inForce.seal != 0 && inForce.claims == null) {
                return true;
            }
        }
        return false;
    }

    /**
     * Compares what was read with the checksums that are in force, sector by sector.
     *
     * @param mayWait whether checksums may be read for it
     * @param data from {@code from} to its position what was read at the offset
     * @throws DeviceException for what is not as it was sealed, or could not be compared
     */
    void compare(boolean mayWait, long offsetBytes, ByteBuffer data, int from) throws DeviceException {
        long end = offsetBytes + (data.position() - from);
        long first = slots.slotAt(offsetBytes);
        CRC32C crc = null;
        for (long slot = first; slot >= 0 && slot < slots.count() && slots.offsetBytes(slot) < end; slot++) {
            int index = (int) Seal.regionOf(slot);
            Region region = regions.get(index);
            long seal = region == null ? 0 : region.inForce.seal;
            SealBlock claims = seal == 0 ? NOTHING_CLAIMED : claims(mayWait, index, region, seal);
            if (claims.sectors(Seal.indexOf(slot)) == 0) {
                continue;
            }
            crc = crc == null ? new CRC32C() : crc;
            long at = slots.offsetBytes(slot);
            for (int sector = 0; sector * sectorBytes < Place.UNIT_BYTES; sector++) {
                long sectorAt = at + (long) sector * sectorBytes;
                boolean wasRead = sectorAt >= offsetBytes && sectorAt + sectorBytes <= end;
                int in = from + (int) (sectorAt - offsetBytes);
                if (wasRead
                        && !claims.accepts(crc, Seal.indexOf(slot), sector, data, in, sectorBytes)
                        && region.inForce.seal == seal) {
                    whenRotten.accept(slot);
                    throw mismatch(sectorAt);
                }
            }
        }
    }

    private DeviceException mismatch(long at) {
        return new DeviceException(
                spare.name(),
                "read",
                at,
                sectorBytes,
                Errno.NONE,
                ErrorClass.SECTOR,
                "the checksum does not match: this is not what was written there",
                null);
    }

    /**
     * The sectors of a slot that are not as they were sealed; those that cannot be read are not among them.
     *
     * @throws DeviceException also for an error that may be of a sector, of a spare that does not answer
     */
    int rottenSectors(long slot) throws DeviceException {
        int index = (int) Seal.regionOf(slot);
        Region region = regions.get(index);
        long seal = region == null ? 0 : region.inForce.seal;
        SealBlock claims = seal == 0 ? NOTHING_CLAIMED : claims(true, index, region, seal);
        int claimed = claims.sectors(Seal.indexOf(slot));
        if (claimed == 0) {
            return 0;
        }
        CRC32C crc = new CRC32C();
        ByteBuffer bytes = unitBuffer();
        int read = readSectors(slots.offsetBytes(slot), claimed, bytes);
        int rotten = 0;
        for (int sectors = read; sectors != 0; sectors &= sectors - 1) {
            int sector = Integer.numberOfTrailingZeros(sectors);
            boolean good = claims.accepts(crc, Seal.indexOf(slot), sector, bytes, sector * sectorBytes, sectorBytes);
            rotten |= good ? 0 : 1 << sector;
        }
        return region.inForce.seal == seal ? rotten : 0;
    }

    /**
     * Reads a slot whole, or if that fails sector by sector; gives what was read of the sectors that are wanted. The rest
     * does not read, although the spare answers.
     */
    int readSectors(long at, int wanted, ByteBuffer bytes) throws DeviceException {
        if (reads(at, bytes.clear(), 1)) {
            return wanted;
        }
        int read = 0;
        for (int sectors = wanted; sectors != 0; sectors &= sectors - 1) {
            int from = Integer.numberOfTrailingZeros(sectors) * sectorBytes;
            boolean good =
                    reads(at + from, bytes.clear().limit(from + sectorBytes).position(from), READ_TRIES);
            read |= good ? sectors & -sectors : 0;
        }
        bytes.clear();
        return read;
    }

    private boolean reads(long at, ByteBuffer target, int tries) throws DeviceException {
        int from = target.position();
        for (int i = 0; i < tries; i++) {
            try {
                spare.read(at, target.position(from));
                return true;
            } catch (DeviceException e) {
                if (!e.errorClass().mayBeSector() || !alive.getAsBoolean()) {
                    throw e;
                }
            }
        }
        return false;
    }

    /** Comparing takes a read of checksums, and whoever asks must not wait for one. */
    static DeviceException cannotWait(String name, long at) {
        return new DeviceException(
                name,
                "read",
                at,
                Place.UNIT_BYTES,
                Errno.NONE,
                ErrorClass.HOST,
                "its checksums are not in memory",
                null);
    }

    private static ByteBuffer unitBuffer() {
        return ByteBuffer.allocateDirect(2 * Place.UNIT_BYTES)
                .alignedSlice(Place.UNIT_BYTES)
                .limit(Place.UNIT_BYTES)
                .slice();
    }

    /** Those of this seal; nothing, if another one is in force by now. */
    private SealBlock claims(boolean mayWait, int index, Region region, long seal) throws DeviceException {
        InForce before = region.inForce;
        if (before.seal != seal) {
            return NOTHING_CLAIMED;
        }
        if (before.claims != null) {
            return before.claims;
        }
        long at = slots.offsetBytes(Seal.slot(seal));
        if (!mayWait) {
            throw cannotWait(spare.name(), at);
        }
        ByteBuffer bytes = unitBuffer();
        SealBlock read = reads(at, bytes, READ_TRIES) ? SealBlock.decode(bytes, pairUuid, index, seal, at) : null;
        if (region.inForce.seal != seal) {
            return NOTHING_CLAIMED;
        }
        if (read == null) {
            whenUnclaimed.accept(index);
            read = NOTHING_CLAIMED;
        }
        keep(region, before, new InForce(seal, read));
        return read;
    }
}
