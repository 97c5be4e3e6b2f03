package io.remap.cli.proof;

import io.remap.testkit.CrashDevice;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * Makes the log of a freshly formatted spare shorter, so that few steps fill it and compaction happens, and takes slots away. The
 * format allows it: the superblocks say how long the log is, and what it loses the reserve gets, so everything else stays in its place.
 * Byte offsets as in docs/FORMAT.md.
 */
final class TinyLog {
    private static final int BLOCK_BYTES = 4096;
    private static final int CRC_AT = 8;
    private static final int GENERATION_AT = 32;
    private static final int SIZE_AT = 56;
    private static final int ARENAS_AT = 96;
    private static final int TABLE_BLOCKS_AT = 128;
    private static final int LOG_BLOCKS_AT = 132;
    private static final int RESERVE_BLOCKS_AT = 136;
    private static final int FRONT_SLOTS_AT = 152;
    private static final int BACK_SLOTS_AT = 168;
    private static final int HEADER_PLACES = 2;

    private TinyLog() {}

    /**
     * Where the metadata of a spare lies.
     *
     * @param superblocks offsets of the four
     * @param arenas offsets of A copy 0, A copy 1, B copy 0, B copy 1
     * @param firstCommitAt how far the log block of the first commit is from there
     * @param arenaBytes bytes of each
     */
    record Places(List<Long> superblocks, List<Long> arenas, long firstCommitAt, int arenaBytes) {
        /** Which arena the next generation goes to, 0 or 1: the one that does not have the newest. */
        int arenaToComeOf(CrashDevice spare) {
            return generation(spare, 0) > generation(spare, 1) ? 1 : 0;
        }

        /** As the first copy says. */
        private long generation(CrashDevice spare, int arena) {
            return ByteBuffer.wrap(spare.peek(arenas.get(2 * arena), BLOCK_BYTES))
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .getLong(GENERATION_AT);
        }

        /** What an arena copy that was lost reads as: nothing. */
        void loseCopy(CrashDevice spare, int copy) {
            spare.poke(arenas.get(copy), new byte[arenaBytes]);
            spare.poke(arenas.get(2 + copy), new byte[arenaBytes]);
        }
    }

    /**
     * Rewrites the four superblocks, durably.
     *
     * @param commits so many blocks of commits fill the log; the first block of each says that it has begun
     */
    static Places set(CrashDevice spare, int commits) {
        return set(spare, commits, Integer.MAX_VALUE);
    }

    /** As the other; leaves so many slots at most, all of them in front. */
    static Places set(CrashDevice spare, int commits, int slots) {
        int logBlocks = commits + 1;
        Places places = null;
        List<Long> superblocks = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            long at = superblockAt(spare, i);
            ByteBuffer block = ByteBuffer.wrap(spare.peek(at, BLOCK_BYTES)).order(ByteOrder.LITTLE_ENDIAN);
            int spared = block.getInt(LOG_BLOCKS_AT) - logBlocks;
            block.putInt(LOG_BLOCKS_AT, logBlocks);
            block.putInt(RESERVE_BLOCKS_AT, block.getInt(RESERVE_BLOCKS_AT) + spared);
            if (slots < block.getLong(FRONT_SLOTS_AT)) {
                block.putLong(FRONT_SLOTS_AT, slots);
                block.putLong(BACK_SLOTS_AT, 0);
            }
            seal(block, at);
            spare.poke(at, block.array());
            int bodyBlocks =
                    block.getInt(TABLE_BLOCKS_AT) + block.getInt(LOG_BLOCKS_AT) + block.getInt(RESERVE_BLOCKS_AT);
            superblocks.add(at);
            places = new Places(
                    superblocks,
                    List.of(
                            block.getLong(ARENAS_AT),
                            block.getLong(ARENAS_AT + 8),
                            block.getLong(ARENAS_AT + 16),
                            block.getLong(ARENAS_AT + 24)),
                    (2L + block.getInt(TABLE_BLOCKS_AT)) * BLOCK_BYTES,
                    (bodyBlocks + HEADER_PLACES) * BLOCK_BYTES);
        }
        return places;
    }

    private static long superblockAt(CrashDevice spare, int index) {
        ByteBuffer first = ByteBuffer.wrap(spare.peek(0, BLOCK_BYTES)).order(ByteOrder.LITTLE_ENDIAN);
        long size = first.getLong(SIZE_AT);
        return switch (index) {
            case 0 -> 0;
            case 1 -> 1 << 20;
            case 2 -> size / 2 & -65536L;
            default -> size - 65536;
        };
    }

    private static void seal(ByteBuffer block, long at) {
        block.putInt(CRC_AT, 0);
        CRC32C crc = new CRC32C();
        crc.update(block.slice(0, BLOCK_BYTES));
        crc.update(ByteBuffer.allocate(Long.BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(at)
                .flip());
        block.putInt(CRC_AT, (int) crc.getValue());
    }
}
