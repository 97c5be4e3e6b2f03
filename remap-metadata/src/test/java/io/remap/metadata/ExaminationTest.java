package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataReport.Part;
import io.remap.api.spi.MetadataReport.Severity;
import io.remap.api.spi.MetadataReport.State;
import io.remap.api.spi.MetadataReport.Verdict;
import io.remap.api.spi.MetadataTools;
import io.remap.api.spi.MetadataTools.Level;
import io.remap.api.spi.PairIdentity;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;

/** A check says what an opening would do, and writes nothing; a repair writes only what is certain. */
class ExaminationTest {
    private static final long SEED = Long.getLong("remap.seed", 20261126L);
    private static final int BLOCK = Block.BYTES;

    private final LogMetadataProvider provider = new LogMetadataProvider(8);
    private final MetadataTools tools = provider.tools().orElseThrow();
    private final Layout layout = Layout.tryPlan(Bench.SPARE_BYTES, BLOCK, 8);
    private final CrashDevice spare;
    private final String expected;

    /** A spare whose table has two blocks, with commits in its log after that, as a killed server leaves it. */
    ExaminationTest() throws Exception {
        spare = Bench.formatted(8);
        Opened opened = Bench.open(provider, spare, false, 1);
        for (int i = 0; i < 200; i++) {
            opened.commit(Bench.map(2L * i, i));
        }
        opened.close();
        opened = Bench.open(provider, spare, false, 2);
        for (int i = 200; i < 203; i++) {
            opened.commit(Bench.map(2L * i, i));
        }
        expected = Bench.text(opened.store().table());
    }

    private MetadataReport check(CrashDevice device, Level level) throws Exception {
        long writes = device.operations(CrashDevice.Operation.WRITE);
        long flushes = device.operations(CrashDevice.Operation.FLUSH);
        MetadataReport report = tools.check(device, level);
        assertEquals(writes, device.operations(CrashDevice.Operation.WRITE), "a check writes nothing");
        assertEquals(flushes, device.operations(CrashDevice.Operation.FLUSH), "a check writes nothing");
        return report;
    }

    private MetadataReport repair(CrashDevice device) throws Exception {
        return tools.repair(device, Bench.environment(new Bench.Tasks(), SEED));
    }

    private String table(CrashDevice device) throws Exception {
        return Bench.text(Bench.open(provider, device, true, 5).store().table());
    }

    private static void garbage(CrashDevice device, long at) {
        byte[] bytes = new byte[BLOCK];
        new Random(SEED + at).nextBytes(bytes);
        device.poke(at, bytes);
    }

    private static List<String> bad(MetadataReport report) {
        return report.parts().stream()
                .filter(Part::isBad)
                .map(part -> part.name() + " " + part.state())
                .toList();
    }

    private ArenaCopy[] inForce() throws Exception {
        Headers headers = Headers.read(new BlockIo(spare.copy(), BLOCK), layout, Bench.PAIR.pairUuid());
        return Formatter.arena(layout, headers.candidates().get(0).arena);
    }

    private void assertNotRepaired(CrashDevice device) {
        Refusal refusal = assertThrows(Refusal.class, () -> repair(device));
        assertEquals(Refusal.Kind.DAMAGED, refusal.kind());
        assertTrue(refusal.getMessage().contains("it is not certain what its mappings are"), refusal.getMessage());
        assertEquals(0, device.operations(CrashDevice.Operation.WRITE), "nothing is written");
    }

    @Test
    void aSoundSpareIsSound() throws Exception {
        for (Level level : Level.values()) {
            CrashDevice device = spare.copy();
            MetadataReport report = check(device, level);
            assertEquals(Verdict.SOUND, report.verdict(), report.toString());
            assertEquals(List.of(), report.findings());
            assertEquals(Bench.PAIR, report.pair().orElseThrow());
            assertEquals(level == Level.STANDARD ? 203 : 0, report.mappings());
            assertFalse(report.cleanStop());
            assertEquals(
                    level == Level.STANDARD ? 12 : 8,
                    report.parts().size(),
                    report.parts().toString());
            repair(device);
            assertEquals(0, device.operations(CrashDevice.Operation.WRITE), "there is nothing to repair");
        }
        Opened opened = Bench.open(provider, spare, false, 3);
        opened.close();
        assertTrue(check(spare, Level.STANDARD).cleanStop());
    }

