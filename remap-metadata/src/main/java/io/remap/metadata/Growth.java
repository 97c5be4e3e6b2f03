package io.remap.metadata;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataTools.Grown;
import java.nio.ByteBuffer;

/**
 * Makes slots of the room behind the former end of a spare. Superblocks, arenas and all slots stay where they are, and keep
 * their numbers; the new ones are a third area. So only the superblocks change, as in an upgrade: one epoch more, each written
 * with a flush of its own, and of two epochs the newer one holds. Whoever opens the spare for writing completes what a power
 * cut left, before a slot of the new area is given out.
 */
final class Growth {
    private Growth() {}

    static Grown of(BlockDevice spare) throws Refusal, Damage, DeviceException {
        Superblock now = require(spare, Identities.read(spare));
        BlockIo io = LogMetadataProvider.blockIo(spare, now);
        // One that was interrupted, and places that were damaged.
        LogMetadataProvider.complete(io, Identities.read(spare));
        Identities identities = Identities.read(spare);
        refuseOlderPlace(spare, identities);
        Layout grown = now.layout().grownTo(spare.traits().sizeBytes());
        long limit = now.member() == 0 ? now.layout().entryLimit() : 0;
        if (grown.slots() > now.layout().slots()) {
            write(io, identities, identities.grown(grown));
        }
        return new Grown(now.layout().slots(), grown.slots(), limit);
    }

    /** Of three epochs nobody could tell what happened: a place that keeps an older one allows no further. */
    private static void refuseOlderPlace(BlockDevice spare, Identities identities) throws Refusal {
        long older = olderPlace(identities);
        if (older >= 0) {
            throw new Refusal(
                    Refusal.Kind.DEVICE_FAILED,
                    spare.name() + ": the superblock at byte " + older
                            + " is an older one and cannot be written, so the spare"
                            + " is not grown: add another one with 'remap spare add', and evacuate this one");
        }
    }

    /** Where a superblock stands that is whole and of an older epoch, -1 if nowhere. */
    static long olderPlace(Identities identities) {
        ByteBuffer wanted = identities.wanted();
        for (Identities.Found one : identities.found()) {
            if (one.state() == Identities.State.WHOLE && !one.body().equals(wanted)) {
                return one.offsetBytes();
            }
        }
        return -1;
    }

    private static Superblock require(BlockDevice spare, Identities identities) throws Refusal, DeviceException {
        Superblock found = identities.first();
        boolean further = found != null && !found.version().tooNew() && found.member() != 0;
        if (!further) {
            LogMetadataProvider.identify(spare, identities, false);
        } else if (identities.interruptedFormat() || identities.disagree()) {
            throw new Refusal(
                    Refusal.Kind.DAMAGED,
                    spare.name() + ": its superblocks contradict each other, or were not all written");
        }
        if (found.version().isOlder()) {
            throw new Refusal(
                    Refusal.Kind.DAMAGED,
                    spare.name() + " has an older format: serve it once, which upgrades it, then grow it");
        }
        return found;
    }

    /** A new epoch, in as many places as can be written. */
    static void write(BlockIo io, Identities identities, ByteBuffer body) throws DeviceException {
        DeviceException bad = null;
        int written = 0;
        for (int place : LogMetadataProvider.WRITING_ORDER) {
            try {
                Identities.write(io, body, identities.found().get(place).offsetBytes());
                written++;
            } catch (DeviceException e) {
                if (io.flushFailed() || !e.errorClass().mayBeSector()) {
                    throw e;
                }
                bad = e;
            }
        }
        if (written < Identities.QUORUM) {
            throw bad;
        }
    }
}
