package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Refusal;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataReport.Part;
import io.remap.api.spi.MetadataReport.State;
import io.remap.api.spi.MetadataReport.Verdict;
import io.remap.api.spi.MetadataTools;
import io.remap.api.spi.MetadataTools.Level;
import io.remap.api.spi.SpareMember;
import io.remap.metadata.Specimen.Kind;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Arena headers that say what cannot be, that are not ours, or that stand in a second place where the first one is bad. */
class ForgedHeadersTest {
    private static final String TABLE = "describes an impossible table";
    private static final String SPARE = "names an impossible spare";
    private static final int FIRST_MEMBER = ArenaHeader.MEMBERS_AT;
    private static final int SECOND_MEMBER = ArenaHeader.MEMBERS_AT + ArenaHeader.MEMBER_BYTES;

    private static Specimen specimen;

    private final LogMetadataProvider provider = new LogMetadataProvider(Specimen.LOG_BLOCKS);
    private final MetadataTools tools = provider.tools().orElseThrow();
    private final Layout layout = Specimen.layout();
    private final CrashDevice spare = specimen.spare().copy();

    @BeforeAll
    static void grow() throws Exception {
        specimen = Specimen.uncleanlyStopped();
    }

    private static List<Long> headers(Kind kind) {
        return specimen.blocks().stream()
                .filter(block -> block.kind() == kind)
                .findFirst()
                .orElseThrow()
                .offsets();
    }

    private void editBoth(Kind kind, Consumer<ByteBuffer> edit) {
        headers(kind).forEach(at -> Forge.edit(spare, at, edit));
    }

    private ArenaCopy[] older() throws Exception {
        long at = headers(Kind.OLDER_HEADER).get(0);
        return Formatter.arena(layout, at == layout.arenaOffsets().a0() ? 0 : 1);
    }

    private void garbage(long at) {
        byte[] bytes = new byte[Block.BYTES];
        new Random(at).nextBytes(bytes);
        spare.poke(at, bytes);
    }

    private String table(boolean readOnly) throws Exception {
        return Bench.text(
                Bench.open(provider, spare.copy(), readOnly, 5).store().table());
    }

    private MetadataReport check() throws Exception {
        return tools.check(spare, Level.STANDARD);
    }

    private static Arguments of(String why, Consumer<ByteBuffer> edit) {
        return Arguments.of(why, edit);
    }

    private static Arguments ofInt(int at, int value) {
        return of(TABLE, block -> block.putInt(at, value));
    }

    private static Consumer<ByteBuffer> secondMember(int index, int state) {
        return block -> block.putInt(ArenaHeader.MEMBER_COUNT_AT, 2)
                .put(SECOND_MEMBER + ArenaHeader.MEMBER_INDEX_AT, (byte) index)
                .put(SECOND_MEMBER + ArenaHeader.MEMBER_STATE_AT, (byte) state);
    }

    static Stream<Arguments> impossible() {
        int blocks = Specimen.layout().tableBlocks();
        return Stream.of(
                ofInt(ArenaHeader.TABLE_BLOCKS_AT, -1),
                ofInt(ArenaHeader.TABLE_BLOCKS_AT, blocks + 1),
                of(TABLE, block -> block.putLong(ArenaHeader.ENTRIES_AT, -1)),
                of(TABLE, block -> block.putLong(ArenaHeader.ENTRIES_AT, (long) blocks * TableBlock.MAX_ENTRIES + 1)),
                ofInt(ArenaHeader.REPLACED_COUNT_AT, -1),
                ofInt(ArenaHeader.REPLACED_COUNT_AT, Specimen.layout().reserveBlocks() + 1),
                of("names 0 spares", block -> block.putInt(ArenaHeader.MEMBER_COUNT_AT, 0)),
                of("names -1 spares", block -> block.putInt(ArenaHeader.MEMBER_COUNT_AT, -1)),
                of("names 33 spares", block -> block.putInt(ArenaHeader.MEMBER_COUNT_AT, SpareMember.MAX_MEMBERS + 1)),
                of(SPARE, block -> block.put(FIRST_MEMBER + ArenaHeader.MEMBER_STATE_AT, (byte) 3)),
                of(SPARE, secondMember(0, ArenaHeader.MEMBER_ACTIVE)),
                of(SPARE, secondMember(SpareMember.MAX_MEMBERS, ArenaHeader.MEMBER_LEAVING)));
    }

