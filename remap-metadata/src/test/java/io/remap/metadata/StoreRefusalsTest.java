package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Errno;
import io.remap.api.FeatureState;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataReport.Verdict;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareMember;
import io.remap.api.spi.TableMove;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

/** What a store refuses, in which state and with which words, and what it does when its turn comes too late. */
class StoreRefusalsTest {
    private static final int LOG_BLOCKS = 8;

    private final LogMetadataProvider provider = new LogMetadataProvider(LOG_BLOCKS);
    private final CrashDevice spare = Bench.formatted(LOG_BLOCKS);
    private final Opened opened = Bench.open(provider, spare, false, 1);

    StoreRefusalsTest() throws Exception {}

    private static Refusal spread(Opened store) {
        List<Refusal> refusals = new ArrayList<>();
        store.store().spread(Map.of(), refusals::add);
        assertEquals(List.of(), refusals, "told within the call");
        store.tasks().runAll();
        return refusals.get(0);
    }

    private static Refusal change(Opened store, List<SpareMember> members) {
        List<Refusal> refusals = new ArrayList<>();
        store.store().changeMembers(members, refusals::add);
        assertEquals(List.of(), refusals, "told within the call");
        store.tasks().runAll();
        return refusals.get(0);
    }

    private static String save(Opened store) {
        List<String> ends = new ArrayList<>();
        store.store().save(Map.of("a", new byte[1]), ends::add);
        store.tasks().runAll();
        return ends.get(0);
    }

    private void assertRefuses(Opened store, Refusal.Kind kind, String why, Outcome outcome) {
        long writes = spare.operations(Operation.WRITE);
        List<SpareMember> members = store.store().members();
        for (Refusal refusal : List.of(spread(store), change(store, members))) {
            assertEquals(kind, refusal.kind());
            assertTrue(refusal.getMessage().contains(why), refusal.getMessage());
        }
        assertEquals(outcome, store.commit(Bench.map(9, 9)));
        assertTrue(save(store).startsWith("metadata is "));
        assertEquals(writes, spare.operations(Operation.WRITE), "nothing is written");
    }

    @Test
    void aStoreThatIsClosedReadOnlyOrFailedRefusesAllThatWrites() throws Exception {
        Opened readOnly = Bench.open(provider, spare, true, 3);
        assertRefuses(readOnly, Refusal.Kind.USAGE, "open read-only", Outcome.NOT_COMMITTED);
        assertEquals("read-only", readOnly.store().status().detail());
        assertEquals(FeatureState.STARTED, readOnly.store().status().state());
        Opened closed = Bench.open(provider, spare, false, 4);
        closed.close();
        assertRefuses(closed, Refusal.Kind.BUSY, "is being given up", Outcome.NOT_COMMITTED);
        Opened failed = Bench.open(provider, spare, false, 5);
        spare.failOperation(spare.operations(), Errno.EIO);
        assertEquals(Outcome.STORE_FAILED, failed.commit(Bench.map(1, 1)));
        assertRefuses(failed, Refusal.Kind.DEVICE_FAILED, "the metadata has failed", Outcome.STORE_FAILED);
    }

    @Test
    void aCommitThatSaysNothingOrWhatCannotBeIsAMistake() throws Exception {
        assertThrows(IllegalArgumentException.class, () -> opened.commit(List.of()));
        CrashDevice device = new CrashDevice("spare", Bench.SPARE_BYTES, 512);
        PairIdentity largeSectors = new PairIdentity(Bench.PAIR.pairUuid(), Bench.MAIN_BYTES, 4096, "wwn:0x5000");
        provider.format(device, largeSectors, Bench.environment(new Bench.Tasks(), 1));
        Opened of4096 = Bench.open(provider, device, false, 2);
        assertThrows(IllegalArgumentException.class, () -> of4096.commit(Bench.map(1, 1)));
        assertThrows(IllegalArgumentException.class, () -> of4096.commit(MapChange.set(1, 1, Place.lost(2))));
        assertEquals(Outcome.DURABLE, of4096.commit(MapChange.set(1, 1, Place.onSlot(0, 1, 1, 0))));
    }

    @Test
    void moreThanCanWaitAreRefusedAndTheOthersMade() {
        Map<Outcome, Integer> outcomes = new EnumMap<>(Outcome.class);
        for (int i = 0; i < CommitQueue.MAX_WAITING + 2; i++) {
            opened.store()
                    .commit(
                            List.of(Bench.map(7, i % 100)),
                            (outcome, table) -> outcomes.merge(outcome, 1, Integer::sum));
        }
        opened.tasks().runAll();
        assertEquals(Map.of(Outcome.DURABLE, CommitQueue.MAX_WAITING, Outcome.NOT_COMMITTED, 2), outcomes);
        assertEquals((long) CommitQueue.MAX_WAITING, opened.attribute("commits"));
    }

