package io.remap.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.SectorRange;
import io.remap.api.Settings;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.PairIdentity;
import io.remap.core.disk.SealedSlots;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.MemoryMetadata;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** Exactly the sectors that a client would get from the spare, or beside them from main, are read. */
class SlotReadingTest {
    private static final int SECTOR = 512;
    private static final long BYTES = 8 << 20;
    private static final int UNIT_SECTORS = Place.UNIT_BYTES / SECTOR;

    private final CrashDevice spare = new CrashDevice("spare", BYTES, SECTOR);
    private final CrashDevice main = new CrashDevice("main", BYTES - 6 * SECTOR, SECTOR);

    /** 150 whole units, one of which only two sectors stand on the spare and one is lost, and the cut off last one. */
    private final RemapTable table = RemapTable.empty()
            .with(100, 150, Place.onSlot(0, 10, 0xff, 0))
            .with(400, 1, Place.onSlot(0, 500, 0x03, 0x80))
            .with(500, 1, Place.zero(0))
            .with(2047, 1, Place.onSlot(0, 600, 0x01, 0));

    private MetadataStore store() throws Exception {
        MemoryMetadata metadata = new MemoryMetadata();
        metadata.format(spare, new PairIdentity(new UUID(1, 2), BYTES, SECTOR, "x"), null);
        return metadata.open(spare, true, null, Settings.defaults());
    }

    private SlotReading.Result slots() throws Exception {
        MetadataStore store = store();
        return new SlotReading(table, SECTOR)
                .readSlots(spare, 0, store.slots(), new SealedSlots(store, spare, 0, store.slots()));
    }

    @Test
    void readsEverySectorOnTheSpareAndNoOther() throws Exception {
        SlotReading.Places none = new SlotReading.Places(0, List.of());
        assertEquals(new SlotReading.Result(150 * UNIT_SECTORS + 2 + 1, none, none), slots());
        spare.makeUnreadable(store().slotOffsetBytes(500) + 2 * SECTOR, SECTOR);
        spare.makeUnreadable(store().slotOffsetBytes(9), Place.UNIT_BYTES);
        assertEquals(0, slots().unreadable().sectors(), "nobody is served from there");
    }

    @Test
    void namesTheSectorsThatCannotBeRead() throws Exception {
        spare.makeUnreadable(store().slotOffsetBytes(10) + 7 * SECTOR, 3 * SECTOR);
        spare.makeUnreadable(store().slotOffsetBytes(500) + SECTOR, 4 * SECTOR);
        SlotReading.Result result = slots();
        assertEquals(
                List.of(new SectorRange(100 * UNIT_SECTORS + 7, 3), new SectorRange(400 * UNIT_SECTORS + 1, 1)),
                result.unreadable().ranges());
        assertEquals(4, result.unreadable().sectors());
        assertEquals(150 * UNIT_SECTORS + 3 - 4, result.read());
    }

    @Test
    void keepsSoManyRangesAndCountsTheRest() throws Exception {
        for (int i = 0; i < 150; i++) {
            spare.makeUnreadable(store().slotOffsetBytes(10 + i), SECTOR);
        }
        assertEquals(SlotReading.MAX_RANGES, slots().unreadable().ranges().size());
        assertEquals(150, slots().unreadable().sectors());
    }

    @Test
    void readsWhatMainHasBesideThem() throws Exception {
        main.makeUnreadable(100 * Place.UNIT_BYTES, 150 * Place.UNIT_BYTES);
        main.makeUnreadable(400L * Place.UNIT_BYTES, 3 * SECTOR);
        SlotReading.Result result = new SlotReading(table, SECTOR).readBeside(main);
        assertEquals(
                List.of(new SectorRange(400 * UNIT_SECTORS + 2, 1)),
                result.unreadable().ranges());
        // Five sectors of unit 400 are on main, and of the last unit the one that main still has.
        assertEquals(4 + 1, result.read());
    }

    @Test
    void aDeviceThatIsGoneIsAnError() {
        spare.failFrom(0, Errno.ENODEV);
        assertThrows(DeviceException.class, this::slots);
    }
}
