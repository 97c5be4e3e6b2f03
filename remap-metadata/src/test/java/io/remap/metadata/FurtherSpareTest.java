package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataReport.Part;
import io.remap.api.spi.MetadataReport.Severity;
import io.remap.api.spi.MetadataReport.Verdict;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.api.spi.MetadataTools;
import io.remap.api.spi.MetadataTools.Level;
import io.remap.api.spi.PairIdentity;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** A further spare that is damaged, too new, half formatted or failing: what is said of it, and what is never written to it. */
class FurtherSpareTest {
    private final LogMetadataProvider provider = new LogMetadataProvider(4);
    private final MetadataTools tools = provider.tools().orElseThrow();
    private CrashDevice device;

    @BeforeEach
    void format() throws Exception {
        device = new CrashDevice("further", Bench.SPARE_BYTES, 512);
        provider.formatMember(
                device, Bench.PAIR, SpreadPair.INDEX, SpreadPair.ID, Bench.environment(new Bench.Tasks(), 5));
        provider.stampMember(device, 11);
    }

    private long stamp() throws Exception {
        return provider.member(device).orElseThrow().stamp();
    }

    private static long place(int index) {
        return Layout.identityOffset(index, Bench.SPARE_BYTES);
    }

    private static void tooNew(CrashDevice spare) {
        Forge.editSuperblocks(spare, block -> block.putShort(Superblock.MAJOR_AT, (short) 9));
    }

    /** One whole superblock, and marks of a format in the other places. */
    private static void halfFormatted(CrashDevice spare) {
        try {
            Identities.writeMarkers(
                    new BlockIo(spare, Block.BYTES, 1), Bench.PAIR.pairUuid(), Bench.SPARE_BYTES, 1, 2, 3);
        } catch (DeviceException e) {
            throw new AssertionError(e);
        }
    }

    private static void contradicting(CrashDevice spare) {
        Forge.edit(spare, place(2), block -> block.putLong(Superblock.CREATED_AT, 4711));
    }

    private void assertDamaged(String why, Executable asked) {
        Refusal refusal = assertThrows(Refusal.class, asked);
        assertTrue(refusal.getMessage().contains(why), refusal.getMessage());
    }

    @Test
    void oneOfANewerFormatIsNamedAndLeftAlone() throws Exception {
        tooNew(device);
        long writes = device.operations(Operation.WRITE);
        String why = "a spare of format 9.1 with features 0x3; this program knows format 1.1";
        assertTrue(provider.member(device).isEmpty());
        assertTrue(provider.table(device).isEmpty());
        assertTrue(provider.owner(device).isEmpty());
        assertEquals(why, provider.inspect(device).detail());
        assertDamaged(why, () -> tools.dump(device, (kind, values) -> {}));
        assertDamaged(why, () -> tools.grow(device));
        assertDamaged("no further spare of a pair", () -> provider.stampMember(device, 12));
        provider.eraseMember(device, Bench.PAIR, SpreadPair.INDEX);
        MetadataReport report = tools.check(device, Level.STANDARD);
        assertEquals(Verdict.UNUSABLE, report.verdict());
        assertTrue(report.findings().get(0).what().contains(why), report.toString());
        assertTrue(
                report.findings().stream().noneMatch(finding -> finding.hint().contains("forget")), report.toString());
        assertEquals(writes, device.operations(Operation.WRITE));
        Forge.editSuperblocks(device, block -> block.putInt(Superblock.INCOMPAT_AT, 0));
        assertEquals(
                "a spare of format 9.1; this program knows format 1.1",
                provider.inspect(device).detail());
    }

    @Test
    void oneWhoseFormatWasInterruptedIsNone() throws Exception {
        halfFormatted(device);
        long writes = device.operations(Operation.WRITE);
        assertTrue(provider.member(device).isEmpty());
        assertTrue(provider.table(device).isEmpty());
        assertDamaged("its format was interrupted", () -> tools.check(device, Level.STANDARD));
        assertDamaged("were not all written", () -> tools.grow(device));
        assertEquals("an interrupted format", provider.inspect(device).detail());
        assertEquals(writes, device.operations(Operation.WRITE));
    }

