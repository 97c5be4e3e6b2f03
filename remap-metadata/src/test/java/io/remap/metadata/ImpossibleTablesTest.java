package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.Seal;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataReport.Part;
import io.remap.api.spi.MetadataReport.State;
import io.remap.api.spi.MetadataReport.Verdict;
import io.remap.api.spi.MetadataTools;
import io.remap.api.spi.MetadataTools.Level;
import io.remap.api.spi.PairIdentity;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** A table that is whole and says what this pair cannot have: refused by each way in, wherever it stands. */
class ImpossibleTablesTest {
    private static final int LOG_BLOCKS = 8;
    private static final long SLOTS =
            Layout.tryPlan(Bench.SPARE_BYTES, Block.BYTES, LOG_BLOCKS).slots();
    private static final long UNITS = Bench.MAIN_BYTES / Place.UNIT_BYTES;
    private static final PairIdentity LARGE_SECTORS =
            new PairIdentity(Bench.PAIR.pairUuid(), Bench.MAIN_BYTES, 4096, "wwn:0x5000");

    private final LogMetadataProvider provider = new LogMetadataProvider(LOG_BLOCKS);
    private final MetadataTools tools = provider.tools().orElseThrow();

    private static Arguments of(String why, MapChange... changes) {
        return Arguments.of(why, Bench.PAIR, List.of(changes));
    }

    static Stream<Arguments> impossible() {
        return Stream.of(
                of("unit " + UNITS + " is mapped (spare 0 slot 1", Bench.map(UNITS, 1)),
                Arguments.of("but main does not have such sectors", LARGE_SECTORS, List.of(Bench.map(1, 1))),
                Arguments.of(
                        "but main does not have such sectors",
                        LARGE_SECTORS,
                        List.of(MapChange.set(1, 1, Place.lost(2)))),
                of("slot " + SLOTS + " of spare 0 is named, but that has " + SLOTS + " slots", Bench.map(1, SLOTS)),
                of("slot 7 of spare 4 is named, but that has 0 slots", MapChange.set(1, 1, Place.onSlot(4, 7, 1, 0))),
                of("slot " + SLOTS + " of spare 0 is named", MapChange.badSlot(0, SLOTS - 1, 2)),
                of("slot 3 of spare 9 is named", MapChange.badSlot(9, 3, 1)),
                of("of spare 0 is named", MapChange.seal(SLOTS / Seal.REGION_SLOTS + 1, Seal.of(0, 4, 1))),
                of("slot " + SLOTS + " of spare 0 is named", MapChange.seal(1, Seal.of(0, SLOTS, 1))),
                of("slot 5 of spare 0 is used twice", Bench.map(1, 5), Bench.map(9, 5)),
                of("slot 5 of spare 0 is used twice", MapChange.seal(1, Seal.of(0, 5, 1)), Bench.map(9, 5)));
    }

    /** A spare whose newest generation states this. */
    private CrashDevice stating(PairIdentity pair, List<MapChange> changes, boolean inTheLog) throws Exception {
        CrashDevice spare = new CrashDevice("spare", Bench.SPARE_BYTES, 512);
        provider.format(spare, pair, Bench.environment(new Bench.Tasks(), 1));
        Superblock superblock = Identities.read(spare).first();
        BlockIo io = LogMetadataProvider.blockIo(spare, superblock);
        TableRecovery.Found found = TableRecovery.recover(io, superblock);
        CommitLog log =
                new CommitLog(io, superblock, found, found.header().lineage(), Bench.environment(new Bench.Tasks(), 2));
        Tables tables = found.tables();
        for (MapChange change : changes) {
            tables = tables.with(change);
        }
        if (inTheLog) {
            log.begin();
            log.commit(changes, tables);
        } else {
            log.begin(tables, 0);
        }
        return spare;
    }

    private static void assertDamaged(String why, Executable asked) {
        Refusal refusal = assertThrows(Refusal.class, asked);
        assertEquals(Refusal.Kind.DAMAGED, refusal.kind(), refusal.getMessage());
        assertTrue(refusal.getMessage().contains(why), refusal.getMessage());
    }

    @ParameterizedTest
    @MethodSource("impossible")
    void isRefusedByEachWayIn(String why, PairIdentity pair, List<MapChange> changes) throws Exception {
        for (boolean inTheLog : List.of(true, false)) {
            CrashDevice spare = stating(pair, changes, inTheLog);
            long writes = spare.operations(Operation.WRITE);
            assertDamaged(why, () -> Bench.open(provider, spare, false, 2));
            assertDamaged(why, () -> Bench.open(provider, spare, true, 2));
            assertDamaged(why, () -> tools.dump(spare, (kind, values) -> {}));
            assertDamaged(why, () -> tools.repair(spare, Bench.environment(new Bench.Tasks(), 3)));
            assertTrue(provider.table(spare).isEmpty());
            MetadataReport report = tools.check(spare, Level.STANDARD);
            assertEquals(Verdict.UNUSABLE, report.verdict());
            assertTrue(report.findings().get(0).what().contains(why), report.toString());
            assertEquals(writes, spare.operations(Operation.WRITE), "nothing is written");
        }
    }

    @Test
    void whatIsPossibleIsTaken() throws Exception {
        List<MapChange> changes = List.of(
                Bench.map(UNITS - 1, SLOTS - 1),
                MapChange.badSlot(0, 5, 1),
                MapChange.seal(1, Seal.of(0, 6, 1)),
                MapChange.set(0, 1, Place.lost(0x80)));
        for (boolean inTheLog : List.of(true, false)) {
            CrashDevice spare = stating(Bench.PAIR, changes, inTheLog);
            assertEquals(Verdict.SOUND, tools.check(spare, Level.STANDARD).verdict());
            assertEquals(
                    2, Bench.open(provider, spare, false, 2).store().table().extents());
        }
    }

    /** The blocks are whole, and are not those that the header counts or sums up. */
    @Test
    void aTableThatIsNotTheOneOfItsHeaderIsRefused() throws Exception {
        for (int field : new int[] {ArenaHeader.ENTRIES_AT, ArenaHeader.TABLE_CRC_AT}) {
            Specimen specimen = Specimen.uncleanlyStopped();
            CrashDevice spare = specimen.spare().copy();
            for (Specimen.Copies block : specimen.blocks()) {
                if (block.kind() == Specimen.Kind.HEADER) {
                    block.offsets().forEach(at -> Forge.edit(spare, at, b -> b.putInt(field, b.getInt(field) - 1)));
                }
            }
            assertDamaged("is damaged in both copies", () -> Bench.open(provider, spare, false, 2));
            MetadataReport report = tools.check(spare, Level.STANDARD);
            assertEquals(Verdict.UNUSABLE, report.verdict());
            List<String> wrong = report.parts().stream()
                    .filter(part -> part.state() == State.DAMAGED)
                    .map(Part::detail)
                    .toList();
            List<String> expected =
                    field == ArenaHeader.ENTRIES_AT ? List.of() : List.of("it is not the one that the header names");
            assertEquals(expected, wrong.stream().distinct().toList(), report.toString());
        }
    }
}
