package io.remap.metadata;

import java.nio.ByteBuffer;

/**
 * A block of the table (the checkpoint): extents by ascending unit, then runs of bad slots by ascending slot.
 *
 * <pre>
 *  0 48  as every block (magic REMAPTBL); at 12 the number of entries
 * 48  4  index of the block in the table
 * 52 12  zeros
 * 64     entries of 24 bytes
 * </pre>
 */
final class TableBlock {
    static final long MAGIC = Block.magic("REMAPTBL");
    static final int COUNT_AT = 12;
    static final int INDEX_AT = 48;
    static final int ENTRIES_AT = 64;
    static final int MAX_ENTRIES = (Block.BYTES - ENTRIES_AT) / Entry.BYTES;

    private TableBlock() {}

    /** Completes a block whose entries are in place, all but the CRC, which depends on the copy. */
    static void finish(ByteBuffer block, Generation generation, int index, int count) {
        Block.putClaim(block, MAGIC, generation);
        block.putInt(COUNT_AT, count);
        block.putInt(INDEX_AT, index);
    }

    static boolean isValid(ByteBuffer block, Generation generation, int index, long offsetBytes) {
        return Block.claims(block, MAGIC, generation)
                && block.getInt(INDEX_AT) == index
                && count(block) >= 0
                && count(block) <= MAX_ENTRIES
                && Block.isSealed(block, offsetBytes);
    }

    static int count(ByteBuffer block) {
        return block.getInt(COUNT_AT);
    }

    /** The bytes of the entries, which the CRC of the whole table covers. */
    static ByteBuffer entries(ByteBuffer block) {
        return block.slice(ENTRIES_AT, count(block) * Entry.BYTES);
    }
}
