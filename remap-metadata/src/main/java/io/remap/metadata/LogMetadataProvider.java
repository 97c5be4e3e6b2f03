package io.remap.metadata;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.api.spi.Lineage;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.MetadataTools;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareContent;
import io.remap.api.spi.SpareIdentity;
import io.remap.api.spi.SpareMember;
import io.remap.api.spi.SpareOwner;
import io.remap.api.spi.SparePlan;
import io.remap.api.spi.SpareSlots;
import io.remap.api.spi.TableCopy;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Keeps the remap table on the spare as a checkpoint and a log, each twice; see docs/FORMAT.md. */
public final class LogMetadataProvider implements MetadataProvider {
    private static final Logger LOG = LoggerFactory.getLogger(LogMetadataProvider.class);
    private static final String READ_ONLY_WAY_OUT =
            "; serve it with --read-only to copy what is certain, then make a new pair";
    private static final String OTHER_SPARES =
            "; name the other spares of the pair too, with --spare: one of them may have a whole copy of the table";

    /** As a format does it: whoever finds the first two new ones finds all that they rely on. */
    static final int[] WRITING_ORDER = {2, 3, 0, 1};

    private final int fixedLogBlocks;

    /** For the service loader. */
    public LogMetadataProvider() {
        this(0);
    }

    /** @param fixedLogBlocks size of the logs that it formats; 0 to choose by the size of the spare */
    LogMetadataProvider(int fixedLogBlocks) {
        this.fixedLogBlocks = fixedLogBlocks;
    }

    @Override
    public String name() {
        return "log";
    }

    @Override
    public String description() {
        return "remap table on the spare: two arenas with two copies each, checkpoint and log";
    }

    @Override
    public SparePlan plan(long spareSizeBytes, int spareSectorBytes) throws Refusal {
        return Layout.plan(spareSizeBytes, Layout.granule(spareSectorBytes)).sparePlan();
    }

    @Override
    public SpareContent inspect(BlockDevice spare) throws DeviceException {
        return new Inspection(spare).inspect();
    }

    @Override
    public Optional<PairIdentity> pairOnSpare(BlockDevice device) throws Refusal, DeviceException {
        if (device.traits().sizeBytes() < Layout.MIN_SIZE_BYTES) {
            return Optional.empty();
        }
        try {
            return pairOf(Identities.read(device));
        } catch (Damage e) {
            throw damaged(device, "it is a damaged spare of remap (" + e.getMessage() + ")");
        }
    }

    @Override
    public void format(BlockDevice spare, PairIdentity pair, Environment environment) throws Refusal, DeviceException {
        int granule = Math.max(Layout.granule(spare.traits().physicalSectorBytes()), Identities.readGranule(spare));
        Layout layout = Layout.plan(spare.traits().sizeBytes(), granule);
        if (fixedLogBlocks > 0) {
            layout = Layout.tryPlan(spare.traits().sizeBytes(), granule, fixedLogBlocks);
        }
        Formatter.format(spare, pair, layout, environment);
    }

    @Override
    public SpareSlots formatMember(BlockDevice spare, PairIdentity pair, int index, UUID id, Environment environment)
            throws Refusal, DeviceException {
        int granule = Math.max(Layout.granule(spare.traits().physicalSectorBytes()), Identities.readGranule(spare));
        Layout layout = Layout.plan(spare.traits().sizeBytes(), granule);
        Formatter.formatMember(spare, pair, index, id, layout, environment);
        return layout.spareSlots();
    }

    @Override
    public Optional<SpareIdentity> member(BlockDevice device) throws Refusal, DeviceException {
        if (device.traits().sizeBytes() < Layout.MIN_SIZE_BYTES) {
            return Optional.empty();
        }
        try {
            Identities identities = Identities.read(device);
            Superblock superblock = identities.first();
            if (superblock == null
                    || superblock.version().tooNew()
                    || superblock.member() == 0
                    || identities.interruptedFormat()) {
                return Optional.empty();
            }
            if (identities.disagree()) {
                throw damaged(device, "its superblocks contradict each other: parts of different spares were mixed");
            }
            UUID uuid = superblock.pair().pairUuid();
            return Optional.of(new SpareIdentity(
                    superblock.pair(),
                    superblock.member(),
                    superblock.memberId(),
                    superblock.layout().spareSlots(),
                    MemberStamp.read(blockIo(device, superblock), superblock.layout(), uuid)));
        } catch (Damage e) {
            throw damaged(device, e.getMessage());
        }
    }