    private void assertRefused(String why, Executable asked) {
        Refusal refusal = assertThrows(Refusal.class, asked);
        assertEquals(Refusal.Kind.DAMAGED, refusal.kind(), refusal.getMessage());
        assertTrue(refusal.getMessage().contains(why), refusal.getMessage());
    }

    private void assertRefusedByEachWayIn(String why) throws Exception {
        assertRefused(why, () -> Bench.open(provider, spare, false, 2));
        assertRefused(why, () -> Bench.open(provider, spare, true, 2));
        assertRefused(why, () -> provider.owner(spare));
        assertRefused(why, () -> tools.dump(spare, (kind, values) -> {}));
        assertTrue(provider.table(spare).isEmpty());
        for (Level level : Level.values()) {
            MetadataReport report = tools.check(spare, level);
            assertEquals(Verdict.UNUSABLE, report.verdict(), report.toString());
            assertTrue(report.findings().get(0).what().contains(why), report.toString());
        }
        assertEquals(0, spare.operations(Operation.WRITE), "nothing is written");
    }

    @ParameterizedTest
    @MethodSource("impossible")
    void whatCannotBeIsRefusedByEachWayIn(String why, Consumer<ByteBuffer> edit) throws Exception {
        editBoth(Kind.HEADER, edit);
        assertRefusedByEachWayIn(why);
        assertEquals(
                2,
                check().parts().stream()
                        .filter(part ->
                                part.state() == State.DAMAGED && part.detail().contains(why))
                        .count(),
                "both copies are named");
    }

    @Test
    void aReplacedBlockThatIsNotThereIsRefused() throws Exception {
        for (int body : new int[] {-2, layout.tableBlocks() + layout.logBlocks()}) {
            editBoth(
                    Kind.HEADER,
                    block -> block.putInt(ArenaHeader.REPLACED_COUNT_AT, 1).putInt(ArenaHeader.REPLACED_AT, body));
            assertRefusedByEachWayIn("replaces block " + body + ", which it does not have");
        }
    }

    @Test
    void twoStatesOfOneGenerationAreRefused() throws Exception {
        long newest = headers(Kind.HEADER).get(0);
        CrashDevice before = spare.copy();
        // Of the same generation in both arenas.
        for (long at : headers(Kind.OLDER_HEADER)) {
            Forge.put(spare, at, Forge.block(before, newest));
        }
        assertRefusedByEachWayIn("two different states of the mappings have the generation");
        headers(Kind.OLDER_HEADER).forEach(at -> spare.poke(at, before.peek(at, Block.BYTES)));
        // Of the same generation with another table.
        Forge.edit(spare, newest, block -> block.putInt(ArenaHeader.TABLE_CRC_AT, 4711));
        assertRefusedByEachWayIn("two different states of the mappings have the generation");
    }

    @Test
    void noHeaderAtAllIsRefused() throws Exception {
        for (Kind kind : List.of(Kind.HEADER, Kind.OLDER_HEADER)) {
            headers(kind).forEach(at -> spare.poke(at, new byte[Block.BYTES]));
        }
        for (boolean readOnly : List.of(true, false)) {
            assertRefused("no arena has a readable header", () -> Bench.open(provider, spare, readOnly, 2));
        }
        assertTrue(provider.owner(spare).isEmpty());
        MetadataReport report = check();
        assertEquals(Verdict.UNUSABLE, report.verdict());
        assertEquals("no arena has a readable header", report.findings().get(0).what());
    }

    /** Whole, and of another pair: neither ours nor damage of ours, and nothing that could hide a generation of ours. */
    @Test
    void aHeaderOfAnotherPairIsNobodysWord() throws Exception {
        editBoth(Kind.OLDER_HEADER, block -> {
            Block.putUuid(block, Block.UUID_AT, new UUID(9, 9));
            block.putLong(Block.GENERATION_AT, 1 << 20);
        });
        assertEquals(specimen.expected(), table(false));
        MetadataReport report = check();
        assertEquals(Verdict.REPAIRABLE, report.verdict());
        assertEquals(
                List.of("no whole header of this pair", "no whole header of this pair"),
                report.parts().stream().filter(Part::isBad).map(Part::detail).toList());
    }

