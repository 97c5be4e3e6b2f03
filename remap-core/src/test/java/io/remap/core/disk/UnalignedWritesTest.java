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
    private static final int FROM = 100;
    private static final int LENGTH = 200;

    private DiskRig rig;
    private long mappedBefore;

    private void start() throws Refusal {
        rig = new DiskRig(8, new SimpleFaultPolicy(), 0);
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
        start();
        failsAfterTheNextRead(8);
        rig.spare.failTransfers(1, Errno.ENOMEM);
        writesWhatItHadRead();
        assertEquals(1, rig.spare.transferErrors());
    }

    @ParameterizedTest
    @CsvSource({Errno.EAGAIN + ", 30", Errno.ENODEV + ", 6000"})
    void spareThatIsAwayForAWhile(int errno, long millis) throws Refusal {
        start();
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
        start();
        failsAfterTheNextRead(8);
        Queue<Outcome> outcomes = new ArrayDeque<>(List.of(Outcome.NOT_COMMITTED));
        rig.metadata.decideOutcomes(() -> outcomes.isEmpty() ? Outcome.DURABLE : outcomes.remove());
        writesWhatItHadRead();
        assertTrue(outcomes.isEmpty());
    }

    /** The edge is read before anything of the write is: what it replaces is still there. */
    @Test
    void edgeThatDoesNotReadFailsTheWriteBeforeAnythingIsWritten() throws Refusal {
        start();
        rig.main.fault(8, 1, Fault.BAD);
        assertEquals(DiskError.IO, rig.write(UNIT + FROM, UNIT, 0x22));
        assertFalse(rig.disk.summary().mappedSectors() > 0);
        byte[] old = new byte[UNIT];
        Arrays.fill(old, DiskRig.OLD);
        assertArrayEquals(old, rig.read(2 * UNIT, UNIT));
    }
}
