package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.testkit.FaultyDevice.Fault;
import org.junit.jupiter.api.Test;

/** A disk with more unreadable units than are remembered: it costs attempts, and nothing else. */
class HintLimitsTest {
    /** Beyond the disks of these tests. */
    private static final long FIRST = 1_000;

    private static MapSnapshot full(MapSnapshot snapshot) {
        MapSnapshot full = snapshot;
        for (long unit = FIRST; unit < FIRST + MapSnapshot.MAX_HINTED_UNITS; unit++) {
            full = full.withUnreadable(unit, 1 << unit % 8);
        }
        return full;
    }

    @Test
    void bareUnreadableUnitsAreBoundedAndBarredOnesAreNot() {
        MapSnapshot full = full(MapSnapshot.EMPTY);
        assertEquals(MapSnapshot.MAX_HINTED_UNITS, full.hints.mappedUnits());
        assertFalse(full.remembers(5));
        assertSame(full, full.withUnreadable(5, 1));
        MapSnapshot more = full.withUnreadable(FIRST, 0xff);
        assertEquals(0xff, MapSnapshot.Hint.unreadableMask(more.hints.placeOf(FIRST)), "a unit that has a hint");
        MapSnapshot barred = full.withBarred(5).withBarred(6);
        assertTrue(MapSnapshot.Hint.barred(barred.hints.placeOf(5)));
        assertTrue(MapSnapshot.Hint.barred(barred.hints.placeOf(6)));
        assertFalse(barred.remembers(7));
        MapSnapshot room = full.withReadable(FIRST, 0xff);
        assertTrue(room.remembers(5));
        assertEquals(
                1,
                MapSnapshot.Hint.unreadableMask(room.withUnreadable(5, 1).hints.placeOf(5)));
    }

    @Test
    void holdOffsAreBounded() throws Exception {
        try (DiskRig rig = new DiskRig(1)) {
            HoldOffs holdOffs = rig.disk.holdOffs;
            for (long unit = FIRST; unit < FIRST + HoldOffs.MAX_UNITS; unit++) {
                holdOffs.failed(unit, 1);
            }
            holdOffs.failed(5, 1);
            assertFalse(holdOffs.isHeld(5, 1));
            assertTrue(holdOffs.isHeld(FIRST, 1));
            holdOffs.succeeded(FIRST);
            holdOffs.failed(5, 1);
            assertTrue(holdOffs.isHeld(5, 1));
        }
    }

    @Test
    void sectorThatIsNotRememberedFailsAndIsTriedAtEveryRead() throws Exception {
        try (DiskRig rig = new DiskRig(1)) {
            rig.disk.state.publish(HintLimitsTest::full);
            rig.main.fault(5, 1, Fault.BAD);
            assertNull(rig.read(5 * DiskRig.SECTOR, DiskRig.SECTOR));
            assertNull(rig.read(0, 8 * DiskRig.SECTOR));
            assertEquals(2, rig.disk.counters.droppedHints.sum());
            assertEquals(0, rig.disk.counters.newUnreadableSectors.sum());
            assertNotNull(rig.read(6 * DiskRig.SECTOR, DiskRig.SECTOR));
            rig.main.heal(5, 1);
            assertNotNull(rig.read(5 * DiskRig.SECTOR, DiskRig.SECTOR), "without a hold-off");
        }
    }
}
