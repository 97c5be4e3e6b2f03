package io.remap.core.disk;

import static io.remap.core.disk.DiskRig.OLD;
import static io.remap.core.disk.DiskRig.SECTOR;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceException;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.Errno;
import io.remap.api.Refusal;
import io.remap.api.SectorRange;
import io.remap.api.spi.WatchedDisk;
import io.remap.api.spi.WatchedDisk.Cause;
import io.remap.api.spi.WatchedDisk.Damage;
import io.remap.api.spi.WatchedDisk.Judgement;
import io.remap.api.spi.WatchedDisk.Probeable;
import io.remap.api.spi.WatchedDisk.Trouble;
import io.remap.testkit.FaultyDevice.Fault;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a health module may see and ask of a real virtual disk. */
class DiskWatchTest {
    private static final SectorRange SECOND_UNIT = new SectorRange(8, 8);

    private final DiskRig rig;
    private final WatchedDisk watched;
    private final List<String> met = new ArrayList<>();

    DiskWatchTest() throws Refusal {
        rig = new DiskRig(16);
        watched = rig.disk.watched(new HealthMemory());
        watched.listen((trouble, sectors) -> met.add(trouble + " " + sectors));
    }

    @AfterEach
    void tearDown() {
        rig.close();
    }

    private Judgement judge(SectorRange range) {
        Judgement[] outcome = {null};
        rig.scheduler.execute(() -> watched.judge(range, 0, judgement -> outcome[0] = judgement));
        rig.scheduler.runUntilIdle();
        return outcome[0];
    }

    private DiskError relocate(SectorRange range) {
        DiskError[] outcome = {null};
        rig.scheduler.execute(() -> watched.relocate(range, error -> outcome[0] = error));
        rig.scheduler.runUntilIdle();
        return outcome[0];
    }

    private void flush() {
        assertEquals(DiskError.NONE, rig.perform(Operation.FLUSH, 0, 0, null).error);
    }

    @Test
    void whatStandsOnMainMayBeProbed() throws Exception {
        assertEquals(new Probeable(List.of(new SectorRange(0, 64)), false), watched.probeable(new SectorRange(0, 64)));
        watched.probe(new SectorRange(0, 64));
        rig.main.fault(20, 1, Fault.UNREADABLE);
        assertThrows(DeviceException.class, () -> watched.probe(new SectorRange(16, 8)));
        watched.probe(new SectorRange(21, 3));
        assertEquals(List.of(), watched.damage(0, 10), "a probe that fails says nothing");
    }

    @Test
    void whatStandsElsewhereIsNot() {
        assertEquals(DiskError.NONE, relocate(SECOND_UNIT));
        assertEquals(
                new Probeable(List.of(new SectorRange(0, 8), new SectorRange(16, 8)), false),
                watched.probeable(new SectorRange(0, 24)));
    }

    @Test
    void whatIsNotFlushedIsLeftForLater() {
        rig.write(8 * SECTOR, 4096, 0x22);
        assertEquals(
                new Probeable(List.of(new SectorRange(0, 8), new SectorRange(16, 8)), true),
                watched.probeable(new SectorRange(0, 24)));
        flush();
        assertEquals(new Probeable(List.of(new SectorRange(0, 24)), false), watched.probeable(new SectorRange(0, 24)));
    }

    @Test
    void aSectorThatReadsAfterAllIsReadable() {
        assertEquals(Judgement.READABLE, judge(SECOND_UNIT));
        assertEquals(List.of(), met);
        rig.main.fault(9, 1, Fault.TRANSIENT);
        assertEquals(Judgement.READABLE, judge(SECOND_UNIT));
        assertEquals(List.of("RECOVERED sectors 8+8"), met);
    }

    @Test
    void probesThatFailedCountIfTheSectorReadsAfterAll() {
        Judgement[] outcome = {null};
        rig.scheduler.execute(() -> watched.judge(SECOND_UNIT, 3, judgement -> outcome[0] = judgement));
        rig.scheduler.runUntilIdle();
        assertEquals(Judgement.READABLE, outcome[0]);
        assertEquals(List.of("RECOVERED sectors 8+8", "WEAK sectors 8+8"), met);
    }

