package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.Seal;
import io.remap.api.spi.SpareMember;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Entries and blocks whose checksums are right and that say what cannot be: damage, each with its reason. */
class ForgedEntriesTest {
    private static final int AT = 64;
    private static final Generation GENERATION = new Generation(new UUID(1, 2), 5, 77);

    private static ByteBuffer zeros() {
        return Block.view(ByteBuffer.allocate(Block.BYTES), 0);
    }

    /** A SET of two units, of which each case spoils something. */
    private static ByteBuffer set() {
        ByteBuffer block = zeros();
        Entry.encodeSet(block, AT, 100, 2, Place.onSlot(0, 5, 0xff, 0));
        return block;
    }

    private static Arguments of(String why, Consumer<ByteBuffer> edit) {
        ByteBuffer block = set();
        edit.accept(block);
        return Arguments.of(why, block);
    }

    private static Arguments ofPlace(int flags, int onSlot, int lost, int spare, int slot) {
        return of(
                "an impossible place: flags " + flags + ", masks " + onSlot + " and " + lost,
                block -> block.put(AT + Entry.FLAGS_AT, (byte) flags)
                        .put(AT + Entry.ON_SLOT_AT, (byte) onSlot)
                        .put(AT + Entry.LOST_AT, (byte) lost)
                        .put(AT + Entry.SPARE_AT, (byte) spare)
                        .putInt(AT + Entry.SLOT_AT, slot));
    }

    private static Arguments ofRegion(byte kind, long region, int length) {
        return of(
                "a region of the number " + region,
                block -> block.put(AT + Entry.KIND_AT, kind)
                        .putLong(AT + Entry.UNIT_AT, region)
                        .putInt(AT + Entry.LENGTH_AT, length));
    }

    static Stream<Arguments> impossible() {
        return Stream.of(
                of("a run of 0 units", block -> block.putInt(AT + Entry.LENGTH_AT, 0)),
                of(
                        "a run of " + (RemapTable.MAX_RUN_UNITS + 1) + " units",
                        block -> block.putInt(AT + Entry.LENGTH_AT, (int) RemapTable.MAX_RUN_UNITS + 1)),
                of("a run that begins at unit -1", block -> block.putLong(AT + Entry.UNIT_AT, -1)),
                of(
                        "a run that begins at unit " + (RemapTable.MAX_UNITS - 1),
                        block -> block.putLong(AT + Entry.UNIT_AT, RemapTable.MAX_UNITS - 1)),
                of("a record of the unknown kind 9", block -> block.put(AT + Entry.KIND_AT, (byte) 9)),
                of("a record of the unknown kind 3", block -> block.put(AT + Entry.KIND_AT, Entry.CLEAN)),
                ofRegion(Entry.SEAL, -1, 1),
                ofRegion(Entry.SEAL, Seal.MAX_REGION + 1, 1),
                ofRegion(Entry.OPEN, Seal.MAX_REGION, 2),
                // In both masks, with flags that are none, and without a slot but with what belongs to one.
                ofPlace(1, 0x0f, 0x08, 0, 5),
                ofPlace(3, 0x0f, 0, 0, 5),
                ofPlace(2, 0, 1, 0, 5),
                ofPlace(2, 1, 0, 0, 0),
                ofPlace(2, 0, 0, 3, 0),
                ofPlace(0, 0, 1, 0, 5),
                ofPlace(0, 1, 0, 0, 0),
                ofPlace(0, 0, 1, 3, 0));
    }

    @ParameterizedTest
    @MethodSource("impossible")
    void anEntryThatCannotBeIsDamage(String why, ByteBuffer block) {
        assertEquals(
                why, assertThrows(Damage.class, () -> Entry.decode(block, AT)).getMessage());
    }

    @Test
    void eachChangeIsReadAsItWasWritten() throws Exception {
        for (MapChange change : List.of(
                MapChange.set(RemapTable.MAX_UNITS - 2, 2, Place.onSlot(31, Place.MAX_SLOT - 1, 0x7f, 0x80)),
                MapChange.set(0, RemapTable.MAX_RUN_UNITS, Place.zero(0xff)),
                MapChange.set(9, 1, Place.lost(1)),
                MapChange.set(9, 1, Place.MAIN),
                MapChange.badSlot(3, Place.MAX_SLOT, 1),
                MapChange.seal(Seal.MAX_REGION, Seal.of(5, Place.MAX_SLOT, 0xffff)),
                MapChange.open(5, Seal.MAX_REGION - 1, 2))) {
            ByteBuffer block = zeros();
            Entry.encode(block, AT, change);
            assertEquals(change, Entry.decode(block, AT));
            assertFalse(Entry.isMark(block, AT));
        }
        ByteBuffer mark = zeros();
        for (byte kind : new byte[] {Entry.CLEAN, Entry.BEGIN}) {
            Entry.encodeMark(mark, AT, kind, 4);
            assertTrue(Entry.isMark(mark, AT));
        }
    }

