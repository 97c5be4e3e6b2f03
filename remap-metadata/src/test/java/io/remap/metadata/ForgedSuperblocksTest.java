package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.RemapTable;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataReport.Verdict;
import io.remap.api.spi.MetadataTools;
import io.remap.api.spi.MetadataTools.Level;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareContent;
import io.remap.api.spi.SpareMember;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Superblocks whose checksums are right and that say what cannot be: refused by each way in, and nothing is written. */
class ForgedSuperblocksTest {
    private static final int LOG_BLOCKS = 4;
    private static final String MAIN = "describes an impossible main";
    private static final String LAYOUT = "describes an impossible layout";
    private static final Layout SOUND = Layout.tryPlan(Bench.SPARE_BYTES, Block.BYTES, LOG_BLOCKS);

    private final LogMetadataProvider provider = new LogMetadataProvider(LOG_BLOCKS);
    private final MetadataTools tools = provider.tools().orElseThrow();

    /**
     * What is written into all four.
     *
     * @param why what a refusal says
     */
    private record Forged(String what, Consumer<ByteBuffer> edit, String why) {
        @Override
        public String toString() {
            return what;
        }
    }

    private static Forged forged(String what, Consumer<ByteBuffer> edit, String why) {
        return new Forged(what, edit, why);
    }

    private static Forged ofInt(String what, int at, int value, String why) {
        return forged(what + " " + value, block -> block.putInt(at, value), why);
    }

    private static Forged ofLong(String what, int at, long value) {
        return forged(what + " " + value, block -> block.putLong(at, value), LAYOUT);
    }

    private static void feature(ByteBuffer block, int feature) {
        block.putInt(Superblock.INCOMPAT_AT, block.getInt(Superblock.INCOMPAT_AT) | feature);
    }

    static Stream<Forged> impossible() {
        return Stream.of(mains(), members(), sizes(), arenas(), slots()).flatMap(List::stream);
    }

    private static List<Forged> mains() {
        return List.of(
                ofInt("length of the name", Superblock.MAIN_ID_LENGTH_AT, -1, MAIN),
                ofInt("length of the name", Superblock.MAIN_ID_LENGTH_AT, Superblock.MAX_MAIN_ID_BYTES + 1, MAIN),
                ofInt("sector", Superblock.MAIN_SECTOR_AT, 1536, MAIN),
                ofInt("sector", Superblock.MAIN_SECTOR_AT, 256, MAIN),
                ofInt("sector", Superblock.MAIN_SECTOR_AT, 8192, MAIN),
                forged("a main below nothing", block -> block.putLong(Superblock.MAIN_SIZE_AT, -1), MAIN),
                forged(
                        "a main beyond all units",
                        block -> block.putLong(
                                Superblock.MAIN_SIZE_AT, (RemapTable.MAX_UNITS << Place.UNIT_SHIFT) + 512),
                        MAIN));
    }

    private static List<Forged> members() {
        String why = "names an impossible spare";
        return List.of(
                ofInt("spare", Superblock.MEMBER_AT, -1, why),
                ofInt("spare", Superblock.MEMBER_AT, SpareMember.MAX_MEMBERS, why),
                ofInt("spare", Superblock.MEMBER_AT, 1, why),
                forged("a further spare of number 0", block -> feature(block, Superblock.Version.FURTHER_MEMBER), why));
    }

    private static List<Forged> sizes() {
        return List.of(
                ofInt("granule", Superblock.GRANULE_AT, 12288, LAYOUT),
                ofInt("granule", Superblock.GRANULE_AT, 2048, LAYOUT),
                ofInt("granule", Superblock.GRANULE_AT, 2 * Layout.MAX_GRANULE_BYTES, LAYOUT),
                ofLong("size", Superblock.SIZE_AT, 1 << 20),
                ofLong("size", Superblock.SIZE_AT, Bench.SPARE_BYTES + Block.BYTES),
                ofInt("table", Superblock.TABLE_BLOCKS_AT, 0, LAYOUT),
                ofInt("table", Superblock.TABLE_BLOCKS_AT, Layout.MAX_ENTRIES + 1, LAYOUT),
                ofInt("log", Superblock.LOG_BLOCKS_AT, 0, LAYOUT),
                ofInt("log", Superblock.LOG_BLOCKS_AT, Layout.MAX_LOG_BLOCKS + 1, LAYOUT),
                ofInt("reserve", Superblock.RESERVE_BLOCKS_AT, -1, LAYOUT),
                ofInt("reserve", Superblock.RESERVE_BLOCKS_AT, Layout.MAX_RESERVE_BLOCKS + 1, LAYOUT));
    }

    private static List<Forged> arenas() {
        Layout.ArenaOffsets at = SOUND.arenaOffsets();
        return List.of(
                ofLong("arena A copy 0 before its place", Superblock.ARENAS_AT, 0),
                ofLong("arena A copy 0 between blocks", Superblock.ARENAS_AT, at.a0() + 512),
                ofLong("arena A copy 0 too near to B", Superblock.ARENAS_AT, at.a0() + Block.BYTES),
                ofLong("arena A copy 0 behind B", Superblock.ARENAS_AT, at.b0() + Block.BYTES),
                ofLong("arena A copy 1 before the middle", Superblock.ARENAS_AT + 8, at.a0()),
                ofLong("arena B copy 0 between blocks", Superblock.ARENAS_AT + 16, at.b0() + 512),
                ofLong("arena B copy 1 between blocks", Superblock.ARENAS_AT + 24, at.b1() + 512));
    }

