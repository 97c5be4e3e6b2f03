package io.remap.core.sim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.MediumSequence;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Each way in which a sector or the device can fail, one after the other. */
class SimFaultModesTest {
    private static final int SECTOR = SimFixture.SECTOR;

    @TempDir
    Path folder;

    private SimFixture disk;

    @BeforeEach
    void open() throws IOException {
        disk = new SimFixture(folder);
        Files.writeString(disk.list(), "");
        disk.open("");
    }

    @AfterEach
    void close() {
        disk.close();
    }

    @Test
    void theNamesOfTheLiteratureAreRead() throws IOException {
        disk.faults("0s 1s unreadable-heals", "1s 1s unreadable-hard", "2s 1s write-ok-read-bad 5");
        disk.assertReadFails(Errno.EIO, 0);
        disk.write(0, 1, 1);
        assertEquals(1, disk.read(0));
        disk.assertWriteFails(Errno.EIO, 1, 1);
        disk.assertReadFails(Errno.EIO, 2);
    }

    @Test
    void theErrnoIsTheOneThatIsSaid() throws IOException {
        disk.faults("0s 1s read-and-write-bad errno=ENODATA", "1s 1s transient 1 errno=EREMOTEIO");
        disk.assertReadFails(Errno.ENODATA, 0);
        disk.assertWriteFails(Errno.ENODATA, 0, 1);
        disk.assertReadFails(Errno.EREMOTEIO, 1);
        disk.read(1);
    }

    @Test
    void aHealedSectorRelapsesAfterSoManyOperations() throws IOException {
        disk.faults("8s 1s relapses 3");
        for (int round = 0; round < 3; round++) {
            disk.assertReadFails(Errno.EIO, 8);
            disk.write(8, 1, 7);
            for (int i = 0; i < 3; i++) {
                assertEquals(7, disk.read(8), "round " + round + ", read " + i);
            }
        }
        disk.assertReadFails(Errno.EIO, 8);
    }

    @Test
    void aHealedSectorRelapsesAfterAnotherOpenToo() throws IOException {
        disk.faults("8s 1s relapses 3");
        disk.write(8, 1, 7);
        disk.reopen("");
        for (int i = 0; i < 3; i++) {
            assertEquals(7, disk.read(8), "read " + i);
        }
        disk.assertReadFails(Errno.EIO, 8);
    }

    @Test
    void withoutANumberTheSeedSaysWhenItRelapses() throws IOException {
        List<Integer> lasted = new ArrayList<>();
        for (String seed : new String[] {"seed=1", "seed=1", "seed=2"}) {
            disk.faults("8s 1s relapses").reopen(seed);
            disk.write(8, 1, 7);
            int good = 0;
            while (disk.reads(8)) {
                good++;
            }
            lasted.add(good);
            assertTrue(good >= 1 && good <= 1000, "it was good for " + good);
            disk.device.close();
            Files.delete(SimFiles.state(disk.image()));
            disk.open("");
        }
        assertEquals(lasted.get(0), lasted.get(1));
        assertFalse(lasted.get(1).equals(lasted.get(2)), "two seeds, the same number: " + lasted);
    }

    @Test
    void aTransientFaultMayShowByChanceAndThatIsReproducible() throws IOException {
        List<String> runs = new ArrayList<>();
        for (String seed : new String[] {"seed=5", "seed=5", "seed=6"}) {
            disk.faults("0s 8s transient p=0.25").reopen(seed);
            StringBuilder run = new StringBuilder();
            for (int i = 0; i < 400; i++) {
                run.append(disk.reads(i % 8) ? '.' : 'x');
            }
            runs.add(run.toString());
            long failed = run.chars().filter(c -> c == 'x').count();
            assertTrue(failed > 60 && failed < 140, failed + " of 400 with p=0.25");
        }
        assertEquals(runs.get(0), runs.get(1));
        assertFalse(runs.get(1).equals(runs.get(2)));
    }

