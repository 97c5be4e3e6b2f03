package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Errno;
import io.remap.api.FeatureState;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.api.spi.PairIdentity;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The store as its user sees it: what was committed is found again, and what was not is told. */
class StoreTest {
    @Test
    void findsAgainWhatWasCommitted() throws Exception {
        CrashDevice spare = Bench.formatted(0);
        String expected;
        try (Opened opened = Bench.open(spare)) {
            assertTrue(opened.store().table().isEmpty());
            assertEquals(Bench.PAIR, opened.store().pair());
            assertEquals(
                    Outcome.DURABLE,
                    opened.commit(
                            MapChange.set(100, 10, Place.onSlot(0, 5, 0xff, 0)),
                            MapChange.set(7, 1, Place.onSlot(0, 50, 0x0f, 0x80)),
                            MapChange.set(8, 1, Place.lost(0x01)),
                            MapChange.set(9, 2, Place.zero(0x10)),
                            MapChange.badSlot(0, 60, 3)));
            assertEquals(Outcome.DURABLE, opened.commit(Bench.unmap(103), MapChange.badSlot(0, 63, 1)));
            expected = Bench.text(opened.store().table());
            assertEquals(FeatureState.STARTED, opened.store().status().state());
        }
        // The first time from the log, the second time from the table.
        for (int i = 0; i < 2; i++) {
            try (Opened opened = Bench.open(spare.crashKeeping(sector -> false))) {
                assertEquals(expected, Bench.text(opened.store().table()));
                assertEquals("60+4; ", Bench.badSlots(opened.store()));
                assertEquals(i == 0 ? 3L : 1L, opened.attribute("log-replayed"));
                assertEquals(true, opened.attribute("clean-stop"));
            }
            Bench.open(spare).close();
        }
    }

    @Test
    void aKillIsNoCleanStop() throws Exception {
        CrashDevice spare = Bench.formatted(0);
        Opened opened = Bench.open(spare);
        opened.commit(Bench.map(1, 1));
        try (Opened after = Bench.open(spare.crashKeeping(sector -> false))) {
            assertEquals(false, after.attribute("clean-stop"));
            assertEquals(1, after.store().table().extents());
        }
    }

    @Test
    void aStopThatIsNotCleanIsNotMarkedSo() throws Exception {
        CrashDevice spare = Bench.formatted(0);
        try (Opened opened = Bench.open(spare)) {
            opened.commit(Bench.map(1, 1));
            opened.store().stopIsUnclean();
        }
        try (Opened after = Bench.open(spare)) {
            assertEquals(false, after.attribute("clean-stop"));
            assertEquals(1, after.store().table().extents());
        }
        try (Opened after = Bench.open(spare)) {
            assertEquals(true, after.attribute("clean-stop"), "the stop after that was one");
        }
    }