    private static List<Forged> slots() {
        int grown = Superblock.GROWN_SLOTS_OFFSET_AT;
        return List.of(
                ofLong("front slots", Superblock.FRONT_SLOTS_AT, -1),
                ofLong("front slots", Superblock.FRONT_SLOTS_AT, SOUND.frontSlots() + 1_000_000),
                ofLong(
                        "front slots in an arena",
                        Superblock.FRONT_SLOTS_OFFSET_AT,
                        SOUND.arenaOffsets().b0()),
                ofLong("back slots", Superblock.BACK_SLOTS_AT, Long.MAX_VALUE),
                ofLong("back slots behind the end", Superblock.BACK_SLOTS_OFFSET_AT, Bench.SPARE_BYTES),
                forged(
                        "grown slots before the end",
                        block -> {
                            feature(block, Superblock.Version.GROWN);
                            block.putLong(grown, Bench.SPARE_BYTES - Block.BYTES)
                                    .putLong(Superblock.GROWN_SLOTS_AT, 1);
                        },
                        LAYOUT),
                forged(
                        "more slots than a place can name",
                        block -> {
                            feature(block, Superblock.Version.GROWN);
                            block.putLong(grown, Bench.SPARE_BYTES).putLong(Superblock.GROWN_SLOTS_AT, Place.MAX_SLOT);
                        },
                        LAYOUT),
                forged(
                        "grown slots that are not there",
                        block -> {
                            feature(block, Superblock.Version.GROWN);
                            block.putLong(grown, Bench.SPARE_BYTES).putLong(Superblock.GROWN_SLOTS_AT, 1);
                        },
                        "it was truncated"));
    }

    private static void assertDamaged(String why, Executable asked) {
        Refusal refusal = assertThrows(Refusal.class, asked);
        assertEquals(Refusal.Kind.DAMAGED, refusal.kind(), refusal.getMessage());
        assertTrue(refusal.getMessage().startsWith("spare"), refusal.getMessage());
        assertTrue(refusal.getMessage().contains(why), refusal.getMessage());
    }

    @ParameterizedTest
    @MethodSource("impossible")
    void whatCannotBeIsRefusedByEachWayIn(Forged forged) throws Exception {
        CrashDevice device = Bench.formatted(LOG_BLOCKS);
        Forge.editSuperblocks(device, forged.edit);
        long writes = device.operations(Operation.WRITE);
        assertDamaged(forged.why, () -> Bench.open(provider, device, false, 2));
        assertDamaged(forged.why, () -> Bench.open(provider, device, true, 2));
        assertDamaged(forged.why, () -> provider.owner(device));
        assertDamaged(forged.why, () -> tools.dump(device, (kind, values) -> {}));
        assertDamaged(forged.why, () -> tools.grow(device));
        assertDamaged(forged.why, () -> provider.eraseMember(device, Bench.PAIR, 0));
        assertDamaged(forged.why, () -> tools.repair(device, Bench.environment(new Bench.Tasks(), 3)));
        SpareContent content = provider.inspect(device);
        assertEquals(SpareContent.Kind.DAMAGED, content.kind());
        assertTrue(content.detail().contains(forged.why), content.detail());
        assertEquals(Optional.empty(), provider.table(device));
        assertEquals(Optional.empty(), provider.firstSpare(device));
        for (Level level : Level.values()) {
            MetadataReport report = tools.check(device, level);
            assertEquals(Verdict.UNUSABLE, report.verdict());
            assertTrue(report.findings().get(0).what().contains(forged.why), report.toString());
        }
        assertEquals(writes, device.operations(Operation.WRITE), "nothing is written");
    }

    static Stream<Forged> impossibleOfAFurtherSpare() {
        return Stream.of(mains(), sizes(), arenas(), slots()).flatMap(List::stream);
    }

    @ParameterizedTest
    @MethodSource("impossibleOfAFurtherSpare")
    void aFurtherSpareThatSaysWhatCannotBeIsRefused(Forged forged) throws Exception {
        CrashDevice device = new CrashDevice("spare", Bench.SPARE_BYTES, 512);
        provider.formatMember(device, Bench.PAIR, 3, SpreadPair.ID, Bench.environment(new Bench.Tasks(), 5));
        Forge.editSuperblocks(device, forged.edit);
        long writes = device.operations(Operation.WRITE);
        assertDamaged(forged.why, () -> provider.member(device));
        assertDamaged(forged.why, () -> provider.stampMember(device, 12));
        assertDamaged(forged.why, () -> provider.eraseMember(device, Bench.PAIR, 3));
        assertDamaged(forged.why, () -> tools.repair(device, Bench.environment(new Bench.Tasks(), 3)));
        assertEquals(writes, device.operations(Operation.WRITE), "nothing is written");
    }

    @Test
    void aNameOfMainThatDoesNotFitIsRefusedBeforeAnythingIsWritten() {
        CrashDevice device = new CrashDevice("spare", Bench.SPARE_BYTES, 512);
        PairIdentity pair = new PairIdentity(
                Bench.PAIR.pairUuid(), Bench.MAIN_BYTES, 512, "x".repeat(Superblock.MAX_MAIN_ID_BYTES + 1));
        Refusal refusal = assertThrows(
                Refusal.class, () -> provider.format(device, pair, Bench.environment(new Bench.Tasks(), 1)));
        assertEquals(Refusal.Kind.USAGE, refusal.kind());
        assertTrue(refusal.getMessage().contains("longer than 3072 bytes"), refusal.getMessage());
        assertEquals(0, device.operations(Operation.WRITE));
    }
}
