package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.FeatureState;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.api.spi.PairIdentity;
import io.remap.metadata.Bench.Opened;
import io.remap.metadata.Workload.Step;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every device operation fails in turn; whatever the store answered then must be true after the next power cut. */
class FaultTest {
    private static final long SEED = Long.getLong("remap.seed", 20240512L);
    private static final List<Step> STEPS = List.of(
            Step.MAP_ONE, Step.MAP_TWO, Step.REPLACE, Step.UNMAP, Step.GROUP, Step.LARGE, Step.REOPEN, Step.MAP_ONE);

    private final LogMetadataProvider provider = new LogMetadataProvider(3);
    private final Explorer explorer = new Explorer(3, UnaryOperator.identity(), SEED);
    private final Map<Outcome, Integer> seen = new EnumMap<>(Outcome.class);

    /** One failing operation (EIO, then ENODEV), and all from one on; with failed writes that land and that do not. */
    @ParameterizedTest
    @CsvSource({"5, false, false", "5, false, true", "5, true, false", "19, false, false", "19, true, true"})
    void answersHoldWhateverOperationFails(int errno, boolean forever, boolean land) throws Exception {
        CrashDevice formatted = new CrashDevice("spare", Bench.SPARE_BYTES, Explorer.SECTOR_BYTES);
        provider.format(formatted, Bench.PAIR, Bench.environment(new Bench.Tasks(), SEED));
        boolean reachedTheEnd = false;
        for (int fault = 0; !reachedTheEnd; fault++) {
            CrashDevice device = formatted.copy();
            device.failedWritesLand(land);
            if (forever) {
                device.failFrom(fault, errno);
            } else {
                device.failOperation(fault, errno);
            }
            runWithFault(device, "errno " + errno + " at operation " + fault + (forever ? " and later" : ""));
            reachedTheEnd = device.operations() <= fault;
        }
        assertTrue(seen.getOrDefault(Outcome.DURABLE, 0) > 20, seen.toString());
        assertTrue(seen.getOrDefault(Outcome.STORE_FAILED, 0) > 5, seen.toString());
        if (errno == Errno.EIO && !forever) {
            assertTrue(seen.getOrDefault(Outcome.NOT_COMMITTED, 0) > 5, seen.toString());
        }
    }

    private void runWithFault(CrashDevice device, String what) throws Exception {
        Workload workload = new Workload(provider, device);
        try {
            workload.open();
            for (Step step : STEPS) {
                workload.run(step);
            }
            workload.store().close();
        } catch (DeviceException | Refusal e) {
            // The data of the workload could not be written, or the store not opened: it says so, and nothing is lost.
            assertTrue(e.getMessage().startsWith("spare: "), e.getMessage());
        }
        workload.outcomes().forEach(outcome -> seen.merge(outcome, 1, Integer::sum));
        for (int i = 0; i < 6; i++) {
            explorer.check(device.crash(SEED + i), workload.allowed(), what + ", crash seed " + (SEED + i));
        }
    }

    @Test
    void aBadLogBlockCostsOneGenerationAndNoMapping() throws Exception {
        CrashDevice spare = Bench.formatted(4);
        Opened opened = Bench.open(spare);
        Layout layout = Layout.tryPlan(Bench.SPARE_BYTES, 4096, 4);
        // Two log blocks and two table blocks, in different copies, refuse every write.
        for (ArenaCopy[] arena : List.of(Formatter.arena(layout, 0), Formatter.arena(layout, 1))) {
            spare.makeUnwritable(arena[0].offset(arena[0].logBody(2)), 512);
            spare.makeUnwritable(arena[1].offset(0) + 1024, 512);
        }
        int refused = 0;
        for (int i = 0; i < 60; i++) {
            Outcome outcome = opened.commit(Bench.map(2L * i, i));
            assertNotEquals(Outcome.STORE_FAILED, outcome);
            if (outcome == Outcome.NOT_COMMITTED) {
                refused++;
                assertEquals(Outcome.DURABLE, opened.commit(Bench.map(2L * i, i)));
            }
        }
        assertTrue(refused >= 1 && refused <= 2, "each bad log block is met once, then replaced: " + refused);
        String expected = Bench.text(opened.store().table());
        CrashDevice left = spare.crash(SEED);
        assertEquals(expected, Bench.text(Bench.open(left).store().table()));
    }