    @Override
    public void stampMember(BlockDevice device, long stamp) throws Refusal, DeviceException {
        try {
            Identities identities = Identities.read(device);
            Superblock superblock = identities.first();
            if (superblock == null || superblock.version().tooNew() || superblock.member() == 0) {
                throw new Refusal(Refusal.Kind.WRONG_DEVICE, device.name() + " is no further spare of a pair any more");
            }
            // As the opening of a first spare does it: after a growth that was interrupted, too.
            complete(blockIo(device, superblock), identities);
            UUID uuid = superblock.pair().pairUuid();
            MemberStamp.write(blockIo(device, superblock), superblock.layout(), uuid, stamp);
        } catch (Damage e) {
            throw damaged(device, e.getMessage());
        }
    }

    @Override
    public Optional<SpareIdentity> firstSpare(BlockDevice device) throws Refusal, DeviceException {
        Optional<Superblock> found = superblock(device).filter(superblock -> superblock.member() == 0);
        if (found.isEmpty()) {
            return Optional.empty();
        }
        // Its slots may be as they should be although its table is lost: a copy of that is elsewhere then.
        Superblock first = found.get();
        try {
            first.layout().check(device.traits().sizeBytes());
        } catch (Damage e) {
            return Optional.empty();
        }
        long stamp = table(device).map(TableCopy::generation).orElse(-1L);
        return Optional.of(new SpareIdentity(
                first.pair(), 0, SpareMember.FIRST_ID, first.layout().spareSlots(), stamp));
    }

    @Override
    public Optional<TableCopy> table(BlockDevice spare) throws Refusal, DeviceException {
        Optional<Superblock> superblock = superblock(spare);
        if (superblock.isEmpty()
                || (superblock.get().member() != 0
                        && !superblock.get().version().isSpread())) {
            return Optional.empty();
        }
        try {
            BlockIo io = blockIo(spare, superblock.get());
            TableRecovery.Found found = recover(io, superblock.get(), SavedArea.find(io, superblock.get()));
            long generation = found.header().generation().number();
            boolean certain = found.doubts().isEmpty()
                    && Identities.read(spare).count(Identities.State.WHOLE) >= Identities.QUORUM;
            return Optional.of(new TableCopy(
                    superblock.get().member(),
                    generation,
                    Holders.term(generation),
                    found.tables().members(),
                    certain));
        } catch (Damage e) {
            return Optional.empty();
        }
    }

    /** What a whole spare that this program knows says of itself. */
    private static Optional<Superblock> superblock(BlockDevice device) throws DeviceException {
        if (device.traits().sizeBytes() < Layout.MIN_SIZE_BYTES) {
            return Optional.empty();
        }
        try {
            Identities identities = Identities.read(device);
            return identities.isOurs() ? Optional.of(identities.first()) : Optional.empty();
        } catch (Damage e) {
            return Optional.empty();
        }
    }

    @Override
    public void eraseMember(BlockDevice device, PairIdentity pair, int index) throws Refusal, DeviceException {
        try {
            Superblock superblock = Identities.read(device).first();
            if (superblock != null
                    && !superblock.version().tooNew()
                    && superblock.member() == index
                    && superblock.pair().pairUuid().equals(pair.pairUuid())) {
                Formatter.erase(blockIo(device, superblock), superblock.layout());
            }
        } catch (Damage e) {
            throw damaged(device, e.getMessage());
        }
    }

