package io.remap.core.disk;

import static io.remap.core.disk.DiskRig.SECTOR;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DiskError;
import io.remap.api.Errno;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.SectorRange;
import io.remap.api.Settings;
import io.remap.api.spi.FaultPolicy;
import io.remap.api.spi.WatchedDisk;
import io.remap.core.disk.DiskEvent.Cause;
import io.remap.core.disk.DiskEvent.Kind;
import io.remap.core.io.StandardFaultPolicyProvider;
import io.remap.testkit.FaultyDevice.Fault;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Units that read again after errors: what counts, when they are weak, what is kept, and who may move them. */
class WatchListTest {
    private static final int UNIT = Place.UNIT_BYTES;
    private static final long HOUR = TimeUnit.HOURS.toMillis(1);

    private DiskRig rig;
    private WatchedDisk watched;
    private final List<String> met = new ArrayList<>();

    private static FaultPolicy policy(Map<String, String> settings) throws Refusal {
        return new StandardFaultPolicyProvider().open(new Settings(settings));
    }

    private void start(Map<String, String> settings) throws Refusal {
        rig = new DiskRig(8, policy(settings));
        watched = rig.disk.watched(new HealthMemory());
        watched.listen((trouble, sectors) -> met.add(trouble + " " + sectors));
    }

    @AfterEach
    void stop() {
        if (rig != null) {
            rig.close();
        }
    }

    /** A read of the second unit that fails a few times, and is answered all the same. */
    private void readWithTrouble(int errno) {
        rig.main.fault(9, 1, Fault.TRANSIENT, errno);
        assertNotNull(rig.read(UNIT, UNIT));
    }

    private List<DiskEvent> events(Kind kind) {
        return rig.disk.events().newest(0, 100).stream()
                .filter(event -> event.kind() == kind)
                .toList();
    }

    private DiskError relocate() {
        DiskError[] outcome = {null};
        rig.scheduler.execute(() -> watched.relocate(new SectorRange(8, 8), error -> outcome[0] = error));
        rig.scheduler.runUntilIdle();
        return outcome[0];
    }

    private void pass(long millis) {
        rig.scheduler.schedule(() -> {}, millis);
        rig.scheduler.runUntilIdle();
    }

    @Test
    void whatReadsAfterErrorsIsWatchedAndWeakAtTheThreshold() throws Refusal {
        start(Map.of());
        readWithTrouble(Errno.EIO);
        readWithTrouble(Errno.EIO);
        assertEquals(List.of("RECOVERED sectors 8+8", "RECOVERED sectors 8+8"), met);
        DiskEvent watching = events(Kind.WATCHED).get(0);
        assertEquals(2, watching.count(), "one event, as they are close together");
        Cause cause = watching.cause().orElseThrow();
        assertEquals("read", cause.operation());
        assertEquals(Errno.EIO, cause.errno());
        assertEquals("EIO", cause.error());
        assertTrue(cause.attempts() >= 1 && cause.attempts() <= 3, cause.toString());
        assertEquals(List.of(), events(Kind.WEAK));
        readWithTrouble(Errno.ENODATA);
        assertEquals("WEAK sectors 8+8", met.get(3));
        assertEquals("ENODATA", events(Kind.WEAK).get(0).cause().orElseThrow().error());
        assertEquals(0, rig.disk.summary().mappedSectors(), "when it moves is for health to say");
    }

    @Test
    void errorsFade() throws Refusal {
        start(Map.of("error-threshold", "2", "watch-decay-hours", "24"));
        readWithTrouble(Errno.EIO);
        pass(24 * HOUR);
        readWithTrouble(Errno.EIO);
        assertEquals(List.of(), events(Kind.WEAK));
        pass(23 * HOUR);
        readWithTrouble(Errno.EIO);
        assertEquals(1, events(Kind.WEAK).size());
    }

    @Test
    void longTransfersAndDevicesThatAreAwayCountAgainstNobody() throws Refusal {
        start(Map.of("error-threshold", "1"));
        rig.main.transientFailures(1);
        rig.main.fault(9, 1, Fault.TRANSIENT);
        assertNotNull(rig.read(0, 4 * UNIT));
        rig.main.vanish(Errno.EIO);
        assertNull(rig.read(UNIT, UNIT));
        rig.main.comeBack();
        assertNotNull(rig.read(UNIT, UNIT));
        rig.main.failTransfers(1, Errno.ENOMEM);
        assertNotNull(rig.read(UNIT, UNIT));
        assertEquals(List.of(), events(Kind.WATCHED));
        assertEquals(List.of(), events(Kind.WEAK));
        assertTrue(met.stream().allMatch(trouble -> trouble.startsWith("DEVICE_FAULT")), met.toString());
    }