    @Test
    void aFreshSpareIsSound() throws Exception {
        MetadataReport report = check(Bench.formatted(0).copy(), Level.STANDARD);
        assertEquals(Verdict.SOUND, report.verdict(), report.toString());
        assertTrue(
                report.parts().stream().anyMatch(part -> part.state() == State.EMPTY),
                report.parts().toString());
    }

    @Test
    void anyOneDamagedBlockIsNamedAndRepaired() throws Exception {
        List<BiConsumer<CrashDevice, Long>> damages = List.of(
                ExaminationTest::garbage,
                (device, at) -> device.makeUnreadable(at, BLOCK),
                (device, at) -> device.flipBit(at + Math.floorMod(at, 4093L), 3));
        ArenaCopy[] arena = inForce();
        List<Long> blocks = new ArrayList<>();
        for (int i = 0; i < Identities.COUNT; i++) {
            blocks.add(Layout.identityOffset(i, Bench.SPARE_BYTES));
        }
        for (ArenaCopy copy : arena) {
            blocks.add(copy.headerOffset(0));
            blocks.add(copy.offset(0));
            blocks.add(copy.offset(1));
            for (int position = 0; position < 3; position++) {
                blocks.add(copy.offset(copy.logBody(position)));
            }
        }
        for (ArenaCopy copy : Formatter.arena(layout, 1 - arena[0].arena)) {
            blocks.add(copy.headerOffset(0));
        }
        for (long at : blocks) {
            for (BiConsumer<CrashDevice, Long> damage : damages) {
                CrashDevice damaged = spare.copy();
                damage.accept(damaged, at);
                MetadataReport report = check(damaged, Level.STANDARD);
                assertEquals(Verdict.REPAIRABLE, report.verdict(), at + ": " + report);
                assertFalse(bad(report).isEmpty(), at + ": " + report);
                assertTrue(
                        report.findings().stream()
                                .allMatch(finding -> finding.severity() == Severity.WARNING
                                        && !finding.hint().isEmpty()),
                        report.findings().toString());
                MetadataReport after = repair(damaged);
                // A superblock has no other place to go to; all else finds one.
                boolean hopeless = blocks.indexOf(at) < Identities.COUNT && damage == damages.get(1);
                assertEquals(hopeless ? Verdict.REPAIRABLE : Verdict.SOUND, after.verdict(), at + ": " + after);
                assertEquals(expected, table(damaged), "block at " + at);
                assertFalse(after.cleanStop(), "a repair is no clean stop");
            }
        }
    }

    /** Each copy alone gives the table after a repair. */
    @Test
    void aRepairedSpareSurvivesTheLossOfEitherCopy() throws Exception {
        CrashDevice damaged = spare.copy();
        garbage(damaged, inForce()[0].offset(1));
        assertEquals(Verdict.SOUND, repair(damaged).verdict());
        for (int copy = 0; copy < 2; copy++) {
            CrashDevice half = damaged.copy();
            for (int arena = 0; arena < 2; arena++) {
                long from = layout.arenaOffsets().of(arena, copy);
                for (long at = from; at < from + layout.arenaBytes(); at += BLOCK) {
                    garbage(half, at);
                }
            }
            assertEquals(expected, table(half), "copy " + copy + " lost");
        }
    }

    /** Whenever the power goes during a repair, nothing is lost and the next repair ends it. */
    @Test
    void aRepairMayBeCutOffAnywhere() throws Exception {
        CrashDevice damaged = spare.copy();
        garbage(damaged, inForce()[0].offset(1));
        garbage(damaged, Layout.identityOffset(0, Bench.SPARE_BYTES));
        CrashDevice whole = damaged.copy();
        repair(whole);
        int tried = 0;
        for (long operation = 0; operation < whole.operations(); operation++) {
            CrashDevice cut = damaged.copy();
            cut.failFrom(operation, Errno.ENODEV);
            assertThrows(DeviceException.class, () -> repair(cut), "cut off at operation " + operation);
            for (long seed = 0; seed < 4; seed++) {
                CrashDevice after = cut.crash(SEED + seed);
                assertEquals(expected, table(after), "cut off at operation " + operation + ", seed " + (SEED + seed));
                assertEquals(Verdict.SOUND, repair(after).verdict(), "cut off at operation " + operation);
                assertEquals(expected, table(after));
                tried++;
            }
        }
        assertTrue(tried > 100, "only " + tried);
    }

