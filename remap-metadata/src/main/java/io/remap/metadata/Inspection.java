package io.remap.metadata;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.spi.SpareContent;
import io.remap.api.spi.SpareContent.Kind;
import java.util.Optional;

/** Says what stands on a device that shall be a spare. Reads only; a place that cannot be read is never taken as empty. */
final class Inspection {
    /** Up to here a device is read to its end: a second or two, once, before it is formatted. */
    static final long ZERO_WHOLE_BYTES = 256 << 20;
    /** How far from each end, and from the middle, a device must read as zeros to be blank. */
    static final long ZERO_BYTES = 4 << 20;
    /** How much at the beginning of the tables and of the logs must, that those will be written over first. */
    static final long ZERO_ARENA_BYTES = 1 << 20;
    /** Places of one granule each between, evenly spread: few, as each may cost a slow disk a seek. */
    static final int ZERO_SAMPLES = 64;

    private final BlockDevice device;

    Inspection(BlockDevice device) {
        this.device = device;
    }

    /** @throws DeviceException if the device fails otherwise than at a sector */
    SpareContent inspect() throws DeviceException {
        try {
            return look();
        } catch (DeviceException e) {
            if (!e.errorClass().mayBeSector()) {
                throw e;
            }
            return new SpareContent(Kind.UNREADABLE, e.getMessage(), Optional.empty());
        }
    }

    private SpareContent look() throws DeviceException {
        long size = device.traits().sizeBytes();
        if (size >= Layout.MIN_SIZE_BYTES) {
            try {
                SpareContent ours = ours(Identities.read(device), size);
                if (ours != null) {
                    return ours;
                }
            } catch (Damage e) {
                return new SpareContent(Kind.DAMAGED, e.getMessage(), Optional.empty());
            }
        }
        String signature = Signatures.find(device);
        if (signature != null) {
            return new SpareContent(Kind.FOREIGN, signature, Optional.empty());
        }
        return isZero(size)
                ? new SpareContent(Kind.BLANK, "", Optional.empty())
                : new SpareContent(Kind.FOREIGN, "unknown content", Optional.empty());
    }

    /** {@code null} if nothing of ours stands there. */
    private SpareContent ours(Identities found, long size) throws Damage, DeviceException {
        Superblock first = found.first();
        if (found.interruptedFormat()) {
            return new SpareContent(Kind.BLANK, "an interrupted format", Optional.empty());
        }
        boolean undecided = first == null || found.count(Identities.State.MARKER) > 0;
        if (undecided && found.count(Identities.State.WHOLE) < Identities.QUORUM && found.error() != null) {
            throw found.error();
        }
        if (first == null) {
            return found.count(Identities.State.BROKEN) == 0
                    ? null
                    : new SpareContent(Kind.DAMAGED, "no superblock of the spare is whole", Optional.empty());
        }
        if (first.version().tooNew()) {
            return new SpareContent(Kind.TOO_NEW, tooNew(first), LogMetadataProvider.pairOf(found));
        }
        if (found.disagree()) {
            return new SpareContent(
                    Kind.DAMAGED, "superblocks that contradict each other", LogMetadataProvider.pairOf(found));
        }
        first.layout().check(size);
        int whole = found.count(Identities.State.WHOLE);
        String which = first.member() == 0 ? "" : "spare " + first.member() + " of its pair";
        return new SpareContent(
                Kind.SPARE,
                whole == Identities.COUNT ? which : whole + " of 4 superblocks are whole",
                LogMetadataProvider.pairOf(found));
    }

    static String tooNew(Superblock superblock) {
        Superblock.Version version = superblock.version();
        return "a spare of format " + version.major() + "." + version.minor()
                + (version.incompat() == 0 ? "" : " with features 0x" + Integer.toHexString(version.incompat()))
                + "; this program knows format " + Superblock.MAJOR + "." + Superblock.MINOR;
    }

    /** What is not looked at may hold anything: a large disk cannot be read as a whole at a start. */
    private boolean isZero(long size) throws DeviceException {
        int granule = Identities.readGranule(device);
        BlockIo io = new BlockIo(device, granule);
        long whole = size / granule * granule;
        if (size <= ZERO_WHOLE_BYTES) {
            return io.isZero(0, whole) && tailIsZero(size, whole);
        }
        long middle = Layout.alignDown(size / 2);
        return io.isZero(0, ZERO_BYTES)
                && io.isZero(middle, ZERO_BYTES)
                && io.isZero(whole - ZERO_BYTES, ZERO_BYTES)
                && tailIsZero(size, whole)
                && arenasAreZero(io, size, granule)
                && samplesAreZero(io, whole / granule, granule);
    }

    /** What a format writes, and the first generations after it: on a large spare far from the beginning and the middle. */
    private boolean arenasAreZero(BlockIo io, long size, int readGranule) throws DeviceException {
        int granule = Math.max(Layout.granule(device.traits().physicalSectorBytes()), readGranule);
        Layout layout = Layout.tryPlan(size, granule, 0);
        if (layout == null) {
            return true;
        }
        long table = Math.min(ZERO_ARENA_BYTES, (long) layout.tableBlocks() * granule);
        long log = Math.min(ZERO_ARENA_BYTES, (long) layout.logBlocks() * granule);
        for (int arena = 0; arena < 2; arena++) {
            for (ArenaCopy copy : Formatter.arena(layout, arena)) {
                boolean zero = io.isZero(copy.headerOffset(0), granule)
                        && io.isZero(copy.offset(0), table)
                        && io.isZero(copy.offset(copy.logBody(Checkpoint.BEGIN_POSITION)), log)
                        && io.isZero(copy.headerOffset(1), granule);
                if (!zero) {
                    return false;
                }
            }
        }
        return true;
    }

    private static boolean samplesAreZero(BlockIo io, long blocks, int granule) throws DeviceException {
        for (int i = 0; i < ZERO_SAMPLES; i++) {
            // In the middle of its share.
            long block = blocks * (2 * i + 1) / (2 * ZERO_SAMPLES);
            if (block < blocks && !io.isZero(block * granule, granule)) {
                return false;
            }
        }
        return true;
    }

    /** What does not fill a block at the very end. */
    private boolean tailIsZero(long size, long whole) throws DeviceException {
        if (size == whole || whole == 0) {
            return true;
        }
        // The last whole block that ends with the device; sizes are whole sectors.
        int granule = Identities.readGranule(device);
        int sector = Math.max(device.traits().alignmentBytes(), device.traits().logicalSectorBytes());
        long at = (size - granule) / sector * sector;
        return new BlockIo(device, granule, 1).isZero(at, granule);
    }
}
