package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
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
import io.remap.api.spi.PairIdentity;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** Copies of an open store are read again and mended, beside the commits, and never from what is not certain. */
class CopyKeeperTest {
    private static final long SEED = Long.getLong("remap.seed", 20261126L);
    private static final int BLOCK = Block.BYTES;
    private static final int LOG_BLOCKS = 8;

    private final LogMetadataProvider provider = new LogMetadataProvider(LOG_BLOCKS);
    private final Layout layout = Layout.tryPlan(Bench.SPARE_BYTES, BLOCK, LOG_BLOCKS);
    private final CrashDevice spare;
    private final Opened opened;
    private int committed;

    CopyKeeperTest() throws Exception {
        spare = Bench.formatted(LOG_BLOCKS);
        opened = Bench.open(provider, spare, false, 1);
        for (int i = 0; i < 200; i++) {
            commit();
        }
        opened.store().copies().orElseThrow().rewrite(new Ended());
        opened.tasks().runAll();
        commit();
        commit();
    }

    private void commit() {
        assertEquals(Outcome.DURABLE, opened.commit(Bench.map(2L * committed, committed)));
        committed++;
    }

    /** How a verification ended. */
    private static final class Ended implements MetadataCopies.Listener {
        private MetadataReport report;
        private Refusal refusal;
        private int calls;

        @Override
        public void ended(MetadataReport found, Refusal why) {
            report = found;
            refusal = why;
            calls++;
        }
    }

    private MetadataCopies copies() {
        return opened.store().copies().orElseThrow();
    }

    private Ended verify(boolean repair) {
        Ended ended = new Ended();
        copies().verify(repair, ended);
        assertEquals(0, ended.calls, "told within the call");
        opened.tasks().runAll();
        assertEquals(1, ended.calls);
        return ended;
    }

    private static void garbage(CrashDevice device, long at) {
        byte[] bytes = new byte[BLOCK];
        new Random(SEED + at).nextBytes(bytes);
        device.poke(at, bytes);
    }

    private ArenaCopy[] inForce() throws Exception {
        Headers headers = Headers.read(new BlockIo(spare.copy(), BLOCK), layout, Bench.PAIR.pairUuid());
        return Formatter.arena(layout, headers.candidates().get(0).arena);
    }

    private void assertFoundAgain() throws Exception {
        String table = Bench.text(opened.store().table());
        assertEquals(
                table,
                Bench.text(Bench.open(provider, spare.crashKeeping(sector -> false), false, 9)
                        .store()
                        .table()));
    }

    @Test
    void soundCopiesAreReadAndNothingIsWritten() {
        long writes = spare.operations(CrashDevice.Operation.WRITE);
        Ended ended = verify(true);
        assertNull(ended.refusal);
        assertEquals(Verdict.SOUND, ended.report.verdict(), ended.report.toString());
        assertEquals(opened.store().generation(), ended.report.generation());
        assertEquals(writes, spare.operations(CrashDevice.Operation.WRITE));
        assertEquals(1, copies().state().verifications());
        assertEquals(0, copies().state().repairs());
        assertEquals(2, copies().state().copiesValid());
        assertEquals(4, copies().state().superblocksValid());
    }

    @Test
    void eachDamagedBlockIsMendedAtOnce() throws Exception {
        for (int copy = 0; copy < 2; copy++) {
            for (int which = 0; which < 4; which++) {
                ArenaCopy damaged = inForce()[copy];
                long at = switch (which) {
                    case 0 -> damaged.headerOffset(0);
                    case 1 -> damaged.offset(1);
                    case 2 -> damaged.offset(damaged.logBody(0));
                    default -> Layout.identityOffset(copy, Bench.SPARE_BYTES);
                };
                garbage(spare, at);
                long before = spare.operations(CrashDevice.Operation.WRITE);
                Ended seen = verify(false);
                assertEquals(Verdict.REPAIRABLE, seen.report.verdict(), "block " + which + ": " + seen.report);
                assertEquals(before, spare.operations(CrashDevice.Operation.WRITE), "only looked at");
                assertEquals(which == 3 ? 2 : 1, copies().state().copiesValid());
                assertEquals(which == 3 ? 3 : 4, copies().state().superblocksValid());
                assertNull(verify(true).refusal);
                assertEquals(2, copies().state().copiesValid());
                assertEquals(4, copies().state().superblocksValid());
                assertEquals(Verdict.SOUND, verify(false).report.verdict());
                assertFoundAgain();
                commit();
            }
        }
        assertEquals(8, copies().state().repairs());
    }