    /** Damaged in a copy of each kind of block after a stop in order. */
    private List<CrashDevice> stoppedAndDamaged() throws Exception {
        Bench.open(provider, spare, false, 3).close();
        ArenaCopy[] arena = inForce();
        List<CrashDevice> all = new ArrayList<>();
        for (long at : List.of(
                arena[0].headerOffset(0),
                arena[1].offset(1),
                arena[0].offset(arena[0].logBody(0)),
                arena[1].offset(arena[1].logBody(1)),
                Formatter.arena(layout, 1 - arena[0].arena)[1].headerOffset(0))) {
            CrashDevice damaged = spare.copy();
            garbage(damaged, at);
            garbage(damaged, Layout.identityOffset(0, Bench.SPARE_BYTES));
            all.add(damaged);
        }
        return all;
    }

    private void assertStoppedInOrder(CrashDevice device, String what) throws Exception {
        Opened look = Bench.open(provider, device, true, 5);
        assertTrue(look.store().stoppedInOrder(), what);
        assertTrue(provider.owner(device).orElseThrow().stopped(), what + ", as another host sees it");
        assertEquals(expected, Bench.text(look.store().table()), what);
    }

    /** Main remembers that the stop was in order: a spare that has forgotten it would be refused. */
    @Test
    void aRepairThatIsCutOffAnywhereKeepsTheCleanStop() throws Exception {
        int tried = 0;
        for (CrashDevice damaged : stoppedAndDamaged()) {
            assertStoppedInOrder(damaged, "damaged");
            CrashDevice whole = damaged.copy();
            assertTrue(repair(whole).cleanStop());
            long operations = whole.operations();
            assertStoppedInOrder(whole, "repaired");
            for (long operation = 0; operation < operations; operation++) {
                CrashDevice cut = damaged.copy();
                cut.failFrom(operation, Errno.ENODEV);
                assertThrows(DeviceException.class, () -> repair(cut), "cut off at operation " + operation);
                for (long seed = 0; seed < 3; seed++) {
                    CrashDevice after = cut.crash(SEED + seed);
                    String what = "cut off at operation " + operation + ", seed " + (SEED + seed);
                    assertStoppedInOrder(after, what);
                    if (seed == 0 && operation % 4 == 0) {
                        cutOffAgain(after, what);
                    }
                    MetadataReport report = repair(after);
                    assertEquals(Verdict.SOUND, report.verdict(), what + ": " + report);
                    assertTrue(report.cleanStop(), what);
                    assertStoppedInOrder(after, what + ", repaired");
                    tried++;
                }
            }
        }
        assertTrue(tried > 500, "only " + tried);
    }

    private void cutOffAgain(CrashDevice after, String what) throws Exception {
        CrashDevice whole = after.copy();
        repair(whole);
        long operations = whole.operations();
        for (long operation = 0; operation < operations; operation += 9) {
            CrashDevice cut = after.copy();
            cut.failFrom(operation, Errno.ENODEV);
            assertThrows(DeviceException.class, () -> repair(cut), what);
            CrashDevice left = cut.crash(SEED + operation);
            assertStoppedInOrder(left, what + ", and the next one at operation " + operation);
            assertTrue(repair(left).cleanStop(), what);
        }
    }

    /** A repair that meets bad sectors on its way, and is cut off after them. */
    @Test
    void aRepairThatFailsKeepsTheCleanStop() throws Exception {
        CrashDevice damaged = stoppedAndDamaged().get(1);
        CrashDevice whole = damaged.copy();
        repair(whole);
        for (int errno : new int[] {Errno.EIO, Errno.ETIMEDOUT}) {
            for (long operation = 0; operation < whole.operations(); operation++) {
                CrashDevice failing = damaged.copy();
                failing.failOperation(operation, errno);
                try {
                    repair(failing);
                } catch (DeviceException | Refusal e) {
                    assertTrue(!e.getMessage().isEmpty());
                }
                failing.heal();
                CrashDevice after = failing.crash(SEED + operation);
                String what = "errno " + errno + " at operation " + operation;
                assertStoppedInOrder(after, what);
                assertTrue(repair(after).cleanStop(), what);
            }
        }
    }

    /** An opening for writing is no repair: cut off before its generation is begun, it leaves no clean stop behind. */
    @Test
    void anOpeningThatIsCutOffIsNoCleanStopOfItsOwn() throws Exception {
        Bench.open(provider, spare, false, 3).close();
        CrashDevice whole = spare.copy();
        Bench.open(provider, whole, false, 4);
        boolean begun = false;
        for (long operation = 0; operation < whole.operations(); operation++) {
            CrashDevice cut = spare.copy();
            cut.failFrom(operation, Errno.ENODEV);
            try {
                Bench.open(provider, cut, false, 4);
            } catch (DeviceException e) {
                assertEquals("spare", e.device());
            }
            CrashDevice after = cut.crashKeeping(sector -> true);
            Opened look = Bench.open(provider, after, true, 5);
            assertEquals(expected, Bench.text(look.store().table()));
            boolean stands = look.store().stoppedInOrder();
            assertFalse(begun && stands, "at operation " + operation);
            begun = !stands;
        }
        assertTrue(begun);
    }