    @Test
    void aSlowSectorHasJitterAndAnotherFailsInTheEnd() throws IOException {
        disk.faults("0s 1s slow 100 jitter=50", "1s 1s slow-then-eio 7000");
        List<Long> waits = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            disk.read(0);
            long waited = disk.pausedMillis.getAndSet(0);
            assertTrue(waited >= 100 && waited <= 150, "waited " + waited);
            waits.add(waited);
        }
        assertTrue(waits.stream().distinct().count() > 5, "no jitter: " + waits);
        disk.assertReadFails(Errno.EIO, 1);
        assertEquals(7000, disk.pausedMillis.getAndSet(0));
        disk.assertWriteFails(Errno.EIO, 1, 1);
    }

    @Test
    void aSectorHangsUntilItsLineGoes() throws IOException {
        disk.faults("4s 1s hangs");
        disk.read(3);
        assertEquals(0, disk.pausedMillis.get());
        disk.meanwhile = () -> {
            if (disk.pausedMillis.get() >= 60_000) {
                try {
                    disk.faults("");
                } catch (IOException e) {
                    throw new IllegalStateException(e);
                }
            }
        };
        disk.read(4);
        assertTrue(disk.pausedMillis.get() >= 60_000);
    }

    @Test
    void whoHangsIsLetGoByTheCloseAndNotWithAnErrorOfTheDisk() throws IOException {
        disk.faults("hangs");
        disk.meanwhile = () -> disk.device.close();
        assertThrows(IllegalStateException.class, () -> disk.read(0));
    }

    @Test
    void corruptionIsSilentAndStays() throws IOException {
        disk.write(0, 4, 0x11);
        disk.faults("1s 2s corrupt-silent 01ff");
        byte[] all = disk.read(0, 4);
        for (int sector = 0; sector < 4; sector++) {
            boolean corrupt = sector == 1 || sector == 2;
            assertEquals(corrupt ? 0x10 : 0x11, all[sector * SECTOR], "sector " + sector);
            assertEquals((byte) (corrupt ? 0xee : 0x11), all[sector * SECTOR + 1], "sector " + sector);
            assertEquals(0x11, all[sector * SECTOR + 2]);
        }
        assertArrayEquals(all, disk.read(0, 4));
        disk.faults("");
        assertEquals(0x11, disk.read(1), "the medium has what was written");
    }

    @Test
    void writesGetLostGoAstrayAndAreTorn() throws IOException {
        disk.write(0, 40, 1);
        disk.faults("1s 1s lost-write", "4s 2s misdirect 20s", "8s 4s torn 512");
        disk.write(0, 16, 2);
        byte[] all = disk.read(0, 40);
        for (int sector = 0; sector < 40; sector++) {
            boolean old = sector == 1
                    || sector == 4
                    || sector == 5
                    || (sector >= 9 && sector < 12)
                    || (sector >= 16 && sector != 20 && sector != 21);
            assertEquals(old ? 1 : 2, all[sector * SECTOR], "sector " + sector);
        }
        disk.device.zero(SECTOR, SECTOR, false);
        assertEquals(1, disk.read(1), "a zeroing gets lost too");
    }

    @Test
    void aFaultOnlyFailsInItsWindow() throws IOException {
        disk.faults("0s 1s read-and-write-bad from=read:3 until=read:5", "1s 1s read-and-write-bad from=ms:1000");
        disk.reopen("");
        List<Boolean> reads = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            reads.add(disk.reads(0));
        }
        assertEquals(List.of(true, true, false, false, true, true), reads);
        assertTrue(disk.reads(1));
        disk.advance(1000);
        assertFalse(disk.reads(1));
    }

    @Test
    void aWriteBeforeAFaultBeginsHealsNothing() throws IOException {
        disk.faults("0s 8s read-bad-heals-on-write from=ms:1000", "8s 8s relapses 5 from=ms:1000");
        disk.reopen("");
        disk.write(0, 16, 1);
        disk.read(0, 16);
        disk.advance(1000);
        disk.assertReadFails(Errno.EIO, 0);
        disk.assertReadFails(Errno.EIO, 8);
        disk.write(0, 16, 2);
        assertEquals(2, disk.read(0));
        assertEquals(2, disk.read(8));
    }

    @Test
    void aPhysicalSectorFailsAsAWholeAndSmallWritesReadItFirst() throws IOException {
        disk.write(0, 32, 3);
        disk.faults("10s 1s read-bad-heals-on-write").reopen("physical=4096");
        assertEquals(4096, disk.device.traits().physicalSectorBytes());
        for (int sector = 0; sector < 24; sector++) {
            assertEquals(sector < 8 || sector >= 16, disk.reads(sector), "sector " + sector);
        }
        disk.assertWriteFails(Errno.EIO, 12, 1);
        disk.assertWriteFails(Errno.EIO, 4, 8);
        assertEquals(9, disk.read(7), "what lies before the failing sector is written");
        disk.assertWriteFails(Errno.EIO, 15, 8);
        disk.write(8, 8, 4);
        assertEquals(4, disk.read(10));
        disk.write(12, 1, 5);
        assertEquals(5, disk.read(12));
    }

    @Test
    void aReadThatFailsMayGiveWhatLiesBefore() throws IOException {
        disk.write(0, 8, 6);
        disk.faults("4s 1s read-and-write-bad").reopen("read-prefix=yes");
        ByteBuffer target = ByteBuffer.allocate(8 * SECTOR);
        assertThrows(DeviceException.class, () -> disk.device.read(0, target));
        for (int sector = 0; sector < 8; sector++) {
            assertEquals(sector < 4 ? 6 : 0, target.get(sector * SECTOR), "sector " + sector);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"ENODEV", "ENXIO", "EIO", "ETIMEDOUT"})
    void theDeviceIsDown(String errno) throws IOException {
        disk.write(0, 1, 1);
        disk.faults("down errno=" + errno);
        int expected = SimErrno.parse(errno);
        disk.assertReadFails(expected, 0);
        disk.assertWriteFails(expected, 0, 1);
        assertEquals(
                expected,
                assertThrows(DeviceException.class, () -> disk.device.flush()).errno());
        disk.faults("");
        assertEquals(1, disk.read(0));
    }

    @Test
    void aReadOnlyDeviceReads() throws IOException {
        disk.faults("read-only");
        disk.read(0);
        disk.assertWriteFails(Errno.EROFS, 0, 1);
        assertEquals(
                Errno.EROFS,
                assertThrows(DeviceException.class, () -> disk.device.discard(0, SECTOR))
                        .errno());
        disk.device.flush();
    }

    @Test
    void aLinkResetIsOverAfterItsTime() throws IOException {
        disk.advance(5000);
        disk.faults("link-reset 10");
        disk.assertReadFails(Errno.EIO, 0);
        disk.advance(9999);
        disk.assertReadFails(Errno.EIO, 0);
        disk.advance(1);
        disk.read(0);
    }

    @Test
    void theDiskShrinksAndIsAnotherOne() throws IOException {
        disk.write(0, 16, 1);
        OptionalLong before =
                disk.device.capability(MediumSequence.class).orElseThrow().current();
        disk.faults("size 4096", "identity WD-17");
        disk.read(7);
        disk.assertReadFails(Errno.EIO, 8);
        assertFalse(before.equals(
                disk.device.capability(MediumSequence.class).orElseThrow().current()));
        disk.device.close();
        disk.device = null;
        SimFixture again = new SimFixture(folder);
        try {
            again.open("");
            assertEquals(4096, again.device.traits().sizeBytes());
            assertEquals("serial:WD-17", again.device.identity().stableId());
        } finally {
            again.close();
        }
    }

    @Test
    void flushesFailSoOften() throws IOException {
        disk.faults("flush-fails 2 errno=ENOLINK");
        for (int i = 0; i < 2; i++) {
            assertEquals(
                    Errno.ENOLINK,
                    assertThrows(DeviceException.class, () -> disk.device.flush())
                            .errno());
        }
        disk.device.flush();
    }

    @Test
    void operationsTakeTheirTime() throws IOException {
        disk.reopen("latency-ms=5&latency-tail-ms=3&error-ms=7000&seed=3");
        List<Long> waits = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            disk.read(i);
            waits.add(disk.pausedMillis.getAndSet(0));
        }
        assertTrue(waits.stream().allMatch(wait -> wait >= 5 && wait <= 65), waits.toString());
        assertTrue(waits.stream().distinct().count() > 3, waits.toString());
        disk.faults("0s 1s read-and-write-bad");
        disk.assertReadFails(Errno.EIO, 0);
        assertEquals(7000, disk.pausedMillis.get());
    }
}
