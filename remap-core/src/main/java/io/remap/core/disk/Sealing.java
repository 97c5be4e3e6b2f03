package io.remap.core.disk;

import io.remap.api.DeviceException;
import io.remap.api.MapChange;
import io.remap.api.Seal;
import io.remap.api.spi.MetadataStore.Outcome;
import java.nio.ByteBuffer;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Seals one region of a spare that nobody writes to: flush, read back, write the checksums to a slot, flush, read them back,
 * close the region if nothing was written since it began, and make the seal durable. Clients are not kept from anything but
 * for the last step.
 *
 * <p>Where anything is in the way the region stays open, and is tried again later. Nothing is ever blamed for it.
 */
final class Sealing {
    private static final Logger LOG = LoggerFactory.getLogger(Sealing.class);

    /** Of the slots of a spare so many stay for mappings: one in sixteen. */
    private static final int RESERVE_SHIFT = 4;

    /** A slot is not blamed for one failure, nor for one that began while the spare was away. */
    private static final int SLOT_TRIES = 4;

    private final Checksums checksums;
    private final VirtualDisk disk;
    private final Spare spare;
    private final long region;
    private final byte[] sectors = new byte[Seal.REGION_SLOTS];

    private Runnable then;
    private long doubts;
    private SealBlock claims;
    private long slot = -1;
    private long seal;

    Sealing(Checksums checksums, VirtualDisk disk, Spare spare, long region) {
        this.checksums = checksums;
        this.disk = disk;
        this.spare = spare;
        this.region = region;
    }

    /** A slot of the region holds these sectors of a unit. */
    void holds(long ofSlot, int mask) {
        sectors[(int) (ofSlot & (Seal.REGION_SLOTS - 1))] = (byte) mask;
    }

    /** Blocks on the spare; {@code whenEnded} may run on any thread. */
    void begin(Runnable whenEnded) {
        then = whenEnded;
        if (!checksums.beginSealing(spare, region)) {
            then.run();
            return;
        }
        doubts = spare.device.doubts();
        if (spare.gate.takeTouched(region) || spare.device.doubt().isPresent() || !hasRoom()) {
            end(false);
            return;
        }
        flush(this::readBack);
    }

    private boolean hasRoom() {
        return spare.allocator.freeSlots() > spare.allocator.slots() >> RESERVE_SHIFT;
    }

    private interface Step {
        void run() throws DeviceException;
    }

    private void flush(Step next) {
        spare.writes.syncer.flush(error -> disk.environment.scheduler().execute(() -> step(error, next)));
    }

    private void step(DeviceException error, Step next) {
        if (error != null || disk.isStopping() || disk.spares.get(spare.index) != spare) {
            end(false);
            return;
        }
        try {
            next.run();
        } catch (DeviceException e) {
            end(false);
        } catch (RuntimeException e) {
            LOG.error("{}: the sealing of region {} of {} failed", disk.name(), region, spare.device.name(), e);
            end(false);
        }
    }

    /** What is on the medium; of sectors that cannot be read nothing is claimed. */
    private void readBack() throws DeviceException {
        claims = new SealBlock();
        ByteBuffer bytes = disk.unitBuffer();
        for (int i = 0; i < Seal.REGION_SLOTS; i++) {
            int mask = Byte.toUnsignedInt(sectors[i]);
            if (mask != 0) {
                long at = spare.offsetOf((region << Seal.REGION_SHIFT) + i);
                int read = spare.gate.readSectors(at, mask, bytes);
                claims.claim(i, read, bytes, disk.traits().sectorBytes());
            }
        }
        slot = spare.allocator.allocateLast();
        if (slot < 0) {
            end(false);
            return;
        }
        long at = spare.offsetOf(slot);
        int tag = claims.encode(bytes.clear(), disk.pairUuid(), spare.index, region, at);
        seal = Seal.of(spare.index, slot, tag);
        if (takes(() -> spare.unguarded.write(at, bytes.clear()))) {
            flush(this::close);
        } else {
            giveUpSlot();
        }
    }

    /** Whether the slot of the checksums lets itself be written, or read; a spare that does not answer says nothing of it. */
    private boolean takes(Step transfer) throws DeviceException {
        for (int tries = 0; tries < SLOT_TRIES; tries++) {
            try {
                transfer.run();
                return true;
            } catch (DeviceException e) {
                if (!e.errorClass().mayBeSector() || !spare.side.canary().alive()) {
                    throw e;
                }
            }
        }
        return false;
    }

    /** It would be tried for every region: it is bad, as one that refuses a mapping. */
    private void giveUpSlot() {
        long bad = slot;
        slot = -1;
        disk.commit(List.of(MapChange.badSlot(spare.index, bad, 1)), outcome -> {
            if (outcome == Outcome.DURABLE) {
                spare.allocator.markBad(bad);
                disk.counters.badSlots.increment();
            } else if (outcome == Outcome.NOT_COMMITTED) {
                spare.allocator.free(bad);
            }
            end(false);
        });
    }

    private void close() throws DeviceException {
        spare.device.requireSameMedium();
        ByteBuffer bytes = disk.unitBuffer();
        long at = spare.offsetOf(slot);
        if (!takes(() -> spare.unguarded.read(at, bytes.clear()))) {
            giveUpSlot();
            return;
        }
        // What is not there may have been lost with the cache of a spare that was away.
        boolean isThere = SealBlock.decode(bytes, disk.pairUuid(), region, seal, at) != null;
        if (!isThere || !spare.gate.close(region)) {
            end(false);
            return;
        }
        if (spare.device.doubts() != doubts || spare.device.doubt().isPresent()) {
            spare.gate.reopen(region);
            end(false);
            return;
        }
        disk.commit(List.of(MapChange.seal(region, seal)), this::committed);
    }

    private void committed(Outcome outcome) {
        switch (outcome) {
            case DURABLE -> {
                spare.gate.sealed(region, seal, claims);
                disk.counters.sealings.increment();
                end(true);
            }
            case NOT_COMMITTED -> {
                spare.gate.reopen(region);
                end(false);
            }
            case STORE_FAILED -> {
                // Whether it is found at the next start is not known: it stays closed, and its slot taken.
                slot = -1;
                end(false);
            }
        }
    }

    private void end(boolean isSealed) {
        if (!isSealed) {
            if (slot >= 0) {
                spare.allocator.free(slot);
            }
            checksums.putOff(spare, region);
        }
        checksums.sealed(spare, region);
        then.run();
    }
}