    @Test
    void oneWholeSuperblockIsEnoughForARepair() throws Exception {
        for (int keep = 0; keep < Identities.COUNT; keep++) {
            CrashDevice damaged = spare.copy();
            for (int i = 0; i < Identities.COUNT; i++) {
                if (i != keep) {
                    garbage(damaged, Layout.identityOffset(i, Bench.SPARE_BYTES));
                }
            }
            assertThrows(Refusal.class, () -> Bench.open(provider, damaged, false, 4));
            MetadataReport report = check(damaged, Level.STANDARD);
            assertEquals(Verdict.REPAIRABLE, report.verdict());
            assertEquals(Severity.ERROR, report.findings().get(0).severity());
            assertEquals(Verdict.SOUND, repair(damaged).verdict());
            assertEquals(
                    expected,
                    Bench.text(Bench.open(provider, damaged, false, 4).store().table()));
        }
    }

    @Test
    void whatIsLostInBothCopiesIsNotMadeUp() throws Exception {
        CrashDevice damaged = spare.copy();
        for (ArenaCopy copy : inForce()) {
            garbage(damaged, copy.offset(1));
        }
        MetadataReport report = check(damaged, Level.STANDARD);
        assertEquals(Verdict.UNUSABLE, report.verdict());
        assertEquals(Severity.ERROR, report.findings().get(0).severity());
        assertTrue(
                report.findings().get(0).what().contains("damaged in both copies"),
                report.findings().toString());
        assertEquals(2, bad(report).size(), report.parts().toString());
        assertNotRepaired(damaged);
        // The headers alone cannot tell.
        assertEquals(Verdict.SOUND, check(damaged, Level.QUICK).verdict());
    }

    @Test
    void whatMayHideANewerGenerationIsReadOnly() throws Exception {
        CrashDevice damaged = spare.copy();
        for (ArenaCopy copy : inForce()) {
            damaged.makeUnreadable(copy.headerOffset(0), BLOCK);
        }
        for (Level level : Level.values()) {
            // Its log tells that it was in force.
            assertEquals(Verdict.UNUSABLE, check(damaged, level).verdict());
        }
        assertNotRepaired(damaged);
        for (ArenaCopy copy : inForce()) {
            damaged.makeUnreadable(copy.offset(copy.logBody(0)), BLOCK);
        }
        for (Level level : Level.values()) {
            MetadataReport report = check(damaged, level);
            assertEquals(Verdict.READ_ONLY, report.verdict(), report.toString());
            assertTrue(
                    report.findings().get(0).hint().contains("--read-only"),
                    report.findings().toString());
        }
        assertNotRepaired(damaged);
    }

    /** The end of the log is lost in both copies; that it was longer is told by what was saved beside the mappings. */
    @Test
    void whatASaveProvesToBeMissingIsNotRepairedAway() throws Exception {
        Opened opened = Bench.open(provider, spare, false, 3);
        opened.commit(Bench.map(1000, 300));
        opened.commit(Bench.map(1002, 301));
        opened.store().save(Map.of("a", new byte[] {1}), failure -> assertEquals("", failure));
        opened.tasks().runAll();
        assertEquals(Verdict.SOUND, check(spare, Level.STANDARD).verdict());
        for (ArenaCopy copy : inForce()) {
            spare.poke(copy.offset(copy.logBody(2)), new byte[BLOCK]);
        }
        assertThrows(Refusal.class, () -> Bench.open(provider, spare.copy(), false, 4));
        MetadataReport report = check(spare, Level.STANDARD);
        assertEquals(Verdict.READ_ONLY, report.verdict(), report.toString());
        assertTrue(
                report.findings().get(0).what().contains("were durable"),
                report.findings().toString());
        assertNotRepaired(spare.copy());
        assertEquals(
                List.of(report.findings().get(0).what()),
                dumped(spare, tools).get("doubts").stream()
                        .map(piece -> piece.get("what"))
                        .toList());
    }

