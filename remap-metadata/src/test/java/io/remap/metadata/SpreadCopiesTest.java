package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataCopies;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataReport.Verdict;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.api.spi.MetadataTools;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Of the table on two spares both are read again and mended. */
class SpreadCopiesTest {
    private static final int ENODEV = 19;

    private final SpreadPair pair;
    private MetadataReport report;
    private Refusal refusal;

    SpreadCopiesTest() throws Exception {
        pair = SpreadPair.formatted();
        pair.spread();
        pair.rememberAlways();
        for (long unit = 0; unit < 9; unit++) {
            assertEquals(Outcome.DURABLE, pair.commit(unit));
        }
    }

    private MetadataCopies copies() {
        return pair.opened.store().copies().orElseThrow();
    }

    private void verify(boolean repair) {
        copies().verify(repair, (found, why) -> {
            report = found;
            refusal = why;
        });
        pair.opened.tasks().runAll();
    }

    private static void garbage(CrashDevice device, long at) {
        byte[] bytes = new byte[Block.BYTES];
        new Random(at).nextBytes(bytes);
        device.poke(at, bytes);
    }

    /** Header, first log block and a superblock, of the arena in force. */
    private List<Long> places(CrashDevice device) throws Exception {
        Superblock superblock = Identities.read(device).first();
        BlockIo io = new BlockIo(device.copy(), superblock.layout().granuleBytes());
        Headers headers =
                Headers.read(io, superblock.layout(), superblock.pair().pairUuid());
        ArenaCopy copy =
                Formatter.arena(superblock.layout(), headers.candidates().get(0).arena)[1];
        return List.of(
                copy.headerOffset(0),
                copy.offset(copy.logBody(0)),
                Layout.identityOffset(2, superblock.layout().sizeBytes()));
    }

    @Test
    void whatIsDamagedOnEitherIsFoundAndMended() throws Exception {
        assertEquals(4, copies().state().copies());
        assertEquals(4, copies().state().copiesValid());
        assertEquals(8, copies().state().superblocksValid());
        int repairs = 0;
        for (CrashDevice device : List.of(pair.first, pair.further)) {
            for (int which = 0; which < 3; which++) {
                garbage(device, places(device).get(which));
                verify(false);
                assertNull(refusal);
                assertEquals(Verdict.REPAIRABLE, report.verdict());
                assertEquals(which == 2 ? 4 : 3, copies().state().copiesValid());
                assertEquals(which == 2 ? 7 : 8, copies().state().superblocksValid());
                boolean named = report.findings().stream()
                        .anyMatch(finding -> finding.what().startsWith("spare " + SpreadPair.INDEX + ": "));
                assertEquals(device == pair.further, named, report.findings().toString());
                verify(true);
                assertNull(refusal);
                repairs++;
                verify(false);
                assertEquals(Verdict.SOUND, report.verdict(), report.findings().toString());
                assertEquals(4, copies().state().copiesValid());
                assertEquals(8, copies().state().superblocksValid());
                assertEquals(repairs, copies().state().repairs());
                assertEquals(Outcome.DURABLE, pair.commit(20 + repairs));
            }
        }
        pair.close();
        for (boolean first : List.of(true, false)) {
            SpreadPair left = pair.left(first ? pair.first.copy() : null, first ? null : pair.further.copy());
            left.open();
            left.assertTable();
            left.close();
        }
    }

    @Test
    void theOtherOneIsMendedWhileNobodyServesIt() throws Exception {
        pair.close();
        LogMetadataTools tools = new LogMetadataTools();
        pair.provider.stampMember(pair.further, 1);
        assertEquals(
                Verdict.SOUND,
                tools.check(pair.further, MetadataTools.Level.STANDARD).verdict());
        for (int which = 0; which < 3; which++) {
            garbage(pair.further, places(pair.further).get(which));
            MetadataReport damaged = tools.check(pair.further, MetadataTools.Level.STANDARD);
            assertEquals(Verdict.REPAIRABLE, damaged.verdict());
            MetadataReport mended = tools.repair(pair.further, Bench.environment(new Bench.Tasks(), 9));
            assertEquals(Verdict.SOUND, mended.verdict(), mended.findings().toString());
            assertTrue(mended.cleanStop());
            SpreadPair alone = pair.left(null, pair.further.copy());
            alone.open();
            alone.assertTable();
            alone.close();
        }
        pair.open();
        pair.assertTable();
        assertEquals(List.of(0, SpreadPair.INDEX), pair.holders());
        pair.close();
    }

