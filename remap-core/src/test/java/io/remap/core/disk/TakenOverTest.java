package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.remap.api.DiskError;
import io.remap.api.DiskRequest.Operation;
import org.junit.jupiter.api.Test;

/** Once another server has the spare, this one answers nothing any more: neither old content, nor new writes. */
class TakenOverTest {
    @Test
    void refusesEverythingAtOnce() throws Exception {
        try (DiskRig rig = new DiskRig(8)) {
            assertEquals(DiskError.NONE, rig.write(0, DiskRig.SECTOR, 7));
            assertNotNull(rig.read(0, DiskRig.SECTOR));
            byte[] before = rig.mainMedium.peek(0, 8 * DiskRig.SECTOR);
            rig.metadata.takeOver(rig.store);
            assertNull(rig.read(0, DiskRig.SECTOR));
            assertEquals(DiskError.SHUTDOWN, rig.write(DiskRig.SECTOR, DiskRig.SECTOR, 8));
            assertEquals(DiskError.SHUTDOWN, rig.perform(Operation.FLUSH, 0, 0, null).error);
            assertEquals(DiskError.SHUTDOWN, rig.perform(Operation.TRIM, 0, 8 * DiskRig.SECTOR, null).error);
            assertEquals(DiskError.SHUTDOWN, rig.perform(Operation.WRITE_ZEROES, 0, DiskRig.SECTOR, null).error);
            assertArrayEquals(before, rig.mainMedium.peek(0, before.length));
        }
    }

    @Test
    void refusesEverythingOnceItsLeaseIsOver() throws Exception {
        try (DiskRig rig = new DiskRig(8)) {
            boolean[] over = {false};
            rig.disk.askBeforeChanges(() -> {
                if (over[0]) {
                    rig.disk.leaseIsOver();
                }
                return over[0];
            });
            assertEquals(DiskError.NONE, rig.write(0, DiskRig.SECTOR, 7));
            byte[] before = rig.mainMedium.peek(0, 8 * DiskRig.SECTOR);
            over[0] = true;
            assertEquals(DiskError.SHUTDOWN, rig.write(0, DiskRig.SECTOR, 8));
            assertNull(rig.read(0, DiskRig.SECTOR));
            assertEquals(DiskError.SHUTDOWN, rig.perform(Operation.FLUSH, 0, 0, null).error);
            assertArrayEquals(before, rig.mainMedium.peek(0, before.length));
        }
    }
}