    @Test
    void badHeaderPlacesAreReplaced() throws Exception {
        CrashDevice spare = Bench.formatted(2);
        Layout layout = Layout.tryPlan(Bench.SPARE_BYTES, 4096, 2);
        Opened opened = Bench.open(spare);
        for (int arena = 0; arena < 2; arena++) {
            spare.makeUnwritable(Formatter.arena(layout, arena)[1].headerOffset(0), 4096);
        }
        for (int i = 0; i < 10; i++) {
            assertEquals(Outcome.DURABLE, opened.commit(Bench.map(2L * i, i)));
        }
        CrashDevice left = spare.crash(SEED);
        for (int arena = 0; arena < 2; arena++) {
            left.makeUnreadable(Formatter.arena(layout, arena)[1].headerOffset(0), 4096);
        }
        assertEquals(10, Bench.open(left).store().table().extents());
    }

    @Test
    void aTableThatCannotBeWrittenFailsTheStoreAndKeepsWhatIsThere() throws Exception {
        CrashDevice spare = Bench.formatted(2);
        Opened opened = Bench.open(spare);
        assertEquals(Outcome.DURABLE, opened.commit(Bench.map(1, 1)));
        Layout layout = Layout.tryPlan(Bench.SPARE_BYTES, 4096, 2);
        for (int arena = 0; arena < 2; arena++) {
            ArenaCopy copy = Formatter.arena(layout, arena)[0];
            spare.makeUnwritable(copy.headerOffset(0), 4096);
            spare.makeUnwritable(copy.headerOffset(1), 4096);
        }
        List<Outcome> outcomes = new ArrayList<>();
        for (int i = 2; i < 6; i++) {
            outcomes.add(opened.commit(Bench.map(2L * i, i)));
        }
        assertTrue(outcomes.contains(Outcome.STORE_FAILED), outcomes.toString());
        assertEquals(FeatureState.FAILED, opened.store().status().state());
        assertTrue(
                opened.store().status().text().contains("spare: write of bytes"),
                opened.store().status().text());
        int durable = 1
                + (int) outcomes.stream()
                        .filter(outcome -> outcome == Outcome.DURABLE)
                        .count();
        spare.heal();
        assertEquals(durable, Bench.open(spare.crash(SEED)).store().table().extents());
    }

    @Test
    void anotherServerIsNoticedBeforeAnythingIsWritten() throws Exception {
        CrashDevice spare = Bench.formatted(4);
        Opened first = Bench.open(spare);
        first.commit(Bench.map(1, 1));
        Opened second = Bench.open(new LogMetadataProvider(), spare, false, 99);
        second.commit(Bench.map(3, 3));
        int[] told = {0};
        first.store().whenTakenOver(() -> told[0]++);
        second.store().whenTakenOver(() -> fail("it has the spare"));
        long writes = spare.operations(Operation.WRITE);
        assertEquals(0, told[0]);
        assertEquals(Outcome.STORE_FAILED, first.commit(Bench.map(5, 5)));
        assertEquals(1, told[0]);
        first.store().whenTakenOver(() -> told[0]++);
        assertEquals(2, told[0], "who asks later is told too");
        first.close();
        assertEquals(writes, spare.operations(Operation.WRITE));
        assertTrue(first.store().status().text().contains("stopped"));
        assertEquals(Outcome.DURABLE, second.commit(Bench.map(7, 7)));
    }

    /** The other server could not write the first header place of the arena that it took. */
    @Test
    void anotherServerIsNoticedAtTheSecondHeaderPlace() throws Exception {
        CrashDevice spare = Bench.formatted(4);
        Opened first = Bench.open(spare);
        Layout layout = Layout.tryPlan(Bench.SPARE_BYTES, 4096, 4);
        for (int arena = 0; arena < 2; arena++) {
            for (ArenaCopy copy : Formatter.arena(layout, arena)) {
                spare.makeUnwritable(copy.headerOffset(0), Block.BYTES);
            }
        }
        Bench.open(new LogMetadataProvider(), spare, false, 99);
        long writes = spare.operations(Operation.WRITE);
        assertEquals(Outcome.STORE_FAILED, first.commit(Bench.map(5, 5)));
        assertEquals(writes, spare.operations(Operation.WRITE));
    }

    @Test
    void aNewFormatUnderneathIsNoticed() throws Exception {
        CrashDevice spare = Bench.formatted(4);
        Opened first = Bench.open(spare);
        Bench.open(spare).close();
        Opened open = Bench.open(spare);
        new LogMetadataProvider(4)
                .format(
                        spare,
                        new PairIdentity(new UUID(5, 5), Bench.MAIN_BYTES, 512, "x"),
                        Bench.environment(new Bench.Tasks(), 4));
        long writes = spare.operations(Operation.WRITE);
        assertEquals(Outcome.STORE_FAILED, first.commit(Bench.map(5, 5)));
        assertEquals(Outcome.STORE_FAILED, open.commit(Bench.map(5, 5)));
        assertEquals(writes, spare.operations(Operation.WRITE));
    }
}
