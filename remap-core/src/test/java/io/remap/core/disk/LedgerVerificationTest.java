package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceUri;
import io.remap.api.DiskClient;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.Errno;
import io.remap.api.Place;
import io.remap.core.device.BlockPart;
import io.remap.testkit.FaultyDevice;
import io.remap.testkit.FaultyDevice.Fault;
import io.remap.testkit.MemoryDevice;
import io.remap.testkit.MemoryMetadata;
import io.remap.testkit.SimScheduler;
import io.remap.testkit.SimpleFaultPolicy;
import java.io.IOException;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** {@link LedgerVerification}: what a flush answers after main forgot, or did not forget, what was written to it. */
class LedgerVerificationTest {
    private static final int SECTOR = DiskRig.SECTOR;

    private DiskRig rig;

    @BeforeEach
    void start() throws Exception {
        rig = new DiskRig(32);
        // A process before this one may have left something: as a service does.
        rig.disk.main.flush();
    }

    @AfterEach
    void stop() {
        rig.close();
    }

    private DiskError flush() {
        return rig.perform(Operation.FLUSH, 0, 0, null).error;
    }

    /** Until it is answered: what the disk tries on its own goes on for ever while main is away. */
    private DiskRequest submit(Operation operation) {
        DiskRequest request = new DiskRequest(r -> {});
        request.operation = operation;
        request.offsetBytes = 200 * SECTOR;
        request.lengthBytes = operation == Operation.FLUSH ? 0 : SECTOR;
        request.buffer = operation == Operation.FLUSH ? null : rig.buffers.acquire(SECTOR);
        request.error = null;
        rig.scheduler.execute(() -> rig.disk.submit(request));
        rig.scheduler.runUntil(() -> request.error != null);
        if (request.buffer != null) {
            request.buffer.release();
        }
        return request;
    }

