package io.remap.core.sim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.Errno;
import io.remap.api.Refusal;
import io.remap.api.TimeSource;
import io.remap.api.spi.BlockDeviceProvider.Door;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import io.remap.core.device.FileDeviceProvider;
import io.remap.testkit.BlockDeviceContract;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.OptionalInt;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The contract holds beside a bad sector at the very place where the contract never looks; and faults are exact. */
class SimDeviceTest extends BlockDeviceContract {
    private static final OpenOptions SERVE = OpenOptions.serve(false, Door.AUTO, OptionalInt.empty());
    private static final int SECTOR = 512;

    @TempDir
    Path folder;

    private final AtomicLong nanos = new AtomicLong();
    private final AtomicLong pausedMillis = new AtomicLong();
    private final SimDeviceProvider provider = new SimDeviceProvider(
            new FileDeviceProvider(),
            new TimeSource() {
                @Override
                public long nanoTime() {
                    return nanos.get();
                }

                @Override
                public long wallMillis() {
                    return 0;
                }
            },
            new Random(1),
            pausedMillis::addAndGet);

    @Override
    protected BlockDevice open() throws IOException {
        Files.writeString(list(), "");
        return open("size=4M&faults=" + list());
    }

    private Path image() {
        return folder.resolve("disk.img");
    }

    private Path list() {
        return folder.resolve("disk.map");
    }

    private BlockDevice open(String parameters) throws IOException {
        return provider.open(DeviceUri.parse("sim:" + image() + "?" + parameters), SERVE);
    }

    /** The process was killed: nobody closed or flushed anything (the lock goes with the process, so it is let go). */
    private void killAndReopen() throws IOException {
        device.close();
        device = open("faults=" + list());
    }

