package io.remap.core.disk;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Place;
import io.remap.api.Seal;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.SpareSlots;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.zip.CRC32C;

/**
 * What the checksums of a spare say of its slots, for a check, which reads past every cache and past the gate of a server. The
 * spare may be served meanwhile: what differs counts only if the same seal is still in force afterwards, as nothing is
 * written before its region was opened durably. Writes nothing. Used by one thread.
 */
public final class SealedSlots {
    private static final int READ_TRIES = 3;

    /** Most regions whose checksums are kept: 2 MiB. Neighbouring units need not stand in neighbouring slots. */
    private static final int MAX_KEPT = 1024;

    private final MetadataStore store;
    private final BlockDevice spare;
    private final int number;
    private final SpareSlots slots;
    private final int sectorBytes;

    /** By region, as they were in the beginning. */
    private final Map<Long, Long> seals;

    /** By region; the one that was asked for longest ago makes room. */
    private final Map<Long, SealBlock> kept = new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Long, SealBlock> eldest) {
            return size() > MAX_KEPT;
        }
    };

    private final Set<Long> unclaimed = new HashSet<>();
    private final CRC32C crc = new CRC32C();

    /**
     * @param spare read through its direct door
     * @param number of the spare in its pair
     * @param slots where its slots lie
     */
    public SealedSlots(MetadataStore store, BlockDevice spare, int number, SpareSlots slots) {
        this.store = store;
        this.spare = spare.direct();
        this.number = number;
        this.slots = slots;
        this.sectorBytes = store.pair().sectorBytes();
        this.seals = inForce();
    }

    private Map<Long, Long> inForce() {
        Map<Long, Long> found = new HashMap<>();
        store.seals((at, seal) -> {
            if (Seal.spare(seal) == number) {
                found.put(at, seal);
            }
        });
        return found;
    }

    /** Regions whose checksums could not be read, or are damaged: nothing is claimed of them. */
    public long unclaimedRegions() {
        return unclaimed.size();
    }

    /**
     * The sectors of a slot that are not what was sealed, bit 0 the first.
     *
     * @param mask which of them were read
     * @param bytes the slot, from {@code at} on
     */
    public int rottenSectors(long slot, int mask, ByteBuffer bytes, int at) throws DeviceException {
        long region = Seal.regionOf(slot);
        Long seal = seals.get(region);
        if (seal == null) {
            return 0;
        }
        SealBlock claims = kept.get(region);
        if (claims == null) {
            claims = read(region, seal);
            kept.put(region, claims);
        }
        int rotten = 0;
        for (int left = mask & claims.sectors(Seal.indexOf(slot)); left != 0; left &= left - 1) {
            int sector = Integer.numberOfTrailingZeros(left);
            int from = at + sector * sectorBytes;
            rotten |= claims.accepts(crc, Seal.indexOf(slot), sector, bytes, from, sectorBytes) ? 0 : 1 << sector;
        }
        return rotten != 0 && seal.equals(inForce().get(region)) ? rotten : 0;
    }

    private SealBlock read(long of, long seal) throws DeviceException {
        ByteBuffer block = ByteBuffer.allocateDirect(2 * Place.UNIT_BYTES)
                .alignedSlice(Place.UNIT_BYTES)
                .limit(Place.UNIT_BYTES)
                .slice();
        long at = slots.offsetBytes(Seal.slot(seal));
        SealBlock found =
                reads(at, block) ? SealBlock.decode(block, store.pair().pairUuid(), of, seal, at) : null;
        if (found == null) {
            if (Long.valueOf(seal).equals(inForce().get(of))) {
                unclaimed.add(of);
            }
            return new SealBlock();
        }
        return found;
    }

    private boolean reads(long at, ByteBuffer block) throws DeviceException {
        for (int i = 0; i < READ_TRIES; i++) {
            try {
                spare.read(at, block.clear());
                return true;
            } catch (DeviceException e) {
                if (!e.errorClass().mayBeSector()) {
                    throw e;
                }
            }
        }
        return false;
    }
}