    /** Both copies of a block are damaged while the table is in memory: the only moment at which that can be mended. */
    @Test
    void whatIsLostInBothCopiesIsMendedFromMemory() throws Exception {
        for (ArenaCopy copy : inForce()) {
            garbage(spare, copy.offset(0));
        }
        assertNull(verify(true).refusal);
        assertEquals(Verdict.SOUND, verify(false).report.verdict());
        assertFoundAgain();
    }

    @Test
    void aHeaderThatCannotBeReadInTheOtherArenaIsMended() throws Exception {
        ArenaCopy other = Formatter.arena(layout, 1 - inForce()[0].arena)[0];
        spare.makeUnreadable(other.headerOffset(0), BLOCK);
        assertEquals(Verdict.REPAIRABLE, verify(true).report.verdict());
        assertEquals(Verdict.SOUND, verify(true).report.verdict(), "it is in the second place now");
        assertFoundAgain();
    }

    @Test
    void whatSomebodyElseWroteIsNotWrittenOver() throws Exception {
        CrashDevice foreign = new CrashDevice("other", Bench.SPARE_BYTES, 512);
        provider.format(
                foreign,
                new PairIdentity(new UUID(9, 9), Bench.MAIN_BYTES, 512, "y"),
                Bench.environment(new Bench.Tasks(), 5));
        spare.poke(0, foreign.peek(0, BLOCK));
        long before = spare.operations(CrashDevice.Operation.WRITE);
        Ended ended = verify(true);
        assertEquals(Verdict.READ_ONLY, ended.report.verdict());
        assertEquals(Refusal.Kind.DAMAGED, ended.refusal.kind());
        assertEquals(before, spare.operations(CrashDevice.Operation.WRITE));
    }

    @Test
    void aServerThatTookOverStopsARepair() throws Exception {
        CrashDevice copy = spare.copy();
        Bench.open(provider, copy, false, 77);
        for (int arena = 0; arena < 2; arena++) {
            for (int c = 0; c < 2; c++) {
                long at = layout.arenaOffsets().of(arena, c);
                spare.poke(at, copy.peek(at, (int) layout.arenaBytes()));
            }
        }
        long before = spare.operations(CrashDevice.Operation.WRITE);
        Ended ended = verify(true);
        assertEquals(Verdict.READ_ONLY, ended.report.verdict());
        String what = ended.report.findings().get(0).what();
        assertTrue(what.contains("another server has begun generation"), what);
        assertEquals(Refusal.Kind.DAMAGED, ended.refusal.kind());
        assertEquals(before, spare.operations(CrashDevice.Operation.WRITE));
    }

    /** Commits, new generations included, go on between any two steps of a verification; nothing false is reported. */
    @Test
    void commitsGoOnMeanwhile() throws Exception {
        Random random = new Random(SEED);
        int superseded = 0;
        for (int round = 0; round < 200; round++) {
            Ended ended = new Ended();
            long generation = opened.store().generation();
            copies().verify(random.nextBoolean(), ended);
            List<Outcome> outcomes = new ArrayList<>();
            int asked = 0;
            while (ended.calls == 0) {
                if (random.nextInt(3) == 0) {
                    // The same few units again and again, so that the table keeps its size.
                    int which = random.nextInt(100);
                    opened.store()
                            .commit(
                                    List.of(Bench.map(2L * which + 1000, 300L + which)),
                                    (outcome, table) -> outcomes.add(outcome));
                    asked++;
                }
                Runnable task = opened.tasks().poll();
                if (task != null) {
                    task.run();
                }
            }
            opened.tasks().runAll();
            assertEquals(asked, outcomes.size());
            assertTrue(outcomes.stream().allMatch(outcome -> outcome == Outcome.DURABLE), outcomes.toString());
            String context = "round " + round + ", seed " + SEED + ": " + ended.report;
            assertNull(ended.refusal, context);
            assertEquals(Verdict.SOUND, ended.report.verdict(), context);
            superseded += opened.store().generation() > generation ? 1 : 0;
        }
        assertTrue(superseded > 10, "only " + superseded + " new generations during a verification, seed " + SEED);
        assertEquals(0, copies().state().repairs());
        assertFoundAgain();
    }

    @Test
    void aStoreThatIsClosedTellsAndReadsNoMore() {
        Ended running = new Ended();
        Ended next = new Ended();
        copies().verify(true, running);
        copies().verify(true, next);
        opened.tasks().poll().run();
        opened.tasks().poll().run();
        opened.store().close();
        long operations = spare.operations();
        opened.tasks().runAll();
        assertEquals(operations, spare.operations());
        for (Ended ended : List.of(running, next)) {
            assertEquals(1, ended.calls);
            assertEquals(Refusal.Kind.BUSY, ended.refusal.kind());
        }
        Ended late = new Ended();
        copies().rewrite(late);
        opened.tasks().runAll();
        assertEquals(Refusal.Kind.BUSY, late.refusal.kind());
    }

