package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Errno;
import io.remap.api.FeatureState;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataCopies;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataReport.Part;
import io.remap.api.spi.MetadataReport.Verdict;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** What happens to the blocks of an open store behind its back, and what its verification says and mends of it. */
class KeeperDamageTest {
    private static final int LOG_BLOCKS = 8;

    private final LogMetadataProvider provider = new LogMetadataProvider(LOG_BLOCKS);
    private final CrashDevice spare = Bench.formatted(LOG_BLOCKS);
    private Opened opened = Bench.open(provider, spare, false, 1);
    private MetadataReport report;
    private Refusal refusal;

    KeeperDamageTest() throws Exception {
        for (int i = 0; i < 200; i++) {
            assertEquals(Outcome.DURABLE, opened.commit(Bench.map(2L * i, i)));
        }
        copies().rewrite((found, why) -> assertNull(why));
        opened.tasks().runAll();
    }

    private MetadataCopies copies() {
        return opened.store().copies().orElseThrow();
    }

    private void verify(boolean repair) {
        ask(repair);
        opened.tasks().runAll();
        assertTrue(report != null || refusal != null, "it ended");
    }

    private void ask(boolean repair) {
        report = null;
        refusal = null;
        copies().verify(repair, (found, why) -> {
            report = found;
            refusal = why;
        });
    }

    private static void garbage(CrashDevice device, long at) {
        byte[] bytes = new byte[Block.BYTES];
        new Random(at).nextBytes(bytes);
        device.poke(at, bytes);
    }

    private static long place(int index) {
        return Layout.identityOffset(index, Bench.SPARE_BYTES);
    }

    private ArenaCopy[] inForce() throws Exception {
        Layout layout = Layout.tryPlan(Bench.SPARE_BYTES, Block.BYTES, LOG_BLOCKS);
        Headers headers = Headers.read(new BlockIo(spare.copy(), Block.BYTES), layout, Bench.PAIR.pairUuid());
        return Formatter.arena(layout, headers.candidates().get(0).arena);
    }

    private List<String> bad() {
        return report.parts().stream()
                .filter(Part::isBad)
                .map(part -> part.name() + ": " + part.detail())
                .toList();
    }

    private void assertRepairs() throws Exception {
        verify(true);
        assertNull(refusal);
        verify(false);
        assertEquals(Verdict.SOUND, report.verdict(), report.toString());
        assertEquals(
                200,
                Bench.open(provider, spare.crashKeeping(sector -> false), true, 3)
                        .store()
                        .table()
                        .extents());
    }

    @Test
    void severalBadBlocksOfACopyAreCountedAndMended() throws Exception {
        ArenaCopy copy = inForce()[0];
        garbage(spare, copy.offset(0));
        garbage(spare, copy.offset(1));
        verify(false);
        assertEquals(
                List.of(copy + " table: 2 of 2 blocks damaged, 0 unreadable, the first at byte " + copy.offset(0)),
                bad());
        assertRepairs();
    }

    @Test
    void aHeaderThatNamesAnotherTableIsMended() throws Exception {
        ArenaCopy copy = inForce()[1];
        Forge.edit(spare, copy.headerOffset(0), block -> block.putInt(ArenaHeader.TABLE_CRC_AT, 4711));
        verify(false);
        assertEquals(Verdict.REPAIRABLE, report.verdict());
        assertEquals(1, bad().size());
        assertTrue(bad().get(0).startsWith(copy + " header: it is of generation"), bad().get(0));
        assertRepairs();
    }

    @Test
    void superblocksOfWhichNoneIsLeftAreToldOf() throws Exception {
        for (int index = 0; index < Identities.COUNT; index++) {
            garbage(spare, place(index));
        }
        long writes = spare.operations(Operation.WRITE);
        verify(true);
        assertEquals(Verdict.REPAIRABLE, report.verdict());
        assertEquals(4, bad().size());
        assertEquals(0, copies().state().superblocksValid());
        assertEquals(writes, spare.operations(Operation.WRITE), "there is none that could be copied");
    }

    @Test
    void aFormatThatBeganIsNotWrittenOver() throws Exception {
        Identities.writeMarkers(new BlockIo(spare, Block.BYTES, 1), Bench.PAIR.pairUuid(), Bench.SPARE_BYTES, 2);
        long writes = spare.operations(Operation.WRITE);
        verify(true);
        assertEquals(Verdict.REPAIRABLE, report.verdict());
        assertEquals(List.of("superblock 2: the mark of a format under way"), bad());
        assertEquals(writes, spare.operations(Operation.WRITE));
        assertEquals(3, copies().state().superblocksValid());
    }

    @Test
    void superblocksThatAreNotOursAnyMoreStopARepair() throws Exception {
        CrashDevice before = spare.copy();
        for (int kind = 0; kind < 3; kind++) {
            switch (kind) {
                case 0 -> Forge.edit(spare, place(1), block -> block.putLong(Superblock.CREATED_AT, 4711));
                case 1 -> Forge.editSuperblocks(spare, block -> Block.putUuid(block, Block.UUID_AT, new UUID(9, 9)));
                default -> Forge.editSuperblocks(spare, block -> block.putInt(Superblock.MAIN_SECTOR_AT, 100));
            }
            long writes = spare.operations(Operation.WRITE);
            verify(true);
            assertEquals(Verdict.READ_ONLY, report.verdict());
            assertEquals(Refusal.Kind.DAMAGED, refusal.kind());
            String what = report.findings().get(0).what();
            String why = kind == 2 ? "describes an impossible main" : "somebody else writes to it";
            assertTrue(what.contains(why), what);
            assertEquals(writes, spare.operations(Operation.WRITE));
            for (int index = 0; index < Identities.COUNT; index++) {
                spare.poke(place(index), before.peek(place(index), Block.BYTES));
            }
        }
        verify(true);
        assertEquals(Verdict.SOUND, report.verdict());
    }

