package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DiskError;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.Errno;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.testkit.FaultyDevice.Fault;
import io.remap.testkit.SimpleFaultPolicy;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Writes that cover sectors in part, where main refuses such a sector: it holds nothing from then on, so what was read
 * of it before is the only copy of the bytes around the write.
 */
class UnalignedWritesTest {
    private static final int UNIT = Place.UNIT_BYTES;
    private static final int SECTOR = DiskRig.SECTOR;
    private static final int SEAL_MILLIS = 1_000;
    private static final int FROM = 100;
    private static final int LENGTH = 200;

    private DiskRig rig;
    private long mappedBefore;

    private void start(long sealMillis) throws Refusal {
        rig = new DiskRig(8, new SimpleFaultPolicy(), sealMillis);
    }

    @AfterEach
    void stop() {
        rig.close();
    }

    /** The sector reads well once more, and nothing of it does from then on. */
    private void failsAfterTheNextRead(long sector) {
        rig.atMainsNextStep = () -> rig.atMainsNextStep = () -> rig.main.fault(sector, 1, Fault.BAD);
    }

    private static byte[] sector(int value) {
        byte[] bytes = new byte[SECTOR];
        Arrays.fill(bytes, DiskRig.OLD);
        Arrays.fill(bytes, FROM, FROM + LENGTH, (byte) value);
        return bytes;
    }

    private void writesWhatItHadRead() {
        assertEquals(DiskError.NONE, rig.write(UNIT + FROM, LENGTH, 0x22));
        assertTrue(rig.main.isFaulty(8), "main failed after it was read");
        assertEquals(1, rig.disk.summary().mappedSectors() - mappedBefore);
        assertArrayEquals(sector(0x22), rig.read(UNIT, SECTOR));
    }

    @Test
    void spareThatFailsInPassing() throws Refusal {
        start(0);
        failsAfterTheNextRead(8);
        rig.spare.failTransfers(1, Errno.ENOMEM);
        writesWhatItHadRead();
        assertEquals(1, rig.spare.transferErrors());
    }

    @ParameterizedTest
    @CsvSource({Errno.EAGAIN + ", 30", Errno.ENODEV + ", 6000"})
    void spareThatIsAwayForAWhile(int errno, long millis) throws Refusal {
        start(0);
        // Without it nobody knows what a process before this one left.
        assertEquals(DiskError.NONE, rig.perform(Operation.FLUSH, 0, 0, null).error);
        rig.disk.holdWhileAway(15_000);
        failsAfterTheNextRead(8);
        rig.spare.vanish(errno);
        rig.scheduler.schedule(rig.spare::comeBack, millis);
        writesWhatItHadRead();
        assertTrue(rig.spare.goneHits() > 0);
    }

    @Test
    void commitThatIsRefusedOnce() throws Refusal {
        start(0);
        failsAfterTheNextRead(8);
        Queue<Outcome> outcomes = new ArrayDeque<>(List.of(Outcome.NOT_COMMITTED));
        rig.metadata.decideOutcomes(() -> outcomes.isEmpty() ? Outcome.DURABLE : outcomes.remove());
        writesWhatItHadRead();
        assertTrue(outcomes.isEmpty());
    }

    private void seal() {
        assertEquals(DiskError.NONE, rig.move(true, 8 * 5, 8, false));
        mappedBefore = rig.disk.summary().mappedSectors();
        rig.scheduler.runUntilIdle();
        assertTrue(rig.disk.counters.openings.sum() == 0 && isSealed());
    }

    private boolean isSealed() {
        boolean[] sealed = {false};
        rig.store.seals((region, seal) -> sealed[0] = true);
        return sealed[0];
    }

    /** Nothing else is wrong: each redirection after a pause comes to a sealed region. */
    @Test
    void regionOfTheSpareThatIsSealed() throws Refusal {
        start(SEAL_MILLIS);
        seal();
        failsAfterTheNextRead(8);
        writesWhatItHadRead();
        assertEquals(1, rig.disk.counters.openings.sum());
    }

    /** Its opening waits for whoever gives up what rotted there: that may be a unit of the same write. */
    @Test
    void regionOfTheSpareThatIsSealedAndHasARottenSlotOfTheSameWrite() throws Refusal {
        start(SEAL_MILLIS);
        assertEquals(DiskError.NONE, rig.move(true, 8 * 2, 8, false));
        mappedBefore = rig.disk.summary().mappedSectors();
        assertTrue(isSealed());
        byte[] other = new byte[SECTOR];
        long slot = Place.slot(rig.store.table().placeOf(2));
        rig.spareMedium.poke(rig.store.slotOffsetBytes(slot) + 7 * SECTOR, other);
        failsAfterTheNextRead(8);
        int length = SECTOR - FROM + 7 * SECTOR + SECTOR;
        assertEquals(DiskError.NONE, rig.write(UNIT + FROM, length, 0x22));
        assertTrue(rig.main.isFaulty(8));
        byte[] expected = new byte[UNIT + SECTOR];
        Arrays.fill(expected, (byte) 0x22);
        Arrays.fill(expected, 0, FROM, DiskRig.OLD);
        assertArrayEquals(expected, rig.read(UNIT, UNIT + SECTOR));
        assertEquals(1, rig.disk.summary().lostSectors(), "what rotted beside it");
    }

    /** The edge is read before anything of the write is: what it replaces is still there. */
    @Test
    void edgeThatDoesNotReadFailsTheWriteBeforeAnythingIsWritten() throws Refusal {
        start(0);
        rig.main.fault(8, 1, Fault.BAD);
        assertEquals(DiskError.IO, rig.write(UNIT + FROM, UNIT, 0x22));
        assertFalse(rig.disk.summary().mappedSectors() > 0);
        byte[] old = new byte[UNIT];
        Arrays.fill(old, DiskRig.OLD);
        assertArrayEquals(old, rig.read(2 * UNIT, UNIT));
    }
}