    @Test
    void waitingCommitsShareABlockAndKeepTheirOrder() throws Exception {
        Opened opened = Bench.open(Bench.formatted(0));
        List<Integer> told = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            int number = i;
            opened.store().commit(List.of(Bench.map(3, i)), (outcome, table) -> {
                assertEquals(Outcome.DURABLE, outcome);
                assertTrue(table.placeOf(3) != Place.MAIN);
                told.add(number);
            });
        }
        assertTrue(told.isEmpty());
        opened.tasks().runAll();
        assertEquals(100, told.size());
        assertEquals(told.stream().sorted().toList(), told);
        assertEquals(2L, opened.attribute("log-used"), "BEGIN, and the commits together");
        assertEquals(99, Place.slot(opened.store().table().placeOf(3)));
    }

    @Test
    void largeBatchesTakeSeveralBlocksOrATable() throws Exception {
        CrashDevice spare = Bench.formatted(4);
        Opened opened = Bench.open(spare);
        for (int size : new int[] {127, 300, 378, 379, 400}) {
            List<MapChange> changes = new ArrayList<>();
            for (int i = 0; i < size; i++) {
                changes.add(Bench.map(2L * i, i));
            }
            assertEquals(Outcome.DURABLE, opened.commit(changes), "batch of " + size);
            String expected = Bench.text(opened.store().table());
            assertEquals(
                    expected,
                    Bench.text(Bench.open(spare.crashKeeping(sector -> false))
                            .store()
                            .table()));
        }
    }

    @Test
    void aFullLogIsNoReasonToFail() throws Exception {
        CrashDevice spare = Bench.formatted(2);
        Opened opened = Bench.open(spare);
        for (int i = 0; i < 50; i++) {
            assertEquals(Outcome.DURABLE, opened.commit(Bench.map(2L * i, i)));
        }
        assertEquals(50, opened.store().table().extents());
        assertTrue((long) opened.attribute("compactions") > 20);
        assertEquals(50, Bench.open(spare).store().table().extents());
    }

    @Test
    void refusesWhatTheTableCannotHoldAndGoesOn() throws Exception {
        CrashDevice spare = Bench.formatted(0);
        Opened opened = Bench.open(spare);
        long limit = opened.store().plan().mappingLimit();
        List<MapChange> changes = new ArrayList<>();
        for (long i = 0; i < limit; i++) {
            changes.add(MapChange.set(2 * i, 1, Place.lost(1)));
        }
        assertEquals(Outcome.DURABLE, opened.commit(changes));
        assertEquals(Outcome.NOT_COMMITTED, opened.commit(MapChange.set(2 * limit, 1, Place.lost(1))));
        assertEquals(Outcome.DURABLE, opened.commit(Bench.unmap(0)));
        assertEquals(Outcome.DURABLE, opened.commit(MapChange.set(2 * limit, 1, Place.lost(1))));
        assertEquals(limit, Bench.open(spare).store().table().extents());
    }

    @Test
    void aChangeThatNamesWhatIsNotThereIsAMistake() throws Exception {
        Opened opened = Bench.open(Bench.formatted(0));
        long slots = opened.store().plan().slots();
        for (MapChange wrong : List.of(
                Bench.map(1, slots), Bench.map(Bench.MAIN_BYTES / 4096, 1), MapChange.badSlot(0, slots - 1, 2))) {
            assertThrows(
                    IllegalArgumentException.class,
                    () -> opened.store().commit(List.of(wrong), (outcome, table) -> {}),
                    wrong.toString());
        }
        // A spare may have been taken out just before.
        assertEquals(Outcome.NOT_COMMITTED, opened.commit(MapChange.set(1, 1, Place.onSlot(1, 1, 0xff, 0))));
    }

    @Test
    void slotsLieApartFromAllElse() throws Exception {
        Opened opened = Bench.open(Bench.formatted(0));
        Layout layout = Layout.plan(Bench.SPARE_BYTES, 4096);
        long last = -1;
        for (long slot = 0; slot < opened.store().plan().slots(); slot++) {
            long offset = opened.store().slotOffsetBytes(slot);
            assertTrue(offset > last && offset % 4096 == 0);
            for (int i = 0; i < 4; i++) {
                long identity = Layout.identityOffset(i, Bench.SPARE_BYTES);
                assertFalse(offset + 4096 > identity && offset < identity + Layout.IDENTITY_BYTES);
                long arena = layout.arenaOffsets().of(i / 2, i % 2);
                assertFalse(offset + 4096 > arena && offset < arena + layout.arenaBytes());
            }
            last = offset;
        }
    }

    @Test
    void readOnlyWritesNothing() throws Exception {
        CrashDevice spare = Bench.formatted(0);
        Bench.open(spare).commit(Bench.map(1, 1));
        spare.refuseWrites();
        long flushes = spare.operations(CrashDevice.Operation.FLUSH);
        try (Opened opened = Bench.open(new LogMetadataProvider(), spare, true, 3)) {
            assertEquals(1, opened.store().table().extents());
            assertEquals(Outcome.NOT_COMMITTED, opened.commit(Bench.map(2, 2)));
        }
        assertEquals(flushes, spare.operations(CrashDevice.Operation.FLUSH));
    }

    @Test
    void aFailedFlushIsFinal() throws Exception {
        CrashDevice spare = Bench.formatted(0);
        Opened opened = Bench.open(spare);
        spare.failOperation(spare.operations(), Errno.EIO);
        assertEquals(Outcome.STORE_FAILED, opened.commit(Bench.map(1, 1)));
        long operations = spare.operations();
        assertEquals(Outcome.STORE_FAILED, opened.commit(Bench.map(2, 2)));
        opened.close();
        assertEquals(operations, spare.operations(), "nothing is written after a failed flush");
        assertEquals(FeatureState.STOPPED, opened.store().status().state());
        assertTrue(Bench.open(spare).store().table().isEmpty());
    }

    @Test
    void aMillionMappingsAreFoundAndOneMoreIsCheap() throws Exception {
        CrashDevice spare = new CrashDevice("large", 5L << 30, 4096);
        PairIdentity pair = new PairIdentity(Bench.PAIR.pairUuid(), 1L << 40, 512, "wwn:0x5000");
        new LogMetadataProvider().format(spare, pair, Bench.environment(new Bench.Tasks(), 1));
        int count = 1_000_000;
        List<MapChange> changes = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            changes.add(Bench.map(2L * i, i));
        }
        assertEquals(Outcome.DURABLE, Bench.open(spare).commit(changes));
        changes.clear();

        long heapBefore = heapAfterCollection();
        long start = System.nanoTime();
        Opened opened = Bench.open(spare);
        long millis = (System.nanoTime() - start) / 1_000_000;
        long heapMib = (heapAfterCollection() - heapBefore) >> 20;
        assertEquals(count, opened.store().table().extents());
        // Neither a time nor what a collector keeps decides a test.
        System.out.println("suite: StoreTest: opening with a million mappings took " + millis + " ms and " + heapMib
                + " MiB of heap");

        long writes = spare.operations(CrashDevice.Operation.WRITE);
        assertEquals(Outcome.DURABLE, opened.commit(Bench.map(2L * count, count)));
        assertEquals(2, spare.operations(CrashDevice.Operation.WRITE) - writes, "one block in each copy");
    }

    private static long heapAfterCollection() {
        System.gc();
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }
}