    @Test
    void aForkIsRefused() throws Exception {
        CrashDevice forked = spare.copy();
        CrashDevice other = spare.copy();
        // Two servers have begun a generation of the same number.
        Bench.open(provider, forked, false, 100);
        Bench.open(provider, other, false, 200);
        ArenaCopy first = Formatter.arena(layout, 1 - inForce()[0].arena)[0];
        forked.poke(first.headerOffset(0), other.peek(first.headerOffset(0), BLOCK));
        CrashDevice fresh = forked.copy();
        MetadataReport report = check(fresh, Level.STANDARD);
        assertEquals(Verdict.UNUSABLE, report.verdict());
        assertTrue(
                report.findings().get(0).what().contains("two different states"),
                report.findings().toString());
        assertNotRepaired(fresh);

        CrashDevice mixed = spare.copy();
        CrashDevice foreign = new CrashDevice("other", Bench.SPARE_BYTES, 512);
        provider.format(
                foreign,
                new PairIdentity(new UUID(9, 9), Bench.MAIN_BYTES, 512, "y"),
                Bench.environment(new Bench.Tasks(), 5));
        mixed.poke(0, foreign.peek(0, BLOCK));
        assertEquals(Verdict.UNUSABLE, check(mixed, Level.QUICK).verdict());
        assertNotRepaired(mixed);
    }

    @Test
    void whatIsNoSpareIsRefused() {
        CrashDevice blank = new CrashDevice("spare", Bench.SPARE_BYTES, 512);
        Refusal refusal = assertThrows(Refusal.class, () -> check(blank, Level.STANDARD));
        assertEquals(Refusal.Kind.WRONG_DEVICE, refusal.kind());
        CrashDevice gone = spare.copy();
        gone.failFrom(0, Errno.ENODEV);
        assertThrows(DeviceException.class, () -> check(gone, Level.QUICK));
    }

    @Test
    void dumpsWhatIsInForce() throws Exception {
        CrashDevice device = Bench.formatted(8);
        Opened opened = Bench.open(provider, device, false, 1);
        opened.commit(
                MapChange.set(100, 10, Place.onSlot(0, 5, 0xff, 0)),
                MapChange.set(7, 1, Place.onSlot(0, 50, 0x0f, 0x80)),
                MapChange.badSlot(0, 60, 3));
        opened.commit(Bench.unmap(7));
        device.refuseWrites();
        Map<String, List<Map<String, Object>>> pieces = new LinkedHashMap<>();
        tools.dump(
                device,
                (kind, values) ->
                        pieces.computeIfAbsent(kind, k -> new ArrayList<>()).add(new LinkedHashMap<>(values)));
        assertEquals(
                List.of("superblocks", "headers", "members", "log", "entries", "badSlots"),
                List.copyOf(pieces.keySet()));
        assertEquals(
                List.of("active"),
                pieces.get("members").stream().map(piece -> piece.get("state")).toList());
        assertEquals(4, pieces.get("superblocks").size());
        assertEquals(
                Bench.PAIR.pairUuid().toString(),
                pieces.get("superblocks").get(3).get("pairUuid"));
        assertEquals(4, pieces.get("headers").size());
        List<Object> kinds = pieces.get("log").stream()
                .map(piece -> piece.get("kind"))
                .filter(kind -> !kind.equals("begin"))
                .toList();
        assertEquals(List.of("set", "set", "bad-slot", "unmap"), kinds);
        assertEquals(1, pieces.get("entries").size());
        Map<String, Object> entry = pieces.get("entries").get(0);
        assertEquals(100L, entry.get("firstUnit"));
        assertEquals(10L, entry.get("units"));
        assertEquals(5L, entry.get("firstSlot"));
        assertEquals(layout.slotOffsetBytes(5), entry.get("slotOffsetBytes"));
        assertEquals(
                List.of("bad-slot", 0, 60L, 3L),
                List.copyOf(pieces.get("log").stream()
                        .filter(piece -> "bad-slot".equals(piece.get("kind")))
                        .map(piece -> List.of(
                                piece.get("kind"),
                                piece.getOrDefault("spare", "of no spare"),
                                piece.get("firstSlot"),
                                piece.get("slots")))
                        .findFirst()
                        .orElseThrow()));
        assertEquals(
                List.of(60L, 3L),
                List.of(
                        pieces.get("badSlots").get(0).get("firstSlot"),
                        pieces.get("badSlots").get(0).get("slots")));
    }

