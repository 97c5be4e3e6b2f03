package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.IoBuffer;
import io.remap.api.Place;
import io.remap.api.SectorRange;
import io.remap.api.spi.WatchedDisk;
import io.remap.testkit.FaultyDevice.Fault;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Reads of clients that are slow at main are told to health, each once, a few at a time, and nothing else is. */
class SlowReadsTest {
    private static final int UNIT = Place.UNIT_BYTES;
    private static final int UNIT_SECTORS = UNIT / DiskRig.SECTOR;
    private static final long LIMIT_MILLIS = 1_000;

    private DiskRig rig;
    private WatchedDisk watched;
    private final List<String> met = new ArrayList<>();
    private int answered;

    @BeforeEach
    void start() throws Exception {
        rig = new DiskRig(16);
        // As workers do it: who submits is not held up.
        rig.executes = io -> rig.scheduler.execute(io::run);
        watched = rig.disk.watched(new HealthMemory());
        watched.listen((trouble, sectors) -> met.add(trouble + " " + sectors));
        watched.noticeSlowReads(TimeUnit.MILLISECONDS.toNanos(LIMIT_MILLIS));
    }

    @AfterEach
    void stop() {
        rig.scheduler.runUntilIdle();
        rig.close();
    }

    private void submit(Operation operation, long unit, int units) {
        DiskRequest request = new DiskRequest(ended -> {
            answered++;
            ended.buffer.release();
        });
        request.operation = operation;
        request.offsetBytes = unit * UNIT;
        request.lengthBytes = (long) units * UNIT;
        IoBuffer buffer = rig.buffers.acquire(units * UNIT);
        buffer.data().clear().limit(units * UNIT);
        request.buffer = buffer;
        rig.scheduler.execute(() -> rig.disk.submit(request));
    }

    private void slow(long unit, long millis) {
        rig.main.stuckFor(TimeUnit.MILLISECONDS.toNanos(millis));
        rig.main.fault(unit * UNIT_SECTORS, 1, Fault.STUCK);
    }

    @Test
    void aSlowReadIsToldOfOnceWithItsUnits() {
        slow(3, 10_000);
        submit(Operation.READ, 2, 2);
        submit(Operation.READ, 5, 1);
        rig.scheduler.runUntilIdle();
        assertEquals(2, answered);
        assertEquals(List.of("SLOW sectors 16+16"), met);
        slow(3, 10_000);
        submit(Operation.READ, 3, 1);
        rig.scheduler.runUntilIdle();
        assertEquals(List.of("SLOW sectors 16+16", "SLOW sectors 24+8"), met);
    }

    @Test
    void whatTakesLessIsNotAndWhatTakesHalfASecondMoreIs() {
        slow(3, LIMIT_MILLIS - 10);
        submit(Operation.READ, 3, 1);
        rig.scheduler.runUntilIdle();
        assertEquals(List.of(), met);
        for (long begin = 0; begin < 500; begin += 70) {
            met.clear();
            rig.scheduler.sleep(TimeUnit.MILLISECONDS.toNanos(begin));
            slow(3, LIMIT_MILLIS + 2 * Deadlines.SWEEP_MILLIS + 10);
            submit(Operation.READ, 3, 1);
            rig.scheduler.runUntilIdle();
            assertEquals(List.of("SLOW sectors 24+8"), met, "begun " + begin + " ms later");
        }
    }

    @Test
    void writesAndReadsOfTheSpareAreNotToldOf() {
        DiskError[] moved = {null};
        rig.scheduler.execute(
                () -> watched.relocate(new SectorRange(3 * UNIT_SECTORS, UNIT_SECTORS), error -> moved[0] = error));
        rig.scheduler.runUntilIdle();
        assertEquals(DiskError.NONE, moved[0]);
        met.clear();
        rig.spare.stuckFor(TimeUnit.SECONDS.toNanos(4));
        for (long sector = 0; sector < rig.spare.traits().sizeBytes() / DiskRig.SECTOR; sector++) {
            rig.spare.fault(sector, 1, Fault.STUCK);
        }
        submit(Operation.READ, 3, 1);
        slow(9, 4_000);
        submit(Operation.WRITE, 9, 1);
        rig.scheduler.runUntil(() -> answered == 2);
        assertEquals(List.of(), met);
    }

    @Test
    void aDeviceThatHangsIsToldOfAFewReadsAtATime() {
        int most = 0;
        for (int unit = 0; unit < 3 * Deadlines.MOST_SLOW_TOLD; unit++) {
            slow(unit, 15_000);
            submit(Operation.READ, unit, 1);
        }
        long end = rig.scheduler.nanoTime() + TimeUnit.SECONDS.toNanos(5);
        while (rig.scheduler.nanoTime() < end) {
            int before = met.size();
            long next = rig.scheduler.nanoTime() + TimeUnit.MILLISECONDS.toNanos(Deadlines.SWEEP_MILLIS);
            rig.scheduler.schedule(() -> {}, Deadlines.SWEEP_MILLIS);
            rig.scheduler.runUntil(() -> rig.scheduler.nanoTime() >= next);
            most = Math.max(most, met.size() - before);
        }
        assertTrue(most <= Deadlines.MOST_SLOW_TOLD, "told at once: " + most);
        assertEquals(3 * Deadlines.MOST_SLOW_TOLD, new TreeSet<>(met).size());
        assertEquals(3 * Deadlines.MOST_SLOW_TOLD, met.size(), "each once");
    }

    @Test
    void nobodyIsToldWhoDidNotAsk() {
        watched.noticeSlowReads(WatchedDisk.NO_READ_IS_SLOW);
        slow(3, 10_000);
        submit(Operation.READ, 3, 1);
        rig.scheduler.runUntilIdle();
        assertEquals(List.of(), met);
    }
}
