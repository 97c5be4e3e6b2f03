package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.Errno;
import io.remap.api.IoBuffer;
import io.remap.api.Place;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.testkit.FaultyDevice.Fault;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What happens to requests that meet failing sectors, slot by slot and sector by sector. */
class FailingSectorsTest {
    private static final int SECTOR = DiskRig.SECTOR;

    private DiskRig rig;

    @BeforeEach
    void start() throws Exception {
        rig = new DiskRig(8);
    }

    @AfterEach
    void stop() {
        rig.close();
    }

    private static byte[] bytes(int length, int value) {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    @Test
    void requestOverGoodUnreadableAndRemappedSectorsIsSplit() {
        rig.main.fault(10, 1, Fault.BAD);
        assertEquals(DiskError.NONE, rig.write(10 * SECTOR, SECTOR, 0x22));
        rig.main.fault(20, 1, Fault.UNREADABLE);
        IoBuffer buffer = rig.buffers.acquire(16 * SECTOR);
        DiskRequest read = rig.perform(Operation.READ, 8 * SECTOR, 16 * SECTOR, buffer);
        assertEquals(DiskError.IO, read.error);
        assertEquals(20 * SECTOR, read.errorOffsetBytes);
        buffer.release();
        byte[] expected = bytes(12 * SECTOR, DiskRig.OLD);
        Arrays.fill(expected, 2 * SECTOR, 3 * SECTOR, (byte) 0x22);
        assertArrayEquals(expected, rig.read(8 * SECTOR, 12 * SECTOR));
        assertArrayEquals(bytes(3 * SECTOR, DiskRig.OLD), rig.read(21 * SECTOR, 3 * SECTOR));
        assertEquals(DiskError.NONE, rig.write(8 * SECTOR, 16 * SECTOR, 0x33));
        assertArrayEquals(bytes(16 * SECTOR, 0x33), rig.read(8 * SECTOR, 16 * SECTOR));
    }

    @Test
    void readErrorMakesNoMappingAndNeverAnswersZeros() {
        rig.main.fault(5, 1, Fault.BAD);
        assertNull(rig.read(5 * SECTOR, SECTOR));
        assertNull(rig.read(5 * SECTOR, SECTOR));
        assertTrue(rig.store.table().isEmpty());
        assertEquals(1, rig.disk.summary().unreadableSectors());
        assertEquals(DiskError.NONE, rig.write(5 * SECTOR, SECTOR, 0x22));
        assertArrayEquals(bytes(SECTOR, 0x22), rig.read(5 * SECTOR, SECTOR));
        assertEquals(1, rig.disk.summary().mappedSectors());
    }

    @Test
    void unreadableSectorIsTriedAgainAfterItsHoldOff() {
        rig.main.fault(5, 1, Fault.BAD);
        assertNull(rig.read(5 * SECTOR, SECTOR));
        rig.main.heal(5, 1);
        assertNull(rig.read(5 * SECTOR, SECTOR), "the hold-off is not over");
        rig.scheduler.schedule(() -> {}, 61_000);
        rig.scheduler.runUntilIdle();
        assertNotNull(rig.read(5 * SECTOR, SECTOR));
        assertEquals(0, rig.disk.summary().unreadableSectors());
    }

    @Test
    void slotThatFailsIsReplacedByTheNext() {
        rig.main.fault(0, 8, Fault.BAD);
        rig.spare.fault(rig.slotSector(0, 0), 8, Fault.BAD);
        assertEquals(DiskError.NONE, rig.write(0, Place.UNIT_BYTES, 0x22));
        assertEquals(1, Place.slot(rig.store.table().placeOf(0)));
        assertEquals(1, rig.disk.summary().badSlots());
        rig.spare.fault(rig.slotSector(1, 0), 8, Fault.UNWRITABLE);
        assertEquals(DiskError.NONE, rig.write(0, SECTOR, 0x33));
        assertEquals(2, Place.slot(rig.store.table().placeOf(0)));
        assertArrayEquals(bytes(SECTOR, 0x33), rig.read(0, SECTOR));
        assertArrayEquals(bytes(7 * SECTOR, 0x22), rig.read(SECTOR, 7 * SECTOR), "what the slot held moved along");
        assertEquals(2, rig.disk.summary().badSlots());
        assertEquals(5, rig.disk.summary().freeSlots());
    }

    @Test
    void whatAFailingSlotHeldAndCannotBeReadIsLost() {
        rig.main.fault(0, 8, Fault.BAD);
        assertEquals(DiskError.NONE, rig.write(0, Place.UNIT_BYTES, 0x22));
        rig.spare.fault(rig.slotSector(0, 0), 1, Fault.BAD);
        rig.spare.fault(rig.slotSector(0, 5), 1, Fault.BAD);
        assertEquals(DiskError.NONE, rig.write(0, SECTOR, 0x33));
        assertNull(rig.read(5 * SECTOR, SECTOR));
        assertEquals(1, rig.disk.summary().lostSectors());
        assertArrayEquals(bytes(2 * SECTOR, 0x22), rig.read(6 * SECTOR, 2 * SECTOR));
        assertEquals(DiskError.NONE, rig.write(5 * SECTOR, SECTOR, 0x44));
        assertArrayEquals(bytes(SECTOR, 0x44), rig.read(5 * SECTOR, SECTOR));
        assertEquals(0, rig.disk.summary().lostSectors());
    }

    @Test
    void transientErrorOfASlotCostsNothing() {
        rig.main.fault(0, 8, Fault.BAD);
        rig.spare.transientFailures(1);
        rig.spare.fault(rig.slotSector(0, 3), 1, Fault.TRANSIENT);
        assertEquals(DiskError.NONE, rig.write(0, Place.UNIT_BYTES, 0x22));
        assertEquals(0, rig.disk.summary().badSlots());
        assertEquals(0, Place.slot(rig.store.table().placeOf(0)));
    }

    @Test
    void fullSpareFailsThatWriteWithNoSpaceAndNothingElse() {
        rig.main.fault(0, 9 * 8, Fault.UNWRITABLE);
        for (int unit = 0; unit < 8; unit++) {
            assertEquals(DiskError.NONE, rig.write((long) unit * Place.UNIT_BYTES, Place.UNIT_BYTES, 0x22));
        }
        assertEquals(DiskError.NO_SPACE, rig.write(8 * Place.UNIT_BYTES, SECTOR, 0x22));
        assertArrayEquals(bytes(8 * Place.UNIT_BYTES, 0x22), rig.read(0, 8 * Place.UNIT_BYTES));
        assertEquals(DiskError.NONE, rig.write(20 * Place.UNIT_BYTES, SECTOR, 0x33));
        assertEquals(DiskError.NONE, rig.write(0, SECTOR, 0x44), "a write to a slot needs no other");
        assertEquals(DiskError.NONE, rig.perform(Operation.FLUSH, 0, 0, null).error);
    }

    @ParameterizedTest
    @ValueSource(ints = {Errno.ENODEV, Errno.ENXIO, Errno.EIO, Errno.ENOLINK, Errno.ETIMEDOUT, 99})
    void vanishedMainMakesNoMapping(int errno) {
        rig.main.vanish(errno);
        assertNull(rig.read(0, SECTOR));
        assertEquals(DiskError.IO, rig.write(0, Place.UNIT_BYTES, 0x22));
        assertEquals(0, rig.disk.summary().unreadableSectors());
        assertTrue(rig.store.table().isEmpty());
        assertEquals(8, rig.disk.summary().freeSlots());
        rig.main.comeBack();
        assertArrayEquals(bytes(SECTOR, DiskRig.OLD), rig.read(0, SECTOR));
        assertEquals(DiskError.NONE, rig.write(0, Place.UNIT_BYTES, 0x22));
    }

    @ParameterizedTest
    @ValueSource(ints = {Errno.ENODEV, Errno.ENXIO, Errno.EIO, Errno.ENOLINK, Errno.ETIMEDOUT, 99})
    void vanishedSpareMarksNoSlot(int errno) {
        rig.main.fault(0, 16, Fault.BAD);
        assertEquals(DiskError.NONE, rig.write(0, Place.UNIT_BYTES, 0x22));
        rig.spare.vanish(errno);
        assertEquals(DiskError.IO, rig.write(0, SECTOR, 0x33));
        assertEquals(DiskError.IO, rig.write(Place.UNIT_BYTES, SECTOR, 0x33));
        assertNull(rig.read(0, SECTOR));
        assertEquals(0, rig.disk.summary().badSlots());
        assertEquals(7, rig.disk.summary().freeSlots());
        assertEquals(0, rig.disk.summary().unreadableSectors());
        assertArrayEquals(bytes(SECTOR, DiskRig.OLD), rig.read(20 * SECTOR, SECTOR));
        rig.spare.comeBack();
        assertArrayEquals(bytes(7 * SECTOR, 0x22), rig.read(SECTOR, 7 * SECTOR));
    }

    @Test
    void storeThatFailedBarsTheUnitsItsRecordNames() {
        rig.main.fault(0, 8, Fault.UNWRITABLE);
        rig.metadata.decideOutcomes(() -> Outcome.STORE_FAILED);
        assertEquals(DiskError.IO, rig.write(0, SECTOR, 0x22));
        rig.main.heal(0, 8);
        assertEquals(DiskError.IO, rig.write(0, SECTOR, 0x33), "the record may be found at the next open");
        assertEquals(DiskError.NONE, rig.write(8 * SECTOR, SECTOR, 0x33));
        assertArrayEquals(bytes(SECTOR, DiskRig.OLD), rig.read(SECTOR, SECTOR));
        assertEquals(7, rig.disk.summary().freeSlots(), "its slot stays out of use");
    }

    @Test
    void withoutAStoreMainMustTakeTheWrite() {
        rig.main.fault(0, 1, Fault.UNREADABLE);
        rig.main.fault(8, 1, Fault.UNWRITABLE);
        assertNull(rig.read(0, SECTOR));
        rig.metadata.decideOutcomes(() -> Outcome.STORE_FAILED);
        assertEquals(DiskError.IO, rig.write(8 * SECTOR, SECTOR, 0x22));
        assertEquals(DiskError.NONE, rig.write(0, SECTOR, 0x22), "main heals with the write");
        assertArrayEquals(bytes(SECTOR, 0x22), rig.read(0, SECTOR));
    }

    @Test
    void refusedCommitIsTriedAgain() {
        int[] refusals = {2};
        rig.metadata.decideOutcomes(() -> refusals[0]-- > 0 ? Outcome.NOT_COMMITTED : Outcome.DURABLE);
        rig.main.fault(0, 8, Fault.UNWRITABLE);
        assertEquals(DiskError.NONE, rig.write(0, SECTOR, 0x22));
        assertEquals(7, rig.disk.summary().freeSlots());
    }

    @Test
    void movesThereAndBack() {
        assertEquals(DiskError.NONE, rig.move(true, 3, 9, false));
        assertEquals(9, rig.disk.summary().mappedSectors());
        rig.mainMedium.poke(0, bytes(16 * SECTOR, 0x66));
        assertArrayEquals(bytes(9 * SECTOR, DiskRig.OLD), rig.read(3 * SECTOR, 9 * SECTOR));
        assertEquals(DiskError.NONE, rig.move(false, 3, 1, false));
        assertEquals(DiskError.NONE, rig.move(false, 8, 1, false));
        assertTrue(rig.store.table().isEmpty());
        assertArrayEquals(bytes(9 * SECTOR, DiskRig.OLD), rig.read(3 * SECTOR, 9 * SECTOR));
        assertEquals(8, rig.disk.summary().freeSlots());
    }

    @Test
    void moveOfAnUnreadableSectorNeedsTheUsersWord() {
        rig.main.fault(4, 1, Fault.BAD);
        assertEquals(DiskError.IO, rig.move(true, 3, 3, false));
        assertTrue(rig.store.table().isEmpty());
        assertEquals(DiskError.NONE, rig.move(true, 3, 3, true));
        assertEquals(1, rig.disk.summary().lostSectors());
        rig.main.heal(4, 1);
        assertNull(rig.read(4 * SECTOR, SECTOR), "lost, whatever main holds");
        assertEquals(DiskError.IO, rig.write(4 * SECTOR + 7, 3, 0x22), "an edge that is lost fails the write");
        assertEquals(DiskError.NONE, rig.write(4 * SECTOR, SECTOR, 0x22));
        assertNotNull(rig.read(4 * SECTOR, SECTOR));
    }

    @Test
    void returnIsRefusedWhileTheOldPlaceFails() {
        assertEquals(DiskError.NONE, rig.move(true, 0, 8, false));
        rig.main.fault(2, 1, Fault.WRITE_ONLY);
        assertEquals(DiskError.IO, rig.move(false, 0, 8, false));
        assertArrayEquals(bytes(8 * SECTOR, DiskRig.OLD), rig.read(0, 8 * SECTOR));
    }

    @Test
    void zeroesThatMainRefusesNeedNoSlot() {
        rig.main.fault(0, 8, Fault.BAD);
        DiskRequest request = rig.perform(Operation.WRITE_ZEROES, 0, Place.UNIT_BYTES, null);
        assertEquals(DiskError.NONE, request.error);
        assertEquals(8, rig.disk.summary().freeSlots());
        assertArrayEquals(bytes(8 * SECTOR, 0), rig.read(0, 8 * SECTOR));
        assertEquals(DiskError.NONE, rig.write(SECTOR, SECTOR, 0x22));
        assertArrayEquals(bytes(SECTOR, 0), rig.read(0, SECTOR));
        assertArrayEquals(bytes(SECTOR, 0x22), rig.read(SECTOR, SECTOR));
        assertArrayEquals(bytes(6 * SECTOR, 0), rig.read(2 * SECTOR, 6 * SECTOR));
    }

    @Test
    void unalignedRequestsKeepTheBytesAroundThem() {
        rig.main.fault(1, 1, Fault.UNWRITABLE);
        assertEquals(DiskError.NONE, rig.write(SECTOR - 3, 7, 0x22));
        byte[] expected = bytes(2 * SECTOR, DiskRig.OLD);
        Arrays.fill(expected, SECTOR - 3, SECTOR + 4, (byte) 0x22);
        assertArrayEquals(expected, rig.read(0, 2 * SECTOR));
        assertArrayEquals(bytes(5, 0x22), rig.read(SECTOR - 2, 5));
        rig.main.fault(4, 1, Fault.BAD);
        assertEquals(DiskError.IO, rig.write(3 * SECTOR, SECTOR + 1, 0x33));
        assertArrayEquals(bytes(SECTOR, DiskRig.OLD), rig.read(3 * SECTOR, SECTOR), "nothing of it was written");
    }

    @Test
    void failedFlushStaysFailed() {
        assertEquals(DiskError.NONE, rig.write(0, SECTOR, 0x22));
        rig.main.failFlushes(1, Errno.EIO);
        assertEquals(DiskError.IO, rig.perform(Operation.FLUSH, 0, 0, null).error);
        assertEquals(DiskError.IO, rig.perform(Operation.FLUSH, 0, 0, null).error);
        assertTrue(rig.disk.doubt().isPresent());
    }
}
