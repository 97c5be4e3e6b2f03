package io.remap.metadata;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Environment;
import io.remap.api.HostIdentity;
import io.remap.api.Refusal;
import io.remap.api.spi.Lineage;
import io.remap.api.spi.PairIdentity;
import java.util.UUID;

/**
 * Makes a device an empty spare, as one transaction: markers over the old superblocks, then the first generation, then the
 * new superblocks, with a flush after each step.
 *
 * <p>Why a crash never leaves it half formatted: a spare needs two whole superblocks. Markers and superblocks are both
 * written to the places 2 and 3, flushed, then to 0 and 1. So before the first flush of the markers the places 0 and 1
 * still say what the device was; from then on there are two markers, and fewer than two whole superblocks count as an
 * interrupted format; and two new superblocks are seen only when all that they rely on is durable.
 */
final class Formatter {
    private Formatter() {}

    static void format(BlockDevice spare, PairIdentity pair, Layout layout, Environment environment)
            throws Refusal, DeviceException {
        Superblock.checkFits(pair);
        BlockIo io = new BlockIo(spare, layout.granuleBytes());
        UUID uuid = pair.pairUuid();
        Identities.writeMarkers(io, uuid, layout.sizeBytes(), 2, 3);
        Identities.writeMarkers(io, uuid, layout.sizeBytes(), 0, 1);

        clearArenas(io, layout);
        UUID session = environment.newUuid();
        Checkpoint checkpoint =
                new Checkpoint(io, layout, uuid, Lineage.first(session), environment.on(HostIdentity.UNKNOWN), 0);
        checkpoint.write(arena(layout, 0), Tables.empty(layout));

        Superblock superblock =
                Superblock.first(pair, layout, environment.time().wallMillis());
        publish(io, superblock);
    }

    /** The last step: whoever finds two finds all that they rely on. */
    private static void publish(BlockIo io, Superblock superblock) throws DeviceException {
        Identities.write(io, superblock, 2, 3);
        Identities.write(io, superblock, 0, 1);
    }

    /** Makes a device another spare of a pair: it holds slots and says whose they are. It has no table so far. */
    static void formatMember(
            BlockDevice spare, PairIdentity pair, int index, UUID id, Layout layout, Environment environment)
            throws DeviceException {
        BlockIo io = new BlockIo(spare, layout.granuleBytes());
        Identities.writeMarkers(io, pair.pairUuid(), layout.sizeBytes(), 2, 3);
        Identities.writeMarkers(io, pair.pairUuid(), layout.sizeBytes(), 0, 1);
        clearArenas(io, layout);
        Superblock identity = new Superblock(
                Superblock.Version.OF_MEMBER,
                0,
                pair,
                layout,
                environment.time().wallMillis(),
                index,
                id);
        publish(io, identity);
    }

    /** Makes a spare that was taken out of its pair a blank device, as far as anybody asks. */
    static void erase(BlockIo io, Layout layout) throws DeviceException {
        for (int place = 0; place < Identities.COUNT; place++) {
            io.zeroedBlock(0);
            io.write(Layout.identityOffset(place, layout.sizeBytes()));
        }
        io.flush();
    }

    /** Zeros tell an arena that was never written from one whose header was damaged; its log never began. */
    static void clearArenas(BlockIo io, Layout layout) throws DeviceException {
        for (int arena = 0; arena < 2; arena++) {
            for (ArenaCopy copy : arena(layout, arena)) {
                for (int place = 0; place < Layout.HEADER_PLACES; place++) {
                    io.zeroedBlock(0);
                    io.write(copy.headerOffset(place));
                }
                io.zeroedBlock(0);
                io.write(copy.offset(copy.logBody(Checkpoint.BEGIN_POSITION)));
            }
        }
        io.flush();
    }

    static ArenaCopy[] arena(Layout layout, int arena) {
        return new ArenaCopy[] {new ArenaCopy(layout, arena, 0), new ArenaCopy(layout, arena, 1)};
    }
}
