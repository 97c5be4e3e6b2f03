package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.Errno;
import io.remap.api.IoBuffer;
import io.remap.api.Place;
import io.remap.api.SectorRange;
import io.remap.testkit.FaultyDevice.Fault;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** How units come back to main: in two phases, beside clients; and by themselves, if they lacked only time. */
class ReturnTest {
    private static final int SECTOR = DiskRig.SECTOR;
    private static final int UNIT = Place.UNIT_BYTES;
    /** Before and after the write, the sync and the read of main. */
    private static final int STEPS_OF_A_COPY = 6;

    private static final long SLOW_NANOS = TimeUnit.MILLISECONDS.toNanos(Deadlines.USUAL_MILLIS / 4) + 1;

    private DiskRig rig;
    private final List<IoBuffer> given = new ArrayList<>();

    @BeforeEach
    void start() throws Exception {
        rig = new DiskRig(8);
    }

    @AfterEach
    void stop() {
        given.forEach(IoBuffer::release);
        rig.close();
    }

    private static byte[] bytes(int length, int value) {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    private byte[] onMain(long offset, int length) {
        return rig.mainMedium.peek(offset, length);
    }

    /** Submits a request in the middle of something else; it ends at once if nothing keeps it. */
    private DiskRequest submit(Operation operation, long offset, int length, int value) {
        IoBuffer buffer = rig.buffers.acquire(length);
        given.add(buffer);
        buffer.data().clear().put(bytes(length, value));
        DiskRequest request = new DiskRequest(r -> {});
        request.operation = operation;
        request.offsetBytes = offset;
        request.lengthBytes = length;
        request.buffer = buffer;
        request.error = null;
        rig.disk.submit(request);
        return request;
    }

    /** Has the action done at each of so many operations of main from now on. */
    private void atEachStepOfMain(int times, Runnable action) {
        if (times > 0) {
            rig.atMainsNextStep = () -> {
                action.run();
                atEachStepOfMain(times - 1, action);
            };
        }
    }

    @Test
    void clientsReadAndWriteTheSlotWhileItIsCopied() {
        assertEquals(DiskError.NONE, rig.move(true, 0, 8, false));
        List<DiskRequest> requests = new ArrayList<>();
        rig.atMainsNextStep = () -> {
            requests.add(submit(Operation.READ, 0, UNIT, 0));
            requests.add(submit(Operation.WRITE, 3 * SECTOR, SECTOR, 0x22));
            requests.add(submit(Operation.READ, 3 * SECTOR, SECTOR, 0));
            requests.forEach(request -> assertEquals(DiskError.NONE, request.error, "it waited for the copy"));
        };
        assertEquals(DiskError.NONE, rig.move(false, 0, 8, false));
        assertEquals(3, requests.size());
        assertTrue(rig.store.table().isEmpty());
        assertEquals(1, rig.disk.counters.repeatedReturnCopies.sum());
        byte[] expected = bytes(UNIT, DiskRig.OLD);
        Arrays.fill(expected, 3 * SECTOR, 4 * SECTOR, (byte) 0x22);
        assertArrayEquals(expected, rig.read(0, UNIT));
        assertArrayEquals(expected, onMain(0, UNIT));
    }

    /** The second copy meets a host that is short of memory, and is made again as a whole. */
    @Test
    void copyThatIsInterruptedIsNoCopy() {
        assertEquals(DiskError.NONE, rig.move(true, 0, 8, false));
        int[] step = {0};
        atEachStepOfMain(STEPS_OF_A_COPY + 1, () -> {
            if (step[0]++ == 0) {
                submit(Operation.WRITE, 0, UNIT, 0x22);
            } else if (step[0] > STEPS_OF_A_COPY) {
                rig.main.failTransfers(1, Errno.ENOMEM);
            }
        });
        assertEquals(DiskError.NONE, rig.move(false, 0, 8, false));
        assertEquals(STEPS_OF_A_COPY + 1, step[0]);
        assertArrayEquals(bytes(UNIT, 0x22), onMain(0, UNIT));
        assertArrayEquals(bytes(UNIT, 0x22), rig.read(0, UNIT));
    }

    @Test
    void readsSpoilNoCopy() {
        assertEquals(DiskError.NONE, rig.move(true, 0, 8, false));
        atEachStepOfMain(4, () -> submit(Operation.READ, 0, UNIT, 0));
        assertEquals(DiskError.NONE, rig.move(false, 0, 8, false));
        assertEquals(0, rig.disk.counters.repeatedReturnCopies.sum());
        assertEquals(0, rig.disk.counters.parkedRequests.sum());
    }

    /** Who writes on and on is kept out in the end. */
    @Test
    void lastCopyIsMadeUnderTheFence() {
        assertEquals(DiskError.NONE, rig.move(true, 0, 8, false));
        int[] written = {0};
        atEachStepOfMain(100, () -> submit(Operation.WRITE, 0, SECTOR, ++written[0]));
        assertEquals(DiskError.NONE, rig.move(false, 0, 8, false));
        assertTrue(rig.store.table().isEmpty());
        assertEquals(Return.MAX_UNFENCED_COPIES, rig.disk.counters.repeatedReturnCopies.sum());
        assertTrue(rig.disk.counters.parkedRequests.sum() > 0);
        rig.atMainsNextStep = () -> {};
        assertNotNull(rig.read(0, SECTOR));
        assertArrayEquals(onMain(0, SECTOR), rig.read(0, SECTOR));
    }

    @Test
    void writeUnderWayWhenTheCopyBeginsCounts() {
        assertEquals(DiskError.NONE, rig.move(true, 0, 8, false));
        int entry = rig.disk.inFlight.enter(0, 1, true);
        rig.scheduler.schedule(() -> rig.disk.inFlight.exit(entry), 5);
        assertEquals(DiskError.NONE, rig.move(false, 0, 8, false));
        assertEquals(1, rig.disk.counters.repeatedReturnCopies.sum());
        int other = rig.disk.inFlight.enter(1, 2, true);
        assertEquals(DiskError.NONE, rig.move(true, 0, 8, false));
        assertEquals(DiskError.NONE, rig.move(false, 0, 8, false));
        assertEquals(1, rig.disk.counters.repeatedReturnCopies.sum(), "a write beside it does not count");
        rig.disk.inFlight.exit(other);
    }

    @Test
    void onlySectorsOfTheSlotAreWrittenAndLostOnesStayLost() {
        rig.main.fault(2, 1, Fault.BAD);
        assertEquals(DiskError.NONE, rig.move(true, 1, 4, true));
        rig.main.heal(2, 1);
        rig.mainMedium.poke(SECTOR, bytes(4 * SECTOR, 0x66));
        rig.atMainsNextStep = () -> submit(Operation.WRITE, 6 * SECTOR, SECTOR, 0x77);
        assertEquals(DiskError.NONE, rig.move(false, 0, 8, false));
        assertEquals(0, rig.disk.counters.repeatedReturnCopies.sum(), "a write beside the slot spoils nothing");
        assertNull(rig.read(2 * SECTOR, SECTOR));
        assertEquals(1, rig.disk.summary().lostSectors());
        assertEquals(0, rig.disk.summary().mappedSectors());
        assertEquals(8, rig.disk.summary().freeSlots());
        assertArrayEquals(bytes(SECTOR, 0x66), onMain(2 * SECTOR, SECTOR));
        assertArrayEquals(bytes(2 * SECTOR, DiskRig.OLD), rig.read(3 * SECTOR, 2 * SECTOR));
        assertArrayEquals(bytes(SECTOR, 0x77), rig.read(6 * SECTOR, SECTOR));
    }

    @Test
    void whatReadsBackOtherwiseStaysOnTheSpare() {
        assertEquals(DiskError.NONE, rig.move(true, 0, 8, false));
        // Before and after the write, then before and after the sync, then the read.
        rig.atMainsNextStep = () ->
                rig.atMainsNextStep = () -> rig.atMainsNextStep = () -> rig.mainMedium.poke(5 * SECTOR, bytes(1, 0x66));
        assertEquals(DiskError.IO, rig.move(false, 0, 8, false));
        assertEquals(8, rig.disk.summary().mappedSectors());
        assertArrayEquals(bytes(UNIT, DiskRig.OLD), rig.read(0, UNIT));
    }

    @Test
    void moveEndsWhenTheDiskStops() {
        assertEquals(DiskError.NONE, rig.move(true, 0, 24, false));
        rig.atMainsNextStep = () -> assertFalse(rig.disk.close(0), "the unit is being copied");
        assertEquals(DiskError.SHUTDOWN, rig.move(false, 0, 24, false));
        assertEquals(24, rig.disk.summary().mappedSectors());
        assertTrue(rig.disk.close(0), "nothing is under way");
    }

    // --- what lacked time

    /** Main is too slow for units 0 to 3, and a sector of the first refuses. */
    private void writeThatRunsOutOfTime() {
        rig.main.slowness(SLOW_NANOS);
        rig.main.fault(0, 1, Fault.UNWRITABLE);
        rig.main.fault(25, 1, Fault.SLOW);
        boolean[] moved = {false};
        // The timer of the return must not run before the test looks.
        IoBuffer buffer = rig.buffers.acquire(4 * UNIT);
        given.add(buffer);
        buffer.data().clear().put(bytes(4 * UNIT, 0x22));
        DiskRequest request = new DiskRequest(r -> moved[0] = true);
        request.operation = Operation.WRITE;
        request.offsetBytes = 0;
        request.lengthBytes = 4 * UNIT;
        request.buffer = buffer;
        rig.scheduler.execute(() -> rig.disk.submit(request));
        rig.scheduler.runUntil(() -> moved[0]);
        assertEquals(DiskError.NONE, request.error);
        assertEquals(32, rig.disk.summary().mappedSectors());
        assertEquals(4L, attribute("return.waiting-units"));
        rig.main.heal(25, 1);
    }

    private Object attribute(String name) {
        return rig.disk.attributes().stream()
                .filter(attribute -> attribute.name().equals(name))
                .findFirst()
                .orElseThrow()
                .get()
                .get();
    }

    private void requireAttributes(Map<String, Long> expected) {
        expected.forEach((name, value) -> assertEquals(value, attribute(name), name));
    }

    @Test
    void whatLackedOnlyTimeComesHomeByItself() {
        writeThatRunsOutOfTime();
        long before = rig.scheduler.nanoTime();
        rig.scheduler.runUntilIdle();
        assertTrue(rig.scheduler.nanoTime() - before >= DiskRig.RETURN_PAUSE_MILLIS * 1_000_000);
        assertEquals(8, rig.disk.summary().mappedSectors(), "main refuses the first unit");
        requireAttributes(Map.of(
                "return.units", 3L,
                "return.units-out-of-time", 3L,
                "return.refused-units", 1L,
                "return.waiting-units", 0L));
        assertArrayEquals(bytes(3 * UNIT, 0x22), onMain(UNIT, 3 * UNIT));
        assertArrayEquals(bytes(4 * UNIT, 0x22), rig.read(0, 4 * UNIT));
        rig.main.heal(0, 1);
        rig.scheduler.schedule(() -> {}, 10 * DiskRig.RETURN_PAUSE_MILLIS);
        rig.scheduler.runUntilIdle();
        assertEquals(8, rig.disk.summary().mappedSectors(), "refused once is refused for good");
        assertEquals(DiskError.NONE, rig.move(false, 0, 8, false), "but not for a person");
    }

    @Test
    void whatMainRefusedDoesNotWait() {
        rig.main.fault(0, 1, Fault.UNWRITABLE);
        assertEquals(DiskError.NONE, rig.write(0, UNIT, 0x22));
        assertEquals(8, rig.disk.summary().mappedSectors());
        requireAttributes(Map.of("return.waiting-units", 0L, "return.refused-units", 0L, "return.units", 0L));
    }

    @Test
    void personsWordOutranksTheReturn() {
        writeThatRunsOutOfTime();
        rig.scheduler.execute(() -> rig.disk.map().add(new SectorRange(8, 16), false, (error, at) -> {}));
        rig.scheduler.runUntilIdle();
        requireAttributes(Map.of("return.units-out-of-time", 1L, "return.waiting-units", 0L));
        assertEquals(24, rig.disk.summary().mappedSectors());
    }

    @Test
    void returnThatFailsIsTriedAgainAFewTimes() {
        writeThatRunsOutOfTime();
        rig.main.heal(0, 1);
        rig.spare.fault(rig.slotSector(Place.slot(rig.store.table().placeOf(1)), 0), 1, Fault.UNREADABLE);
        long before = rig.scheduler.nanoTime();
        rig.scheduler.runUntilIdle();
        requireAttributes(Map.of(
                "return.units-out-of-time", 3L,
                "return.abandoned-units", 1L,
                "return.refused-units", 0L,
                "return.waiting-units", 0L));
        assertTrue(
                rig.scheduler.nanoTime() - before >= (1 + 2 + 4 + 8) * DiskRig.RETURN_PAUSE_MILLIS * 1_000_000,
                "the hold-off doubles");
        assertEquals(8, rig.disk.summary().mappedSectors());
    }

    @Test
    void deviceThatIsGoneRefusesNothing() {
        writeThatRunsOutOfTime();
        rig.main.heal(0, 1);
        rig.main.vanish(Errno.ENODEV);
        rig.scheduler.schedule(rig.main::comeBack, 2 * DiskRig.RETURN_PAUSE_MILLIS);
        rig.scheduler.runUntilIdle();
        requireAttributes(Map.of("return.refused-units", 0L, "return.waiting-units", 0L));
        assertEquals(4L, (Long) attribute("return.units-out-of-time") + (Long) attribute("return.abandoned-units"));
    }

    @Test
    void stopWaitsForNoReturn() {
        writeThatRunsOutOfTime();
        assertTrue(rig.disk.close(0));
        rig.scheduler.runUntilIdle();
        assertEquals(32, rig.disk.summary().mappedSectors(), "none came back after the stop");
        assertEquals(0L, attribute("return.waiting-units"));
    }

    @Test
    void stopEndsTheReturnThatIsUnderWay() {
        writeThatRunsOutOfTime();
        rig.main.heal(0, 1);
        boolean[] closed = {false};
        rig.atMainsNextStep = () -> closed[0] = !rig.disk.close(0);
        rig.scheduler.runUntilIdle();
        assertTrue(closed[0], "it held the disk open");
        assertEquals(32, rig.disk.summary().mappedSectors());
        assertTrue(rig.disk.close(0), "it ended");
    }
}