    @Test
    void oneThatContradictsItselfIsRefused() throws Exception {
        contradicting(device);
        long writes = device.operations(Operation.WRITE);
        String why = "superblocks contradict each other";
        assertDamaged(why, () -> provider.member(device));
        assertDamaged(why, () -> tools.check(device, Level.STANDARD));
        assertDamaged(why, () -> tools.grow(device));
        assertTrue(provider.table(device).isEmpty());
        assertEquals(writes, device.operations(Operation.WRITE));
    }

    @Test
    void whatIsNoFurtherSpareGetsNoStamp() throws Exception {
        CrashDevice first = Bench.formatted(4);
        CrashDevice blank = new CrashDevice("blank", Bench.SPARE_BYTES, 512);
        for (CrashDevice wrong : List.of(first, blank)) {
            long writes = wrong.operations(Operation.WRITE);
            Refusal refusal = assertThrows(Refusal.class, () -> provider.stampMember(wrong, 12));
            assertEquals(Refusal.Kind.WRONG_DEVICE, refusal.kind());
            assertEquals(writes, wrong.operations(Operation.WRITE));
        }
        provider.eraseMember(blank, Bench.PAIR, 0);
        assertEquals(0, blank.operations(Operation.WRITE));
        CrashDevice tiny = new CrashDevice("tiny", 1 << 20, 512);
        assertTrue(provider.member(tiny).isEmpty());
        assertTrue(provider.table(tiny).isEmpty());
        assertTrue(provider.owner(tiny).isEmpty());
        assertEquals(0, tiny.operations());
    }

    /** Erased is only what says that it is of this pair. */
    @Test
    void aSpareOfAnotherPairIsNotErased() throws Exception {
        PairIdentity other = new PairIdentity(new UUID(9, 9), Bench.MAIN_BYTES, 512, "y");
        provider.eraseMember(device, other, SpreadPair.INDEX);
        assertEquals(11, stamp());
    }

    /** Each operation of a stamp fails in turn: told, and the former stamp or the new one is what it says. */
    @Test
    void aStampThatFailsIsToldAndTheOneBeforeStays() throws Exception {
        CrashDevice whole = device.copy();
        int told = 0;
        for (int errno : new int[] {Errno.EIO, Errno.ENODEV}) {
            boolean reachedTheEnd = false;
            for (int fault = 0; !reachedTheEnd; fault++) {
                device = whole.copy();
                device.failOperation(fault, errno);
                boolean done = true;
                try {
                    provider.stampMember(device, 12);
                } catch (DeviceException e) {
                    assertEquals(errno, e.errno());
                    done = false;
                    told++;
                }
                reachedTheEnd = device.operations() <= fault;
                device.heal();
                device = device.crash(fault);
                assertTrue(stamp() == 12 || (!done && stamp() == 11), "operation " + fault + ": " + stamp());
            }
        }
        assertTrue(told > 5, "told " + told + " times");
    }

    @Test
    void oneOfTwoStampsIsEnoughAndNoneIsToldOf() throws Exception {
        device.makeUnwritable(Layout.SAVED_AT, Block.BYTES);
        provider.stampMember(device, 12);
        assertEquals(12, stamp());
        MetadataReport report = tools.check(device, Level.STANDARD);
        assertEquals(Verdict.REPAIRABLE, report.verdict());
        assertEquals(
                List.of("stamp 0: stamp 11, expected 12"),
                report.parts().stream()
                        .filter(Part::isBad)
                        .map(part -> part.name() + ": " + part.detail())
                        .toList());
        device.makeUnwritable(Layout.SAVED_AT + Block.BYTES, Block.BYTES);
        assertThrows(DeviceException.class, () -> provider.stampMember(device, 13));
        assertEquals(12, stamp());
    }

