package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.Seal;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Sealed regions: found again, said by the superblocks before the first of them, and never in the way of a mapping. */
class SealsTest {
    private static final int LOG_BLOCKS = 8;
    private static final MapChange ONE = MapChange.seal(1, Seal.of(0, 300, 77));
    private static final MapChange TWO = MapChange.seal(2, Seal.of(0, 301, 0xffff));

    private final LogMetadataProvider provider = new LogMetadataProvider(LOG_BLOCKS);

    private Opened open(CrashDevice spare) throws Exception {
        return Bench.open(provider, spare, false, 4);
    }

    private static List<String> seals(MetadataStore store) {
        List<String> seals = new ArrayList<>();
        store.seals((region, seal) ->
                seals.add(region + " at " + Seal.spare(seal) + ":" + Seal.slot(seal) + " tag " + Seal.tag(seal)));
        return seals;
    }

    private static boolean saysSealed(CrashDevice spare) throws Exception {
        return Identities.read(spare).first().version().has(Superblock.Version.SEALED);
    }

    @Test
    void whatWasSealedIsFoundAgainUntilItIsOpened() throws Exception {
        CrashDevice spare = Bench.formatted(LOG_BLOCKS);
        Opened opened = open(spare);
        assertEquals(Outcome.DURABLE, opened.commit(Bench.map(5, 9), MapChange.badSlot(0, 20, 2)));
        assertFalse(saysSealed(spare), "nothing is sealed yet");
        assertEquals(Outcome.DURABLE, opened.commit(ONE));
        assertTrue(saysSealed(spare));
        assertEquals(Outcome.DURABLE, opened.commit(TWO));
        List<String> both = List.of("1 at 0:300 tag 77", "2 at 0:301 tag 65535");
        // From the log, then from the table.
        for (int start = 0; start < 3; start++) {
            assertEquals(both, seals(opened.store()));
            assertEquals("20+2; ", Bench.badSlots(opened.store()));
            opened = open(spare.crashKeeping(sector -> false));
        }
        opened.close();
        opened = open(spare);
        assertEquals(Outcome.DURABLE, opened.commit(MapChange.open(0, 1, 1)));
        opened = open(spare);
        assertEquals(List.of("2 at 0:301 tag 65535"), seals(opened.store()));
        assertEquals(1, opened.store().table().extents());
    }

    @Test
    void aDumpShowsThem() throws Exception {
        CrashDevice spare = Bench.formatted(LOG_BLOCKS);
        Opened opened = open(spare);
        opened.commit(ONE, TWO);
        opened.commit(MapChange.open(0, 2, 1));
        Map<String, List<Map<String, Object>>> pieces = new LinkedHashMap<>();
        provider.tools()
                .orElseThrow()
                .dump(
                        spare,
                        (kind, values) -> pieces.computeIfAbsent(kind, k -> new ArrayList<>())
                                .add(new LinkedHashMap<>(values)));
        List<Map<String, Object>> log = pieces.get("log");
        assertEquals(
                List.of("begin", "seal", "seal", "open"),
                log.stream().map(piece -> piece.get("kind")).toList());
        assertEquals(64L, log.get(1).get("firstSlot"));
        assertEquals(300L, log.get(1).get("slotOfChecksums"));
        assertEquals(
                List.of(0, 128L, 64L),
                List.of(
                        log.get(3).get("spare"),
                        log.get(3).get("firstSlot"),
                        log.get(3).get("slots")));
        assertEquals(1, pieces.get("sealedRegions").size());
        assertEquals(64L, pieces.get("sealedRegions").get(0).get("firstSlot"));
    }

    /** Programs that know of no seals would write to the region. */
    @Test
    void nothingIsSealedThatTheSuperblocksCannotSay() throws Exception {
        CrashDevice spare = Bench.formatted(LOG_BLOCKS);
        Opened opened = open(spare);
        for (int place = 0; place < Identities.COUNT; place++) {
            spare.makeUnwritable(Layout.identityOffset(place, Bench.SPARE_BYTES), Block.BYTES);
        }
        assertEquals(Outcome.NOT_COMMITTED, opened.commit(ONE));
        assertEquals(List.of(), seals(opened.store()));
        assertFalse(saysSealed(spare));
        assertEquals(Outcome.DURABLE, opened.commit(Bench.map(5, 9)), "a mapping needs no such word");
        spare.heal();
        assertEquals(Outcome.DURABLE, opened.commit(ONE));
        assertTrue(saysSealed(spare));
    }