    private DiskError flush(DiskClient client) {
        DiskRequest request = new DiskRequest(r -> {});
        request.client = client;
        request.operation = Operation.FLUSH;
        rig.scheduler.execute(() -> rig.disk.submit(request));
        rig.scheduler.runUntilIdle();
        return request.error;
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
    private void mainForgets() {
        rig.mainMedium.powerCut(new RandomGenerator() {
            @Override
            public long nextLong() {
                return -1;
            }
        });
    }

    @Test
    void failedFlushThatLostNothingSucceedsAfterAVerification() {
        assertEquals(DiskError.NONE, rig.write(0, 8 * SECTOR, 0x22));
        assertEquals(DiskError.NONE, rig.write(100 * SECTOR, SECTOR, 0x33));
        rig.main.failFlushes(1, Errno.EIO);
        assertEquals(DiskError.NONE, flush());
        assertEquals(9, counter("ledger.verified-sectors"));
        assertEquals(0, counter("ledger.records"));
        assertFalse(rig.disk.doubt().isPresent());
        // The sync was a new one.
        mainForgets();
        assertArrayEquals(bytes(8 * SECTOR, 0x22), rig.read(0, 8 * SECTOR));
        assertEquals(DiskError.NONE, rig.write(0, SECTOR, 0x44));
        assertEquals(DiskError.NONE, flush());
    }

    @Test
    void whatIsLostAnswersWithErrorsAndSoDoesTheFlush() {
        assertEquals(DiskError.NONE, rig.write(0, 2 * SECTOR, 0x22));
        assertEquals(DiskError.NONE, flush());
        assertEquals(DiskError.NONE, rig.write(SECTOR, SECTOR, 0x33));
        assertEquals(DiskError.NONE, rig.write(64 * SECTOR, 8 * SECTOR, DiskRig.OLD));
        rig.main.whenFlushFails(this::mainForgets);
        rig.main.failFlushes(1, Errno.EIO);
        assertEquals(DiskError.IO, flush());
        assertEquals(1, counter("ledger.lost-sectors"));
        assertEquals(8, counter("ledger.verified-sectors"));
        assertNull(rig.read(SECTOR, SECTOR));
        assertArrayEquals(bytes(SECTOR, 0x22), rig.read(0, SECTOR));
        assertEquals(1, rig.disk.summary().lostSectors());
        assertEquals(DiskError.NONE, flush(), "it was told once");
        assertEquals(DiskError.NONE, rig.write(SECTOR, SECTOR, 0x44));
        assertArrayEquals(bytes(SECTOR, 0x44), rig.read(SECTOR, SECTOR));
        assertEquals(DiskError.NONE, flush());
        assertFalse(rig.disk.doubt().isPresent());
    }

    @Test
    void everyClientIsToldOnceOfALoss() {
        DiskClient first = new DiskClient();
        DiskClient second = new DiskClient();
        assertEquals(DiskError.NONE, flush(first));
        assertEquals(DiskError.NONE, flush(second));
        assertEquals(DiskError.NONE, rig.write(0, SECTOR, 0x22));
        // Noticed by a read, outside of any flush.
        rig.main.vanish(Errno.ENODEV);
        DiskRequest read = submit(Operation.READ);
        assertEquals(DiskError.IO, read.error);
        mainForgets();
        rig.main.comeBack();
        rig.scheduler.runUntilIdle();
        assertEquals(1, counter("ledger.lost-sectors"));
        assertEquals(DiskError.IO, flush(new DiskClient()), "nobody was told before");
        assertEquals(DiskError.IO, flush(first));
        assertEquals(DiskError.NONE, flush(first));
        assertEquals(DiskError.IO, flush(second));
        assertEquals(DiskError.NONE, flush(second));
        assertEquals(DiskError.NONE, flush(new DiskClient()), "who comes later has lost nothing");
    }

    @Test
    void deviceThatIsAwayIsVerifiedWhenItIsBack() {
        assertEquals(DiskError.NONE, rig.write(0, SECTOR, 0x22));
        rig.main.vanish(Errno.ENODEV);
        assertEquals(DiskError.IO, submit(Operation.FLUSH).error);
        assertTrue(rig.disk.doubt().isPresent());
        assertEquals(LedgerVerification.State.SUSPENDED, rig.disk.mainWrites.verification.state());
        rig.main.comeBack();
        rig.scheduler.runUntilIdle();
        assertEquals(LedgerVerification.State.SETTLED, rig.disk.mainWrites.verification.state());
        assertEquals(DiskError.NONE, flush());
        assertArrayEquals(bytes(SECTOR, 0x22), rig.read(0, SECTOR));
        assertEquals(0, rig.disk.summary().lostSectors());
    }

    @Test
    void anotherMediumIsNeitherBelievedNorWritten() {
        anotherMediumIsNeitherBelievedNorWritten(rig.main, rig.mainMedium, 0);
    }

    @Test
    void anotherMediumIsNeitherBelievedNorWrittenBehindAPart() throws Exception {
        rig.close();
        int start = 16 * SECTOR;
        int size = DiskRig.UNITS * Place.UNIT_BYTES;
        MemoryDevice medium = new MemoryDevice("main", start + size, SECTOR);
        FaultyDevice main = new FaultyDevice(medium, new SplittableRandom(2), FaultyDevice.Steps.none());
        rig = new DiskRig(
                new DiskRig.Devices() {
                    @Override
                    public BlockDevice main(SimScheduler scheduler) throws IOException {
                        return BlockPart.of(main, DeviceUri.parse("test:main?offset=" + start + "&length=" + size));
                    }

                    @Override
                    public BlockDevice spare(SimScheduler scheduler) {
                        int slots = 32 * Place.UNIT_BYTES;
                        return new MemoryDevice("spare", MemoryMetadata.METADATA_BYTES + slots, SECTOR);
                    }
                },
                new SimpleFaultPolicy());
        rig.disk.main.flush();
        anotherMediumIsNeitherBelievedNorWritten(main, medium, start);
    }

    private void anotherMediumIsNeitherBelievedNorWritten(FaultyDevice main, MemoryDevice medium, int start) {
        assertEquals(DiskError.NONE, rig.write(0, SECTOR, 0x22));
        main.vanish(Errno.ENODEV);
        assertEquals(DiskError.IO, submit(Operation.FLUSH).error);
        // It looks as if all was lost, but it is another one.
        byte[] written = medium.peek(start, SECTOR);
        medium.poke(start, bytes(SECTOR, 0x77));
        main.medium(2);
        main.comeBack();
        assertEquals(DiskError.IO, submit(Operation.FLUSH).error);
        assertEquals(LedgerVerification.State.SUSPENDED, rig.disk.mainWrites.verification.state());
        assertEquals(0, rig.disk.summary().lostSectors());
        medium.poke(start, written);
        main.medium(1);
        rig.scheduler.runUntilIdle();
        assertEquals(LedgerVerification.State.SETTLED, rig.disk.mainWrites.verification.state());
        assertEquals(DiskError.NONE, flush());
        assertArrayEquals(bytes(SECTOR, 0x22), rig.read(0, SECTOR));
    }

    @Test
    void syncsThatGoOnFailingLeaveTheContentReadable() {
        assertEquals(DiskError.NONE, rig.write(0, SECTOR, 0x22));
        rig.main.failFlushes(100, Errno.EIO);
        assertEquals(DiskError.IO, flush());
        assertEquals(LedgerVerification.State.UNSYNCED, rig.disk.mainWrites.verification.state());
        assertArrayEquals(bytes(SECTOR, 0x22), rig.read(0, SECTOR));
        assertEquals(DiskError.NONE, rig.write(0, SECTOR, 0x33));
        assertEquals(DiskError.IO, flush());
        rig.main.failFlushes(0, 0);
        assertEquals(DiskError.NONE, flush());
        assertFalse(rig.disk.doubt().isPresent());
    }

    @Test
    void flushIsNotAnsweredLaterThanItsDeadline() {
        assertEquals(DiskError.NONE, rig.write(0, SECTOR, 0x22));
        rig.main.fault(0, 1, Fault.SLOW);
        rig.main.slowness(60_000_000_000L);
        rig.main.failFlushes(1, Errno.EIO);
        long before = rig.scheduler.nanoTime();
        assertEquals(DiskError.IO, submit(Operation.FLUSH).error);
        assertTrue(rig.scheduler.nanoTime() - before < 21_000_000_000L);
        rig.main.heal(0, 1);
        rig.scheduler.runUntilIdle();
        assertEquals(DiskError.NONE, flush(), "the verification went on");
    }

    @Test
    void readsOfWhatIsInDoubtWait() {
        assertEquals(DiskError.NONE, rig.write(0, SECTOR, 0x22));
        assertEquals(DiskError.NONE, flush());
        assertEquals(DiskError.NONE, rig.write(0, SECTOR, 0x33));
        DiskError[] read = {null};
        // In the middle of the flush, which then fails and has forgotten.
        rig.main.whenFlushFails(() -> {
            mainForgets();
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
        rig.main.failFlushes(1, Errno.EIO);
        assertEquals(DiskError.IO, flush());
        assertEquals(DiskError.IO, read[0], "it must not see what main went back to");
    }

    @Test
    void whatWasTrimmedIsNeitherReadNorKeptFromClients() {
        int sectors = DiskRig.UNITS * Place.UNIT_BYTES / SECTOR;
        assertEquals(DiskError.NONE, rig.perform(Operation.TRIM, 0, (long) sectors * SECTOR, null).error);
        assertEquals(DiskError.NONE, rig.write(8 * SECTOR, 8 * SECTOR, 0x22));
        // All but what was written, and what is read below.
        rig.main.fault(0, 8, Fault.UNREADABLE);
        rig.main.fault(16, sectors - 24, Fault.UNREADABLE);
        DiskError[] read = {null};
        rig.main.whenFlushFails(() -> rig.scheduler.execute(() -> {
            DiskRequest request = new DiskRequest(r -> {
                read[0] = r.error;
                r.buffer.release();
            });
            request.operation = Operation.READ;
            request.offsetBytes = (sectors - 8L) * SECTOR;
            request.lengthBytes = SECTOR;
            request.buffer = rig.buffers.acquire(SECTOR);
            rig.disk.submit(request);
        }));
        rig.main.failFlushes(1, Errno.EIO);
        assertEquals(DiskError.NONE, flush());
        assertEquals(8, counter("ledger.verified-sectors"));
        assertEquals(DiskError.NONE, read[0]);
        assertEquals(0, rig.disk.counters.parkedRequests.sum(), "nothing is known of it that could be lost");
        assertEquals(0, rig.main.hits(Fault.UNREADABLE), "nobody asks what stands there");
    }

    @Test
    void whatWasTrimmedAfterItWasWrittenIsNotReadEither() {
        int sectors = DiskRig.UNITS * Place.UNIT_BYTES / SECTOR;
        assertEquals(DiskError.NONE, rig.write(0, sectors * SECTOR, 0x33));
        assertEquals(DiskError.NONE, rig.perform(Operation.TRIM, 0, (long) sectors * SECTOR, null).error);
        assertEquals(DiskError.NONE, rig.write(8 * SECTOR, 8 * SECTOR, 0x22));
        rig.main.fault(0, 8, Fault.UNREADABLE);
        rig.main.fault(16, sectors - 16, Fault.UNREADABLE);
        rig.main.failFlushes(1, Errno.EIO);
        assertEquals(DiskError.NONE, flush());
        assertEquals(8, counter("ledger.verified-sectors"));
        assertEquals(0, rig.main.hits(Fault.UNREADABLE));
    }

    @Test
    void sectorThatIsNowUnreadableIsLost() {
        assertEquals(DiskError.NONE, rig.write(0, 8 * SECTOR, 0x22));
        rig.main.fault(3, 1, Fault.WRITE_ONLY);
        rig.main.failFlushes(1, Errno.EIO);
        assertEquals(DiskError.IO, flush());
        assertEquals(1, counter("ledger.lost-sectors"));
        assertEquals(7, counter("ledger.verified-sectors"));
    }

    @Test
    void randomlyForgottenSectorsAreExactlyTheLostOnes() {
        for (int unit = 0; unit < 16; unit++) {
            assertEquals(DiskError.NONE, rig.write((long) unit * 4096, 4096, 0x40 + unit));
        }
        rig.main.whenFlushFails(() -> rig.mainMedium.loseSome(new SplittableRandom(5)));
        rig.main.failFlushes(1, Errno.EIO);
        assertEquals(DiskError.IO, flush());
        long lost = 0;
        for (int sector = 0; sector < 128; sector++) {
            byte[] content = rig.read((long) sector * SECTOR, SECTOR);
            if (content == null) {
                lost++;
            } else {
                assertArrayEquals(bytes(SECTOR, 0x40 + sector / 8), content);
            }
        }
        assertEquals(lost, counter("ledger.lost-sectors"));
        assertEquals(lost, rig.disk.summary().lostSectors());
        assertTrue(lost > 10 && lost < 118, "lost " + lost);
    }
}