    @Test
    void aStampThatIsNotOursCountsNothing() throws Exception {
        List<Consumer<ByteBuffer>> edits = List.of(
                block -> block.putLong(Block.MAGIC_AT, 1),
                block -> Block.putUuid(block, Block.UUID_AT, new UUID(9, 9)),
                block -> block.putInt(Block.CRC_AT, 4711));
        for (Consumer<ByteBuffer> edit : edits) {
            provider.stampMember(device, 12);
            ByteBuffer block = Forge.block(device, Layout.SAVED_AT);
            block.putLong(MemberStamp.STAMP_AT, 99);
            edit.accept(block);
            if (block.getInt(Block.CRC_AT) != 4711) {
                block.putInt(Block.CRC_AT, 0);
                block.putInt(
                        Block.CRC_AT, Block.sealOf(Block.crcOfBody(block, Superblock.MARKER_BYTES), Layout.SAVED_AT));
            }
            device.poke(Layout.SAVED_AT, Forge.bytes(block));
            assertEquals(12, stamp());
            MetadataReport report = tools.check(device, Level.STANDARD);
            assertTrue(report.parts().toString().contains("no whole stamp of this pair"), report.toString());
        }
    }

    private static void garbage(CrashDevice spare, long at) {
        byte[] bytes = new byte[Block.BYTES];
        new Random(at).nextBytes(bytes);
        spare.poke(at, bytes);
    }

    private static SpreadPair stopped() throws Exception {
        SpreadPair pair = SpreadPair.formatted();
        pair.provider.stampMember(pair.further, 11);
        pair.spread();
        for (long unit = 0; unit < 3; unit++) {
            assertEquals(Outcome.DURABLE, pair.commit(unit));
        }
        return pair;
    }

    private static List<ArenaCopy> inForce(CrashDevice spare) throws Exception {
        Superblock superblock = Identities.read(spare).first();
        BlockIo io = new BlockIo(spare.copy(), Block.BYTES);
        TableRecovery.Found found = TableRecovery.recover(io, superblock);
        return List.of(found.copies().get(found.arena()));
    }

    /** Its table is sound and its stamp is not: the table is not written for that. */
    @Test
    void aStampIsMendedWithoutTheTable() throws Exception {
        SpreadPair pair = stopped();
        pair.close();
        CrashDevice further = pair.further;
        garbage(further, Layout.SAVED_AT);
        long generation = provider.table(further).orElseThrow().generation();
        MetadataReport mended = tools.repair(further, Bench.environment(new Bench.Tasks(), 9));
        assertEquals(Verdict.SOUND, mended.verdict(), mended.toString());
        assertEquals(generation, provider.table(further).orElseThrow().generation());
        assertEquals(11, provider.member(further).orElseThrow().stamp());
    }

    /** Loses the table of a spare in both copies. */
    private static void loseTable(CrashDevice spare) throws Exception {
        for (ArenaCopy copy : inForce(spare)) {
            garbage(spare, copy.headerOffset(0));
        }
    }

    /** A committed change may be where its log cannot be read. */
    private static void makeDoubtful(CrashDevice spare) throws Exception {
        for (ArenaCopy copy : inForce(spare)) {
            spare.makeUnreadable(copy.offset(copy.logBody(2)), Block.BYTES);
        }
    }

    private MetadataReport assertNotRepaired(CrashDevice spare, Verdict verdict) throws Exception {
        MetadataReport report = tools.check(spare, Level.STANDARD);
        assertEquals(verdict, report.verdict(), report.toString());
        assertEquals(Severity.ERROR, report.findings().get(0).severity(), report.toString());
        assertTrue(
                report.findings().stream().noneMatch(finding -> finding.hint().contains("remap repair")),
                report.findings().toString());
        long writes = spare.operations(Operation.WRITE);
        Refusal refusal =
                assertThrows(Refusal.class, () -> tools.repair(spare, Bench.environment(new Bench.Tasks(), 9)));
        assertEquals(Refusal.Kind.DAMAGED, refusal.kind());
        assertEquals(writes, spare.operations(Operation.WRITE));
        return report;
    }

    private static void assertNamesOthersFirst(MetadataReport report, String spare) {
        String hint = report.findings().get(0).hint();
        assertTrue(hint.contains("'remap serve MAIN --spare " + spare + " --spare OTHER'"), hint);
        assertTrue(
                !hint.contains("forget") || hint.indexOf("--spare OTHER") < hint.indexOf("'remap forget MAIN'"), hint);
    }

