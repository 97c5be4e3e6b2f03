package io.remap.core.disk;

import io.remap.api.Place;
import io.remap.api.Seal;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.UUID;
import java.util.zip.CRC32C;

/**
 * The checksums of a region of a spare, see {@link Seal}: of each slot the sectors that count, and the CRC32C of each
 * of these. In the form of docs/FORMAT.md:
 *
 * <pre>
 *    0     8  magic REMAPSUM
 *    8     4  CRC32C of the 4096 bytes with this field as zeros, followed by the byte offset of the block
 *   16    16  UUID of the pair
 *   32     8  number of the region
 *   40     4  number of the spare
 *   64  2048  of each slot the CRC32C of its eight sectors, or of its one
 * 2112    64  of each slot the sectors of which something is claimed, bit 0 the first
 * </pre>
 *
 * Claims nothing at first. Filled by one thread, then read by any.
 */
final class SealBlock {
    static final int BYTES = Place.UNIT_BYTES;
    static final int MAGIC_AT = 0;
    static final int CRC_AT = 8;
    static final int UUID_AT = 16;
    static final int REGION_AT = 32;
    static final int SPARE_AT = 40;
    static final int CHECKSUMS_AT = 64;

    /** Most sectors of a slot. */
    static final int SECTORS = 8;

    static final int SECTORS_AT = CHECKSUMS_AT + 4 * SECTORS * Seal.REGION_SLOTS;

    /** "REMAPSUM", little-endian. */
    static final long MAGIC = 0x4d55_5350_414d_4552L;

    private final int[] checksums = new int[SECTORS * Seal.REGION_SLOTS];
    private final byte[] sectors = new byte[Seal.REGION_SLOTS];

    /**
     * Claims what sectors of a slot hold.
     *
     * @param index of the slot in its region
     * @param sectorMask bit 0 the first
     * @param slotBytes all of the slot, at index 0
     */
    void claim(int index, int sectorMask, ByteBuffer slotBytes, int sectorBytes) {
        CRC32C crc = new CRC32C();
        sectors[index] |= (byte) sectorMask;
        for (int mask = sectorMask; mask != 0; mask &= mask - 1) {
            int sector = Integer.numberOfTrailingZeros(mask);
            checksums[SECTORS * index + sector] = checksum(crc, slotBytes, sector * sectorBytes, sectorBytes);
        }
    }

    /** The sectors of a slot of which something is claimed. */
    int sectors(int index) {
        return Byte.toUnsignedInt(sectors[index]);
    }

    /**
     * Whether a sector of a slot holds what is claimed, if anything is.
     *
     * @param at where its bytes begin in the buffer
     */
    boolean accepts(CRC32C crc, int index, int sector, ByteBuffer bytes, int at, int sectorBytes) {
        return (sectors(index) & 1 << sector) == 0
                || checksums[SECTORS * index + sector] == checksum(crc, bytes, at, sectorBytes);
    }

    private static int checksum(CRC32C crc, ByteBuffer bytes, int at, int sectorBytes) {
        crc.reset();
        crc.update(bytes.slice(at, sectorBytes));
        return (int) crc.getValue();
    }

    /**
     * Writes the block.
     *
     * @param block {@value #BYTES} bytes
     * @param offsetBytes where it will stand on the spare
     * @return the tag of its seal
     */
    int encode(ByteBuffer block, UUID pairUuid, int spare, long region, long offsetBytes) {
        ByteBuffer to = block.duplicate().clear().order(ByteOrder.LITTLE_ENDIAN);
        to.put(new byte[BYTES]);
        to.putLong(MAGIC_AT, MAGIC);
        to.duplicate()
                .position(UUID_AT)
                .putLong(pairUuid.getMostSignificantBits())
                .putLong(pairUuid.getLeastSignificantBits());
        to.putLong(REGION_AT, region);
        to.putInt(SPARE_AT, spare);
        for (int i = 0; i < checksums.length; i++) {
            to.putInt(CHECKSUMS_AT + 4 * i, checksums[i]);
        }
        to.put(SECTORS_AT, sectors);
        int crc = crcOf(to, offsetBytes);
        to.putInt(CRC_AT, crc);
        return crc & 0xffff;
    }

    /**
     * Reads a block.
     *
     * @param seal that names it
     * @return {@code null} if it is damaged, or another one
     */
    static SealBlock decode(ByteBuffer block, UUID pairUuid, long region, long seal, long offsetBytes) {
        ByteBuffer from = block.duplicate().clear().order(ByteOrder.LITTLE_ENDIAN);
        ByteBuffer uuid = from.duplicate().position(UUID_AT);
        boolean valid = from.getLong(MAGIC_AT) == MAGIC
                && uuid.getLong() == pairUuid.getMostSignificantBits()
                && uuid.getLong() == pairUuid.getLeastSignificantBits()
                && from.getLong(REGION_AT) == region
                && from.getInt(SPARE_AT) == Seal.spare(seal)
                && from.getInt(CRC_AT) == crcOf(from, offsetBytes)
                && (from.getInt(CRC_AT) & 0xffff) == Seal.tag(seal);
        if (!valid) {
            return null;
        }
        SealBlock result = new SealBlock();
        for (int i = 0; i < result.checksums.length; i++) {
            result.checksums[i] = from.getInt(CHECKSUMS_AT + 4 * i);
        }
        from.get(SECTORS_AT, result.sectors);
        return result;
    }

    private static int crcOf(ByteBuffer block, long offsetBytes) {
        CRC32C crc = new CRC32C();
        crc.update(block.slice(0, CRC_AT));
        crc.update(new byte[4]);
        crc.update(block.slice(CRC_AT + 4, BYTES - CRC_AT - 4));
        ByteBuffer offset = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
        crc.update(offset.putLong(0, offsetBytes));
        return (int) crc.getValue();
    }
}