    @Test
    void errorsThatADeviceMadeWhileItWasGoingCountAgainstNobody() throws Refusal {
        start(Map.of("error-threshold", "1"));
        rig.disk.holdWhileAway(10_000);
        rig.main.vanish(Errno.EIO);
        rig.scheduler.schedule(rig.main::comeBack, 3_000);
        assertNotNull(rig.read(UNIT, UNIT), "it waited for the device");
        assertEquals(List.of(), events(Kind.WATCHED));
        assertEquals(List.of(), events(Kind.WEAK));
    }

    @Test
    void whatWasUnreadableAndReadsAgainIsWeak() throws Refusal {
        start(Map.of());
        rig.main.fault(9, 1, Fault.BAD);
        assertNull(rig.read(UNIT, UNIT));
        Cause cause = events(Kind.UNREADABLE).get(0).cause().orElseThrow();
        assertTrue(cause.attempts() >= 3, "tries: " + cause);
        rig.main.heal(9, 1);
        pass(61_000);
        assertNotNull(rig.read(UNIT, UNIT));
        assertEquals(
                new SectorRange(9, 1),
                events(Kind.READABLE_AGAIN).get(0).sectors().orElseThrow());
        assertEquals(List.of("UNREADABLE sectors 9+1", "WEAK sectors 8+8"), met);
    }

    @Test
    void aWeakUnitMovesOnlyIfThePolicyHasThat() throws Refusal {
        for (String mode : List.of("off", "writes", "writes+weak")) {
            start(Map.of("auto-remap", mode));
            rig.write(UNIT, UNIT, 0x33);
            boolean moves = mode.equals("writes+weak");
            assertEquals(moves, watched.movesWeak());
            assertEquals(moves ? DiskError.NONE : DiskError.READ_ONLY, relocate(), mode);
            assertEquals(moves ? 8 : 0, rig.disk.summary().mappedSectors(), mode);
            assertEquals(moves ? 1 : 0, events(Kind.RELOCATING).size(), mode);
            assertEquals(moves ? 1 : 0, events(Kind.RELOCATED).size(), mode);
            byte[] expected = new byte[UNIT];
            Arrays.fill(expected, (byte) 0x33);
            assertArrayEquals(expected, rig.read(UNIT, UNIT));
            rig.close();
        }
        rig = null;
    }

    /** It is tried every few minutes, for months if nobody comes: what has happened before must not be displaced by that. */
    @Test
    void aMoveThatASpareHasNoRoomForLeavesNoTraceAndTheUnitAlone() throws Refusal {
        start(Map.of());
        assertEquals(DiskError.NONE, rig.move(true, 16, 64, false), "all slots");
        List<DiskEvent> before = rig.disk.events().newest(0, 100);
        boolean[] asked = {false};
        for (int i = 0; i < 5; i++) {
            pass(600_000);
            rig.atMainsNextStep = () -> asked[0] = true;
            assertEquals(DiskError.NO_SPACE, relocate());
            assertFalse(asked[0], "main was asked");
            rig.atMainsNextStep = () -> {};
        }
        assertEquals(before, rig.disk.events().newest(0, 100));
        assertEquals(DiskError.NONE, rig.move(false, 16, 8, false));
        assertEquals(DiskError.NONE, relocate(), "there is room again");
        assertEquals(
                new SectorRange(8, 8), events(Kind.RELOCATING).get(1).sectors().orElseThrow());
        assertEquals(DiskError.NO_SPACE, rig.move(true, 160, 8, false), "somebody asked for it");
        assertEquals(2, events(Kind.RELOCATING).size(), "nothing of it stands in a slot");
    }

    @Test
    void whatDoesNotReadAgainAndAgainIsOneEventUntilItReads() throws Refusal {
        start(Map.of());
        rig.main.fault(9, 1, Fault.BAD);
        for (int i = 0; i < 5; i++) {
            assertNull(rig.read(UNIT, UNIT));
            pass(25 * HOUR);
        }
        assertEquals(1, events(Kind.UNREADABLE).size());
        rig.main.fault(10, 1, Fault.BAD);
        assertNull(rig.read(UNIT, UNIT));
        assertEquals(2, events(Kind.UNREADABLE).size(), "another sector of the unit");
        pass(25 * HOUR);
        rig.main.heal(9, 2);
        assertNotNull(rig.read(UNIT, UNIT));
        rig.main.fault(9, 1, Fault.BAD);
        assertNull(rig.read(UNIT, UNIT));
        assertEquals(3, events(Kind.UNREADABLE).size(), "it had read");
    }