    /** The first spare has the table too, and the next start writes this one anew. */
    @Test
    void aTableThatIsLostBesideAnotherIsNotMended() throws Exception {
        SpreadPair pair = stopped();
        CrashDevice lost = pair.further.copy();
        loseTable(lost);
        MetadataReport report = tools.check(lost, Level.STANDARD);
        assertEquals(Verdict.SOUND, report.verdict(), report.toString());
        assertEquals(0, report.mappings());
        assertEquals(
                List.of(Severity.WARNING),
                report.findings().stream()
                        .filter(finding -> finding.what().equals("no table can be loaded from it for certain"))
                        .map(MetadataReport.Finding::severity)
                        .toList(),
                report.toString());
        assertEquals(
                List.of(Severity.NOTE, Severity.NOTE),
                tools.checkBeside(lost).findings().stream()
                        .map(MetadataReport.Finding::severity)
                        .toList());
        garbage(lost, place(1));
        long inArenas = lost.operations(Operation.WRITE);
        assertEquals(
                Verdict.SOUND,
                tools.repair(lost, Bench.environment(new Bench.Tasks(), 9)).verdict());
        assertEquals(inArenas + 1, lost.operations(Operation.WRITE), "the superblock alone");
    }

    @Test
    void aTableInDoubtIsSaidToBeIt() throws Exception {
        SpreadPair pair = stopped();
        CrashDevice doubtful = pair.further.copy();
        makeDoubtful(doubtful);
        MetadataReport report = assertNotRepaired(doubtful, Verdict.READ_ONLY);
        assertNamesOthersFirst(report, "further");
        assertTrue(
                report.parts().stream()
                        .anyMatch(part -> part.inForce() && part.name().startsWith("arena")),
                report.toString());
        // Beside the other one it is written anew.
        MetadataReport beside = tools.checkBeside(doubtful);
        assertEquals(Verdict.SOUND, beside.verdict(), beside.toString());
        assertTrue(beside.findings().stream().allMatch(finding -> finding.severity() == Severity.NOTE));
        CrashDevice first = pair.first.copy();
        makeDoubtful(first);
        report = assertNotRepaired(first, Verdict.READ_ONLY);
        assertNamesOthersFirst(report, first.name());
        assertTrue(tools.checkBeside(first).findings().stream()
                .noneMatch(finding -> finding.severity() == Severity.ERROR));
    }

    /** The pair has gone on without its first spare: there may be no other table. */
    @Test
    void theOnlyTableThatIsLostOrInDoubtIsNoSoundSpare() throws Exception {
        SpreadPair pair = SpreadPair.formatted();
        pair.provider.stampMember(pair.further, 11);
        pair.spread();
        assertNull(pair.remove(0));
        pair.first = null;
        for (long unit = 0; unit < 3; unit++) {
            assertEquals(Outcome.DURABLE, pair.commit(unit, SpreadPair.INDEX));
        }
        pair.close();
        // Of a generation that has what was in the log before.
        pair.open();
        pair.close();
        assertEquals(Verdict.SOUND, tools.check(pair.further, Level.STANDARD).verdict());
        CrashDevice tableLost = pair.further.copy();
        for (ArenaCopy copy : inForce(tableLost)) {
            garbage(tableLost, copy.offset(0));
        }
        CrashDevice allLost = pair.further.copy();
        for (int arena = 0; arena < 2; arena++) {
            for (ArenaCopy copy :
                    Formatter.arena(Identities.read(allLost).first().layout(), arena)) {
                garbage(allLost, copy.headerOffset(0));
            }
        }
        for (CrashDevice lost : List.of(tableLost, allLost)) {
            MetadataReport report = assertNotRepaired(lost, Verdict.UNUSABLE);
            assertTrue(report.findings().get(0).what().contains("may have been its only table"), report.toString());
            assertNamesOthersFirst(report, "further");
            assertEquals(1, doubts(lost).size());
            Refusal refusal = assertThrows(Refusal.class, () -> Bench.open(provider, lost, true, 9));
            assertTrue(refusal.getMessage().contains("name the other spares"), refusal.getMessage());
        }
        CrashDevice doubtful = pair.further.copy();
        makeDoubtful(doubtful);
        assertNotRepaired(doubtful, Verdict.READ_ONLY);
        assertEquals(1, doubts(doubtful).size());
    }

