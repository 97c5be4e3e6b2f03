package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.Errno;
import io.remap.api.IoBuffer;
import io.remap.api.Place;
import io.remap.testkit.FaultyDevice;
import io.remap.testkit.FaultyDevice.Fault;
import io.remap.testkit.MemoryDevice;
import io.remap.testkit.MemoryMetadata;
import io.remap.testkit.PageCacheDevice;
import io.remap.testkit.SimScheduler;
import io.remap.testkit.SimpleFaultPolicy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A disk that drops off costs time and nothing else, if it comes back soon enough. */
class DropOffTest {
    private static final int UNIT = Place.UNIT_BYTES;
    private static final long HOLD_MILLIS = 15_000;
    private static final long AWAY_MILLIS = 6_000;

    private DiskRig rig;

    @BeforeEach
    void start() throws Exception {
        rig = new DiskRig(8);
        rig.disk.holdWhileAway(HOLD_MILLIS);
    }

    @AfterEach
    void stop() {
        rig.close();
    }

    private static byte[] bytes(int value) {
        byte[] bytes = new byte[UNIT];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    private void goesAway(int errno) {
        rig.main.vanish(errno);
        rig.scheduler.schedule(rig.main::comeBack, AWAY_MILLIS);
    }

    private long count(DiskEvent.Kind kind) {
        return rig.disk.events().newest(0, 100).stream()
                .filter(event -> event.kind() == kind)
                .count();
    }

    @ParameterizedTest
    @ValueSource(ints = {Errno.ENODEV, Errno.ENXIO, Errno.EIO, Errno.ENOLINK, Errno.ETIMEDOUT})
    void requestsWaitForADiskThatComesBack(int errno) {
        goesAway(errno);
        assertEquals(DiskError.NONE, rig.write(UNIT, UNIT, 0x22));
        assertTrue(rig.scheduler.nanoTime() >= TimeUnit.MILLISECONDS.toNanos(AWAY_MILLIS));
        assertArrayEquals(bytes(0x22), rig.read(UNIT, UNIT));
        assertEquals(0, rig.disk.summary().mappedSectors());
        assertEquals(0, rig.disk.summary().unreadableSectors());
        assertEquals(1, count(DiskEvent.Kind.DEVICE_AWAY));
        assertEquals(1, count(DiskEvent.Kind.DEVICE_BACK));
    }

    @ParameterizedTest
    @ValueSource(ints = {Errno.ENODEV, Errno.ENXIO, Errno.EIO, Errno.ENOLINK, Errno.ETIMEDOUT})
    void whatWasNotFlushedIsVerifiedBeforeItIsReadAgain(int errno) {
        assertEquals(DiskError.NONE, rig.perform(Operation.FLUSH, 0, 0, null).error);
        assertEquals(DiskError.NONE, rig.write(UNIT, UNIT, 0x22));
        goesAway(errno);
        assertArrayEquals(bytes(0x22), rig.read(UNIT, UNIT));
        assertTrue(rig.scheduler.nanoTime() >= TimeUnit.MILLISECONDS.toNanos(AWAY_MILLIS));
        assertEquals(1, rig.disk.counters.verifiedOnMain.verifications.sum());
        assertEquals(8, rig.disk.counters.verifiedOnMain.sectors.sum());
        assertEquals(DiskError.NONE, rig.perform(Operation.FLUSH, 0, 0, null).error);
        assertEquals(0, rig.disk.summary().mappedSectors());
    }

    @ParameterizedTest
    @ValueSource(ints = {Errno.ENODEV, Errno.ENXIO, Errno.EIO, Errno.ENOLINK, Errno.ETIMEDOUT})
    void whatItLostMeanwhileFailsAndSoDoesTheFlush(int errno) {
        assertEquals(DiskError.NONE, rig.perform(Operation.FLUSH, 0, 0, null).error);
        assertEquals(DiskError.NONE, rig.write(UNIT, UNIT, 0x22));
        goesAway(errno);
        rig.mainMedium.poke(9 * DiskRig.SECTOR, Arrays.copyOf(bytes(DiskRig.OLD), DiskRig.SECTOR));
        assertNull(rig.read(UNIT, UNIT), "what was there before must not be shown");
        assertTrue(rig.scheduler.nanoTime() >= TimeUnit.MILLISECONDS.toNanos(AWAY_MILLIS));
        assertEquals(DiskError.IO, rig.perform(Operation.FLUSH, 0, 0, null).error);
        for (int sector = 8; sector < 16; sector++) {
            assertEquals(
                    sector == 9, rig.read((long) sector * DiskRig.SECTOR, DiskRig.SECTOR) == null, "sector " + sector);
        }
        assertEquals(1, rig.disk.summary().lostSectors());
        assertEquals(0, rig.disk.summary().mappedSectors());
    }

    /** A request object is used for one request after the other, whatever became of the one before. */
    @Test
    void errorOfTheWriteBeforeIsNoErrorOfAReadThatWaits() {
        assertEquals(DiskError.NONE, rig.perform(Operation.FLUSH, 0, 0, null).error);
        assertEquals(DiskError.NONE, rig.write(2 * UNIT, UNIT, 0x22));
        rig.main.fault(8, 1, Fault.UNWRITABLE);
        IoBuffer buffer = rig.buffers.acquire(UNIT);
        DiskRequest request = new DiskRequest(r -> {});
        request.buffer = buffer;
        request.lengthBytes = UNIT;
        request.operation = Operation.WRITE;
        request.offsetBytes = UNIT;
        rig.scheduler.execute(() -> rig.disk.submit(request));
        rig.scheduler.runUntilIdle();
        assertEquals(DiskError.NONE, request.error);
        assertEquals(8, rig.disk.summary().mappedSectors(), "it failed, and went to the spare");

        goesAway(Errno.ENODEV);
        request.operation = Operation.READ;
        request.offsetBytes = 2 * UNIT;
        request.error = null;
        rig.scheduler.schedule(() -> rig.disk.submit(request), AWAY_MILLIS / 2);
        assertArrayEquals(bytes(0x11), rig.read(3 * UNIT, UNIT));
        assertEquals(DiskError.NONE, request.error);
        buffer.release();
        assertEquals(0, rig.disk.watchList.errors(2), "nothing was wrong with it");
    }

    /** A main behind a page cache, and a spare; something may happen at the next use of them. */
    private static final class Buffered implements DiskRig.Devices, FaultyDevice.Steps {
        private final MemoryDevice medium = new MemoryDevice("main", DiskRig.UNITS * UNIT, DiskRig.SECTOR);
        private Runnable atMainsSteps = () -> {};
        private final FaultyDevice main = new FaultyDevice(medium, new SplittableRandom(2), new FaultyDevice.Steps() {
            @Override
            public void pause() {
                atMainsSteps.run();
            }

            @Override
            public void sleep(long nanos) {}
        });
        private final PageCacheDevice cache = new PageCacheDevice(main, PageCacheDevice.Transfer::run);
        private Runnable atSparesNextStep = () -> {};

        @Override
        public BlockDevice main(SimScheduler scheduler) {
            return cache;
        }

        @Override
        public BlockDevice spare(SimScheduler scheduler) {
            int slots = 8 * UNIT;
            return new FaultyDevice(
                    new MemoryDevice("spare", MemoryMetadata.METADATA_BYTES + slots, DiskRig.SECTOR),
                    new SplittableRandom(3),
                    this);
        }

        @Override
        public void pause() {
            Runnable now = atSparesNextStep;
            atSparesNextStep = () -> {};
            now.run();
        }

        @Override
        public void sleep(long nanos) {}
    }

    /** It has written a part of its range when main goes away: the verification of that needs the range. */
    @Test
    void partialWriteDoesNotKeepItsRangeFromTheVerificationOfAMainBehindAPageCache() throws Exception {
        rig.close();
        Buffered devices = new Buffered();
        rig = new DiskRig(devices, new SimpleFaultPolicy());
        rig.disk.holdWhileAway(HOLD_MILLIS);
        assertEquals(DiskError.NONE, rig.perform(Operation.FLUSH, 0, 0, null).error);
        assertEquals(DiskError.NONE, rig.move(true, 2 * UNIT / DiskRig.SECTOR, UNIT / DiskRig.SECTOR, true));
        devices.atSparesNextStep = () -> {
            devices.main.vanish(Errno.ENODEV);
            rig.scheduler.schedule(devices.main::comeBack, AWAY_MILLIS);
        };
        assertEquals(DiskError.NONE, rig.write(UNIT + 100, 3 * UNIT - 200, 0x44));
        assertTrue(devices.main.goneHits() > 0);
        byte[] expected = new byte[3 * UNIT];
        Arrays.fill(expected, 100, 3 * UNIT - 100, (byte) 0x44);
        assertArrayEquals(expected, rig.read(UNIT, 3 * UNIT));
        assertEquals(DiskError.NONE, rig.perform(Operation.FLUSH, 0, 0, null).error);
    }

    /** The first direct write drops the page that has it. */
    @Test
    void whatThePageCacheHadIsWrittenAnewHoweverOftenMainGoesAwayMeanwhile() throws Exception {
        rig.close();
        Buffered devices = new Buffered();
        rig = new DiskRig(devices, new SimpleFaultPolicy());
        assertEquals(DiskError.NONE, rig.perform(Operation.FLUSH, 0, 0, null).error);
        assertEquals(DiskError.NONE, rig.write(UNIT, UNIT, 0x22));
        devices.main.vanish(Errno.EIO);
        devices.cache.writeBackSome(() -> -1);
        assertEquals(1, devices.cache.failedWriteBacks());
        devices.main.comeBack();
        int[] timesAway = {0};
        devices.atMainsSteps = () -> {
            int written = 0;
            while (written < UNIT && devices.medium.peek(UNIT + written, 1)[0] == 0x22) {
                written += DiskRig.SECTOR;
            }
            // After the second sector, and after the fifth.
            if (written == (2 + 3 * timesAway[0]) * DiskRig.SECTOR && timesAway[0] < 2 && !devices.main.isGone()) {
                timesAway[0]++;
                devices.main.vanish(Errno.ENODEV);
                rig.scheduler.schedule(devices.main::comeBack, AWAY_MILLIS);
            }
        };
        rig.perform(Operation.FLUSH, 0, 0, null);
        assertEquals(2, timesAway[0]);
        assertArrayEquals(bytes(0x22), rig.read(UNIT, UNIT));
        assertEquals(0, rig.disk.summary().lostSectors());
        assertEquals(DiskError.NONE, rig.perform(Operation.FLUSH, 0, 0, null).error);
        assertArrayEquals(bytes(0x22), devices.medium.peek(UNIT, UNIT));
    }

    @Test
    void diskThatStaysAwayFailsRequestsAfterAWhile() {
        rig.main.vanish(Errno.ENODEV);
        long[] answeredNanos = {0};
        DiskRequest request = new DiskRequest(r -> answeredNanos[0] = rig.scheduler.nanoTime());
        request.operation = Operation.WRITE;
        request.offsetBytes = UNIT;
        request.lengthBytes = UNIT;
        request.buffer = rig.buffers.acquire(UNIT);
        rig.scheduler.execute(() -> rig.disk.submit(request));
        rig.scheduler.runUntilIdle();
        request.buffer.release();
        assertEquals(DiskError.IO, request.error);
        long tookMillis = TimeUnit.NANOSECONDS.toMillis(answeredNanos[0]);
        assertTrue(tookMillis >= HOLD_MILLIS && tookMillis <= Deadlines.USUAL_MILLIS, () -> "it took " + tookMillis);
        rig.main.comeBack();
        assertNotNull(rig.read(2 * UNIT, UNIT));
        assertEquals(0, rig.disk.summary().mappedSectors());
    }

    @Test
    void isLookedForWhenNobodyWaitsAnyMore() {
        assertEquals(DiskError.NONE, rig.perform(Operation.FLUSH, 0, 0, null).error);
        assertEquals(DiskError.NONE, rig.write(UNIT, UNIT, 0x22));
        rig.main.vanish(Errno.ENODEV);
        long backMillis = 4 * HOLD_MILLIS;
        rig.scheduler.schedule(rig.main::comeBack, backMillis);
        List<List<String>> away = new ArrayList<>();
        rig.scheduler.schedule(() -> away.add(rig.disk.summary().away()), 2 * HOLD_MILLIS);
        rig.scheduler.schedule(() -> away.add(rig.disk.summary().away()), 2 * backMillis);
        assertEquals(DiskError.IO, rig.write(2 * UNIT, UNIT, 0x33));
        assertEquals(List.of(List.of(rig.main.name()), List.of()), away, "away, while it was, and after that");
        assertEquals(1, count(DiskEvent.Kind.DEVICE_BACK));
        assertEquals(1, rig.disk.counters.verifiedOnMain.verifications.sum(), "before anybody asked");
    }

    /** After an hour somebody has to ask for it, or after it. */
    @Test
    void isNotLookedForForEver() {
        rig.main.vanish(Errno.ENODEV);
        assertEquals(DiskError.IO, rig.write(UNIT, UNIT, 0x22));
        long lookedMinutes = TimeUnit.NANOSECONDS.toMinutes(rig.scheduler.nanoTime());
        assertTrue(lookedMinutes >= 60 && lookedMinutes < 75, () -> "it looked for " + lookedMinutes + " minutes");
        rig.main.comeBack();
        assertNotNull(rig.read(2 * UNIT, UNIT));
        assertEquals(List.of(rig.main.name()), rig.disk.summary().away(), "as it was when it was looked for");
        rig.scheduler.runUntilIdle();
        assertEquals(List.of(), rig.disk.summary().away());
        assertEquals(1, count(DiskEvent.Kind.DEVICE_BACK));
    }
}
