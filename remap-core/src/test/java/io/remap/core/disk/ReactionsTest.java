package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.IoBuffer;
import io.remap.api.Place;
import io.remap.api.Settings;
import io.remap.core.io.StandardFaultPolicyProvider;
import io.remap.core.sim.SimDisks;
import io.remap.testkit.MemoryMetadata;
import io.remap.testkit.SimScheduler;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The rows of the table of docs/FAULTS.md, each on simulated disks ({@code sim:}) with the standard policy, in virtual time.
 * The number of a row is in the name of its test.
 */
class ReactionsTest {
    private static final int SECTOR = DiskRig.SECTOR;
    private static final int UNIT = Place.UNIT_BYTES;
    private static final int UNITS = 512;
    private static final int SLOTS = 16;
    private static final int WHOLE = UNITS * UNIT;
    private static final long HOLD_MILLIS = 15_000;

    @TempDir
    private Path folder;

    private BlockDevice main;
    private BlockDevice spare;
    private DiskRig rig;

    /** How an answer came. */
    private record Answer(DiskError error, long errorOffsetBytes, ByteBuffer data, double seconds) {
        boolean isGood() {
            return error == DiskError.NONE;
        }
    }

    private Path mainImage() {
        return folder.resolve("main.img");
    }

    private Path spareImage() {
        return folder.resolve("spare.img");
    }

    private void start(Map<String, String> settings) throws IOException {
        start(settings, "");
    }

    private void start(Map<String, String> settings, String parameters) throws IOException {
        // A list that is not there at the open is not looked for later.
        SimDisks.faults(mainImage(), "");
        SimDisks.faults(spareImage(), "");
        rig = new DiskRig(
                new DiskRig.Devices() {
                    @Override
                    public BlockDevice main(SimScheduler scheduler) throws IOException {
                        main = SimDisks.open(mainImage(), "size=" + WHOLE + parameters, scheduler);
                        return main;
                    }

                    @Override
                    public BlockDevice spare(SimScheduler scheduler) throws IOException {
                        int size = MemoryMetadata.METADATA_BYTES + SLOTS * UNIT;
                        spare = SimDisks.open(spareImage(), "size=" + size, scheduler);
                        return spare;
                    }
                },
                new StandardFaultPolicyProvider().open(new Settings(settings)));
        // As workers do it: who submits is not held up.
        rig.executes = io -> rig.scheduler.execute(io::run);
        rig.disk.holdWhileAway(HOLD_MILLIS);
        // As a service does, since somebody may have written before.
        rig.disk.main.flush();
    }

    @AfterEach
    void stop() {
        SimDisks.faults(mainImage(), "");
        SimDisks.faults(spareImage(), "");
        rig.scheduler.runUntilIdle();
        rig.close();
        main.close();
        spare.close();
    }

    // --- faults

    private void faults(String... lines) {
        SimDisks.faults(mainImage(), lines);
        pass(2 * SimDisks.inForceMillis());
    }

    private void faultsOfSpare(String... lines) {
        SimDisks.faults(spareImage(), lines);
        pass(2 * SimDisks.inForceMillis());
    }

    private void faultsIn(long millis, String... lines) {
        rig.scheduler.schedule(() -> SimDisks.faults(mainImage(), lines), millis);
    }

    private void pass(long millis) {
        long until = rig.scheduler.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
        rig.scheduler.schedule(() -> {}, millis);
        rig.scheduler.runUntil(() -> rig.scheduler.nanoTime() >= until);
    }

    /** As a line of the list has it. */
    private static String sectors(long first, long count, String mode) {
        return first + "s " + count + "s " + mode;
    }

    /** The place on the spare of a sector of a slot. */
    private long slotSector(long slot, int sector) {
        return (rig.store.slotOffsetBytes(slot) + (long) sector * SECTOR) / SECTOR;
    }

    // --- requests

    private Answer perform(Operation operation, long sector, int count, int value) {
        long begun = rig.scheduler.nanoTime();
        Answer[] answer = {null};
        IoBuffer buffer = count == 0 ? null : rig.buffers.acquire(count * SECTOR);
        if (buffer != null) {
            buffer.data().clear().put(bytes(count, value));
        }
        DiskRequest request = new DiskRequest(ended -> {
            byte[] bytes = new byte[count * SECTOR];
            if (buffer != null) {
                buffer.data().clear().get(bytes);
                buffer.release();
            }
            answer[0] = new Answer(
                    ended.error,
                    ended.errorOffsetBytes,
                    ByteBuffer.wrap(bytes),
                    (rig.scheduler.nanoTime() - begun) / 1e9);
        });
        request.operation = operation;
        request.offsetBytes = sector * SECTOR;
        request.lengthBytes = (long) count * SECTOR;
        request.buffer = buffer;
        rig.scheduler.execute(() -> rig.disk.submit(request));
        rig.scheduler.runUntil(() -> answer[0] != null);
        return answer[0];
    }