    /** A crash before the first copy was stated leaves a spare that only says that there may be one. */
    @Test
    void oneThatNeverHadTheTableIsSoundWithoutIt() throws Exception {
        Holder.declare(device, Superblock.Version.SPREAD | Superblock.Version.WITHOUT_FIRST);
        MetadataReport report = tools.check(device, Level.STANDARD);
        assertEquals(Verdict.SOUND, report.verdict(), report.toString());
        assertTrue(
                report.findings().stream().allMatch(finding -> finding.severity() == Severity.NOTE), report.toString());
        assertEquals(List.of(), doubts(device));
    }

    private List<String> doubts(CrashDevice spare) throws Exception {
        List<String> doubts = new ArrayList<>();
        tools.dump(spare, (kind, values) -> {
            if (kind.equals("doubts")) {
                doubts.add((String) values.get("what"));
            }
        });
        return doubts;
    }

    /** What a copy on another spare still has is not given up for a first spare that lost its own. */
    @Test
    void aFirstSpareThatLostItsTableNamesTheOthersFirst() throws Exception {
        SpreadPair pair = stopped();
        pair.close();
        for (ArenaCopy copy : inForce(pair.first)) {
            garbage(pair.first, copy.offset(0));
        }
        assertNamesOthersFirst(assertNotRepaired(pair.first, Verdict.UNUSABLE), pair.first.name());
        Refusal refusal = assertThrows(Refusal.class, () -> Bench.open(provider, pair.first, false, 9));
        assertTrue(refusal.getMessage().contains("name the other spares"), refusal.getMessage());
    }

    /** Begun and never stated: it says of itself that it does not count. */
    @Test
    void aCopyThatDoesNotNameItselfIsNone() throws Exception {
        SpreadPair pair = stopped();
        pair.change(pair.opened.store().members().stream().limit(1).toList());
        pair.close();
        CrashDevice further = pair.further;
        for (ArenaCopy copy : inForce(further)) {
            Forge.edit(
                    further,
                    copy.headerOffset(0),
                    block -> block.put(
                            ArenaHeader.MEMBERS_AT + ArenaHeader.MEMBER_BYTES + ArenaHeader.MEMBER_FLAGS_AT, (byte) 0));
        }
        assertTrue(provider.table(further).isEmpty());
        List<String> kinds = new ArrayList<>();
        tools.dump(further, (kind, values) -> kinds.add(kind));
        assertEquals(List.of("superblocks", "superblocks", "superblocks", "superblocks", "members"), kinds);
    }

    /** A place that keeps an older superblock allows no growth: of three epochs nobody could tell what happened. */
    @Test
    void aSpareWithAnOlderSuperblockIsNotGrown() throws Exception {
        Layout layout = Layout.tryPlan(Bench.SPARE_BYTES, Block.BYTES, 4);
        CrashDevice larger = new CrashDevice("larger", Bench.SPARE_BYTES * 2, 512);
        Formatter.formatMember(larger, Bench.PAIR, 3, SpreadPair.ID, layout, Bench.environment(new Bench.Tasks(), 1));
        larger.makeUnwritable(place(3), Block.BYTES);
        long slots = tools.grow(larger).now();
        assertTrue(slots > layout.slots());
        Refusal refusal = assertThrows(Refusal.class, () -> tools.grow(larger));
        assertEquals(Refusal.Kind.DEVICE_FAILED, refusal.kind());
        assertTrue(
                refusal.getMessage().contains("the superblock at byte " + place(3) + " is an older one"),
                refusal.getMessage());
        assertEquals(slots, provider.member(larger).orElseThrow().slots().count());
        larger.heal();
        assertEquals(slots, tools.grow(larger).now(), "once it can be written");
        // Of each epoch one place is not enough.
        CrashDevice failing = new CrashDevice("failing", Bench.SPARE_BYTES * 2, 512);
        Formatter.formatMember(failing, Bench.PAIR, 3, SpreadPair.ID, layout, Bench.environment(new Bench.Tasks(), 1));
        for (int index : new int[] {0, 2, 3}) {
            failing.makeUnwritable(place(index), Block.BYTES);
        }
        assertThrows(DeviceException.class, () -> tools.grow(failing));
    }

