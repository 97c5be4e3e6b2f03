package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.MapChange;
import io.remap.api.Refusal;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/**
 * Log blocks that are whole and do not belong together: where that could hide a commit the log is not written on; where a power
 * cut could have left it, it ends there.
 */
class ForgedLogTest {
    private static final int LOG_BLOCKS = 8;

    private final LogMetadataProvider provider = new LogMetadataProvider(LOG_BLOCKS);
    private final Layout layout = Layout.tryPlan(Bench.SPARE_BYTES, Block.BYTES, LOG_BLOCKS);
    private final CrashDevice spare = Bench.formatted(LOG_BLOCKS);
    private final ArenaCopy[] arena;

    /** BEGIN, then a commit of one block, then one of three: the log is filled up to block 5 of 8. */
    ForgedLogTest() throws Exception {
        Opened opened = Bench.open(provider, spare, false, 1);
        opened.commit(Bench.map(1, 1));
        opened.commit(batch(2 * LogBlock.MAX_RECORDS + 1));
        Headers headers = Headers.read(new BlockIo(spare.copy(), Block.BYTES), layout, Bench.PAIR.pairUuid());
        arena = Formatter.arena(layout, headers.candidates().get(0).arena);
    }

    private static List<MapChange> batch(int records) {
        List<MapChange> changes = new ArrayList<>();
        for (int i = 0; i < records; i++) {
            changes.add(Bench.map(1000 + 2L * i, 100 + i));
        }
        return changes;
    }

    private long at(int copy, int position) {
        return arena[copy].offset(arena[copy].logBody(position));
    }

    private void editBoth(CrashDevice device, int position, Consumer<ByteBuffer> edit) {
        for (int copy = 0; copy < 2; copy++) {
            Forge.edit(device, at(copy, position), edit);
        }
    }

    private long extents(CrashDevice device, boolean readOnly) throws Exception {
        return Bench.open(provider, device, readOnly, 3).store().table().extents();
    }

    private void assertEndsInDoubt(CrashDevice device, String why, long extents) throws Exception {
        Refusal refusal = assertThrows(Refusal.class, () -> Bench.open(provider, device, false, 2));
        assertEquals(Refusal.Kind.DAMAGED, refusal.kind());
        assertTrue(refusal.getMessage().contains(why), refusal.getMessage());
        assertEquals(0, device.operations(Operation.WRITE), "nothing is written");
        assertEquals(extents, extents(device, true), "what is certain can be read");
    }

    @Test
    void aBlockThatDoesNotContinueTheOneBeforeIsADoubt() throws Exception {
        assertEquals(2 + 2 * LogBlock.MAX_RECORDS, extents(spare.copy(), false));
        List<Consumer<ByteBuffer>> edits = List.of(
                block -> block.putInt(LogBlock.PREVIOUS_CRC_AT, 4711),
                block -> block.putShort(LogBlock.BATCH_INDEX_AT, (short) 1)
                        .putShort(LogBlock.BATCH_COUNT_AT, (short) 2));
        for (Consumer<ByteBuffer> edit : edits) {
            CrashDevice forged = spare.copy();
            editBoth(forged, 1, edit);
            assertEndsInDoubt(forged, "log block 2 of generation", 0);
        }
        // Within the batch of three: another number of blocks than the first one says.
        CrashDevice forged = spare.copy();
        editBoth(forged, 3, block -> block.putShort(LogBlock.BATCH_COUNT_AT, (short) 4));
        assertEndsInDoubt(forged, "log block 4 of generation", 1);
    }

    @Test
    void copiesThatContradictEachOtherAreRefused() {
        CrashDevice forged = spare.copy();
        Forge.edit(forged, at(1, 1), block -> block.putLong(LogBlock.recordAt(0) + Entry.UNIT_AT, 7));
        for (boolean readOnly : List.of(true, false)) {
            Refusal refusal = assertThrows(Refusal.class, () -> Bench.open(provider, forged, readOnly, 2));
            assertTrue(refusal.getMessage().contains("the copies of log block 2 of generation"), refusal.getMessage());
            assertTrue(refusal.getMessage().contains("contradict each other"), refusal.getMessage());
        }
        assertEquals(0, forged.operations(Operation.WRITE));
    }

    /** As a power cut leaves a commit of several blocks: it was not acknowledged, and is not there. */
    @Test
    void aBatchThatIsNotThereWholeIsNotThere() throws Exception {
        for (int missing = 2; missing < 5; missing++) {
            CrashDevice cut = spare.copy();
            cut.poke(at(0, missing), new byte[Block.BYTES]);
            cut.poke(at(1, missing), new byte[Block.BYTES]);
            assertEquals(1, extents(cut, true), "block " + missing);
            assertEquals(1, extents(cut, false), "block " + missing);
        }
    }

    /** The last block of the log says that it is the first of two. */
    @Test
    void aBatchBeyondTheEndOfTheLogIsNotThere() throws Exception {
        CrashDevice device = Bench.formatted(LOG_BLOCKS);
        // Not by a store, which begins a new generation while the log is filling.
        CommitLog log = begun(device);
        Tables tables = log.tables();
        for (int i = 1; i < LOG_BLOCKS; i++) {
            tables = tables.with(Bench.map(2L * i, i));
            log.commit(List.of(Bench.map(2L * i, i)), tables);
        }
        ArenaCopy[] inForce = log.view().copies().toArray(ArenaCopy[]::new);
        assertEquals(LOG_BLOCKS, log.usedBlocks());
        assertEquals(LOG_BLOCKS - 1, extents(device.copy(), true));
        for (ArenaCopy copy : inForce) {
            Forge.edit(
                    device,
                    copy.offset(copy.logBody(LOG_BLOCKS - 1)),
                    block -> block.putShort(LogBlock.BATCH_COUNT_AT, (short) 2));
        }
        assertEquals(LOG_BLOCKS - 2, extents(device.copy(), true));
        assertEquals(LOG_BLOCKS - 2, extents(device.copy(), false));
    }

    /** The log of a device, begun anew. */
    private static CommitLog begun(CrashDevice device) throws Exception {
        Superblock superblock = Identities.read(device).first();
        BlockIo io = LogMetadataProvider.blockIo(device, superblock);
        TableRecovery.Found found = TableRecovery.recover(io, superblock);
        CommitLog log =
                new CommitLog(io, superblock, found, found.header().lineage(), Bench.environment(new Bench.Tasks(), 2));
        log.begin();
        return log;
    }

    /** What stands where the log of the other arena begins is of no pair of ours: it tells of no newer generation. */
    @Test
    void aBeginOfAnotherPairIsNobodysWord() throws Exception {
        ArenaCopy[] other = Formatter.arena(layout, 1 - arena[0].arena);
        for (boolean ours : List.of(false, true)) {
            CrashDevice forged = spare.copy();
            for (ArenaCopy copy : other) {
                long at = copy.offset(copy.logBody(Checkpoint.BEGIN_POSITION));
                ByteBuffer block = Forge.block(forged, arena[0].offset(arena[0].logBody(0)));
                Block.putUuid(block, Block.UUID_AT, ours ? Bench.PAIR.pairUuid() : new UUID(9, 9));
                block.putLong(Block.GENERATION_AT, 1000);
                Forge.put(forged, at, block);
            }
            if (ours) {
                Refusal refusal = assertThrows(Refusal.class, () -> Bench.open(provider, forged, false, 2));
                assertTrue(refusal.getMessage().contains("those of generation 1000"), refusal.getMessage());
            } else {
                assertEquals(2 + 2 * LogBlock.MAX_RECORDS, extents(forged, false));
            }
        }
    }
}