    /** What is left of a header that was being written when the power went. */
    @Test
    void theNumberOfABrokenHeaderIsNotUsedAgainWhereItMayBeOne() throws Exception {
        long newest = provider.table(spare).orElseThrow().generation();
        long at = headers(Kind.OLDER_HEADER).get(0);
        for (long[] numbers : new long[][] {{newest + 5, newest + 7}, {newest + (1L << 30), newest + 2}}) {
            for (boolean ours : List.of(true, false)) {
                ByteBuffer block = Forge.block(specimen.spare(), at);
                block.putLong(Block.GENERATION_AT, numbers[0]);
                if (!ours) {
                    Block.putUuid(block, Block.UUID_AT, new UUID(9, 9));
                }
                spare.poke(at, Forge.bytes(block));
                long begun =
                        Bench.open(provider, spare.copy(), false, 5).store().generation();
                assertEquals(ours ? numbers[1] : newest + 2, begun, "broken header of " + numbers[0]);
            }
        }
    }

    private static String header(MetadataReport report, ArenaCopy copy) {
        Part header = report.parts().stream()
                .filter(part -> part.name().equals(copy + " header"))
                .findFirst()
                .orElseThrow();
        return header.state() + " at " + (header.offsetBytes() - copy.headerOffset(0));
    }

    /** The header of the older arena in the second place of its first copy. */
    private void putToSecondPlace(ArenaCopy copy, boolean abandoned) {
        ByteBuffer block = Forge.block(specimen.spare(), copy.headerOffset(0));
        block.put(ArenaHeader.FLAGS_AT, (byte) (abandoned ? ArenaHeader.FIRST_PLACE_ABANDONED : 0));
        Forge.put(spare, copy.headerOffset(1), block);
    }

    @Test
    void theSecondPlaceCountsIfItSaysSo() throws Exception {
        ArenaCopy copy = older()[0];
        long second = copy.headerOffset(1) - copy.headerOffset(0);
        for (boolean unreadable : List.of(false, true)) {
            if (unreadable) {
                spare.makeUnreadable(copy.headerOffset(0), Block.BYTES);
            } else {
                garbage(copy.headerOffset(0));
            }
            State bad = unreadable ? State.UNREADABLE : State.DAMAGED;
            spare.poke(copy.headerOffset(1), new byte[Block.BYTES]);
            assertEquals(bad + " at 0", header(check(), copy));
            putToSecondPlace(copy, false);
            assertEquals(bad + " at 0", header(check(), copy), "the first place should hold it");
            putToSecondPlace(copy, true);
            assertEquals("VALID at " + second, header(check(), copy));
            assertEquals(specimen.expected(), table(true));
            assertEquals(specimen.expected(), table(false));
        }
    }

    @Test
    void whichOfTwoBadPlacesIsNamed() throws Exception {
        ArenaCopy copy = older()[0];
        long second = copy.headerOffset(1) - copy.headerOffset(0);
        garbage(copy.headerOffset(0));
        garbage(copy.headerOffset(1));
        assertEquals("DAMAGED at 0", header(check(), copy));
        spare.makeUnreadable(copy.headerOffset(1), Block.BYTES);
        assertEquals("UNREADABLE at " + second, header(check(), copy), "what cannot be read could be newer");
        spare.makeUnreadable(copy.headerOffset(0), Block.BYTES);
        assertEquals("UNREADABLE at 0", header(check(), copy));
        assertEquals(specimen.expected(), table(true));
        assertEquals(specimen.expected(), table(false));
    }

    @Test
    void anImpossibleHeaderInTheSecondPlaceIsRefusedToo() throws Exception {
        ArenaCopy copy = older()[0];
        garbage(copy.headerOffset(0));
        putToSecondPlace(copy, true);
        Forge.edit(spare, copy.headerOffset(1), block -> block.putInt(ArenaHeader.MEMBER_COUNT_AT, 0));
        assertRefusedByEachWayIn("names 0 spares");
        assertEquals("DAMAGED at 0", header(check(), copy));
    }