    @Test
    void moreJobsThanCanWaitAreRefusedAndTheOthersDone() {
        List<Refusal> ends = new ArrayList<>();
        for (int i = 0; i < Turns.MAX_JOBS; i++) {
            opened.store().spread(Map.of(), ends::add);
        }
        List<Refusal> refused = new ArrayList<>();
        opened.store().spread(Map.of(), refused::add);
        opened.store().changeMembers(opened.store().members(), refused::add);
        opened.store().copies().orElseThrow().rewrite((report, refusal) -> refused.add(refusal));
        opened.store().copies().orElseThrow().verify(false, (report, refusal) -> refused.add(refusal));
        opened.tasks().runAll();
        assertEquals(Collections.nCopies(Turns.MAX_JOBS, null), ends);
        assertEquals(4, refused.size());
        for (Refusal refusal : refused) {
            assertEquals(Refusal.Kind.BUSY, refusal.kind());
            assertTrue(refusal.getMessage().contains("wait already; try later"), refusal.getMessage());
        }
        assertNull(change(opened, opened.store().members()));
    }

    /** Two that do not share a block, and a save: the first one fails, and with it all that wait. */
    @Test
    void whatWaitsWhenTheStoreFailsIsToldSo() throws Exception {
        List<MapChange> changes = new ArrayList<>();
        for (int i = 0; i < LogBlock.MAX_RECORDS; i++) {
            changes.add(Bench.map(2L * i, i));
        }
        List<Outcome> outcomes = new ArrayList<>();
        List<String> ends = new ArrayList<>();
        opened.store().commit(changes, (outcome, table) -> outcomes.add(outcome));
        opened.store().commit(changes, (outcome, table) -> outcomes.add(outcome));
        // More than fits: it would be refused if the store had not failed.
        List<MapChange> tooMany = new ArrayList<>();
        for (long i = 0; i <= opened.store().plan().mappingLimit(); i++) {
            tooMany.add(MapChange.set(2 * i, 1, Place.lost(1)));
        }
        opened.store().commit(tooMany, (outcome, table) -> outcomes.add(outcome));
        opened.store().save(Map.of("a", new byte[1]), ends::add);
        spare.failOperation(spare.operations(), Errno.EIO);
        opened.tasks().runAll();
        assertEquals(List.of(Outcome.STORE_FAILED, Outcome.STORE_FAILED, Outcome.STORE_FAILED), outcomes);
        assertEquals(1, ends.size());
        assertTrue(ends.get(0).contains("flush"), ends.get(0));
        assertTrue(Bench.open(provider, spare, true, 2).store().table().isEmpty());
    }

    /** Another one that does not fit any more waits with one that does. */
    @Test
    void whatDoesNotFitIsToldAndWhatWaitsBesideItIsMade() throws Exception {
        long limit = opened.store().plan().mappingLimit();
        List<MapChange> changes = new ArrayList<>();
        for (long i = 0; i < limit; i++) {
            changes.add(MapChange.set(2 * i, 1, Place.lost(1)));
        }
        assertEquals(Outcome.DURABLE, opened.commit(changes));
        List<Outcome> outcomes = new ArrayList<>();
        opened.store().commit(List.of(Bench.map(2 * limit, 1)), (outcome, table) -> outcomes.add(outcome));
        opened.store().commit(List.of(MapChange.set(0, 1, Place.lost(3))), (outcome, table) -> outcomes.add(outcome));
        opened.tasks().runAll();
        assertEquals(List.of(Outcome.NOT_COMMITTED, Outcome.DURABLE), outcomes);
        assertEquals(3, Place.lostMask(opened.store().table().placeOf(0)));
    }

    /** The spare that it is being written to fails in the middle of a save. */
    @Test
    void aSaveOfASpareThatIsLeftBehindEndsSo() throws Exception {
        for (boolean ofFirst : List.of(true, false)) {
            SpreadPair pair = SpreadPair.formatted();
            pair.spread();
            pair.rememberAlways();
            CrashDevice failing = ofFirst ? pair.first : pair.further;
            List<String> ends = new ArrayList<>();
            pair.opened.store().save(Map.of("a", new byte[200_000]), ends::add);
            long begun = failing.operations(Operation.WRITE);
            while (failing.operations(Operation.WRITE) < begun + 2) {
                pair.opened.tasks().poll().run();
            }
            failing.failFrom(failing.operations(), Errno.ENODEV);
            assertEquals(Outcome.DURABLE, pair.commit(1));
            assertEquals(List.of("the spare that it was being written to was left behind"), ends);
            assertEquals("", save(pair.opened), "the next one goes to the other");
            pair.close();
        }
    }