    /** A superblock that says less than the others, and cannot be written, could count alone one day. */
    @Test
    void nothingIsSealedBesideASuperblockOfAnOlderEpoch() throws Exception {
        SpreadPair pair = SpreadPair.formatted();
        pair.further.makeUnwritable(Layout.identityOffset(3, Bench.SPARE_BYTES), Block.BYTES);
        pair.spread();
        assertEquals(List.of(0, SpreadPair.INDEX), pair.holders());
        assertEquals(Outcome.DURABLE, pair.opened.commit(ONE));
        assertTrue(saysSealed(pair.first));
        assertEquals(List.of(0), pair.holders(), "the one that cannot say it is left behind");
        assertTrue(pair.opened.store().status().detail().contains("is an older one and cannot be written"));
        assertFalse(saysSealed(pair.further));
    }

    @Test
    void sealsLeaveRoomForMappings() throws Exception {
        for (boolean withCopy : List.of(false, true)) {
            SpreadPair pair = SpreadPair.formatted();
            if (withCopy) {
                pair.spread();
            }
            long limit = pair.opened.store().plan().mappingLimit();
            List<MapChange> changes = new ArrayList<>();
            for (long i = 0; i < limit - limit / 8 - 1; i++) {
                changes.add(MapChange.set(2 * i, 1, Place.lost(1)));
            }
            assertEquals(Outcome.DURABLE, pair.opened.commit(changes));
            assertEquals(Outcome.DURABLE, pair.opened.commit(ONE));
            assertEquals(Outcome.NOT_COMMITTED, pair.opened.commit(TWO));
            assertEquals(Outcome.DURABLE, pair.opened.commit(ONE), "which is sealed already");
            assertEquals(Outcome.DURABLE, pair.opened.commit(MapChange.set(2 * limit, 1, Place.lost(1))));
            assertEquals(1, seals(pair.opened.store()).size());
        }
    }

    @Test
    void aRegionThatIsNotThereIsAMistake() throws Exception {
        Opened opened = open(Bench.formatted(LOG_BLOCKS));
        long slots = opened.store().plan().slots();
        long regions = slots / Seal.REGION_SLOTS;
        for (MapChange wrong : List.of(
                MapChange.seal(regions + 1, Seal.of(0, 300, 1)),
                MapChange.seal(1, Seal.of(0, slots, 1)),
                MapChange.open(0, regions, 2))) {
            assertThrows(
                    IllegalArgumentException.class,
                    () -> opened.store().commit(List.of(wrong), (outcome, table) -> {}),
                    wrong.toString());
        }
        assertEquals(Outcome.NOT_COMMITTED, opened.commit(MapChange.seal(1, Seal.of(4, 300, 1))));
        assertEquals(Outcome.NOT_COMMITTED, opened.commit(MapChange.open(4, 1, 1)));
    }

    @Test
    void theCopyHasThemToo() throws Exception {
        for (boolean before : List.of(true, false)) {
            SpreadPair pair = SpreadPair.formatted();
            if (before) {
                assertEquals(Outcome.DURABLE, pair.opened.commit(ONE));
            }
            pair.spread();
            if (!before) {
                assertFalse(saysSealed(pair.further));
                assertEquals(Outcome.DURABLE, pair.opened.commit(ONE));
            }
            assertTrue(saysSealed(pair.first) && saysSealed(pair.further));
            pair.close();
            SpreadPair left = pair.left(null, pair.further);
            left.open();
            assertEquals(List.of("1 at 0:300 tag 77"), seals(left.opened.store()));
            assertEquals(Outcome.DURABLE, left.opened.commit(MapChange.seal(3, Seal.of(SpreadPair.INDEX, 9, 5))));
            left.close();
        }
    }
}
