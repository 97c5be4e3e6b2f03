package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Errno;
import io.remap.api.FeatureState;
import io.remap.api.HostIdentity;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.spi.Lineage;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.api.spi.SpareMember;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A further spare whose arenas are smaller than the table of the first one: nothing is ever written past their end. */
class SmallCopyTest {
    private static final int TIMES_LARGER = 12;

    private final LogMetadataProvider provider = new LogMetadataProvider(4);
    private CrashDevice large;
    private CrashDevice small;
    private Layout layout;
    private Opened opened;
    private long units;

    @BeforeEach
    void format() throws Exception {
        large = new CrashDevice("large", TIMES_LARGER * Bench.SPARE_BYTES, 512);
        provider.format(large, Bench.PAIR, Bench.environment(new Bench.Tasks(), 1));
        small = new CrashDevice("small", Bench.SPARE_BYTES, 512);
        provider.formatMember(
                small, Bench.PAIR, SpreadPair.INDEX, SpreadPair.ID, Bench.environment(new Bench.Tasks(), 5));
        layout = Identities.read(small).first().layout();
        opened = Bench.open(provider, large, false, 3);
        assertNull(state(new SpareMember(SpreadPair.INDEX, SpreadPair.ID, SpareMember.Use.PLAIN, layout.slots(), -1)));
    }

    private Refusal state(SpareMember further) {
        List<Refusal> told = new ArrayList<>();
        opened.store().changeMembers(List.of(opened.store().members().get(0), further), told::add);
        opened.tasks().runAll();
        assertEquals(1, told.size(), "told how it ended");
        return told.get(0);
    }

    private Refusal spread() {
        List<Refusal> told = new ArrayList<>();
        opened.store().spread(Map.of(SpreadPair.INDEX, small), told::add);
        opened.tasks().runAll();
        assertEquals(1, told.size(), "told how it ended");
        return told.get(0);
    }

    /** One entry each. */
    private Outcome commitEntries(long count) {
        List<MapChange> changes = new ArrayList<>();
        for (long i = 0; i < count; i++) {
            changes.add(MapChange.set(2 * units++, 1, Place.lost(1)));
        }
        return opened.commit(changes);
    }

    private long extentsOn(CrashDevice device) throws Exception {
        try (Opened again = Bench.open(provider, device, false, 9)) {
            return again.store().table().extents();
        }
    }

    @Test
    void aTableThatDoesNotFitIsNotBegunThere() throws Exception {
        assertEquals(Outcome.DURABLE, commitEntries(layout.entryLimit() + 1));
        List<Long> writes = new ArrayList<>();
        small.observe((operation, offset, length) -> {
            if (operation == Operation.WRITE && offset >= layout.arenaOffsets().a0()) {
                writes.add(offset);
            }
        });
        assertNull(spread(), "the table stays where it is, which is no failure");
        assertEquals(List.of(), writes, "written to the arenas of a spare that cannot hold the table");
        assertEquals("0", opened.attribute("spares"));
        assertEquals(Outcome.DURABLE, commitEntries(1));
        opened.close();
        assertEquals(layout.entryLimit() + 2, extentsOn(large));
    }

    @Test
    void aTableThatWouldReachTheSlotsLeavesThemAsTheyAre() throws Exception {
        byte[] front = new byte[(int) (layout.frontSlots() * Block.BYTES)];
        byte[] back = new byte[(int) (layout.backSlots() * Block.BYTES)];
        new Random(4711).nextBytes(front);
        new Random(4712).nextBytes(back);
        small.poke(layout.frontSlotsOffset(), front);
        small.poke(layout.backSlotsOffset(), back);
        assertEquals(Outcome.DURABLE, commitEntries(70L * TableBlock.MAX_ENTRIES));
        assertNull(spread());
        assertArrayEquals(front, small.peek(layout.frontSlotsOffset(), front.length));
        assertArrayEquals(back, small.peek(layout.backSlotsOffset(), back.length));
        assertEquals("0", opened.attribute("spares"));
    }

    /** Whatever asks for it, a table that is too large is refused before the first write. */
    @Test
    void aGenerationThatDoesNotFitItsArenaIsNotBegun() throws Exception {
        Tables tables = Tables.empty(layout);
        for (long i = 0; i <= layout.entryLimit(); i++) {
            tables = tables.with(MapChange.set(2 * i, 1, Place.lost(1)));
        }
        Tables tooLarge = tables;
        Checkpoint checkpoint = new Checkpoint(
                new BlockIo(small, Block.BYTES),
                layout,
                Bench.PAIR.pairUuid(),
                Lineage.first(new UUID(1, 2)),
                Bench.environment(new Bench.Tasks(), 1).on(HostIdentity.UNKNOWN),
                0);
        long operations = small.operations();
        IllegalArgumentException refused = assertThrows(
                IllegalArgumentException.class, () -> checkpoint.write(Formatter.arena(layout, 0), tooLarge));
        assertTrue(refused.getMessage().contains("1345 entries"), refused.getMessage());
        assertEquals(operations, small.operations());
    }