    private Answer read(long sector, int count) {
        return perform(Operation.READ, sector, count, 0);
    }

    private DiskError write(long sector, int count, int value) {
        return perform(Operation.WRITE, sector, count, value).error;
    }

    private DiskError flush() {
        return perform(Operation.FLUSH, 0, 0, 0).error;
    }

    private static byte[] bytes(int sectors, int value) {
        byte[] bytes = new byte[sectors * SECTOR];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    private void assertReads(int value, long sector, int count) {
        Answer answer = read(sector, count);
        assertEquals(DiskError.NONE, answer.error, () -> "sector " + sector);
        assertEquals(ByteBuffer.wrap(bytes(count, value)), answer.data, () -> "sector " + sector);
    }

    private void assertReadFails(long sector) {
        assertEquals(DiskError.IO, read(sector, 1).error, () -> "sector " + sector);
    }

    private void assertWritten(long sector, int count, int value) {
        assertEquals(DiskError.NONE, write(sector, count, value), () -> "sector " + sector);
    }

    private void assertMapped(long sectors) {
        assertEquals(sectors, rig.disk.summary().mappedSectors(), "mapped sectors");
    }

    private long counter(String name) {
        return rig.disk.attributes().stream()
                .filter(attribute -> attribute.name().equals(name))
                .mapToLong(attribute -> (Long) attribute.get().get())
                .findAny()
                .orElseThrow();
    }

    private boolean happened(DiskEvent.Kind kind) {
        return rig.disk.events().newest(0, 1000).stream().anyMatch(event -> event.kind() == kind);
    }

    // --- the rows

    @ParameterizedTest
    @ValueSource(strings = {"EIO", "ENODATA", "EILSEQ", "EREMOTEIO"})
    void row01UnreadableSectorFailsAloneAndIsMappedByAWriteOnly(String errno) throws IOException {
        start(Map.of());
        assertWritten(0, 64, 0x22);
        faults(sectors(20, 1, "read-and-write-bad errno=" + errno));
        Answer answer = read(0, 64);
        assertEquals(DiskError.IO, answer.error);
        assertEquals(20 * SECTOR, answer.errorOffsetBytes);
        assertReads(0x22, 0, 20);
        assertReads(0x22, 21, 43);
        assertMapped(0);
        assertEquals(1, rig.disk.summary().unreadableSectors());
        assertWritten(20, 1, 0x33);
        assertReads(0x33, 20, 1);
        assertMapped(1);
    }

    @Test
    void row02WriteHealsInPlaceAndWhatRelapsesGoesToTheSpare() throws IOException {
        start(Map.of("unreadable-writes", "heal", "hold-off-ms", "0"));
        faults(sectors(8, 1, "relapses 20"));
        assertReadFails(8);
        assertWritten(8, 8, 0x22);
        assertReads(0x22, 8, 8);
        assertMapped(0);
        assertTrue(happened(DiskEvent.Kind.HEALED));
        int reads = 0;
        while (read(8, 1).isGood()) {
            assertTrue(++reads < 100, "it never relapsed");
        }
        assertWritten(8, 8, 0x33);
        assertMapped(1);
        assertReads(0x33, 8, 8);
    }

    @Test
    void row03FailedWriteGoesToTheSpareBeforeItIsAcknowledged() throws IOException {
        start(Map.of());
        assertWritten(0, 64, 0x22);
        faults(sectors(20, 1, "write-bad"), sectors(21, 1, "read-and-write-bad"));
        faultsOfSpare(sectors(slotSector(0, 0), 8, "read-and-write-bad"));
        assertWritten(0, 64, 0x33);
        assertEquals(
                1, Place.slot(rig.store.table().placeOf(2)), "committed, and on the next slot, as the first is bad");
        assertReads(0x33, 0, 64);
        assertEquals(DiskError.NONE, flush());
        assertEquals(1, rig.disk.summary().badSlots());
    }

    @Test
    void row04PartOfABadUnitIsWrittenAndTheRestStaysAsItIs() throws IOException {
        start(Map.of(), "&physical=4096");
        assertWritten(0, 16, 0x22);
        faults(sectors(8, 8, "read-and-write-bad"));
        assertReadFails(10);
        assertWritten(11, 2, 0x33);
        assertReads(0x33, 11, 2);
        for (int sector : new int[] {8, 10, 13, 15}) {
            assertReadFails(sector);
        }
        assertReads(0x22, 0, 8);
        assertMapped(2);
    }

    @Test
    void row05TransientErrorIsServedByTheNextTry() throws IOException {
        start(Map.of());
        assertWritten(8, 8, 0x22);
        faults(sectors(8, 1, "transient 2"));
        assertReads(0x22, 8, 8);
        assertMapped(0);
        assertEquals(0, rig.disk.summary().unreadableSectors());
    }

    @Test
    void row06SlowSectorIsServedAndOneThatHangsAnsweredInTime() throws IOException {
        start(Map.of());
        assertWritten(0, 64, 0x22);
        faults(sectors(8, 1, "slow 3000"), sectors(24, 1, "slow 30000"), sectors(40, 1, "slow 30000"));
        assertReads(0x22, 8, 8);
        Answer read = read(24, 8);
        assertEquals(DiskError.IO, read.error);
        assertTrue(read.seconds <= TimeUnit.MILLISECONDS.toSeconds(Deadlines.USUAL_MILLIS), read::toString);
        assertTrue(read(0, 8).seconds < 0.1, "a healthy sector waited");
        Answer write = perform(Operation.WRITE, 40, 8, 0x33);
        assertEquals(DiskError.NONE, write.error);
        assertTrue(write.seconds < Deadlines.USUAL_MILLIS / 2e3, write::toString);
        assertReads(0x33, 40, 8);
    }

    @Test
    void row07ClusterIsNoDeviceThatIsAway() throws IOException {
        start(Map.of());
        String[] lines = new String[40];
        for (int i = 0; i < lines.length; i++) {
            lines[i] = sectors(16L * i, 1, "read-and-write-bad");
        }
        faults(lines);
        for (int i = 0; i < lines.length; i++) {
            assertReadFails(16L * i);
            assertTrue(read(16L * i + 8, 8).isGood());
        }
        assertMapped(0);
        assertEquals(lines.length, rig.disk.summary().unreadableSectors());
        assertTrue(!happened(DiskEvent.Kind.DEVICE_AWAY));
    }

    @Test
    void row08DeadHeadCostsNoMoreThanTheBudgetAndItsReadsFailAtOnce() throws IOException {
        start(Map.of("max-remapped", "4"), "&error-ms=100");
        String[] lines = new String[UNITS / 64];
        for (int i = 0; i < lines.length; i++) {
            lines[i] = sectors(512L * i + 128, 64, "read-and-write-bad");
        }
        faults(lines);
        Answer first = read(128, 8);
        assertEquals(DiskError.IO, first.error);
        assertTrue(first.seconds > 0.1, first::toString);
        Answer second = read(128, 8);
        assertEquals(DiskError.IO, second.error);
        assertTrue(second.seconds < 0.001, second::toString);
        for (int i = 0; i < 4; i++) {
            assertWritten(640 + 8L * i, 8, 0x22);
        }
        assertEquals(DiskError.NO_SPACE, write(640 + 32, 8, 0x22));
        assertReads(0x22, 640, 32);
        assertMapped(32);
        assertWritten(704, 8, 0x33);
    }

    @ParameterizedTest
    @ValueSource(strings = {"gone", "down", "down errno=EIO", "down errno=ENOLINK", "down errno=ETIMEDOUT"})
    void row09DiskThatDropsOffIsWaitedForAndNothingIsMapped(String state) throws IOException {
        start(Map.of());
        assertWritten(0, 64, 0x22);
        faults(state);
        faultsIn(5_000, "");
        Answer write = perform(Operation.WRITE, 8, 8, 0x33);
        assertEquals(DiskError.NONE, write.error);
        assertTrue(write.seconds > 4.5, write::toString);
        assertReads(0x22, 0, 8);
        assertReads(0x33, 8, 8);
        assertEquals(DiskError.NONE, flush());
        assertMapped(0);
        assertEquals(0, rig.disk.summary().unreadableSectors());
        assertTrue(happened(DiskEvent.Kind.DEVICE_AWAY) && happened(DiskEvent.Kind.DEVICE_BACK));
    }

    @ParameterizedTest
    @ValueSource(strings = {"link-reset 8", "link-reset 8 errno=ETIMEDOUT"})
    void row10LinkResetCostsTimeAndNothingElse(String state) throws IOException {
        start(Map.of());
        assertWritten(0, 64, 0x22);
        faults(state);
        Answer read = read(0, 8);
        assertTrue(read.isGood() && read.seconds > 7, read::toString);
        assertWritten(8, 8, 0x33);
        assertReads(0x33, 8, 8);
        assertMapped(0);
        assertEquals(0, rig.disk.summary().unreadableSectors());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " errno=EPERM", " errno=EACCES"})
    void row11WriteProtectedMainMakesTheDiskReadOnly(String errno) throws IOException {
        start(Map.of());
        assertWritten(0, 8, 0x22);
        faults("read-only" + errno);
        assertEquals(DiskError.READ_ONLY, write(0, 8, 0x33));
        assertTrue(rig.disk.isReadOnly());
        assertTrue(happened(DiskEvent.Kind.MAIN_READ_ONLY));
        assertReads(0x22, 0, 8);
        assertMapped(0);
    }