    @Test
    void aWriteThatFailsNeedsNoThreshold() throws Refusal {
        start(Map.of("error-threshold", "1000", "auto-remap", "writes"));
        rig.main.fault(9, 1, Fault.UNWRITABLE, Errno.ENODATA);
        assertEquals(DiskError.NONE, rig.write(UNIT, UNIT, 0x22));
        assertEquals(8, rig.disk.summary().mappedSectors());
        DiskEvent event = events(Kind.REDIRECTED).get(0);
        assertEquals(Optional.of(Cause.of("write", Errno.ENODATA, 1)), event.cause());
        assertEquals("1 units of 4096 bytes: main refused it", event.detail());
    }

    @Test
    void aRedirectedWriteIsToldOfByWhatWentToTheSpare() throws Refusal {
        start(Map.of());
        rig.main.fault(9, 1, Fault.UNWRITABLE);
        rig.main.fault(16, 8, Fault.UNWRITABLE);
        rig.main.fault(40, 1, Fault.UNWRITABLE);
        assertEquals(DiskError.NONE, rig.write(0, 8 * UNIT - SECTOR, 0x22));
        assertEquals(List.of(new SectorRange(8, 16), new SectorRange(40, 8)), redirected());
        assertEquals(
                "2 units of 4096 bytes: main refused it",
                events(Kind.REDIRECTED).get(0).detail());
        rig.main.fault(81, 1, Fault.UNWRITABLE);
        assertEquals(DiskError.NONE, rig.write(81 * SECTOR, 2 * SECTOR, 0x22));
        assertEquals(new SectorRange(81, 2), redirected().get(2), "no more than was written");
    }

    private List<SectorRange> redirected() {
        return events(Kind.REDIRECTED).stream()
                .map(event -> event.sectors().orElseThrow())
                .toList();
    }

    @Test
    void aWriteThatIsRedirectedInManyPlacesMakesAFewEvents() throws Refusal {
        rig = new DiskRig(64, policy(Map.of()));
        for (int i = 0; i < 20; i++) {
            rig.main.fault(16L * i, 1, Fault.UNWRITABLE);
        }
        assertEquals(DiskError.NONE, rig.write(0, 40 * UNIT, 0x22));
        List<DiskEvent> told = events(Kind.REDIRECTED);
        assertEquals(16, told.size());
        assertEquals(new SectorRange(14 * 16, 8), redirected().get(14));
        assertEquals(new SectorRange(15 * 16, 4 * 16 + 8), redirected().get(15));
        assertEquals(
                "only 40 of these sectors, in 5 ranges: main refused it",
                told.get(15).detail());
    }

    @Test
    void contentThatIsGivenUpIsToldOf() throws Refusal {
        start(Map.of());
        rig.main.fault(9, 2, Fault.BAD);
        assertEquals(DiskError.NONE, rig.move(true, 8, 8, true));
        assertEquals(new SectorRange(9, 2), events(Kind.LOST).get(0).sectors().orElseThrow());
        rig.main.heal(9, 2);
        rig.write(9 * SECTOR, 2 * SECTOR, 0x22);
        assertEquals(DiskError.NONE, rig.move(false, 8, 8, false));
        assertEquals(
                new SectorRange(8, 8), events(Kind.RETURNED).get(0).sectors().orElseThrow());
    }

    @Test
    void isKeptAndBounded() throws Refusal {
        long[] now = {1_000_000_000_000L};
        WatchList list = new WatchList(() -> now[0], policy(Map.of("error-threshold", "5")));
        assertTrue(list.mayHeal(3));
        assertFalse(list.mayHeal(3), "once only");
        assertFalse(list.recovered(5, 4));
        WatchList next = new WatchList(() -> now[0], policy(Map.of("error-threshold", "5")));
        next.restore(list.save());
        assertFalse(next.mayHeal(3), "also after a restart");
        assertTrue(next.recovered(5, 1));
        next.moved(3);
        next.moved(5);
        assertFalse(next.mayHeal(3), "also after a move");
        assertEquals(0, next.errors(5));
        for (long unit = 100; unit < 100 + 2 * WatchList.MAX_UNITS; unit++) {
            next.recovered(unit, 1);
        }
        assertEquals(WatchList.MAX_UNITS, next.size());
        assertEquals(0, next.errors(100), "the oldest made room");
        assertEquals(1, next.errors(99 + 2 * WatchList.MAX_UNITS));
        assertFalse(next.mayHeal(3), "but not those that were healed");
        for (long unit = 10_000; unit < 10_000 + WatchList.MAX_HEALED - 1; unit++) {
            assertTrue(next.mayHeal(unit));
        }
        assertFalse(next.mayHeal(20_000), "what cannot be remembered is not healed");
        assertEquals(WatchList.MAX_UNITS, next.size());
        assertTrue(next.save().length < 80_000, "bytes: " + next.save().length);
        now[0] -= HOUR;
        assertEquals(1, next.errors(99 + 2 * WatchList.MAX_UNITS), "a clock that was put back");
    }
}