    @Override
    public MetadataStore open(BlockDevice spare, Optional<Lineage> writing, Environment environment, Settings settings)
            throws Refusal, DeviceException {
        boolean readOnly = writing.isEmpty();
        try {
            Identities identities = Identities.read(spare);
            Superblock superblock = identify(spare, identities, readOnly);
            BlockIo io = blockIo(spare, superblock);
            TableRecovery.Found found = recover(io, superblock, SavedArea.find(io, superblock));
            if (!readOnly && !found.doubts().isEmpty()) {
                throw damaged(spare, String.join("; ", found.doubts()) + otherSpares(spare) + READ_ONLY_WAY_OUT);
            }
            Lineage lineage = writing.orElse(found.header().lineage());
            Holder holder = Holder.of(spare, io, superblock, found, lineage, environment);
            int whole = identities.count(Identities.State.WHOLE);
            if (!readOnly) {
                holder.log().begin();
                whole = complete(io, identities);
            }
            return new LogMetadataStore(
                    holder,
                    readOnly,
                    environment,
                    new LogMetadataStore.Facts(found.clean(), found.commitsReplayed(), found.copiesWhole(), whole));
        } catch (Damage e) {
            throw damaged(spare, e.getMessage() + otherSpares(spare));
        }
    }

    private static String otherSpares(BlockDevice spare) throws DeviceException {
        return superblock(spare).filter(found -> found.version().isSpread()).isPresent() ? OTHER_SPARES : "";
    }

    @Override
    public Optional<SpareOwner> owner(BlockDevice spare) throws Refusal, DeviceException {
        if (spare.traits().sizeBytes() < Layout.MIN_SIZE_BYTES) {
            return Optional.empty();
        }
        try {
            Superblock superblock = Identities.read(spare).first();
            if (superblock == null || superblock.version().tooNew()) {
                return Optional.empty();
            }
            BlockIo io = blockIo(spare, superblock);
            Optional<TableRecovery.Owner> owner = TableRecovery.owner(io, superblock);
            SavedArea.Found saved = SavedArea.find(io, superblock);
            return owner.map(found -> new SpareOwner(
                    found.header().host(),
                    found.header().lineage().session(),
                    found.stopped(),
                    found.header().members(),
                    saved == null ? 0 : saved.number(),
                    saved == null ? Map.of() : saved.sections()));
        } catch (Damage e) {
            throw damaged(spare, e.getMessage());
        }
    }

    /** What the mappings are, and every doubt about it: an opening, a check and a repair must not differ in that. */
    static TableRecovery.Found recover(BlockIo io, Superblock superblock, SavedArea.Found saved)
            throws Damage, DeviceException {
        TableRecovery.Found found = inForce(io, superblock);
        found.falsifiedBy(saved).ifPresent(found.doubts()::add);
        return found;
    }

    /** A copy that was begun and never stated says of itself that it does not count. */
    static TableRecovery.Found inForce(BlockIo io, Superblock superblock) throws Damage, DeviceException {
        TableRecovery.Found found = TableRecovery.recover(io, superblock);
        int index = superblock.member();
        boolean states =
                found.tables().members().stream().anyMatch(member -> member.index() == index && member.table());
        if (!states) {
            throw new Damage("the copy of the table on spare " + index + " was never completed");
        }
        return found;
    }

    /** Transfers of blocks as the superblock describes them, if they fit the device. */
    static BlockIo blockIo(BlockDevice spare, Superblock superblock) throws Damage, Refusal {
        superblock.layout().check(spare.traits().sizeBytes());
        if (superblock.layout().granuleBytes() < Identities.readGranule(spare)) {
            throw new Refusal(
                    Refusal.Kind.WRONG_DEVICE,
                    spare.name() + ": the spare was formatted with blocks of "
                            + superblock.layout().granuleBytes()
                            + " bytes, and is now on a device that transfers at least "
                            + Identities.readGranule(spare));
        }
        return new BlockIo(spare, superblock.layout().granuleBytes());
    }

