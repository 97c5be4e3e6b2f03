package io.remap.metadata;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.spi.Lineage;
import java.util.UUID;

/** A spare with a table that is written: the first one, or one with a copy. Each opening has its own. */
final class Holder {
    private final BlockDevice device;
    private final Superblock superblock;
    private final CommitLog log;
    private final SavedArea saved;
    private final int superblocksWhole;

    private Holder(BlockDevice device, Superblock superblock, CommitLog log, SavedArea saved, int superblocksWhole) {
        this.device = device;
        this.superblock = superblock;
        this.log = log;
        this.saved = saved;
        this.superblocksWhole = superblocksWhole;
    }

    /** The spare, which is the caller's. */
    BlockDevice device() {
        return device;
    }

    Superblock superblock() {
        return superblock;
    }

    /** Its table. */
    CommitLog log() {
        return log;
    }

    /** Its saved area. */
    SavedArea saved() {
        return saved;
    }

    /** How many of its superblocks were whole when it became one. */
    int superblocksWhole() {
        return superblocksWhole;
    }

    /** Number of the spare. */
    int index() {
        return superblock.member();
    }

    Layout layout() {
        return superblock.layout();
    }

    /**
     * That of a spare whose table was recovered; nothing is written.
     *
     * @param lineage of the generations that it begins
     */
    static Holder of(
            BlockDevice device,
            BlockIo io,
            Superblock superblock,
            TableRecovery.Found found,
            Lineage lineage,
            Environment environment)
            throws Damage, DeviceException {
        CommitLog log = new CommitLog(io, superblock, found, lineage, environment);
        int whole = Identities.read(device).count(Identities.State.WHOLE);
        return new Holder(device, superblock, log, SavedArea.read(io, superblock, environment.time()), whole);
    }

    /**
     * Makes a spare ready to hold a copy of the table of another one. A table that was there stays what it was, or becomes
     * none; where none can be recovered the arenas begin anew. {@link CommitLog#begin(Tables, long)} is the next step.
     *
     * @param pairUuid its pair
     * @param index its number
     * @param stated what begins in arenas without a table, refused if it is too large for them; the features that its members
     *     need are declared first
     * @param other what counts so far
     */
    static Holder prepare(
            BlockDevice device, UUID pairUuid, int index, Tables stated, CommitLog other, Environment environment)
            throws Damage, Refusal, DeviceException {
        refuseTooLarge(stated, device, identities(device).first().layout());
        Superblock superblock = declare(device, stated.features());
        if (superblock.member() != index || !superblock.pair().pairUuid().equals(pairUuid)) {
            throw new Damage(device.name() + " is not spare " + index + " of this pair any more");
        }
        BlockIo io = LogMetadataProvider.blockIo(device, superblock);
        Lineage lineage = other.lineage();
        try {
            return of(device, io, superblock, TableRecovery.recover(io, superblock), lineage, environment);
        } catch (Damage e) {
            // Never written, or damaged: what counts is on the other one.
            Formatter.clearArenas(io, superblock.layout());
            Checkpoint checkpoint =
                    new Checkpoint(io, superblock.layout(), pairUuid, lineage, environment, other.generation());
            checkpoint.write(Formatter.arena(superblock.layout(), 0), stated);
            return of(device, io, superblock, TableRecovery.recover(io, superblock), lineage, environment);
        }
    }

    /** Before anything is written: behind the arenas are slots. */
    private static void refuseTooLarge(Tables stated, BlockDevice device, Layout layout) throws Damage {
        if (stated.entries() > layout.entryLimit()) {
            throw new Damage("the table has " + stated.entries() + " entries, and " + device.name() + " has room for "
                    + layout.entryLimit());
        }
    }

    /** A program that does not know these features must not open the spare from now on. */
    static Superblock declare(BlockDevice device, int features) throws Damage, Refusal, DeviceException {
        Identities identities = identities(device);
        Superblock superblock = identities.first();
        if (superblock.version().has(features)) {
            return superblock;
        }
        BlockIo io = LogMetadataProvider.blockIo(device, superblock);
        LogMetadataProvider.complete(io, identities);
        identities = identities(device);
        if (Growth.olderPlace(identities) >= 0) {
            throw new Damage("a superblock of " + device.name() + " is an older one and cannot be written");
        }
        Growth.write(io, identities, identities.declared(features));
        return identities(device).first();
    }

    private static Identities identities(BlockDevice device) throws Damage, DeviceException {
        Identities identities = Identities.read(device);
        if (!identities.isOurs()) {
            throw new Damage(device.name() + " is no spare of this program any more");
        }
        return identities;
    }
}