    @Test
    void row12SilentCorruptionOfWhatWasNotFlushedIsFoundWhereItIsVerified() throws IOException {
        start(Map.of());
        assertWritten(0, 16, 0x22);
        faults(sectors(8, 1, "corrupt-silent ff"), "flush-fails 1");
        assertEquals(DiskError.IO, flush(), "a sector was lost");
        assertReadFails(8);
        assertReads(0x22, 0, 8);
        assertReads(0x22, 9, 7);
        assertEquals(1, rig.disk.summary().lostSectors());
    }

    @ParameterizedTest
    @ValueSource(strings = {"lost-write", "misdirect 400s"})
    void row13WriteThatWasLostOrWentElsewhereIsFoundWhereItIsVerified(String mode) throws IOException {
        start(Map.of());
        assertWritten(0, 16, 0x22);
        assertEquals(DiskError.NONE, flush());
        faults(sectors(8, 1, mode));
        assertWritten(8, 1, 0x33);
        faults("flush-fails 1");
        assertEquals(DiskError.IO, flush(), "a sector was lost");
        assertReadFails(8);
        assertWritten(8, 1, 0x44);
        assertReads(0x44, 8, 1);
    }

    @Test
    void row14FailedWriteIsUndefinedAndWrittenAgainAsAWhole() throws IOException {
        start(Map.of());
        assertWritten(0, 16, 0x22);
        // It has written the sectors before the bad one.
        faults(sectors(10, 1, "write-bad"));
        assertWritten(0, 16, 0x33);
        assertReads(0x33, 0, 16);
        assertEquals(DiskError.NONE, flush());
        assertReads(0x33, 0, 16);
    }