    @Test
    void oneThatWaitsTooLongALineIsRefused() {
        List<Ended> all = new ArrayList<>();
        for (int i = 0; i < CopyKeeper.MAX_WAITING + 2; i++) {
            all.add(new Ended());
            copies().verify(false, all.get(i));
        }
        opened.tasks().runAll();
        all.forEach(ended -> assertEquals(1, ended.calls));
        assertEquals(1, all.stream().filter(ended -> ended.refusal != null).count(), "one more than can wait");
    }

    @Test
    void aDeviceThatIsGoneIsToldAndChangesNothing() {
        spare.failFrom(spare.operations(), Errno.ENODEV);
        Ended ended = verify(true);
        assertEquals(Refusal.Kind.DEVICE_FAILED, ended.refusal.kind());
        assertNull(ended.report);
        assertEquals(FeatureState.STARTED, opened.store().status().state());
        spare.heal();
        assertEquals(Verdict.SOUND, verify(true).report.verdict());
    }

    @Test
    void aStoreThatFailedWritesNothing() throws Exception {
        spare.failOperation(spare.operations(), Errno.EIO);
        assertEquals(Outcome.STORE_FAILED, opened.commit(Bench.map(4001, 500)));
        garbage(spare, inForce()[0].offset(0));
        long writes = spare.operations(CrashDevice.Operation.WRITE);
        Ended ended = verify(true);
        assertEquals(Verdict.REPAIRABLE, ended.report.verdict());
        assertEquals(Refusal.Kind.DEVICE_FAILED, ended.refusal.kind());
        assertEquals(writes, spare.operations(CrashDevice.Operation.WRITE));
    }

    @Test
    void aReadOnlyStoreIsReadAndNotWritten() throws Exception {
        opened.store().close();
        garbage(spare, Layout.identityOffset(1, Bench.SPARE_BYTES));
        spare.refuseWrites();
        Opened readOnly = Bench.open(provider, spare, true, 3);
        long flushes = spare.operations(CrashDevice.Operation.FLUSH);
        Ended ended = new Ended();
        readOnly.store().copies().orElseThrow().verify(true, ended);
        readOnly.tasks().runAll();
        assertEquals(Verdict.REPAIRABLE, ended.report.verdict());
        assertEquals(1, ended.report.parts().stream().filter(Part::isBad).count(), ended.report.toString());
        Ended rewritten = new Ended();
        readOnly.store().copies().orElseThrow().rewrite(rewritten);
        readOnly.tasks().runAll();
        assertEquals(Refusal.Kind.USAGE, rewritten.refusal.kind());
        assertEquals(flushes, spare.operations(CrashDevice.Operation.FLUSH));
    }

    @Test
    void rewritingBeginsAGenerationThatIsFoundAgain() throws Exception {
        long generation = opened.store().generation();
        Ended ended = new Ended();
        copies().rewrite(ended);
        opened.tasks().runAll();
        assertNull(ended.refusal);
        assertTrue(opened.store().generation() > generation);
        assertFoundAgain();
    }

    /** A feature is declared while a verification reads on: the epoch that it has read is not put back. */
    @Test
    void superblocksThatHaveChangedMeanwhileAreReadAnew() throws Exception {
        garbage(spare, Layout.identityOffset(0, Bench.SPARE_BYTES));
        boolean[] read = new boolean[1];
        spare.observe((operation, offset, length) -> read[0] |= offset == Layout.identityOffset(3, Bench.SPARE_BYTES));
        Ended ended = new Ended();
        copies().verify(true, ended);
        for (Runnable task = opened.tasks().poll();
                task != null && !read[0];
                task = opened.tasks().poll()) {
            task.run();
            if (read[0]) {
                break;
            }
        }
        assertTrue(read[0]);
        Holder.declare(spare, Superblock.Version.SPREAD);
        opened.tasks().runAll();
        assertEquals(1, ended.calls);
        assertNull(ended.refusal);
        List<Identities.Found> found = Identities.read(spare).found();
        for (Identities.Found one : found) {
            assertEquals(found.get(2).body(), one.body(), "at byte " + one.offsetBytes());
        }
        assertEquals(Identities.COUNT, copies().state().superblocksValid());
    }
}