    @Test
    void aSpareOfAnOlderFormatIsServedBeforeItGrows() throws Exception {
        CrashDevice first = Bench.formatted(4);
        Forge.editSuperblocks(first, block -> block.putInt(Superblock.INCOMPAT_AT, 0));
        Refusal refusal = assertThrows(Refusal.class, () -> tools.grow(first));
        assertTrue(refusal.getMessage().contains("has an older format: serve it once"), refusal.getMessage());
        assertEquals(Refusal.Kind.DAMAGED, refusal.kind());
    }

    /** What should take a copy of the table, and is not what it was, gets none; one that had a copy is left behind. */
    @Test
    void whatIsNotThatSpareAnyMoreGetsNoCopy() throws Exception {
        List<Consumer<CrashDevice>> damages = List.of(
                FurtherSpareTest::tooNew,
                FurtherSpareTest::halfFormatted,
                FurtherSpareTest::contradicting,
                spare -> Forge.editSuperblocks(spare, block -> block.putInt(Superblock.MEMBER_AT, 7)),
                spare -> Forge.editSuperblocks(spare, block -> Block.putUuid(block, Block.UUID_AT, new UUID(9, 9))),
                spare -> spare.poke(0, new byte[(int) Bench.SPARE_BYTES]),
                spare -> spare.failFrom(0, Errno.ENODEV));
        for (Consumer<CrashDevice> damage : damages) {
            for (boolean stated : List.of(false, true)) {
                SpreadPair pair = SpreadPair.formatted();
                if (stated) {
                    pair.spread();
                    pair.close();
                    pair.opened = Bench.open(pair.provider, pair.first, false, 44);
                }
                damage.accept(pair.further);
                List<String> told = new ArrayList<>();
                pair.opened.store().whenTableMoves(move -> told.add(move.kind() + " " + move.spare()));
                long writes = pair.further.operations(Operation.WRITE);
                pair.spread();
                assertEquals(List.of(0), pair.holders());
                assertEquals(stated ? List.of("LEFT_BEHIND 3") : List.of(), told);
                assertEquals(Outcome.DURABLE, pair.commit(1));
                if (stated) {
                    String why = pair.opened.store().status().detail();
                    assertTrue(why.startsWith("spare 3 was left behind: "), why);
                }
                if (stated) {
                    assertEquals(writes, pair.further.operations(Operation.WRITE), "written to what is not ours");
                }
            }
        }
    }

    /** How new it is nobody can tell then: a repair does not promise to. */
    @Test
    void oneWithoutAWholeStampIsNotSaidToBeRepairable() throws Exception {
        BlockIo io = new BlockIo(device, Block.BYTES);
        Layout layout = Identities.read(device).first().layout();
        for (Part part : MemberStamp.parts(io, layout, Bench.PAIR.pairUuid())) {
            byte[] garbage = new byte[Block.BYTES];
            new Random(part.offsetBytes()).nextBytes(garbage);
            device.poke(part.offsetBytes(), garbage);
        }
        assertEquals(-1, stamp());
        MetadataReport report = tools.check(device, Level.STANDARD);
        assertEquals(Verdict.UNUSABLE, report.verdict(), report.toString());
        String what = report.findings().get(0).what() + " ("
                + report.findings().get(0).hint() + ")";
        assertTrue(what.contains("how new it is"), what);
        assertTrue(what.contains("--adopt"), what);
        assertTrue(
                report.findings().stream().noneMatch(finding -> finding.hint().contains("remap repair")),
                report.findings().toString());
        long writes = device.operations(Operation.WRITE);
        Refusal refusal =
                assertThrows(Refusal.class, () -> tools.repair(device, Bench.environment(new Bench.Tasks(), 1)));
        assertTrue(refusal.getMessage().contains("--adopt"), refusal.getMessage());
        assertEquals(writes, device.operations(Operation.WRITE));
        // Whoever takes it by the word of its owner stamps it, and that is all that it needs.
        provider.stampMember(device, 12);
        assertEquals(12, stamp());
        assertEquals(Verdict.SOUND, tools.check(device, Level.STANDARD).verdict());
    }
}