    @Test
    void row15FailedFlushIsVerifiedAndNeverJustTriedAgain() throws IOException {
        start(Map.of());
        assertWritten(0, 16, 0x22);
        faults("flush-fails 1");
        assertEquals(DiskError.NONE, flush(), "all of it was read back");
        assertEquals(1, counter("ledger.verifications"));
        assertEquals(16, counter("ledger.verified-sectors"));
        faults("flush-fails");
        assertWritten(0, 16, 0x33);
        assertEquals(DiskError.IO, flush());
        assertEquals(DiskError.IO, flush());
        faults("");
        assertEquals(DiskError.NONE, flush());
        assertReads(0x33, 0, 16);
        assertMapped(0);
        long before = counter("ledger.verifications");
        // A second try would succeed, but this one is lost.
        faults(sectors(8, 1, "lost-write"));
        assertWritten(0, 16, 0x44);
        faults("flush-fails 1");
        assertEquals(DiskError.IO, flush(), "a sector was lost");
        assertTrue(counter("ledger.verifications") > before);
        assertReadFails(8);
        assertReads(0x44, 0, 8);
        assertReads(0x44, 9, 7);
        assertEquals(1, rig.disk.summary().lostSectors());
    }

    @Test
    void row16SlotThatDoesNotReadFailsUntilItIsWritten() throws IOException {
        start(Map.of());
        faults(sectors(8, 8, "read-and-write-bad"));
        assertWritten(8, 8, 0x22);
        long slot = Place.slot(rig.store.table().placeOf(1));
        faultsOfSpare(sectors(slotSector(slot, 3), 1, "read-and-write-bad"));
        assertReadFails(11);
        assertReads(0x22, 8, 3);
        assertWritten(11, 1, 0x33);
        assertReads(0x33, 11, 1);
        assertReads(0x22, 12, 4);
        assertNotEquals(slot, Place.slot(rig.store.table().placeOf(1)));
    }

