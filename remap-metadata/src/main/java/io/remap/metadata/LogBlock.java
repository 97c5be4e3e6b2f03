package io.remap.metadata;

import java.nio.ByteBuffer;

/**
 * A block of the log: the records of one group of commits, or a part of those of a larger one. Written once, to a place
 * that nothing of this generation stands in, never again.
 *
 * <pre>
 *  0 48  as every block (magic REMAPLOG); at 12 the number of records
 * 48  8  sequence: 1, 2, 3 … from the beginning of the log on
 * 56  4  body CRC of the block before, 0 in the first
 * 60  2  index of the block in its batch
 * 62  2  blocks in the batch: only a batch that is there whole counts
 * 64     up to 126 records of 32 bytes: an entry and 8 bytes of zeros
 * </pre>
 */
final class LogBlock {
    static final long MAGIC = Block.magic("REMAPLOG");
    static final int COUNT_AT = 12;
    static final int SEQUENCE_AT = 48;
    static final int PREVIOUS_CRC_AT = 56;
    static final int BATCH_INDEX_AT = 60;
    static final int BATCH_COUNT_AT = 62;
    static final int RECORDS_AT = 64;
    static final int RECORD_BYTES = 32;
    static final int MAX_RECORDS = (Block.BYTES - RECORDS_AT) / RECORD_BYTES;

    private LogBlock() {}

    static int recordAt(int index) {
        return RECORDS_AT + index * RECORD_BYTES;
    }

    /** Completes a block whose records are in place, all but the CRC, which depends on the copy. */
    static void finish(
            ByteBuffer block,
            Generation generation,
            long sequence,
            int previousCrc,
            int count,
            int batchIndex,
            int batchCount) {
        Block.putClaim(block, MAGIC, generation);
        block.putInt(COUNT_AT, count);
        block.putLong(SEQUENCE_AT, sequence);
        block.putInt(PREVIOUS_CRC_AT, previousCrc);
        block.putShort(BATCH_INDEX_AT, (short) batchIndex);
        block.putShort(BATCH_COUNT_AT, (short) batchCount);
    }

    static boolean isValid(ByteBuffer block, Generation generation, long sequence, long offsetBytes) {
        return Block.claims(block, MAGIC, generation)
                && block.getLong(SEQUENCE_AT) == sequence
                && count(block) >= 1
                && count(block) <= MAX_RECORDS
                && batchIndex(block) < batchCount(block)
                && Block.isSealed(block, offsetBytes);
    }

    static int count(ByteBuffer block) {
        return block.getInt(COUNT_AT);
    }

    static int previousCrc(ByteBuffer block) {
        return block.getInt(PREVIOUS_CRC_AT);
    }

    static int batchIndex(ByteBuffer block) {
        return Short.toUnsignedInt(block.getShort(BATCH_INDEX_AT));
    }

    static int batchCount(ByteBuffer block) {
        return Short.toUnsignedInt(block.getShort(BATCH_COUNT_AT));
    }
}