    /** In a table the kinds follow each other, and each part is in order; what only changes something has no place there. */
    @Test
    void aTableOutOfOrderIsDamage() throws Exception {
        MapChange set = MapChange.set(5, 1, Place.lost(1));
        MapChange bad = MapChange.badSlot(0, 5, 1);
        MapChange seal = MapChange.seal(1, Seal.of(0, 9, 4));
        String foreign = "the table has an entry that does not belong there: ";
        for (List<MapChange> wrong : List.of(
                List.of(bad, set),
                List.of(seal, bad),
                List.of(MapChange.open(0, 1, 1)),
                List.of(MapChange.set(5, 1, Place.MAIN)))) {
            MapChange last = wrong.get(wrong.size() - 1);
            assertEquals(
                    foreign + last,
                    assertThrows(Damage.class, () -> load(wrong)).getMessage());
        }
        for (MapChange twice : List.of(set, bad, seal)) {
            Damage damage = assertThrows(Damage.class, () -> load(List.of(twice, twice)));
            assertTrue(damage.getMessage().startsWith("the table is out of order: "), damage.getMessage());
        }
        assertEquals(3, load(List.of(set, bad, seal)).entries());
    }

    private static Tables load(List<MapChange> entries) throws Damage {
        Tables.Loader loader = new Tables.Loader(List.of(SpareMember.first(100)));
        for (MapChange entry : entries) {
            loader.add(entry);
        }
        return loader.tables();
    }

    @Test
    void aTableBlockIsOneOfItsGenerationAtItsPlaceAlone() {
        ByteBuffer block = zeros();
        TableBlock.finish(block, GENERATION, 3, 2);
        Block.seal(block, 8192);
        assertTrue(TableBlock.isValid(block, GENERATION, 3, 8192));
        assertFalse(TableBlock.isValid(block, GENERATION, 4, 8192), "another block of the table");
        assertFalse(TableBlock.isValid(block, GENERATION, 3, 4096), "another place");
        assertFalse(TableBlock.isValid(block, new Generation(new UUID(1, 3), 5, 77), 3, 8192), "another pair");
        assertFalse(TableBlock.isValid(block, new Generation(new UUID(1, 2), 6, 77), 3, 8192), "another generation");
        assertFalse(TableBlock.isValid(block, new Generation(new UUID(1, 2), 5, 78), 3, 8192), "another attempt");
        for (int count : new int[] {-1, TableBlock.MAX_ENTRIES + 1}) {
            block.putInt(TableBlock.COUNT_AT, count);
            Block.seal(block, 8192);
            assertFalse(TableBlock.isValid(block, GENERATION, 3, 8192), count + " entries");
        }
    }

    @Test
    void aLogBlockIsOneOfItsGenerationAtItsPlaceAlone() {
        ByteBuffer block = zeros();
        LogBlock.finish(block, GENERATION, 4, 0, 1, 0, 1);
        Block.seal(block, 8192);
        assertTrue(LogBlock.isValid(block, GENERATION, 4, 8192));
        assertFalse(LogBlock.isValid(block, GENERATION, 5, 8192), "another block of the log");
        assertFalse(LogBlock.isValid(block, GENERATION, 4, 4096), "another place");
        assertFalse(LogBlock.isValid(block, new Generation(new UUID(1, 2), 6, 77), 4, 8192), "another generation");
        for (int count : new int[] {-1, 0, LogBlock.MAX_RECORDS + 1}) {
            LogBlock.finish(block, GENERATION, 4, 0, count, 0, 1);
            Block.seal(block, 8192);
            assertFalse(LogBlock.isValid(block, GENERATION, 4, 8192), count + " records");
        }
        LogBlock.finish(block, GENERATION, 4, 0, 1, 2, 2);
        Block.seal(block, 8192);
        assertFalse(LogBlock.isValid(block, GENERATION, 4, 8192), "block 3 of 2");
    }
}