    /** Changes the list as an editor does, and lets the time pass after which it is looked at. */
    private void faults(String... lines) throws IOException {
        Path fresh = folder.resolve("fresh");
        Files.writeString(fresh, String.join("\n", lines) + "\n");
        Files.move(fresh, list(), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        nanos.addAndGet(TimeUnit.MILLISECONDS.toNanos(SimFaults.CHECK_MILLIS));
    }

    private void assertFails(int errno, String operation, long sector, int sectors) {
        DeviceException e = assertThrows(DeviceException.class, () -> {
            switch (operation) {
                case "read" -> read(sector * SECTOR, sectors * SECTOR);
                case "write" -> write(sector * SECTOR, new byte[sectors * SECTOR]);
                case "zero" -> device.zero(sector * SECTOR, (long) sectors * SECTOR, false);
                case "discard" -> device.discard(sector * SECTOR, (long) sectors * SECTOR);
                default -> device.flush();
            }
        });
        assertEquals(errno, e.errno(), e.getMessage());
        assertTrue(e.getMessage().contains("sim:" + image()), e.getMessage());
    }

    private byte[] readSectors(long sector, int sectors) throws IOException {
        return read(sector * SECTOR, sectors * SECTOR);
    }

    @Test
    void readsFailExactlyOnTheSectorsThatAreBad() throws IOException {
        write(0, filled(64 * SECTOR, 3));
        faults("10s 2s read-bad-heals-on-write");
        assertArrayEquals(filled(10 * SECTOR, 3), readSectors(0, 10));
        assertArrayEquals(filled(20 * SECTOR, 3), readSectors(12, 20));
        assertFails(Errno.EIO, "read", 10, 1);
        assertFails(Errno.EIO, "read", 11, 1);
        assertFails(Errno.EIO, "read", 0, 11);
        assertFails(Errno.EIO, "read", 11, 40);
        assertFails(Errno.EIO, "read", 0, 64);
    }

    @Test
    void aWriteHealsExactlyWhatItWroteAndThatOutlivesTheProcess() throws IOException {
        faults("# a scratch", "5120 4096 read-bad-heals-on-write");
        write(12 * SECTOR, filled(2 * SECTOR, 9));
        for (int round = 0; round < 3; round++) {
            assertArrayEquals(filled(2 * SECTOR, 9), readSectors(12, 2));
            assertFails(Errno.EIO, "read", 11, 1);
            assertFails(Errno.EIO, "read", 14, 1);
            assertFails(Errno.EIO, "read", 10, 8);
            killAndReopen();
        }
        device.zero(10 * SECTOR, 2 * SECTOR, false);
        write(14 * SECTOR, filled(4 * SECTOR, 1));
        killAndReopen();
        assertArrayEquals(filled(2 * SECTOR, 0), readSectors(10, 2));
        assertEquals(8 * SECTOR, readSectors(10, 8).length);
    }

    @Test
    void aLineThatGoesTakesItsHealingAlong() throws IOException {
        String line = "0 4096 read-bad-heals-on-write";
        faults(line, "8192 512 write-bad");
        write(0, filled(4096, 1));
        faults(line);
        assertEquals(4096, read(0, 4096).length, "other lines changed, this one did not");
        faults("");
        assertEquals(4096, read(0, 4096).length);
        faults(line);
        assertFails(Errno.EIO, "read", 0, 1);
        killAndReopen();
        assertFails(Errno.EIO, "read", 0, 1);
        write(0, filled(4096, 2));
        Files.writeString(list(), "");
        killAndReopen();
        Files.writeString(list(), line + "\n");
        killAndReopen();
        assertFails(Errno.EIO, "read", 0, 1);
    }

    @Test
    void aFailingWriteHasWrittenWhatComesBeforeTheBadSector() throws IOException {
        write(0, filled(16 * SECTOR, 1));
        faults("4s 1s write-bad", "2s 1s read-bad-heals-on-write");
        DeviceException e = assertThrows(DeviceException.class, () -> write(0, filled(16 * SECTOR, 2)));
        assertEquals(Errno.EIO, e.errno());
        assertArrayEquals(filled(4 * SECTOR, 2), readSectors(0, 4));
        assertArrayEquals(filled(12 * SECTOR, 1), readSectors(4, 12), "a sector that takes no write still reads");
        assertFails(Errno.EIO, "zero", 4, 1);
        device.discard(0, 16L * SECTOR);
    }

    @Test
    void someSectorsAreBeyondHelp() throws IOException {
        faults("1K 512 read-and-write-bad");
        assertFails(Errno.EIO, "read", 2, 1);
        assertFails(Errno.EIO, "write", 2, 1);
        assertFails(Errno.EIO, "read", 2, 1);
        killAndReopen();
        assertFails(Errno.EIO, "write", 0, 8);
        faults("");
        write(2 * SECTOR, filled(SECTOR, 5));
    }

    @Test
    void transientFaultsCountFailedReadsOverRestarts() throws IOException {
        faults("0x0 1M transient 3");
        assertFails(Errno.EIO, "read", 0, 1);
        write(0, filled(SECTOR, 4));
        assertFails(Errno.EIO, "read", 8, 8);
        killAndReopen();
        assertFails(Errno.EIO, "read", 0, 1);
        assertArrayEquals(filled(SECTOR, 4), readSectors(0, 1));
        killAndReopen();
        assertArrayEquals(filled(SECTOR, 4), readSectors(0, 1));
    }

    @Test
    void slowRangesTakeTheirTimeAndMayFailOnTop() throws IOException {
        faults("0 4096 slow 30000", "8s 1s slow 500", "8s 1s read-and-write-bad");
        readSectors(0, 1);
        assertEquals(30_000, pausedMillis.getAndSet(0));
        write(7 * SECTOR, new byte[SECTOR]);
        assertEquals(30_000, pausedMillis.getAndSet(0));
        assertFails(Errno.EIO, "read", 8, 1);
        assertEquals(500, pausedMillis.getAndSet(0));
        readSectors(9, 8);
        assertEquals(0, pausedMillis.get());
    }

    @Test
    void theWholeDeviceMayGoAndComeBack() throws IOException {
        write(0, filled(SECTOR, 6));
        faults("gone");
        for (String operation : new String[] {"read", "write", "zero", "discard", "flush"}) {
            assertFails(Errno.ENXIO, operation, 100, 1);
        }
        killAndReopen();
        assertFails(Errno.ENXIO, "read", 0, 1);
        faults("");
        assertArrayEquals(filled(SECTOR, 6), readSectors(0, 1));
        device.flush();
    }

    @Test
    void aListThatMakesNoSenseChangesNothing() throws IOException {
        faults("0 512 write-bad");
        assertFails(Errno.EIO, "write", 0, 1);
        faults("0 512 written-bad");
        assertFails(Errno.EIO, "write", 0, 1);
        Files.delete(list());
        nanos.addAndGet(TimeUnit.SECONDS.toNanos(1));
        assertFails(Errno.EIO, "write", 0, 1);
        faults("");
        write(0, new byte[SECTOR]);
    }

    @Test
    void theListIsNotLookedAtMoreOftenThanSaid() throws IOException {
        faults("");
        read(0, SECTOR);
        Files.writeString(list(), "0 512 read-and-write-bad\n");
        nanos.addAndGet(TimeUnit.MILLISECONDS.toNanos(SimFaults.CHECK_MILLIS) - 1);
        read(0, SECTOR);
        nanos.incrementAndGet();
        assertFails(Errno.EIO, "read", 0, 1);
    }

    @Test
    void aTornLastLineOfTheStateDidNotHappen() throws IOException {
        faults("0 4096 read-bad-heals-on-write");
        write(0, filled(SECTOR, 1));
        device.close();
        Path state = folder.resolve("disk.img.sim-state");
        String text = Files.readString(state);
        assertTrue(text.contains("healed 0 512 of 0 4096 read-bad-heals-on-write\n"), text);
        Files.writeString(state, text + "healed 512 512 of 0 40");
        device = open("faults=" + list());
        read(0, SECTOR);
        assertFails(Errno.EIO, "read", 1, 1);
        device.close();
        Files.writeString(state, text + "healed 512 512 of nothing\n");
        Refusal refusal = assertThrows(Refusal.class, () -> open("faults=" + list()));
        assertEquals(Refusal.Kind.DAMAGED, refusal.kind());
        Files.delete(state);
        device = open("faults=" + list());
        assertFails(Errno.EIO, "read", 0, 1);
    }

    @Test
    void theSeedMakesTheSameFaultsEachTime() throws IOException {
        device.close();
        String seeded = "seed=7&bad=300&cluster=8";
        device = open(seeded);
        java.util.BitSet bad = badSectors();
        assertEquals(300, bad.cardinality());
        int first = bad.nextSetBit(0);
        write((long) first * SECTOR, filled(SECTOR, 1));
        device.close();
        device = open(seeded);
        bad.clear(first);
        assertEquals(bad, badSectors());
        device.close();
        device = open("seed=8&bad=300&cluster=8");
        assertFalse(bad.equals(badSectors()));
    }

    private java.util.BitSet badSectors() throws IOException {
        java.util.BitSet bad = new java.util.BitSet();
        ByteBuffer buffer = aligned(SECTOR);
        for (int sector = 0; sector < device.traits().sizeBytes() / SECTOR; sector++) {
            try {
                device.read((long) sector * SECTOR, buffer.clear());
            } catch (DeviceException e) {
                bad.set(sector);
            }
        }
        return bad;
    }

    /** The numbers of a seed are part of the format: states of disks refer to them. */
    @Test
    void theFaultsOfASeedNeverChange() throws IOException {
        String faults = SimFaultSeed.faults("d", 7, 20, 4, 1 << 20, 512, SimFault.Mode.WRITE_BAD)
                .toString();
        assertEquals(
                "[173568 3072 write-bad, 213504 3072 write-bad, 223232 2048 write-bad, 729600 1536 write-bad, 1015296 512 write-bad]",
                faults);
    }

    @Test
    void ddrescueMapsAndListsOfBadblocksAreTaken() throws IOException {
        faults(
                "# Mapfile. Created by GNU ddrescue version 1.25",
                "0x00120000     ?               1",
                "#      pos        size  status",
                "0x00000000  0x00001000  +",
                "0x00001000  0x00000200  -",
                "0x00001200  0x00001000  +",
                "0x00002200  0x00000200  /",
                "0x00002400  0x00000200  *",
                "0x00002600  0x003FD900  ?",
                "0x003FFF00  0x00000100  -");
        assertFails(Errno.EIO, "read", 8, 1);
        readSectors(0, 8);
        readSectors(9, 8);
        for (long unread : new long[] {17, 18, 19, 100, 8191}) {
            assertFails(Errno.EIO, "read", unread, 1);
        }
        device.close();
        Files.writeString(list(), "3\n17\n");
        assertTrue(assertThrows(Refusal.class, () -> open("faults=" + list()))
                .getMessage()
                .contains("block-size"));
        device = open("block-size=1024&mode=write-bad&faults=" + list());
        readSectors(6, 2);
        assertFails(Errno.EIO, "write", 6, 1);
        assertFails(Errno.EIO, "write", 35, 1);
        write(36 * SECTOR, new byte[SECTOR]);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"0x400000 512 -", "0x3FFE00 0x400 -", "0x7FFFFFFFFFFFFE00 0x7FFFFFFFFFFFFFFF ?", "0 0x400200 +"})
    void refusesAMapOfDdrescueThatGoesBeyondTheDisk(String line) throws IOException {
        device.close();
        Files.writeString(list(), "0 +\n" + line + "\n");
        Refusal refusal = assertThrows(Refusal.class, () -> open("faults=" + list()));
        assertTrue(refusal.getMessage().startsWith(list() + ", line 2: "), refusal.getMessage());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "0 512|START LENGTH",
                "0 512 broken|START LENGTH",
                "0 512 write-bad 5|START LENGTH",
                "0 512 transient|transient needs COUNT or p=P",
                "0 512 transient 0|from 1",
                "0 512 slow 1e3|1e3': expected a number from 1 to 3600000 after slow",
                "0 512 slow -5|-5': expected a number from 1 to 3600000 after slow",
                "0 512 slow|slow needs MILLISECONDS",
                "0 512 misdirect|misdirect needs TO",
                "link-reset|expected a number from 1 to 1000000000 after link-reset",
                "size|size needs BYTES",
                "down now|now' after down: expected down, gone",
                "0 100 write-bad|whole sectors",
                "100 512 write-bad|whole sectors",
                "0 0 write-bad|whole sectors",
                "4M 512 write-bad|beyond the end",
                "-512 512 write-bad|byte count",
                "0 512Q write-bad|byte count",
                "99999999999999999999s 1s write-bad|no number"
            })
    void refusesAListThatMakesNoSense(String line, String reason) throws IOException {
        device.close();
        Files.writeString(list(), "0 512 write-bad\n" + line + "\n");
        Refusal refusal = assertThrows(Refusal.class, () -> open("faults=" + list()));
        assertEquals(Refusal.Kind.USAGE, refusal.kind());
        assertTrue(refusal.getMessage().contains(list() + ", line 2"), refusal.getMessage());
        assertTrue(refusal.getMessage().contains(reason), refusal.getMessage());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "colour=red",
                "size=5M",
                "sector=500",
                "bad=0",
                "bad=3000",
                "seed=one",
                "cluster=3",
                "physical=256",
                "cache=1",
                "trace-bytes=1",
                "read-prefix=maybe",
                "cluster=0&bad=1",
                "bad=1&mode=slow",
                "faults=/nowhere/at/all"
            })
    void refusesParametersThatMakeNoSense(String parameters) {
        device.close();
        assertThrows(Refusal.class, () -> open(parameters));
    }

    @Test
    void aMissingImageIsMadeOnlyIfItsSizeIsSaid() throws IOException {
        Path fresh = folder.resolve("fresh.img");
        assertThrows(Refusal.class, () -> provider.open(DeviceUri.parse("sim:" + fresh), SERVE));
        assertThrows(
                Refusal.class,
                () -> provider.open(DeviceUri.parse("sim:" + fresh + "?size=1M"), OpenOptions.inspect()));
        assertThrows(
                Refusal.class, () -> provider.open(DeviceUri.parse("sim:" + fresh + "?size=1M&faults=/no"), SERVE));
        assertFalse(Files.exists(fresh));
        try (BlockDevice made = provider.open(DeviceUri.parse("sim:" + fresh + "?size=1M&sector=4096"), SERVE)) {
            assertEquals(1 << 20, made.traits().sizeBytes());
            assertEquals(4096, made.traits().logicalSectorBytes());
        }
    }

    @Test
    void onlyOneWritesAndWhoLooksLeavesTheStateAlone() throws IOException {
        faults("0 4096 transient 2");
        assertEquals(
                Refusal.Kind.BUSY,
                assertThrows(Refusal.class, () -> open("faults=" + list())).kind());
        try (BlockDevice looking =
                provider.open(DeviceUri.parse("sim:" + image() + "?faults=" + list()), OpenOptions.inspect())) {
            assertTrue(looking.identity().overlaps(device.identity()));
            for (int i = 0; i < 2; i++) {
                assertThrows(DeviceException.class, () -> looking.read(0, aligned(SECTOR)));
            }
            looking.read(0, aligned(SECTOR));
            assertFalse(Files.exists(folder.resolve("disk.img.sim-state")));
        }
        assertFails(Errno.EIO, "read", 0, 1);
    }
}