    /** A new generation begins meanwhile: the superblocks are mended, and the copies need nothing more. */
    @Test
    void aSuperblockIsMendedAlsoWhereAnotherGenerationBegan() throws Exception {
        garbage(spare, place(0));
        ask(true);
        for (int i = 0; i < 6; i++) {
            opened.tasks().poll().run();
        }
        copies().rewrite((found, why) -> assertNull(why));
        opened.tasks().runAll();
        assertNull(refusal);
        assertEquals(Verdict.REPAIRABLE, report.verdict());
        assertTrue(report.parts().toString().contains("during this check"), report.toString());
        assertEquals(4, copies().state().superblocksValid());
        verify(false);
        assertEquals(Verdict.SOUND, report.verdict());
    }

    /** Each operation of a repair fails in turn: told, and nothing is lost. */
    @Test
    void aRepairThatFailsIsToldAndLosesNothing() throws Exception {
        int told = 0;
        boolean reachedTheEnd = false;
        for (int fault = 0; !reachedTheEnd; fault++) {
            garbage(spare, inForce()[0].offset(1));
            garbage(spare, place(3));
            long at = spare.operations() + fault;
            spare.failOperation(at, Errno.ENODEV);
            verify(true);
            reachedTheEnd = spare.operations() <= at;
            told += refusal != null ? 1 : 0;
            if (refusal != null) {
                assertEquals(Refusal.Kind.DEVICE_FAILED, refusal.kind());
            }
            spare.heal();
            if (opened.store().status().state() == FeatureState.FAILED) {
                assertNotNull(refusal);
                opened = Bench.open(provider, spare, false, 10 + fault);
            }
            assertEquals(200, opened.store().table().extents());
            assertEquals(Outcome.DURABLE, opened.commit(Bench.map(0, 0)));
            assertRepairs();
        }
        assertTrue(told > 20, "told " + told + " times");
    }

    @Test
    void aRewriteThatFailsIsTold() throws Exception {
        spare.failFrom(spare.operations(), Errno.ENODEV);
        copies().rewrite((found, why) -> refusal = why);
        opened.tasks().runAll();
        assertEquals(Refusal.Kind.DEVICE_FAILED, refusal.kind());
        assertEquals(FeatureState.FAILED, opened.store().status().state());
        copies().rewrite((found, why) -> refusal = why);
        opened.tasks().runAll();
        assertTrue(refusal.getMessage().contains("the metadata has failed"), refusal.getMessage());
    }

    @Test
    void aReadOnlyStoreSaysWhatBecameOfTheSpare() throws Exception {
        opened.close();
        opened = Bench.open(provider, spare, true, 5);
        spare.failFrom(spare.operations(), Errno.ENODEV);
        verify(true);
        assertNull(report);
        assertEquals(Refusal.Kind.DEVICE_FAILED, refusal.kind());
        spare.heal();
        for (int index = 0; index < Identities.COUNT; index++) {
            spare.poke(place(index), new byte[Block.BYTES]);
        }
        verify(true);
        assertNull(report);
        assertEquals(Refusal.Kind.WRONG_DEVICE, refusal.kind());
    }

    private SpreadPair spread() throws Exception {
        SpreadPair pair = SpreadPair.formatted();
        pair.spread();
        pair.rememberAlways();
        opened = pair.opened;
        return pair;
    }

    @Test
    void bothOfTwoThatFailAreOneRefusal() throws Exception {
        SpreadPair pair = spread();
        pair.first.failFrom(pair.first.operations(), Errno.ENODEV);
        pair.further.failFrom(pair.further.operations(), Errno.ENODEV);
        verify(true);
        assertNull(report);
        assertEquals(Refusal.Kind.DEVICE_FAILED, refusal.kind());
        assertTrue(refusal.getMessage().startsWith("spare: "), "the one that leads is named: " + refusal.getMessage());
    }

    /** Read to its end, and left behind by the commit that comes before it is judged. */
    @Test
    void oneThatWasLeftBehindMeanwhileIsNotJudged() throws Exception {
        SpreadPair pair = spread();
        ask(false);
        int tasks = 0;
        for (Runnable task = opened.tasks().poll();
                task != null;
                task = opened.tasks().poll()) {
            task.run();
            tasks++;
        }
        assertEquals(Verdict.SOUND, report.verdict());
        ask(true);
        for (int i = 0; i < tasks - 1; i++) {
            opened.tasks().poll().run();
        }
        pair.further.failFrom(pair.further.operations(), Errno.ENODEV);
        assertEquals(Outcome.DURABLE, pair.commit(1));
        assertEquals(List.of(0), pair.holders());
        assertNull(report);
        assertEquals(Refusal.Kind.BUSY, refusal.kind());
        assertTrue(refusal.getMessage().contains("has the table no more: verify again"), refusal.getMessage());
    }

    /** The copy of the table cannot be mended: it is left behind, and the store goes on. */
    @Test
    void aCopyThatCannotBeMendedIsLeftBehind() throws Exception {
        SpreadPair pair = spread();
        garbage(pair.further, place(1));
        ask(true);
        pair.further.observe((operation, offset, length) -> {
            if (operation == Operation.WRITE) {
                pair.further.failFrom(pair.further.operations(), Errno.ENODEV);
            }
        });
        opened.tasks().runAll();
        assertEquals(Refusal.Kind.DEVICE_FAILED, refusal.kind());
        assertEquals(List.of(0), pair.holders());
        assertEquals(FeatureState.STARTED, opened.store().status().state());
        assertEquals(Outcome.DURABLE, pair.commit(1));
    }
}
