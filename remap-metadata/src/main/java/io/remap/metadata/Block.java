package io.remap.metadata;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.UUID;
import java.util.zip.CRC32C;

/**
 * What all metadata blocks have in common. A block is {@value #BYTES} bytes, little-endian, at an offset that is a
 * multiple of the granule; where the granule is larger, the rest of it is zeros.
 *
 * <pre>
 *  0  8  magic, ASCII
 *  8  4  CRC32C of the block (this field as zeros) followed by the block's own byte offset (8 bytes)
 * 12  4  by kind
 * 16 16  UUID of the pair, big-endian
 * 32  8  generation      (not in superblocks)
 * 40  8  nonce           (not in superblocks)
 * </pre>
 *
 * <p>The address in the CRC shows a block that was written to, or read from, the wrong place. The <i>body CRC</i> leaves
 * the address out, so it is the same for both copies of a block.
 */
final class Block {
    static final int BYTES = 4096;

    static final int MAGIC_AT = 0;
    static final int CRC_AT = 8;
    static final int UUID_AT = 16;
    static final int GENERATION_AT = 32;
    static final int NONCE_AT = 40;

    private Block() {}

    /** The number that the eight ASCII characters are when read as a little-endian long. */
    static long magic(String text) {
        long value = 0;
        for (int i = 7; i >= 0; i--) {
            value = value << 8 | text.charAt(i);
        }
        return value;
    }

    /** A view of one block within a buffer. */
    static ByteBuffer view(ByteBuffer buffer, int offsetBytes) {
        return buffer.slice(offsetBytes, BYTES).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Writes the CRC of a block that is complete otherwise and will stand at this offset. */
    static void seal(ByteBuffer block, long offsetBytes) {
        block.putInt(CRC_AT, sealOf(crcOfBody(block), offsetBytes));
    }

    /** A copy of the block, with zeros where its CRC stands. */
    static ByteBuffer withoutCrc(ByteBuffer block) {
        ByteBuffer copy = view(ByteBuffer.allocate(BYTES), 0);
        copy.put(0, block, 0, BYTES);
        copy.putInt(CRC_AT, 0);
        return copy;
    }

    /** Whether the block is whole and stands where it belongs. */
    static boolean isSealed(ByteBuffer block, long offsetBytes) {
        return block.getInt(CRC_AT) == sealOf(crcOfBody(block), offsetBytes);
    }

    /** CRC32C of the block without its address. */
    static int bodyCrc(ByteBuffer block) {
        return (int) crcOfBody(block).getValue();
    }

    private static CRC32C crcOfBody(ByteBuffer block) {
        return crcOfBody(block, BYTES);
    }

    static CRC32C crcOfBody(ByteBuffer block, int lengthBytes) {
        CRC32C crc = new CRC32C();
        crc.update(block.slice(0, CRC_AT));
        crc.update(new byte[Integer.BYTES]);
        crc.update(block.slice(CRC_AT + Integer.BYTES, lengthBytes - CRC_AT - Integer.BYTES));
        return crc;
    }

    static int sealOf(CRC32C body, long offsetBytes) {
        body.update(ByteBuffer.allocate(Long.BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(offsetBytes)
                .flip());
        return (int) body.getValue();
    }

    static void putUuid(ByteBuffer block, int at, UUID uuid) {
        block.putLong(at, Long.reverseBytes(uuid.getMostSignificantBits()));
        block.putLong(at + Long.BYTES, Long.reverseBytes(uuid.getLeastSignificantBits()));
    }

    static UUID uuid(ByteBuffer block, int at) {
        return new UUID(Long.reverseBytes(block.getLong(at)), Long.reverseBytes(block.getLong(at + Long.BYTES)));
    }

    /** Whether the block claims this kind, pair, generation and nonce; says nothing about its CRC. */
    static boolean claims(ByteBuffer block, long magic, Generation generation) {
        return block.getLong(MAGIC_AT) == magic
                && uuid(block, UUID_AT).equals(generation.pairUuid())
                && block.getLong(GENERATION_AT) == generation.number()
                && block.getLong(NONCE_AT) == generation.nonce();
    }

    static void putClaim(ByteBuffer block, long magic, Generation generation) {
        block.putLong(MAGIC_AT, magic);
        putUuid(block, UUID_AT, generation.pairUuid());
        block.putLong(GENERATION_AT, generation.number());
        block.putLong(NONCE_AT, generation.nonce());
    }

    static boolean isZero(ByteBuffer buffer, int offsetBytes, int lengthBytes) {
        for (int i = offsetBytes; i < offsetBytes + lengthBytes; i += Long.BYTES) {
            if (buffer.getLong(i) != 0) {
                return false;
            }
        }
        return true;
    }
}