    /** Begins a generation, and takes back that it has begun; gives its copies. */
    private List<ArenaCopy> beingWritten(TableRecovery.Found found, BlockIo io, Superblock superblock)
            throws Exception {
        CommitLog log =
                new CommitLog(io, superblock, found, found.header().lineage(), Bench.environment(new Bench.Tasks(), 2));
        log.begin();
        for (ArenaCopy copy : log.view().copies()) {
            spare.poke(copy.offset(copy.logBody(Checkpoint.BEGIN_POSITION)), new byte[Block.BYTES]);
        }
        return log.view().copies();
    }

    /** The power went while a generation was being written: its header is whole, its table is not, its log never began. */
    @Test
    void aGenerationThatWasBeingWrittenIsNotInForce() throws Exception {
        Superblock superblock = Identities.read(spare).first();
        BlockIo io = LogMetadataProvider.blockIo(spare, superblock);
        TableRecovery.Found found = TableRecovery.recover(io, superblock);
        for (ArenaCopy copy : beingWritten(found, io, superblock)) {
            garbage(copy.offset(0));
        }
        MetadataReport report = check();
        assertEquals(Verdict.SOUND, report.verdict(), report.toString());
        assertEquals(found.header().generation().number(), report.generation());
        assertEquals(
                2,
                report.parts().stream()
                        .filter(part -> part.detail().startsWith("not in force: it was being written"))
                        .count());
        assertEquals(specimen.expected(), table(false));
    }

    /** As above, on a drive that wrote one header before the table, and cannot read the block of it that it was writing. */
    @Test
    void aTableThatAPowerCutMadeUnreadableIsNoDoubt() throws Exception {
        Superblock superblock = Identities.read(spare).first();
        BlockIo io = LogMetadataProvider.blockIo(spare, superblock);
        TableRecovery.Found found = TableRecovery.recover(io, superblock);
        List<ArenaCopy> copies = beingWritten(found, io, superblock);
        long header = copies.get(1).headerOffset(0);
        spare.poke(header, specimen.spare().peek(header, Block.BYTES));
        long table = copies.get(0).offset(0);
        spare.makeUnreadableUntilWritten(table, Block.BYTES);
        MetadataReport report = check();
        assertEquals(found.header().generation().number(), report.generation());
        assertTrue(report.verdict().compareTo(Verdict.REPAIRABLE) <= 0, report.toString());
        CrashDevice doubtful = spare.copy();
        assertEquals(specimen.expected(), table(false));
        // One copy that tells where a log begins is enough, be its header an older one.
        doubtful.makeUnreadableUntilWritten(begin(copies.get(0)), Block.BYTES);
        CrashDevice told = doubtful.copy();
        assertEquals(
                specimen.expected(),
                Bench.text(Bench.open(provider, told, false, 5).store().table()));
        doubtful.makeUnreadableUntilWritten(begin(copies.get(1)), Block.BYTES);
        assertRefused("cannot be read in either copy", () -> Bench.open(provider, doubtful, false, 5));
        assertEquals(0, doubtful.operations(Operation.WRITE), "nothing is written");
    }

    private static long begin(ArenaCopy copy) {
        return copy.offset(copy.logBody(Checkpoint.BEGIN_POSITION));
    }

    /** A power cut tore BEGIN of an earlier generation, and the next one came while the headers over it were written. */
    @Test
    void aBeginThatCannotBeReadIsNoDoubtWhereTheOtherCopyTells() throws Exception {
        Superblock superblock = Identities.read(spare).first();
        BlockIo io = LogMetadataProvider.blockIo(spare, superblock);
        List<ArenaCopy> copies = beingWritten(TableRecovery.recover(io, superblock), io, superblock);
        long header = copies.get(1).headerOffset(0);
        spare.poke(header, specimen.spare().peek(header, Block.BYTES));
        spare.makeUnreadableUntilWritten(begin(copies.get(0)), Block.BYTES);
        CrashDevice unknown = spare.copy();
        assertEquals(specimen.expected(), table(false));
        unknown.makeUnreadableUntilWritten(begin(copies.get(1)), Block.BYTES);
        assertRefused("log block 1 of generation", () -> Bench.open(provider, unknown, false, 5));
        assertEquals(0, unknown.operations(Operation.WRITE), "nothing is written");
    }
}