    /** A save fails on the copy alone, whose flush says that it is not to be relied on. */
    @Test
    void aCopyThatFailsInASaveIsLeftBehind() throws Exception {
        SpreadPair pair = SpreadPair.formatted();
        pair.spread();
        pair.further.failFlushAfter(0);
        assertTrue(save(pair.opened).contains("flush"));
        assertEquals(List.of(0), pair.holders());
        assertEquals(FeatureState.STARTED, pair.opened.store().status().state());
        assertEquals(Outcome.DURABLE, pair.commit(1));
    }

    @Test
    void aListenerThatFailsKeepsNobodyFromTheirTurn() {
        List<Outcome> outcomes = new ArrayList<>();
        opened.store().commit(List.of(Bench.map(1, 1)), (outcome, table) -> {
            throw new IllegalStateException("of the listener");
        });
        opened.store().commit(List.of(Bench.map(3, 3)), (outcome, table) -> outcomes.add(outcome));
        opened.store().changeMembers(opened.store().members(), refusal -> {
            throw new IllegalStateException("of the listener");
        });
        opened.tasks().runAll();
        assertEquals(List.of(Outcome.DURABLE), outcomes);
        assertEquals(2, opened.store().table().extents());
        assertEquals("", save(opened));
    }

    /** It is closed by another thread while a verification reads: that waits for the read, and the verification ends so. */
    @Test
    void closingWaitsForAVerificationAndKeepsAnInterrupt() throws Exception {
        AtomicBoolean interrupted = new AtomicBoolean();
        AtomicBoolean inFileIo = new AtomicBoolean();
        List<Refusal> refusals = new ArrayList<>();
        List<Thread> closing = new ArrayList<>();
        long last = lastReadOfAVerification();
        spare.observe((operation, offset, length) -> {
            if (Thread.currentThread().isInterrupted()) {
                inFileIo.set(true);
            }
            if (spare.operations() == last) {
                Thread thread = new Thread(() -> {
                    opened.close();
                    interrupted.set(Thread.currentThread().isInterrupted());
                });
                closing.add(thread);
                thread.start();
                while (opened.store().status().state() != FeatureState.STOPPED
                        || thread.getState() != Thread.State.WAITING) {
                    Thread.onSpinWait();
                }
                thread.interrupt();
            }
        });
        opened.store().copies().orElseThrow().verify(true, (report, refusal) -> {
            assertNull(report);
            refusals.add(refusal);
        });
        opened.tasks().runAll();
        closing.get(0).join();
        spare.observe(null);
        opened.tasks().runAll();
        assertEquals(1, refusals.size());
        assertEquals(Refusal.Kind.BUSY, refusals.get(0).kind());
        assertTrue(interrupted.get(), "the interrupt is kept for the caller");
        assertFalse(inFileIo.get(), "it closes the channel of a file");
        assertTrue(opened.store().cleanStopRecorded());
    }

    /** The number of the operation that is the last read of a verification that begins now. */
    private long lastReadOfAVerification() throws Exception {
        CrashDevice copy = spare.copy();
        List<Long> reads = new ArrayList<>();
        spare.observe((operation, offset, length) -> reads.add(spare.operations()));
        List<MetadataReport> reports = new ArrayList<>();
        opened.store().copies().orElseThrow().verify(false, (report, refusal) -> reports.add(report));
        opened.tasks().runAll();
        spare.observe(null);
        assertEquals(Verdict.SOUND, reports.get(0).verdict());
        assertTrue(copy.sameContent(spare));
        return spare.operations() + reads.size() - 1;
    }

    @Test
    void movesBeforeAnybodyListensAreToldUpToALimit() {
        TableMoves moves = new TableMoves();
        for (int i = 0; i < TableMoves.MAX_WAITING + 3; i++) {
            moves.note(new TableMove(TableMove.Kind.COPIED, i % 32, ""));
        }
        List<TableMove> told = new ArrayList<>();
        moves.tell(told::add);
        assertEquals(TableMoves.MAX_WAITING, told.size());
        moves.note(new TableMove(TableMove.Kind.LEFT_BEHIND, 9, "x"));
        assertEquals(9, told.get(TableMoves.MAX_WAITING).spare());
        assertNotNull(told.get(0));
    }
}