    @Test
    void row17SlotThatTakesNoWriteIsReplacedByTheNext() throws IOException {
        start(Map.of());
        faults(sectors(8, 8, "read-and-write-bad"));
        assertWritten(8, 8, 0x22);
        long slot = Place.slot(rig.store.table().placeOf(1));
        faultsOfSpare(sectors(slotSector(slot, 0), 8, "write-bad"));
        assertWritten(8, 2, 0x33);
        assertReads(0x33, 8, 2);
        assertReads(0x22, 10, 6);
        assertNotEquals(slot, Place.slot(rig.store.table().placeOf(1)));
        assertEquals(1, rig.disk.summary().badSlots());
    }

    @Test
    void row18FullSpareFailsThatWriteAlone() throws IOException {
        start(Map.of());
        faults(sectors(0, 8L * (SLOTS + 2), "read-and-write-bad"));
        for (int i = 0; i < SLOTS; i++) {
            assertWritten(8L * i, 8, 0x22);
        }
        assertEquals(DiskError.NO_SPACE, write(8L * SLOTS, 8, 0x33));
        assertReads(0x22, 0, 8 * SLOTS);
        assertWritten(0, 8, 0x44);
        assertWritten(8L * (SLOTS + 2), 8, 0x44);
    }

    @Test
    void row19SpareWithoutSpaceBelowItFailsThatWriteAndLosesNoSlot() throws IOException {
        start(Map.of());
        faults(sectors(8, 8, "read-and-write-bad"));
        faultsOfSpare(sectors(slotSector(0, 0), 8L * SLOTS, "write-bad errno=ENOSPC"));
        assertEquals(DiskError.NO_SPACE, write(8, 8, 0x22));
        assertEquals(0, rig.disk.summary().badSlots());
        assertMapped(0);
        faultsOfSpare("");
        assertWritten(8, 8, 0x22);
        assertReads(0x22, 8, 8);
    }

    @Test
    void row20WhatLiesBehindTheEndOfAShrunkDiskFailsAndIsNotMapped() throws IOException {
        start(Map.of());
        assertWritten(0, 16, 0x22);
        assertWritten(8L * (UNITS - 1), 8, 0x22);
        assertEquals(DiskError.NONE, flush());
        rig.disk.holdWhileAway(0);
        faults("size " + WHOLE / 2 + " errno=ENXIO");
        assertReadFails(8L * (UNITS - 1));
        assertEquals(DiskError.IO, write(8L * (UNITS - 1), 8, 0x33));
        assertMapped(0);
        assertEquals(0, rig.disk.summary().unreadableSectors());
    }

    @Test
    void row21AnotherDiskInItsPlaceIsNeitherBelievedNorWritten() throws IOException {
        start(Map.of());
        assertWritten(0, 16, 0x22);
        faults("gone");
        faultsIn(2_000, "identity ANOTHER");
        Answer read = read(0, 8);
        assertEquals(DiskError.IO, read.error);
        assertTrue(read.seconds * 1000 >= HOLD_MILLIS, read::toString);
        assertEquals(DiskError.IO, write(0, 8, 0x33));
        faults("");
        assertReads(0x22, 0, 16);
        assertEquals(DiskError.NONE, flush());
        assertMapped(0);
        assertEquals(0, rig.disk.summary().lostSectors());
    }

    @ParameterizedTest
    @ValueSource(strings = {"ENOMEM", "EAGAIN", "EBUSY", "EMFILE", "ENFILE"})
    void row22HostThatIsShortOfSomethingIsTriedAgainAndNobodyBlamed(String errno) throws IOException {
        start(Map.of());
        assertWritten(0, 16, 0x22);
        faults(sectors(0, 8, "transient 2 errno=" + errno), sectors(8, 8, "write-bad errno=" + errno + " until=io:12"));
        assertReads(0x22, 0, 8);
        assertWritten(8, 8, 0x33);
        assertReads(0x33, 8, 8);
        assertMapped(0);
        assertEquals(0, rig.disk.summary().unreadableSectors());
        assertTrue(!happened(DiskEvent.Kind.DEVICE_AWAY));
    }

    @Test
    void row23ErrorsScatteredEverywhereMapNothing() throws IOException {
        start(Map.of("read-attempts", "8"));
        assertWritten(0, UNITS, 0x22);
        faults("0s " + 8 * UNITS + "s transient p=0.3");
        int good = 0;
        for (int i = 0; i < UNITS / 8; i++) {
            good += read(8L * i, 8).isGood() ? 1 : 0;
        }
        assertTrue(good > UNITS / 16, "retries serve most of them: " + good);
        assertWritten(0, 64, 0x33);
        assertMapped(0);
        faults("");
        assertReads(0x33, 0, 64);
    }
}
