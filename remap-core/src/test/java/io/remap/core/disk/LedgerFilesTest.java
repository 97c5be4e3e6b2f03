package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceIo;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.IoBuffer;
import io.remap.api.Settings;
import io.remap.api.spi.IoEngine;
import io.remap.api.spi.Lineage;
import io.remap.api.spi.MetadataStore;
import io.remap.testkit.SimpleFaultPolicy;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@link LedgerMemory} and {@link LedgerFiles}: what a killed process leaves of a ledger, and what the next one makes of it. */
class LedgerFilesTest {
    private static final int SECTOR = 512;
    private static final int UNIT = 4096;
    private static final int RING_BYTES = 64 * Ledger.RECORD_BYTES;
    private static final UUID PAIR = new UUID(1, 2);
    private static final UUID BOOT = new UUID(3, 4);

    @TempDir
    Path directory;

    /** Number of the opening whose name is on the pair. */
    private long opening = 7;

    private Path file() {
        return directory.resolve("ledger");
    }

    private static UUID session(long number) {
        return new UUID(number, ~number);
    }

    /** As a process that is started; the one before it is killed, since nothing of it is closed. */
    private Ledger ledger() throws Exception {
        announce();
        return ledger(PAIR, BOOT, opening, SECTOR);
    }

    /** An opening is announced, and puts its name on the pair. */
    private void announce() throws Exception {
        announce(PAIR, BOOT, opening, opening + 1);
        opening++;
    }

    private void announce(UUID pair, UUID boot, long found, long next) throws Exception {
        if (Files.exists(file())) {
            LedgerMemory.announce(file(), new LedgerMemory.Key(pair, boot, session(found), session(next)));
        }
    }

    /** Takes over what the opening before has left, or begins anew. */
    private Ledger ledger(UUID pair, UUID boot, long now, int sectorBytes) throws Exception {
        LedgerMemory.Key key = new LedgerMemory.Key(pair, boot, session(now - 1), session(now));
        return new Ledger(LedgerMemory.of(file(), RING_BYTES, sectorBytes, key), sectorBytes, () -> {});
    }

    /** An opening of this pair is announced and takes over; how many records it finds. */
    private long found(UUID pair, UUID boot, long before, int sectorBytes) throws Exception {
        announce(pair, boot, before, before + 1);
        return ledger(pair, boot, before + 1, sectorBytes).records();
    }