    @Test
    void aSectorThatDoesNotReadIsNotedAndToldOf() {
        rig.main.fault(9, 2, Fault.UNREADABLE);
        assertEquals(Judgement.UNREADABLE, judge(SECOND_UNIT));
        assertEquals(List.of(new Damage(new SectorRange(9, 2), Cause.UNREADABLE)), watched.damage(0, 10));
        assertEquals(List.of("UNREADABLE sectors 9+2"), met);
        assertEquals(
                List.of(new SectorRange(8, 1), new SectorRange(11, 5)),
                watched.probeable(SECOND_UNIT).ranges());
        assertNull(rig.read(9 * SECTOR, SECTOR), "clients get the error");
        assertEquals(Judgement.UNREADABLE, judge(SECOND_UNIT), "it is held off, and known");
    }

    @Test
    void aSectorThatIsKnownIsNotToldOfAgain() {
        rig.main.fault(9, 2, Fault.UNREADABLE);
        assertNull(rig.read(9 * SECTOR, SECTOR));
        rig.scheduler.sleep(TimeUnit.DAYS.toNanos(3));
        assertNull(rig.read(9 * SECTOR, SECTOR), "it was tried once more");
        assertEquals(List.of("UNREADABLE sectors 9+1"), met);
        assertNull(rig.read(10 * SECTOR, SECTOR));
        assertEquals(List.of("UNREADABLE sectors 9+1", "UNREADABLE sectors 10+1"), met);
    }

    @Test
    void onlyWhatMainRefusedIsToldOfAWrite() {
        rig.main.fault(9, 2, Fault.UNWRITABLE);
        rig.main.fault(25, 1, Fault.UNWRITABLE);
        assertEquals(DiskError.NONE, rig.write(0, 8 * 4096, 0x22));
        assertEquals(List.of("REDIRECTED sectors 8+8", "REDIRECTED sectors 24+8"), met);
        met.clear();
        // What stands on the spare is written there: that says nothing of main.
        assertEquals(DiskError.NONE, rig.write(0, 8 * 4096, 0x33));
        assertEquals(List.of(), met);
    }

    @Test
    void aDeviceThatIsAwaySaysNothingAboutSectors() {
        rig.main.vanish(Errno.EIO);
        assertEquals(Judgement.UNDECIDED, judge(SECOND_UNIT));
        rig.main.comeBack();
        assertEquals(List.of(), watched.damage(0, 10));
        assertTrue(met.contains(Trouble.DEVICE_FAULT + " null"), met.toString());
        assertEquals(Judgement.READABLE, judge(SECOND_UNIT));
    }

    @Test
    void aMovedUnitHasItsContent() {
        rig.write(8 * SECTOR, 4096, 0x33);
        assertEquals(DiskError.NONE, relocate(SECOND_UNIT));
        byte[] expected = new byte[4096];
        Arrays.fill(expected, (byte) 0x33);
        rig.main.fault(8, 8, Fault.BAD);
        assertArrayEquals(expected, rig.read(8 * SECTOR, 4096));
        assertEquals(8, rig.disk.summary().mappedSectors());
    }

    @Test
    void readsAsAClient() {
        byte[] content = new byte[SECTOR];
        rig.scheduler.execute(() -> watched.read(new SectorRange(3, 1), (error, bytes) -> {
            assertEquals(DiskError.NONE, error);
            bytes.get(content);
        }));
        rig.scheduler.runUntilIdle();
        byte[] expected = new byte[SECTOR];
        Arrays.fill(expected, OLD);
        assertArrayEquals(expected, content);
        rig.main.fault(3, 1, Fault.UNREADABLE);
        ByteBuffer[] failed = {null};
        rig.scheduler.execute(() -> watched.read(new SectorRange(3, 1), (error, bytes) -> failed[0] = bytes));
        rig.scheduler.runUntilIdle();
        assertEquals(0, failed[0].remaining());
    }

    @Test
    void aListenerThatFailsTakesNobodyDown() {
        watched.listen((trouble, sectors) -> {
            throw new IllegalStateException("a bug");
        });
        rig.main.fault(9, 1, Fault.UNREADABLE);
        assertNull(rig.read(8 * SECTOR, 4096));
        rig.main.fault(40, 1, Fault.UNREADABLE);
        assertNull(rig.read(40 * SECTOR, 4096));
    }

    @Test
    void whatIsBeyondTheEndIsAMistake() {
        assertThrows(IllegalArgumentException.class, () -> watched.probe(new SectorRange(DiskRig.UNITS * 8L, 1)));
    }
}
