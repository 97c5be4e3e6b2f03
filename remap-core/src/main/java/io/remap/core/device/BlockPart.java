package io.remap.core.device;

import io.remap.api.BlockDevice;
import io.remap.api.CachedReads;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceTraits;
import io.remap.api.DeviceUri;
import io.remap.api.MediumSequence;
import io.remap.api.PagePipe;
import io.remap.api.Refusal;
import io.remap.api.Reopening;
import io.remap.api.WitnessTag;
import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * A part of a device, as {@code ?offset=&length=} selects it; a device of its own, with its own sector 0.
 *
 * <p>Of the optional abilities of the whole it has {@link CachedReads}, {@link Reopening}, {@link MediumSequence}, and the
 * witness as far as that concerns a part. Owns the device and closes it.
 */
public final class BlockPart implements BlockDevice {
    private final BlockDevice whole;
    private final String name;
    private final long startBytes;
    private final DeviceTraits traits;
    private final DeviceIdentity identity;
    private final BlockPart directDoor;
    private final Optional<CachedReads> cachedReads;

    private BlockPart(BlockDevice whole, String name, long startBytes, long lengthBytes) {
        this.whole = whole;
        this.name = name;
        this.startBytes = startBytes;
        this.traits = traits(whole.traits(), lengthBytes);
        DeviceIdentity of = whole.identity();
        this.identity = new DeviceIdentity(
                stableId(of.stableId(), startBytes),
                of.backing(),
                of.backingStableId(),
                of.startBytes() + startBytes,
                lengthBytes,
                of.physicalDisk());
        BlockDevice direct = whole.direct();
        this.directDoor = direct == whole ? this : new BlockPart(direct, name, startBytes, lengthBytes);
        this.cachedReads = whole.capability(CachedReads.class).map(PartReads::new);
    }

    /** Reads of the whole, from where the part begins. */
    private final class PartReads implements CachedReads {
        private final CachedReads reads;

        PartReads(CachedReads reads) {
            this.reads = reads;
        }

        @Override
        public boolean tryRead(long offsetBytes, ByteBuffer target) {
            BlockRanges.checkRead(name, traits, offsetBytes, target);
            return reads.tryRead(startBytes + offsetBytes, target);
        }

        @Override
        public boolean holds(long offsetBytes) {
            BlockRanges.checkByte(name, traits, offsetBytes);
            return reads.holds(startBytes + offsetBytes);
        }

        @Override
        public PagePipe tryPages(long offsetBytes, int lengthBytes) {
            BlockRanges.check(name, traits, "read", offsetBytes, lengthBytes);
            return reads.tryPages(startBytes + offsetBytes, lengthBytes);
        }
    }

    /**
     * The part that the URI selects. Takes the device over: it is closed if the part is refused.
     *
     * @throws Refusal {@link Refusal.Kind#USAGE} if the part lies outside or does not consist of whole sectors
     */
    public static BlockDevice of(BlockDevice whole, DeviceUri uri) throws Refusal {
        try {
            long size = whole.traits().sizeBytes();
            int sector =
                    Math.max(whole.traits().logicalSectorBytes(), whole.traits().alignmentBytes());
            long offset = uri.offsetBytes();
            if (offset < 0 || offset >= size) {
                throw FileRefusals.usage(uri + ": the offset lies behind the end of the device (" + size + " bytes)");
            }
            long length = uri.lengthBytes() == DeviceUri.TO_END ? size - offset : uri.lengthBytes();
            if (length <= 0 || length > size - offset) {
                throw FileRefusals.usage(uri + ": the device has " + size + " bytes, so a part from " + offset
                        + " may have 1 to " + (size - offset));
            }
            if (offset % sector != 0 || length % sector != 0) {
                throw FileRefusals.usage(uri + ": offset and length must be multiples of the sector size " + sector);
            }
            return new BlockPart(whole, uri.scheme().equals("file") ? shortName(uri) : uri.toString(), offset, length);
        } catch (Refusal | RuntimeException e) {
            whole.close();
            throw e;
        }
    }

    /** Without the scheme, which nobody writes before a path. */
    private static String shortName(DeviceUri uri) {
        return uri.toString().substring("file:".length());
    }

    /** The stable name of a part of what has this stable name. */
    static String stableId(String whole, long startBytes) {
        return startBytes == 0 ? whole : whole + "@" + startBytes;
    }

    private static DeviceTraits traits(DeviceTraits whole, long lengthBytes) {
        return new DeviceTraits(
                lengthBytes,
                whole.logicalSectorBytes(),
                whole.physicalSectorBytes(),
                whole.alignmentBytes(),
                whole.direct(),
                whole.readOnly(),
                whole.rotational(),
                whole.losesContentOnPowerCut(),
                whole.blockDevice());
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
        return identity;
    }

    @Override
    public BlockDevice direct() {
        return directDoor;
    }

    @Override
    @SuppressWarnings("unchecked")
    public <C> Optional<C> capability(Class<C> type) {
        if (type == WitnessTag.class) {
            return (Optional<C>) whole.capability(WitnessTag.class).map(this::witness);
        }
        if (type == Reopening.class || type == MediumSequence.class) {
            return whole.capability(type);
        }
        return type == CachedReads.class ? (Optional<C>) cachedReads : Optional.empty();
    }

    private WitnessTag witness(WitnessTag ofWhole) {
        return traits.sizeBytes() == whole.traits().sizeBytes() ? ofWhole : new PartWitness(ofWhole, name);
    }

    @Override
    public void read(long offsetBytes, ByteBuffer target) throws DeviceException {
        BlockRanges.checkRead(name, traits, offsetBytes, target);
        whole.read(startBytes + offsetBytes, target);
    }

    @Override
    public void write(long offsetBytes, ByteBuffer source) throws DeviceException {
        BlockRanges.check(name, traits, "write", offsetBytes, source.remaining());
        whole.write(startBytes + offsetBytes, source);
    }

    @Override
    public void flush() throws DeviceException {
        whole.flush();
    }

    @Override
    public void discard(long offsetBytes, long lengthBytes) throws DeviceException {
        BlockRanges.check(name, traits, "discard", offsetBytes, lengthBytes);
        whole.discard(startBytes + offsetBytes, lengthBytes);
    }

    @Override
    public boolean discards() {
        return whole.discards();
    }

    @Override
    public void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) throws DeviceException {
        BlockRanges.check(name, traits, "zero", offsetBytes, lengthBytes);
        whole.zero(startBytes + offsetBytes, lengthBytes, keepAllocated);
    }

    @Override
    public void close() {
        whole.close();
    }
}
