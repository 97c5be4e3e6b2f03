package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DiskError;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.Errno;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.core.io.StandardFaultPolicyProvider;
import io.remap.testkit.FaultyDevice.Fault;
import java.util.Arrays;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the settings of the standard policy have the disk do. */
class RedirectionPolicyTest {
    private static final int UNIT = Place.UNIT_BYTES;
    private static final int SECTOR = DiskRig.SECTOR;

    private DiskRig rig;

    private void start(Map<String, String> settings) throws Refusal {
        rig = new DiskRig(8, new StandardFaultPolicyProvider().open(new Settings(settings)));
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

    private boolean happened(DiskEvent.Kind kind) {
        return rig.disk.events().newest(0, 100).stream().anyMatch(event -> event.kind() == kind);
    }

    @Test
    void nothingGoesToTheSpareByItselfIfThatIsOff() throws Refusal {
        start(Map.of("auto-remap", "off"));
        rig.main.fault(8, 1, Fault.UNWRITABLE);
        assertEquals(DiskError.IO, rig.write(UNIT, UNIT, 0x22));
        assertEquals(DiskError.NONE, rig.write(2 * UNIT, UNIT, 0x22));
        assertEquals(0, rig.disk.summary().mappedSectors());
        rig.main.fault(24, 1, Fault.UNREADABLE);
        assertNull(rig.read(3 * UNIT, UNIT));
        assertEquals(DiskError.NONE, rig.write(3 * UNIT, UNIT, 0x33), "main takes it, and so it reads");
        assertArrayEquals(bytes(UNIT, 0x33), rig.read(3 * UNIT, UNIT));
        assertEquals(DiskError.NONE, rig.move(true, 8, 8, false), "a person may");
        assertEquals(DiskError.NONE, rig.write(UNIT, UNIT, 0x44), "and then the slot is written");
        assertArrayEquals(bytes(UNIT, 0x44), rig.read(UNIT, UNIT));
    }

    @Test
    void writeThatHangsIsNotMovedIfThatIsOff() throws Refusal {
        start(Map.of("auto-remap", "off"));
        rig.main.stuckFor(30_000_000_000L);
        rig.main.fault(8, 1, Fault.STUCK);
        assertEquals(DiskError.IO, rig.write(UNIT, UNIT, 0x22));
        assertEquals(0, rig.disk.summary().mappedSectors());
    }

    @Test
    void unreadableSectorsTakeAWriteInPlaceOnce() throws Refusal {
        start(Map.of("unreadable-writes", "heal"));
        rig.main.fault(8, 1, Fault.UNREADABLE);
        assertNull(rig.read(UNIT, UNIT));
        assertEquals(DiskError.NONE, rig.write(UNIT, UNIT, 0x22));
        assertEquals(0, rig.disk.summary().mappedSectors());
        assertEquals(0, rig.disk.summary().unreadableSectors());
        assertTrue(happened(DiskEvent.Kind.HEALED));
        assertArrayEquals(bytes(UNIT, 0x22), rig.read(UNIT, UNIT));
        rig.main.fault(8, 1, Fault.UNREADABLE);
        assertNull(rig.read(UNIT, UNIT));
        assertEquals(DiskError.NONE, rig.write(UNIT, UNIT, 0x33));
        assertEquals(1, rig.disk.summary().mappedSectors(), "what relapses goes to the spare");
        assertArrayEquals(bytes(UNIT, 0x33), rig.read(UNIT, UNIT));
    }

    @Test
    void whatWasHealedIsSyncedWatchedAndNotHealedAgainAfterARestart() throws Refusal {
        start(Map.of("unreadable-writes", "heal"));
        rig.main.fault(8, 1, Fault.UNREADABLE);
        assertNull(rig.read(UNIT, UNIT));
        assertEquals(DiskError.NONE, rig.write(UNIT, UNIT, 0x22));
        rig.mainMedium.powerCut(new SplittableRandom(7));
        assertArrayEquals(bytes(UNIT, 0x22), rig.mainMedium.peek(UNIT, UNIT), "it was synced before it counted");
        assertEquals(1, rig.disk.watchList.errors(1));
        byte[] kept = rig.disk.watchedUnits().save();
        rig.close();

        start(Map.of("unreadable-writes", "heal"));
        rig.disk.watchedUnits().restore(kept);
        rig.main.fault(8, 1, Fault.UNREADABLE);
        assertNull(rig.read(UNIT, UNIT));
        assertEquals(DiskError.NONE, rig.write(UNIT, UNIT, 0x33));
        assertEquals(1, rig.disk.summary().mappedSectors(), "what relapses goes to the spare");
        assertArrayEquals(bytes(UNIT, 0x33), rig.read(UNIT, UNIT));
    }

    @Test
    void whatCannotBeSyncedIsNotHealed() throws Refusal {
        start(Map.of("unreadable-writes", "heal"));
        rig.main.fault(8, 1, Fault.UNREADABLE);
        assertNull(rig.read(UNIT, UNIT));
        rig.main.failFlushes(1_000, Errno.EIO);
        assertEquals(DiskError.IO, rig.write(UNIT, UNIT, 0x22));
        assertFalse(happened(DiskEvent.Kind.HEALED));
    }

    @Test
    void whatTakesAWriteAndDoesNotReadBackGoesToTheSpare() throws Refusal {
        start(Map.of("unreadable-writes", "heal"));
        rig.main.fault(8, 1, Fault.WRITE_ONLY);
        assertNull(rig.read(UNIT, UNIT));
        assertEquals(DiskError.NONE, rig.write(UNIT, UNIT, 0x22));
        assertEquals(1, rig.disk.summary().mappedSectors());
        assertArrayEquals(bytes(UNIT, 0x22), rig.read(UNIT, UNIT));
    }

    @Test
    void whatDidNotReadBackIsStillWrittenWhenTheSpareFailsInPassing() throws Refusal {
        start(Map.of("unreadable-writes", "heal"));
        rig.main.fault(8, 1, Fault.WRITE_ONLY);
        assertNull(rig.read(UNIT, UNIT));
        rig.spare.failTransfers(1, Errno.ENOMEM);
        assertEquals(DiskError.NONE, rig.write(UNIT, UNIT, 0x22));
        assertEquals(1, rig.spare.transferErrors());
        assertEquals(1, rig.disk.summary().mappedSectors());
        assertArrayEquals(bytes(UNIT, 0x22), rig.read(UNIT, UNIT));
    }

    @Test
    void whatMainRefusedBesideAHealedUnitIsStillWrittenWhenTheSpareFailsInPassing() throws Refusal {
        start(Map.of("unreadable-writes", "heal"));
        rig.main.fault(8, 1, Fault.UNREADABLE);
        rig.main.fault(16, 1, Fault.UNWRITABLE);
        assertNull(rig.read(UNIT, UNIT));
        rig.spare.failTransfers(1, Errno.ENOMEM);
        assertEquals(DiskError.NONE, rig.write(UNIT, 2 * UNIT, 0x22));
        assertEquals(1, rig.spare.transferErrors());
        assertTrue(happened(DiskEvent.Kind.HEALED));
        assertTrue(rig.disk.summary().mappedSectors() > 0);
        assertArrayEquals(bytes(2 * UNIT, 0x22), rig.read(UNIT, 2 * UNIT));
    }

    @Test
    void whatDidNotReadBackIsStillWrittenWhenTheSpareWasAway() throws Refusal {
        start(Map.of("unreadable-writes", "heal"));
        // Without it nobody knows what a process before this one left.
        assertEquals(DiskError.NONE, rig.perform(Operation.FLUSH, 0, 0, null).error);
        rig.disk.holdWhileAway(15_000);
        rig.main.fault(8, 1, Fault.WRITE_ONLY);
        assertNull(rig.read(UNIT, UNIT));
        rig.spare.vanish(Errno.ENODEV);
        rig.scheduler.schedule(rig.spare::comeBack, 6_000);
        assertEquals(DiskError.NONE, rig.write(UNIT, UNIT, 0x22));
        assertTrue(rig.scheduler.nanoTime() >= 6_000_000_000L);
        assertEquals(1, rig.disk.summary().mappedSectors());
        assertArrayEquals(bytes(UNIT, 0x22), rig.read(UNIT, UNIT));
    }

    @Test
    void unreadableSectorsGoToTheSpareIfNobodyChoseAnything() throws Refusal {
        start(Map.of());
        rig.main.fault(8, 1, Fault.UNREADABLE);
        assertNull(rig.read(UNIT, UNIT));
        assertEquals(DiskError.NONE, rig.write(UNIT, UNIT, 0x22));
        assertEquals(1, rig.disk.summary().mappedSectors());
    }

    @Test
    void noMoreUnitsThanAllowedGoToTheSpare() throws Refusal {
        start(Map.of("max-remapped", "1"));
        rig.main.fault(8, 1, Fault.UNWRITABLE);
        rig.main.fault(24, 1, Fault.UNWRITABLE);
        assertEquals(DiskError.NONE, rig.write(UNIT, UNIT, 0x22));
        assertEquals(DiskError.NO_SPACE, rig.write(3 * UNIT, UNIT, 0x22));
        assertEquals(DiskError.NONE, rig.write(UNIT, UNIT, 0x33), "what is there stays in use");
        assertArrayEquals(bytes(UNIT, 0x33), rig.read(UNIT, UNIT));
    }

    @ParameterizedTest
    @ValueSource(ints = {Errno.EROFS, Errno.EPERM, Errno.EACCES})
    void mainThatIsWriteProtectedMakesTheDiskReadOnly(int errno) throws Refusal {
        start(Map.of());
        rig.main.failTransfers(Integer.MAX_VALUE, errno);
        assertEquals(DiskError.READ_ONLY, rig.write(UNIT, UNIT, 0x22));
        rig.main.failTransfers(0, 0);
        assertEquals(DiskError.READ_ONLY, rig.write(UNIT, UNIT, 0x22));
        assertNotNull(rig.read(UNIT, UNIT));
        assertTrue(rig.disk.isReadOnly());
        assertTrue(!rig.disk.takesWrites(), "who connects from now on is told");
        assertTrue(happened(DiskEvent.Kind.MAIN_READ_ONLY));
        assertEquals(0, rig.disk.summary().mappedSectors());
    }

    @ParameterizedTest
    @ValueSource(ints = {Errno.ENOMEM, Errno.EAGAIN, Errno.EBUSY, Errno.EMFILE, Errno.ENFILE})
    void hostThatIsShortOfSomethingIsWaitedForAndNobodyBlamed(int errno) throws Refusal {
        start(Map.of());
        rig.main.failTransfers(2, errno);
        assertEquals(DiskError.NONE, rig.write(UNIT, SECTOR, 0x22));
        rig.main.failTransfers(2, errno);
        assertNotNull(rig.read(UNIT, UNIT));
        assertEquals(0, rig.disk.summary().mappedSectors());
        assertEquals(0, rig.disk.summary().unreadableSectors());
    }

    @Test
    void hostThatIsShortOfSomethingForLongIsNoFaultOfADevice() throws Refusal {
        start(Map.of("host-attempts", "70"));
        rig.main.failTransfers(60, Errno.ENOMEM);
        assertEquals(DiskError.NONE, rig.write(UNIT, SECTOR, 0x22));
        assertTrue(!happened(DiskEvent.Kind.HOST_SHORT));
        rig.main.failTransfers(1000, Errno.ENOMEM);
        assertEquals(DiskError.IO, rig.write(UNIT, SECTOR, 0x33));
        rig.main.failTransfers(0, 0);
        assertTrue(happened(DiskEvent.Kind.HOST_SHORT));
        assertTrue(!happened(DiskEvent.Kind.DEVICE_FAULT));
        assertEquals(0, rig.disk.summary().mappedSectors());
    }
}