    private static ByteBuffer content(int length, int value) {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) value);
        return ByteBuffer.allocateDirect(length).put(bytes).flip();
    }

    private static void write(Ledger ledger, long unit, int value) {
        assertTrue(ledger.promise(1));
        ledger.data(ledger.now(), unit * UNIT, content(UNIT, value), 0, true);
    }

    private static boolean accepts(Ledger ledger, long unit, int value) {
        return new LedgerIndex(ledger).claims(unit).accepts(0, content(SECTOR, value));
    }

    private static int claimed(Ledger ledger, long unit) {
        return new LedgerIndex(ledger).claims(unit).claimedMask();
    }

    @Test
    void recordsOutliveTheProcess() throws Exception {
        Ledger killed = ledger();
        write(killed, 5, 1);
        write(killed, 6, 2);
        write(killed, 5, 3);
        Ledger next = ledger();
        assertEquals(3, next.records());
        assertEquals(0xff, claimed(next, 5));
        assertTrue(accepts(next, 5, 3));
        assertFalse(accepts(next, 5, 1), "the newest counts");
        assertTrue(accepts(next, 6, 2));
        // And it goes on from there.
        write(next, 6, 4);
        assertFalse(accepts(next, 6, 2));
        assertEquals(4, next.publishedEnd());
        next.release(4);
        assertEquals(0, ledger().records());
    }

    @Test
    void whatWasFlushedIsNotTakenOver() throws Exception {
        Ledger killed = ledger();
        for (int i = 0; i < 200; i++) {
            write(killed, i, i);
            killed.release(killed.publishedEnd() - 1);
        }
        Ledger next = ledger();
        assertEquals(1, next.records());
        assertTrue(accepts(next, 199, 199));
        assertEquals(0, claimed(next, 198));
    }

    @Test
    void tornRecordCountsForNothing() throws Exception {
        Ledger killed = ledger();
        write(killed, 1, 1);
        write(killed, 2, 2);
        write(killed, 3, 3);
        try (RandomAccessFile file =
                new RandomAccessFile(directory.resolve("ledger").toFile(), "rw")) {
            file.seek(file.length() - RING_BYTES + Ledger.RECORD_BYTES);
            assertEquals(
                    2, Long.reverseBytes(file.readLong()), "the mark of the second: this machine is little-endian");
            file.seek(file.length() - RING_BYTES + Ledger.RECORD_BYTES);
            file.writeLong(0);
        }
        assertEquals(ByteOrder.LITTLE_ENDIAN, ByteOrder.nativeOrder());
        Ledger next = ledger();
        assertEquals(0xff, claimed(next, 1));
        assertEquals(0, claimed(next, 2));
        assertEquals(0xff, claimed(next, 3));
        assertEquals(3, next.publishedEnd(), "it holds nothing up");
    }

    @Test
    void writeUnderWayMakesNoClaim() throws Exception {
        Ledger killed = ledger();
        write(killed, 1, 1);
        write(killed, 2, 2);
        killed.ended(killed.begins(2 * UNIT, UNIT));
        killed.begins(UNIT + SECTOR, SECTOR);
        Ledger next = ledger();
        assertEquals(0, claimed(next, 1), "either content may stand there, and of one nothing is known");
        assertEquals(0xff, claimed(next, 2));
        next.release(next.publishedEnd());
        assertEquals(0, ledger().records(), "it is not under way any more");
    }

    @Test
    void whatIsNotOursIsNotTakenOver() throws Exception {
        UUID other = new UUID(9, 9);
        write(ledger(), 1, 1);
        assertEquals(0, found(PAIR, other, opening, SECTOR), "another boot");
        write(ledger(PAIR, BOOT, opening, SECTOR), 1, 1);
        assertEquals(0, found(other, BOOT, opening, SECTOR), "another pair");
        write(ledger(PAIR, BOOT, opening, SECTOR), 1, 1);
        assertEquals(0, found(PAIR, BOOT, opening + 1, SECTOR), "somebody else had it meanwhile");
        write(ledger(PAIR, BOOT, opening, SECTOR), 1, 1);
        assertEquals(0, found(PAIR, BOOT, opening, UNIT), "other sectors");
        write(ledger(PAIR, BOOT, opening, SECTOR), 1, 1);
        assertEquals(0, ledger(PAIR, BOOT, opening + 1, SECTOR).records(), "it was not announced");
        write(ledger(PAIR, BOOT, opening, SECTOR), 1, 1);
        assertEquals(1, found(PAIR, BOOT, opening, SECTOR));
    }

    @Test
    void startsThatAreKilledBeforeTheyTakeItOverLoseNothing() throws Exception {
        write(ledger(), 1, 1);
        for (int kills = 0; kills < 3; kills++) {
            // With its name on the pair,
            announce();
            // and without.
            announce(PAIR, BOOT, opening, 1000 + kills);
        }
        Ledger next = ledger();
        assertEquals(1, next.records());
        assertTrue(accepts(next, 1, 1));
        announce();
        write(next, 2, 2);
        assertEquals(2, ledger().records(), "also of one that took it over, and of what it wrote itself");
    }

    @Test
    void announcementThatIsCutShortLosesNothing() throws Exception {
        write(ledger(), 1, 1);
        announce();
        byte[] before = Files.readAllBytes(file());
        announce();
        byte[] after = Files.readAllBytes(file());
        int written = 0;
        // The order of the stores is that of the places.
        for (int end = 0; end < before.length; end++) {
            if (before[end] == after[end]) {
                continue;
            }
            byte[] cut = Arrays.copyOf(after, after.length);
            System.arraycopy(before, end, cut, end, before.length - end);
            Files.write(file(), cut);
            assertEquals(1, found(PAIR, BOOT, opening - 1, SECTOR), "killed before byte " + end);
            written++;
        }
        assertTrue(written > 2, "bytes written: " + written);
        Files.write(file(), new byte[100]);
        assertEquals(0, found(PAIR, BOOT, opening, SECTOR), "a file that is none");
    }

    @Test
    void whatMainLostIsToldAfterTheKill() throws Exception {
        try (DiskRig rig = new DiskRig(32)) {
            rig.disk.main.flush();
            VirtualDisk killed = disk(rig);
            assertEquals(DiskError.NONE, perform(rig, killed, Operation.WRITE, 0, 2 * UNIT, 0x33).error);
            assertEquals(DiskError.NONE, perform(rig, killed, Operation.FLUSH, 0, 0, 0).error);
            assertEquals(DiskError.NONE, perform(rig, killed, Operation.WRITE, 0, UNIT, 0x44).error);
            assertEquals(DiskError.NONE, perform(rig, killed, Operation.WRITE, 8 * UNIT, UNIT, 0x55).error);
            rig.scheduler.runUntilIdle();
            assertEquals(2, killed.mainWrites.ledger.records());
            forget(rig, 8 * UNIT);
            VirtualDisk next = disk(rig);
            assertTrue(next.tookOver());
            rig.scheduler.runUntilIdle();
            assertEquals(LedgerVerification.State.SETTLED, next.mainWrites.verification.state());
            assertEquals(8, next.lostUnflushedSectors());
            assertEquals(DiskError.IO, perform(rig, next, Operation.READ, 0, UNIT, 0).error);
            assertEquals(DiskError.NONE, perform(rig, next, Operation.READ, 8 * UNIT, UNIT, 0).error);
            assertEquals(DiskError.IO, perform(rig, next, Operation.FLUSH, 0, 0, 0).error);
            assertEquals(DiskError.NONE, perform(rig, next, Operation.FLUSH, 0, 0, 0).error);
            assertTrue(next.close(0));
            assertFalse(Files.exists(directory.resolve("ledger-" + PAIR + "-main")), "nothing is left to verify");
        }
    }

    /** All of the cache but the unit at this place. */
    private static void forget(DiskRig rig, int keptOffset) {
        byte[] kept = rig.mainMedium.peek(keptOffset, UNIT);
        rig.mainMedium.powerCut(new RandomGenerator() {
            @Override
            public long nextLong() {
                return -1;
            }
        });
        rig.mainMedium.poke(keptOffset, kept);
    }

    /** As a process that is started. */
    private VirtualDisk disk(DiskRig rig) throws Exception {
        var environment = rig.scheduler.environment(new SplittableRandom(4));
        TrackedDevice main = TrackedDevice.of(rig.main);
        main.flush();
        TrackedDevice spare = TrackedDevice.of(rig.spare);
        spare.flush();
        UUID before;
        try (MetadataStore look = rig.metadata.open(spare, true, environment, Settings.defaults())) {
            before = look.lineage().session();
        }
        UUID session = session(++opening);
        LedgerFiles files = LedgerFiles.anywhere(directory, PAIR, BOOT, before, session);
        MetadataStore store =
                rig.metadata.open(spare, Optional.of(Lineage.first(session)), environment, Settings.defaults());
        IoEngine inline = new IoEngine() {
            @Override
            public void submit(DeviceIo io) {
                io.run();
            }

            @Override
            public void close() {}
        };
        return VirtualDisk.open(
                new DiskParts(
                        "disk",
                        main,
                        List.of(SpareDevice.openedFrom(spare, store)),
                        Optional.of(store),
                        new SimpleFaultPolicy(),
                        inline,
                        rig.buffers,
                        environment,
                        false,
                        DiskRig.RETURN_PAUSE_MILLIS,
                        LedgerLimits.USUAL.in(files)),
                0);
    }

    private static DiskRequest perform(
            DiskRig rig, VirtualDisk disk, Operation operation, long offset, int length, int value) {
        DiskRequest request = new DiskRequest(r -> {});
        IoBuffer buffer = rig.buffers.acquire(Math.max(length, SECTOR));
        buffer.data().clear().put(content(length, value));
        request.operation = operation;
        request.offsetBytes = offset;
        request.lengthBytes = length;
        request.buffer = buffer;
        rig.scheduler.execute(() -> disk.submit(request));
        rig.scheduler.runUntilIdle();
        buffer.release();
        return request;
    }

    /** The file is larger than what is left of the heap of a server may be. */
    @Test
    void aLargeLedgerIsMadeWithoutAHeapOfItsSize(@TempDir Path directory) throws Exception {
        Path file = directory.resolve("large");
        LedgerMemory.Key key = new LedgerMemory.Key(new UUID(1, 1), new UUID(2, 2), new UUID(3, 3), new UUID(4, 4));
        long before = allocatedByThisThread();
        LedgerMemory.of(file, (int) Ledger.MAX_BYTES, SECTOR, key);
        long allocated = allocatedByThisThread() - before;
        assertTrue(allocated < 4 << 20, "allocated " + allocated);
        assertTrue(Files.size(file) > Ledger.MAX_BYTES);
    }

    /** By reflection, since the module under test does not read the one that counts. */
    private static long allocatedByThisThread() throws ReflectiveOperationException {
        Object threads = Class.forName("java.lang.management.ManagementFactory")
                .getMethod("getThreadMXBean")
                .invoke(null);
        return (long) Class.forName("com.sun.management.ThreadMXBean")
                .getMethod("getCurrentThreadAllocatedBytes")
                .invoke(threads);
    }
}