    /** The lead dies by the very commit that the copy has no room for. */
    @Test
    void aCopyThatTakesOverRefusesWhatDoesNotFitIt() throws Exception {
        assertNull(spread());
        assertEquals(Outcome.DURABLE, commitEntries(layout.entryLimit()));
        assertEquals("0, 3", opened.attribute("spares"));
        large.failFrom(large.operations(), Errno.ENODEV);
        assertEquals(Outcome.NOT_COMMITTED, commitEntries(1));
        assertEquals("3", opened.attribute("spares"));
        assertEquals(FeatureState.STARTED, opened.store().status().state());
        assertEquals(layout.entryLimit(), opened.store().table().extents());
        // What frees an entry finds room, and so does what takes it then.
        assertEquals(Outcome.DURABLE, opened.commit(Bench.unmap(0)));
        assertEquals(Outcome.DURABLE, commitEntries(1));
        assertEquals(Outcome.NOT_COMMITTED, commitEntries(1));
        opened.close();
        assertEquals(layout.entryLimit(), extentsOn(small));
    }

    /** A log that grows its table past the arenas, as a program with that bug has left it: it can be read, not written. */
    @Test
    void aLogThatOutgrowsItsArenasIsReadOnly() throws Exception {
        CrashDevice spare = Bench.formatted(8);
        Opened store = Bench.open(provider, spare, false, 2);
        Layout its = Identities.read(spare).first().layout();
        List<MapChange> changes = new ArrayList<>();
        for (long i = 0; i < its.entryLimit(); i++) {
            changes.add(MapChange.set(2 * i, 1, Place.lost(1)));
        }
        assertEquals(Outcome.DURABLE, store.commit(changes));
        assertEquals(Outcome.DURABLE, store.commit(Bench.unmap(0)));
        // The record that unmaps a unit becomes one that maps another.
        Headers headers = Headers.read(new BlockIo(spare, Block.BYTES), its, Bench.PAIR.pairUuid());
        for (ArenaCopy copy : Formatter.arena(its, headers.candidates().get(0).arena)) {
            Forge.edit(
                    spare,
                    copy.offset(copy.logBody(1)),
                    block -> Entry.encode(
                            block, LogBlock.recordAt(0), MapChange.set(2 * its.entryLimit(), 1, Place.lost(1))));
        }
        Refusal refusal = assertThrows(Refusal.class, () -> Bench.open(provider, spare.copy(), false, 3));
        assertTrue(refusal.getMessage().contains("1345 entries, and there is room for 1344"), refusal.getMessage());
        assertEquals(
                its.entryLimit() + 1,
                Bench.open(provider, spare.copy(), true, 3).store().table().extents());
    }

    private static void breaks(CrashDevice device) {
        device.observe((operation, offset, length) -> {
            if (operation == Operation.WRITE) {
                throw new IllegalStateException("a bug");
            }
        });
    }

    /** A bug must not keep anybody waiting, and what it has left half done is not gone on from. */
    @Test
    void whoWaitsIsToldOfAnErrorInTheProgram() throws Exception {
        assertEquals(Outcome.DURABLE, commitEntries(3));
        breaks(small);
        Refusal refusal = spread();
        assertTrue(refusal.getMessage().contains("a bug"), refusal.getMessage());
        assertEquals(FeatureState.FAILED, opened.store().status().state());
        assertEquals(Outcome.STORE_FAILED, commitEntries(1));
        units--;
        opened.close();
        small.observe(null);
        assertEquals(3, extentsOn(large));

        opened = Bench.open(provider, large, false, 4);
        breaks(large);
        refusal = state(opened.store().members().get(1).standby(true));
        assertTrue(refusal.getMessage().contains("a bug"), refusal.getMessage());
        assertEquals(FeatureState.FAILED, opened.store().status().state());
        large.observe(null);

        opened = Bench.open(provider, large, false, 5);
        breaks(large);
        assertEquals(Outcome.STORE_FAILED, commitEntries(1));
        assertEquals(FeatureState.FAILED, opened.store().status().state());
        large.observe(null);
        assertFalse(Bench.open(provider, large, true, 6).store().stoppedInOrder());
    }
}
