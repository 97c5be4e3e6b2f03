package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DiskClient;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.Errno;
import io.remap.api.Place;
import io.remap.testkit.FaultyDevice.Fault;
import java.util.Arrays;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a flush answers after the spare forgot, or did not forget, what was written to its slots. */
class SpareLedgerTest {
    private static final int SECTOR = DiskRig.SECTOR;
    private static final int UNIT = 8 * SECTOR;

    private DiskRig rig;

    /** The first two units stand on the spare, flushed. */
    @BeforeEach
    void start() throws Exception {
        rig = new DiskRig(32);
        rig.disk.main.flush();
        rig.main.fault(0, 16, Fault.BAD);
        assertEquals(DiskError.NONE, rig.write(0, 2 * UNIT, 0x22));
        assertEquals(DiskError.NONE, flush());
        assertEquals(16, rig.disk.summary().mappedSectors());
    }

    @AfterEach
    void stop() {
        rig.close();
    }

    private DiskError flush() {
        return rig.perform(Operation.FLUSH, 0, 0, null).error;
    }

    private static byte[] bytes(int length, int value) {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    private long counter(String name) {
        return rig.disk.attributes().stream()
                .filter(attribute -> attribute.name().equals(name))
                .mapToLong(attribute -> (Long) attribute.get().get())
                .findAny()
                .orElseThrow();
    }

    /** Everything in its cache. */
    private void spareForgets() {
        rig.spareMedium.powerCut(nothingSurvives());
    }

    private static RandomGenerator nothingSurvives() {
        return new RandomGenerator() {
            @Override
            public long nextLong() {
                return -1;
            }
        };
    }

    private LedgerVerification.State state() {
        return rig.disk.spares.require(0).writes.verification.state();
    }

    @Test
    void failedFlushThatLostNothingSucceedsAfterAVerification() {
        assertEquals(DiskError.NONE, rig.write(SECTOR, 2 * SECTOR, 0x33));
        rig.spare.failFlushes(1, Errno.EIO);
        assertEquals(DiskError.NONE, flush());
        assertEquals(2, counter("ledger.spare-verified-sectors"));
        assertEquals(1, counter("ledger.spare-verifications"));
        assertTrue(rig.disk.doubt().isEmpty());
        // The sync was a new one.
        spareForgets();
        assertArrayEquals(bytes(2 * SECTOR, 0x33), rig.read(SECTOR, 2 * SECTOR));
        // And the table still takes mappings.
        rig.main.fault(64, 8, Fault.BAD);
        assertEquals(DiskError.NONE, rig.write(64 * SECTOR, UNIT, 0x44));
        assertEquals(24, rig.disk.summary().mappedSectors());
    }

    @Test
    void whatIsLostAnswersWithErrorsAndSoDoesTheFlush() throws Exception {
        assertEquals(DiskError.NONE, rig.write(SECTOR, 2 * SECTOR, 0x33));
        rig.spare.whenFlushFails(this::spareForgets);
        rig.spare.failFlushes(1, Errno.EIO);
        assertEquals(DiskError.IO, flush());
        assertEquals(2, counter("ledger.spare-lost-sectors"));
        assertEquals(2, counter("ledger.lost-sectors"));
        assertNull(rig.read(SECTOR, SECTOR));
        assertArrayEquals(bytes(SECTOR, 0x22), rig.read(0, SECTOR));
        assertArrayEquals(bytes(UNIT, 0x22), rig.read(UNIT, UNIT));
        assertEquals(2, rig.disk.summary().lostSectors());
        assertEquals(0b110, Place.lostMask(rig.store.table().placeOf(0)), "durably");
        assertEquals(DiskError.NONE, flush(), "it was told once");
        assertEquals(DiskError.NONE, rig.write(SECTOR, 2 * SECTOR, 0x44));
        assertArrayEquals(bytes(2 * SECTOR, 0x44), rig.read(SECTOR, 2 * SECTOR));
        assertEquals(DiskError.NONE, flush());
    }

    @Test
    void unitThatIsLostAsAWholeGivesItsSlotBack() {
        long free = rig.disk.summary().freeSlots();
        assertEquals(DiskError.NONE, rig.write(0, UNIT, 0x33));
        rig.spare.whenFlushFails(this::spareForgets);
        rig.spare.failFlushes(1, Errno.EIO);
        assertEquals(DiskError.IO, flush());
        assertEquals(8, rig.disk.summary().lostSectors());
        assertEquals(free + 1, rig.disk.summary().freeSlots());
    }

    @Test
    void readsOfWhatIsInDoubtWait() {
        assertEquals(DiskError.NONE, rig.write(0, SECTOR, 0x33));
        DiskError[] read = {null};
        rig.spare.whenFlushFails(() -> {
            spareForgets();
            rig.scheduler.execute(() -> {
                DiskRequest request = new DiskRequest(r -> {
                    read[0] = r.error;
                    r.buffer.release();
                });
                request.operation = Operation.READ;
                request.lengthBytes = SECTOR;
                request.buffer = rig.buffers.acquire(SECTOR);
                rig.disk.submit(request);
            });
        });
        rig.spare.failFlushes(1, Errno.EIO);
        assertEquals(DiskError.IO, flush());
        assertEquals(DiskError.IO, read[0], "it must not see what the slot went back to");
    }

    @Test
    void spareThatWasAwayIsVerifiedWhenItIsBack() {
        assertEquals(DiskError.NONE, rig.write(0, SECTOR, 0x33));
        rig.spare.vanish(Errno.ENODEV);
        DiskRequest flush = new DiskRequest(r -> {});
        flush.operation = Operation.FLUSH;
        flush.error = null;
        rig.scheduler.execute(() -> rig.disk.submit(flush));
        rig.scheduler.runUntil(() -> flush.error != null);
        assertEquals(DiskError.IO, flush.error);
        assertEquals(LedgerVerification.State.SUSPENDED, state());
        rig.spare.comeBack();
        rig.scheduler.runUntilIdle();
        assertEquals(LedgerVerification.State.SETTLED, state());
        assertEquals(DiskError.NONE, flush());
        assertArrayEquals(bytes(SECTOR, 0x33), rig.read(0, SECTOR));
        assertEquals(0, rig.disk.summary().lostSectors());
    }

    @Test
    void mappingIsNotMadeDurableBeforeItsDataIs() {
        // The sync of the data fails and has forgotten it: the data is written again, and then the record.
        rig.main.fault(64, 8, Fault.BAD);
        rig.spare.whenFlushFails(this::spareForgets);
        rig.spare.failFlushes(1, Errno.EIO);
        assertEquals(DiskError.NONE, rig.write(64 * SECTOR, UNIT, 0x44));
        rig.spareMedium.powerCut(nothingSurvives());
        assertArrayEquals(bytes(UNIT, 0x44), rig.read(64 * SECTOR, UNIT));
        assertEquals(24, rig.disk.summary().mappedSectors());
        assertEquals(32 - 3, rig.disk.summary().freeSlots());
    }

    @Test
    void returnDoesNotCopyWhatTheSlotHasLost() {
        rig.main.heal(0, 16);
        assertEquals(DiskError.NONE, rig.write(0, UNIT, 0x33));
        // Lost before it is copied, and told by the flush that the return makes.
        spareForgets();
        rig.spare.failFlushes(1, Errno.EIO);
        rig.move(false, 0, 8, false);
        assertNull(rig.read(0, SECTOR), "the older content must not come back");
        assertEquals(DiskError.IO, flush());
    }

    @Test
    void returnDoesNotCommitWhatAFlushOfSomebodyElseHasFoundLost() {
        rig.main.heal(0, 16);
        assertEquals(DiskError.NONE, rig.write(0, UNIT, 0x33));
        spareForgets();
        rig.spare.failFlushes(1, Errno.EIO);
        // After the slot was read, while its content goes to main; the commit meets a device without errors.
        rig.atMainsNextStep = () -> {
            DiskRequest request = new DiskRequest(r -> {});
            request.operation = Operation.FLUSH;
            rig.disk.submit(request);
        };
        rig.move(false, 0, 8, false);
        assertNull(rig.read(0, SECTOR), "the older content must not come back");
    }

    @Test
    void fuaWriteThatLiesOnTheSpareAloneTellsOfALossOnMain() {
        DiskClient client = new DiskClient();
        assertEquals(DiskError.NONE, write(client, 0, false), "it is known from now on");
        assertEquals(DiskError.NONE, rig.write(200 * SECTOR, SECTOR, 0x55));
        // Noticed by a read, outside of any flush.
        rig.main.vanish(Errno.ENODEV);
        DiskRequest read = new DiskRequest(r -> {});
        read.operation = Operation.READ;
        read.offsetBytes = 300L * SECTOR;
        read.lengthBytes = SECTOR;
        read.buffer = rig.buffers.acquire(SECTOR);
        read.error = null;
        rig.scheduler.execute(() -> rig.disk.submit(read));
        rig.scheduler.runUntil(() -> read.error != null);
        read.buffer.release();
        rig.mainMedium.powerCut(nothingSurvives());
        rig.main.comeBack();
        rig.scheduler.runUntilIdle();
        assertEquals(1, counter("ledger.lost-sectors"));
        assertEquals(DiskError.IO, write(client, 0, true), "a FUA write in a slot owes it as well");
        assertEquals(DiskError.NONE, write(client, 0, true));
        assertFalse(rig.disk.doubt().isPresent());
    }

    private DiskError write(DiskClient client, long offset, boolean fua) {
        DiskRequest request = new DiskRequest(r -> {});
        request.client = client;
        request.operation = Operation.WRITE;
        request.offsetBytes = offset;
        request.lengthBytes = SECTOR;
        request.fua = fua;
        request.buffer = rig.buffers.acquire(SECTOR);
        rig.scheduler.execute(() -> rig.disk.submit(request));
        rig.scheduler.runUntilIdle();
        request.buffer.release();
        return request.error;
    }
}