    private static Map<String, List<Map<String, Object>>> dumped(CrashDevice device, MetadataTools tools)
            throws Exception {
        Map<String, List<Map<String, Object>>> pieces = new LinkedHashMap<>();
        tools.dump(
                device,
                (kind, values) ->
                        pieces.computeIfAbsent(kind, k -> new ArrayList<>()).add(new LinkedHashMap<>(values)));
        return pieces;
    }

    @Test
    void aDumpShowsHowEachPlaceStands() throws Exception {
        CrashDevice fresh = Bench.formatted(8);
        assertEquals(
                List.of("whole", "whole", "zero", "zero"),
                dumped(fresh, tools).get("headers").stream()
                        .map(piece -> piece.get("state"))
                        .toList());
        ArenaCopy[] other = Formatter.arena(layout, 1 - inForce()[0].arena);
        garbage(spare, other[0].headerOffset(0));
        garbage(spare, other[0].headerOffset(1));
        spare.makeUnreadable(other[1].headerOffset(0), BLOCK);
        List<Object> states = dumped(spare, tools).get("headers").stream()
                .filter(piece -> piece.get("arena").equals(Headers.name(other[0].arena)))
                .map(piece -> piece.get("state"))
                .toList();
        assertEquals(List.of("other", "other", "unreadable"), states);
        CrashDevice blank = new CrashDevice("blank", Bench.SPARE_BYTES, 512);
        assertThrows(Refusal.class, () -> dumped(blank, tools));
    }

    /** It is being served while it is dumped: what was whole a moment ago may be gone. */
    @Test
    void aDumpOfWhatIsWrittenOverMeanwhileSaysSo() throws Exception {
        ArenaCopy[] arena = inForce();
        Refusal refusal = assertThrows(
                Refusal.class,
                () -> tools.dump(spare, (kind, values) -> {
                    for (ArenaCopy copy : arena) {
                        garbage(spare, copy.offset(copy.logBody(1)));
                    }
                }));
        assertTrue(refusal.getMessage().contains("log block 2 was whole, and is not any more"), refusal.getMessage());
    }

    @Test
    void aDumpShowsWhatASpareIsFor() throws Exception {
        SpreadPair pair = SpreadPair.formatted();
        pair.change(pair.opened.store().members().stream()
                .map(member -> member.index() == 0 ? member.standby(true) : member.leaving(true))
                .toList());
        assertEquals(
                List.of("standby", "leaving"),
                dumped(pair.first, tools).get("members").stream()
                        .map(piece -> piece.get("state"))
                        .toList());
    }

    @Test
    void superblocksAreDescribedAndAFeatureToReadOnlyIsSaid() throws Exception {
        CrashDevice damaged = spare.copy();
        damaged.poke(Layout.identityOffset(1, Bench.SPARE_BYTES), new byte[BLOCK]);
        Identities.writeMarkers(new BlockIo(damaged, BLOCK, 1), Bench.PAIR.pairUuid(), Bench.SPARE_BYTES, 0);
        assertEquals(
                List.of("the mark of a format under way", "only zeros", "", ""),
                tools.check(damaged, Level.QUICK).parts().stream()
                        .limit(4)
                        .map(Part::detail)
                        .toList());
        Forge.editSuperblocks(spare, block -> block.putInt(Superblock.RO_COMPAT_AT, 4));
        MetadataReport report = check(spare, Level.STANDARD);
        assertEquals(Verdict.READ_ONLY, report.verdict());
        assertTrue(
                report.findings().get(0).what().contains("a feature that this program can only read"),
                report.toString());
        assertEquals(203, report.mappings());
        assertNotRepaired(spare.copy());
    }

    /** Of three epochs, or of two that do not follow each other, or of two pairs: nobody could tell what happened. */
    @Test
    void superblocksOfStrangeEpochsAreRefused() throws Exception {
        for (int kind = 0; kind < 3; kind++) {
            CrashDevice mixed = spare.copy();
            int which = kind;
            for (int place : new int[] {2, 3}) {
                Forge.edit(mixed, Layout.identityOffset(place, Bench.SPARE_BYTES), block -> {
                    block.putLong(Superblock.EPOCH_AT, which == 1 ? 2 : which == 2 ? 1 : place - 1);
                    if (which == 2) {
                        Block.putUuid(block, Block.UUID_AT, new UUID(9, 9));
                    }
                });
            }
            Refusal refusal = assertThrows(Refusal.class, () -> Bench.open(provider, mixed, true, 4));
            assertTrue(refusal.getMessage().contains("superblocks contradict each other"), refusal.getMessage());
            assertEquals(Verdict.UNUSABLE, check(mixed, Level.STANDARD).verdict());
        }
    }
}