    /** Whose spare it was whose superblocks are zeros now: what stood behind them is left as it was. */
    private static Optional<UUID> formerPair(BlockDevice spare, Identities identities) throws DeviceException {
        if (identities.count(Identities.State.ZERO) < Identities.COUNT) {
            return Optional.empty();
        }
        try {
            ByteBuffer block = new BlockIo(spare, Identities.readGranule(spare), 1).read(Layout.SAVED_AT);
            return MemberStamp.isOne(block, Layout.SAVED_AT) || SavedArea.isHeader(block, Layout.SAVED_AT)
                    ? Optional.of(Block.uuid(block, Block.UUID_AT))
                    : Optional.empty();
        } catch (DeviceException e) {
            CopyCheck.refuseDeviceError(e);
            return Optional.empty();
        }
    }

    /** The superblock that counts; refused if it does not allow what is wanted. */
    static Superblock identify(BlockDevice spare, Identities identities, boolean readOnly)
            throws Refusal, DeviceException {
        Superblock superblock = identities.first();
        if (superblock == null || identities.interruptedFormat()) {
            if (identities.error() != null) {
                throw identities.error();
            }
            if (identities.count(Identities.State.BROKEN) > 0) {
                throw damaged(spare, "no superblock of the spare is whole");
            }
            String why = identities.interruptedFormat()
                    ? "its format was interrupted"
                    : formerPair(spare, identities)
                            .map(pair ->
                                    "it was taken out of the pair " + pair + ", as by 'remap spare remove', and holds"
                                            + " nothing of it; 'remap spare add' with --force makes a new spare of it")
                            .orElse("it was never formatted");
            throw new Refusal(Refusal.Kind.WRONG_DEVICE, spare.name() + " is no spare of remap: " + why);
        }
        if (superblock.version().tooNew()) {
            throw damaged(spare, Inspection.tooNew(superblock) + "; use the newer program");
        }
        if (superblock.member() != 0 && !superblock.version().isSpread()) {
            throw new Refusal(
                    Refusal.Kind.WRONG_DEVICE,
                    spare.name() + " is spare " + superblock.member() + " of the pair "
                            + superblock.pair().pairUuid()
                            + "; the mappings are on other spares of that pair: name one of those");
        }
        if (identities.disagree()) {
            throw damaged(spare, "its superblocks contradict each other: parts of different spares were mixed");
        }
        if (!readOnly && superblock.version().readOnly()) {
            throw damaged(spare, "it has a feature that this program can only read; serve it with --read-only");
        }
        if (!readOnly && identities.count(Identities.State.WHOLE) < Identities.QUORUM) {
            throw damaged(
                    spare,
                    "only one superblock of four is whole; 'remap repair " + spare.name()
                            + "' makes the others from it");
        }
        return superblock;
    }

    /**
     * Writes the superblocks that are missing, or of an older format; returns how many are as they should be then. One that
     * cannot be written is no failure. After an upgrade the mappings are those of the new format already: the opening has
     * written them.
     */
    static int complete(BlockIo io, Identities identities) throws DeviceException {
        ByteBuffer wanted = identities.wanted();
        int whole = 0;
        for (int place : WRITING_ORDER) {
            Identities.Found one = identities.found().get(place);
            if (one.state() == Identities.State.WHOLE && one.body().equals(wanted)) {
                whole++;
                continue;
            }
            try {
                Identities.write(io, wanted, one.offsetBytes());
                whole++;
            } catch (DeviceException e) {
                if (io.flushFailed() || !e.errorClass().mayBeSector()) {
                    throw e;
                }
                LOG.warn("{}: superblock {} could not be written: {}", io.name(), place, e.getMessage());
            }
        }
        return whole;
    }

    @Override
    public Optional<MetadataTools> tools() {
        return Optional.of(new LogMetadataTools());
    }

    private static Refusal damaged(BlockDevice spare, String why) {
        return new Refusal(Refusal.Kind.DAMAGED, spare.name() + ": " + why);
    }

    /** What stands on the device, as an optional pair for the content record. */
    static Optional<PairIdentity> pairOf(Identities identities) {
        return Optional.ofNullable(identities.pair());
    }
}
