package io.remap.core.sim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceException;
import io.remap.api.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is made and ended by hand: an order is carried out each time that it is given, once, and what is ended is over. */
class SimByHandTest {
    @TempDir
    Path folder;

    private SimFixture disk;
    private String control;

    @BeforeEach
    void open() throws IOException {
        disk = new SimFixture(folder);
        control = "control=" + disk.socket();
        Files.writeString(disk.list(), "");
        disk.open(control);
    }

    @AfterEach
    void close() {
        disk.close();
    }

    private void assertFlushFails(boolean fails, String when) {
        if (fails) {
            assertThrows(DeviceException.class, () -> disk.device.flush(), when);
        } else {
            try {
                disk.device.flush();
            } catch (DeviceException e) {
                throw new AssertionError(when, e);
            }
        }
    }

    private String state() throws IOException {
        return Files.readString(SimFiles.state(disk.image()));
    }

    @Test
    void aLinkIsResetEachTimeForItsSecondsAlsoOverAnotherOpen() throws IOException {
        for (int round = 0; round < 2; round++) {
            disk.say("state link-reset 10");
            disk.assertReadFails(Errno.EIO, 0);
            disk.advance(11_000);
            disk.read(0);
            assertFalse(disk.say("status").contains("states: [link-reset 10]"));
        }
        disk.say("state link-reset 10");
        disk.advance(4_000);
        disk.reopen(control);
        disk.advance(5_000);
        disk.assertReadFails(Errno.EIO, 0);
        assertTrue(disk.say("status").contains("states: [link-reset 10]"));
        // It runs out while nobody asks: the time of the order counts, not that of the next operation.
        disk.advance(1_000);
        disk.reopen(control);
        disk.read(0);
        assertFalse(state().contains("link-reset"), state());
        disk.say("state link-reset 10 from=read:3");
        disk.advance(60_000);
        disk.read(0);
        disk.assertReadFails(Errno.EIO, 0);
    }

    @Test
    void flushesFailAsOftenAsEachOrderSays() throws IOException {
        for (int round = 0; round < 2; round++) {
            disk.say("state flush-fails 3");
            assertFlushFails(true, "first");
            assertFlushFails(true, "second");
            disk.reopen(control);
            assertFlushFails(true, "third");
            assertFlushFails(false, "fourth");
            disk.reopen(control);
            assertFlushFails(false, "after another open");
        }
        // The same one in the list is the same one.
        disk.faults("flush-fails 2");
        disk.say("state flush-fails 2");
        assertFlushFails(true, "of both, first");
        assertFlushFails(true, "of both, second");
        assertFlushFails(false, "of both, third");
    }

    @Test
    void thePowerIsCutOnceForEachOrder() throws IOException {
        disk.reopen(control + "&cache=1M");
        for (int round = 1; round < 4; round++) {
            disk.write(0, 64, 9);
            disk.device.flush();
            disk.say("state power-cut 1 from=read:1");
            disk.write(0, 64, round);
            int kept = countOf(round);
            assertTrue(kept > 0 && kept < 64, "round " + round + ": kept " + kept);
            for (int again = 0; again < 2; again++) {
                disk.write(0, 64, 20 + again);
                assertEquals(64, countOf(20 + again), "it went again, round " + round);
                disk.reopen(control + "&cache=1M");
            }
        }
    }

    private int countOf(int value) throws IOException {
        byte[] bytes = disk.read(0, 64);
        int count = 0;
        for (int at = 0; at < bytes.length; at += SimFixture.SECTOR) {
            count += bytes[at] == value ? 1 : 0;
        }
        return count;
    }

    @Test
    void whatWasEndedByHandNeitherRelapsesNorComesBack() throws IOException {
        disk.faults("8s 2s relapses 3");
        disk.write(8, 2, 7);
        disk.say("heal 8s 1s");
        for (int open = 0; open < 2; open++) {
            disk.write(8, 1, 7);
            for (int i = 0; i < 10; i++) {
                assertEquals(7, disk.read(8), "open " + open + ", read " + i);
            }
            disk.assertReadFails(Errno.EIO, 9);
            disk.write(9, 1, 7);
            for (int i = 0; i < 3; i++) {
                assertEquals(7, disk.read(9), "open " + open + ", read " + i);
            }
            disk.assertReadFails(Errno.EIO, 9);
            disk.reopen(control);
        }
        disk.say("clearbadblocks");
        disk.write(8, 2, 7);
        for (int i = 0; i < 10; i++) {
            disk.read(8, 2);
        }
        // Until somebody makes it anew.
        disk.say("fault 8s 2s relapses 3");
        disk.assertReadFails(Errno.EIO, 8);
        disk.write(8, 2, 7);
        disk.read(8, 2);
        disk.reopen(control);
        for (int i = 0; i < 3; i++) {
            disk.read(8, 2);
        }
        disk.assertReadFails(Errno.EIO, 8);
    }
}
