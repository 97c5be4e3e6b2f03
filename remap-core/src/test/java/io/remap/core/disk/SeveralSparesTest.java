package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.remap.api.DiskError;
import io.remap.api.Place;
import io.remap.api.spi.SpareMember;
import io.remap.api.spi.SpareMember.Use;
import io.remap.api.spi.SpareSlots;
import io.remap.testkit.FaultyDevice;
import io.remap.testkit.FaultyDevice.Fault;
import io.remap.testkit.MemoryDevice;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** One of two spares is emptied, or taken out, while the disk is served. */
class SeveralSparesTest {
    private static final int SLOTS = 8;
    private static final int UNIT = Place.UNIT_BYTES;
    private static final int SECTORS_PER_UNIT = UNIT / DiskRig.SECTOR;

    private DiskRig rig;
    private Runnable atSecondsNextStep = () -> {};

    @BeforeEach
    void open() throws Exception {
        rig = new DiskRig(SLOTS);
    }

    @AfterEach
    void close() {
        rig.close();
    }

    private void addSecond(Use use) {
        FaultyDevice device = new FaultyDevice(
                new MemoryDevice("second", SLOTS * UNIT, DiskRig.SECTOR),
                new SplittableRandom(1),
                new FaultyDevice.Steps() {
                    @Override
                    public void pause() {
                        Runnable now = atSecondsNextStep;
                        atSecondsNextStep = () -> {};
                        now.run();
                    }

                    @Override
                    public void sleep(long nanos) {}
                });
        SpareSlots slots = SpareSlots.of(0, SLOTS, UNIT);
        SpareMember stated = new SpareMember(1, new UUID(0, 1), use, SLOTS, 0);
        rig.disk.spareSteering().add(new SpareDevice(stated, device, slots, SpareDevice.UNORDERED));
    }

    private static byte[] bytes(int value) {
        byte[] bytes = new byte[UNIT];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    @Test
    void writeWhoseSpareIsTakenOutGoesToAnotherOne() {
        addSecond(new Use(false, false, 1));
        rig.main.fault(0, 2L * SECTORS_PER_UNIT, Fault.BAD);
        atSecondsNextStep = () -> atSecondsNextStep = () -> {
            rig.disk.spareSteering().setClosed(1, true);
            rig.disk.spareSteering().remove(1);
        };
        assertEquals(DiskError.NONE, rig.write(0, 2 * UNIT, 0x22));
        assertNull(rig.disk.spares.get(1));
        assertEquals(0, Place.spare(rig.store.table().placeOf(0)));
        assertEquals(0, Place.spare(rig.store.table().placeOf(1)));
        assertArrayEquals(bytes(0x22), rig.read(0, UNIT));
        assertArrayEquals(bytes(0x22), rig.read(UNIT, UNIT));
    }

    @Test
    void whatWasReadToMoveItIsReadable() {
        rig.main.fault(0, SECTORS_PER_UNIT, Fault.BAD);
        assertEquals(DiskError.NONE, rig.write(0, UNIT, 0x22));
        rig.spare.fault(rig.slotSector(0, 3), 1, Fault.WRITE_ONLY);
        assertNull(rig.read(0, UNIT));
        assertEquals(1, rig.disk.summary().unreadableSectors());
        rig.spare.heal(rig.slotSector(0, 3), 1);
        addSecond(Use.PLAIN);
        rig.disk.spareSteering().setUse(0, use -> new Use(true, false, 0));
        long[] ended = {-1, -1};
        rig.scheduler.execute(() -> rig.disk.spareSteering().evacuate(0, false, (moved, left, error) -> {
            ended[0] = moved;
            ended[1] = left;
        }));
        rig.scheduler.runUntilIdle();
        assertArrayEquals(new long[] {1, 0}, ended);
        assertEquals(0, rig.disk.summary().unreadableSectors());
        assertArrayEquals(bytes(0x22), rig.read(0, UNIT));
    }
}
