package io.remap.core;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.ModificationTime;
import io.remap.api.Place;
import io.remap.core.Fingerprint.Block;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.OptionalLong;
import java.util.function.BooleanSupplier;

/** Reads units of main for its fingerprint: past the page cache, where that is possible. For one thread. */
final class MainBlocks {
    private final BlockDevice main;
    private final BlockDevice direct;
    private final int sectorBytes;
    private BooleanSupplier isOver = () -> false;
    private final MessageDigest sha256 = newSha256();
    private final ByteBuffer buffer =
            ByteBuffer.allocateDirect(2 * Place.UNIT_BYTES).alignedSlice(Place.UNIT_BYTES);

    MainBlocks(BlockDevice main, int sectorBytes) {
        this.main = main;
        this.direct = main.direct();
        this.sectorBytes = sectorBytes;
    }

    /** Once this says so a unit that fails is not read sector by sector: each may take seconds. */
    void endWhen(BooleanSupplier newIsOver) {
        isOver = newIsOver;
    }

    /**
     * Reads sectors of a unit.
     *
     * @return the block; its mask lacks the sectors that cannot be read, or were not as the time is over
     * @throws DeviceException of an error that is no sector's
     */
    Block read(Fingerprint.Kind kind, long unit, int mask) throws DeviceException {
        if (mask == 0) {
            return new Block(kind, unit, 0, 0);
        }
        int first = Integer.numberOfTrailingZeros(mask);
        int end = Integer.SIZE - Integer.numberOfLeadingZeros(mask);
        if (tryRead(unit, first, end)) {
            return new Block(kind, unit, mask, digest(mask));
        }
        int readable = 0;
        for (int sector = first; sector < end && !isOver.getAsBoolean(); sector++) {
            if (((mask >> sector) & 1) != 0 && tryRead(unit, sector, sector + 1)) {
                readable |= 1 << sector;
            }
        }
        return new Block(kind, unit, readable, digest(readable));
    }

    private boolean tryRead(long unit, int firstSector, int endSector) throws DeviceException {
        try {
            direct.read(
                    (unit << Place.UNIT_SHIFT) + (long) firstSector * sectorBytes,
                    buffer.clear().limit(endSector * sectorBytes).position(firstSector * sectorBytes));
            return true;
        } catch (DeviceException e) {
            if (!e.errorClass().mayBeSector()) {
                throw e;
            }
            return false;
        }
    }

    private int digest(int mask) {
        for (int sector = 0; mask >> sector != 0; sector++) {
            if (((mask >> sector) & 1) != 0) {
                sha256.update(buffer.clear().slice(sector * sectorBytes, sectorBytes));
            }
        }
        return ByteBuffer.wrap(sha256.digest()).getInt();
    }

    private static MessageDigest newSha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    /** When main was changed last, where it is a file that tells. */
    OptionalLong modifiedNanos() {
        try {
            var time = main.capability(ModificationTime.class);
            return time.isPresent() ? OptionalLong.of(time.get().modifiedNanos()) : OptionalLong.empty();
        } catch (DeviceException e) {
            return OptionalLong.empty();
        }
    }
}