    @Test
    void whereItCameToBeAndWhereItWasLeftBehindIsTold() throws Exception {
        List<String> told = new ArrayList<>();
        pair.opened.store().whenTableMoves(move -> told.add(move.kind() + " " + move.spare()));
        assertEquals(List.of("COPIED 3"), told, "what happened before somebody listened");
        pair.first.failFrom(pair.first.operations(), ENODEV);
        pair.commit(40);
        assertEquals(List.of("COPIED 3", "LEFT_BEHIND 0"), told);
        pair.close();
        pair.first.heal();
        pair.open();
        told.clear();
        pair.opened.store().whenTableMoves(move -> told.add(move.kind() + " " + move.spare()));
        assertEquals(List.of("COPIED 0"), told);
        pair.close();
        pair.open();
        told.clear();
        pair.opened.store().whenTableMoves(move -> told.add(move.kind() + " " + move.spare()));
        assertEquals(List.of(), told, "a start in order writes it anew, and that is nothing to tell");
        pair.close();
    }

    @Test
    void bothAreWrittenAnew() {
        long first = pair.first.operations(Operation.WRITE);
        long further = pair.further.operations(Operation.WRITE);
        copies().rewrite((found, why) -> refusal = why);
        pair.opened.tasks().runAll();
        assertNull(refusal);
        assertTrue(pair.first.operations(Operation.WRITE) > first + 3);
        assertTrue(pair.further.operations(Operation.WRITE) > further + 3);
        pair.close();
    }

    @Test
    void oneThatFailsKeepsTheOtherFromNothing() throws Exception {
        garbage(pair.first, places(pair.first).get(0));
        pair.further.failFrom(pair.further.operations(), ENODEV);
        verify(true);
        assertNotNull(refusal, "the other one could not be read");
        assertEquals(1, copies().state().repairs());
        pair.commit(30);
        assertEquals(List.of(0), pair.holders());
        verify(true);
        assertNull(refusal);
        assertEquals(Verdict.SOUND, report.verdict());
        assertEquals(2, copies().state().copies());
        pair.close();
    }

    /** A verification takes minutes on a slow spare, and a spare may be taken out meanwhile, which closes its device. */
    @Test
    void oneThatIsTakenOutMeanwhileKeepsNobodyWaiting() throws Exception {
        for (int steps = 0; steps < 40; steps++) {
            SpreadPair pair = SpreadPair.formatted();
            pair.spread();
            int[] ended = {0, 0};
            MetadataCopies copies = pair.opened.store().copies().orElseThrow();
            copies.verify(false, (found, why) -> ended[0]++);
            for (int i = 0; i < steps; i++) {
                Runnable task = pair.opened.tasks().poll();
                if (task != null) {
                    task.run();
                }
            }
            List<Refusal> removed = new ArrayList<>();
            pair.opened
                    .store()
                    .changeMembers(List.of(pair.opened.store().members().get(0)), refusal -> {
                        removed.add(refusal);
                        pair.further.close();
                    });
            pair.opened.tasks().runAll();
            assertEquals(1, removed.size());
            assertNull(removed.get(0));
            assertEquals(1, ended[0], steps + " steps");
            copies.verify(false, (found, why) -> ended[1]++);
            pair.opened.tasks().runAll();
            assertEquals(1, ended[1], "the next one, " + steps + " steps");
        }
    }

    /** It has the table no more, and the others go by what it stated of itself when it did. */
    @Test
    void aFirstSpareWithoutTheTableMayGrow() throws Exception {
        SpreadPair pair = SpreadPair.ofThree();
        pair.commit(1);
        pair.close();
        CrashDevice first = pair.first;
        pair.first = null;
        pair.open();
        assertEquals(List.of(SpreadPair.INDEX, SpreadPair.THIRD), pair.holders());
        pair.close();
        pair.first = new CrashDevice("first", Bench.SPARE_BYTES + Bench.SPARE_BYTES / 4, 512);
        pair.first.poke(0, first.peek(0, (int) Bench.SPARE_BYTES));
        MetadataTools.Grown grown = pair.provider.tools().orElseThrow().grow(pair.first);
        assertTrue(grown.now() > grown.before());
        pair.open();
        assertEquals(List.of(SpreadPair.INDEX, SpreadPair.THIRD), pair.holders());
        // As a start states what it finds; and nobody makes them fewer again.
        for (long slots : new long[] {grown.now(), grown.before()}) {
            pair.change(pair.opened.store().members().stream()
                    .map(member -> member.index() == 0 ? member.slots(slots) : member)
                    .toList());
            assertEquals(grown.now(), pair.opened.store().members().get(0).slots());
        }
        MapChange onNewSlot = MapChange.set(50, 1, Place.onSlot(0, grown.now() - 1, 0xff, 0));
        assertEquals(Outcome.DURABLE, pair.opened.commit(List.of(onNewSlot)));
        pair.close();
        pair.open();
        assertTrue(Place.hasSlot(pair.opened.store().table().placeOf(50)));
        pair.close();
    }
}
