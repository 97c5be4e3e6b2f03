package io.remap.core.sim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.Refusal;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is done to a disk while it is open: over the socket, and what the trace and a power cut make of it. */
class SimControlTest {
    private static final int SECTOR = SimFixture.SECTOR;

    @TempDir
    Path folder;

    private SimFixture disk;

    @BeforeEach
    void open() throws IOException {
        disk = new SimFixture(folder);
        disk.open("control=" + socket());
    }

    @AfterEach
    void close() {
        disk.close();
    }

    private Path socket() {
        return disk.socket();
    }

    private List<String> say(String command) throws IOException {
        return disk.say(command);
    }

    @Test
    void whatWasMeantIsSaid() throws IOException {
        assertTrue(say("state foo").get(0).startsWith("error: 'foo': expected down, gone, hangs,"));
        assertEquals(
                List.of("error: expected a number from 1 to 1000000000 after link-reset"), say("state link-reset"));
        assertEquals(List.of("error: slow needs MILLISECONDS"), say("fault 0s 1s slow"));
        assertTrue(say("{\"command\": \"help\"}").get(0).contains("addbadblock N"));
    }

    @Test
    void whatIsDoneByHandOutlivesTheProcess() throws IOException {
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(socket())));
        say("addbadblock 60 2");
        say("fault 100s 8s write-bad");
        say("state flush-fails");
        say("heal 104s 4s");
        for (int round = 0; round < 2; round++) {
            disk.assertReadFails(Errno.EIO, 60);
            disk.assertWriteFails(Errno.EIO, 100, 8);
            disk.write(104, 4, 1);
            assertThrows(IOException.class, () -> disk.device.flush());
            disk.reopen("control=" + socket());
        }
        disk.assertWriteFails(Errno.EIO, 60, 1);
        disk.assertWriteFails(Errno.EIO, 60, 1);
        disk.write(60, 1, 2);
        assertEquals(2, disk.read(60));
        assertEquals(List.of("up", "ok"), say("up"));
        disk.device.flush();
        say("clearbadblocks");
        disk.write(100, 8, 1);
        say("addbadblock 60");
        disk.assertReadFails(Errno.EIO, 60);
    }

    @Test
    void aHealedListStaysHealedUntilItsLineChanges() throws IOException {
        disk.faults("0s 8s read-and-write-bad").reopen("control=" + socket());
        say("removebadblock 3");
        disk.write(3, 1, 1);
        disk.reopen("control=" + socket());
        disk.write(3, 1, 1);
        disk.assertReadFails(Errno.EIO, 4);
        disk.faults("0s 9s read-and-write-bad");
        disk.assertReadFails(Errno.EIO, 3);
    }

    @Test
    void commandsThatMakeNoSenseChangeNothing() throws IOException {
        for (String command : List.of(
                "addbadblock",
                "addbadblock -1",
                "addbadblock 8192",
                "fault 0s 1s",
                "fault 8191s 2s write-bad",
                "heal 0 0",
                "heal 0 99999999999999999",
                "state sick",
                "state size 100",
                "power-cut now",
                "state power-cut",
                "state power-cut until=write:3",
                "state power-cut 0 from=write:3",
                "state down from=flushes:3",
                "{\"command\": \"status\", \"x\": 1}",
                "{",
                "status now")) {
            String answer = String.join("\n", say(command));
            assertTrue(answer.startsWith("error: ") || answer.contains("\"ok\":false"), command + ": " + answer);
        }
        assertEquals(List.of("countbadblocks: 0 badblock(s) found", "ok"), say("countbadblocks"));
        assertFalse(Files.exists(SimFiles.state(disk.image())));
        // A line without an end, and one without a limit: the connection ends, the disk does not.
        assertEquals(List.of(), say("x".repeat(SimControlServer.MAX_LINE_CHARS + 1)));
        assertTrue(say("{ \"command\" : \"queryblock 5\" }").get(0).contains("\"bad\":false"));
    }

    @Test
    void aMistakeOfOursIsAnErrorOfItsCommandAndNotTheEndOfTheConnection() throws IOException {
        disk.device.close();
        SimControlServer.Commands commands = line -> {
            if (line.equals("broken")) {
                throw new IndexOutOfBoundsException("7 of\n5");
            }
            return SimControl.Answer.of("said " + line, Map.of("said", line));
        };
        try (SimControlServer server = SimControlServer.start(socket(), new Random(1), commands)) {
            List<String> answers = say("broken\n{\"command\": \"broken\"}\nfine");
            assertEquals(4, answers.size(), answers.toString());
            assertTrue(answers.get(0).matches("error: broke off.* 7 of 5"), answers.get(0));
            assertTrue(answers.get(1).matches("\\{\"ok\":false,.* 7 of 5.*}"), answers.get(1));
            assertEquals(List.of("said fine", "ok"), answers.subList(2, 4));
        }
    }

    @Test
    void aStateThatIsEndedLetsTheHangingGoOn() throws IOException {
        disk.write(0, 1, 5);
        say("state hangs");
        disk.meanwhile = () -> {
            try {
                say("up");
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        };
        assertEquals(5, disk.read(0));
        assertEquals(SimDevice.LOOK_MILLIS, disk.pausedMillis.get());
    }

    @Test
    void theTraceTellsEachOperationAndIsBounded() throws IOException {
        Path trace = folder.resolve("trace");
        disk.faults("1s 1s transient 1", "2s 1s slow 30").reopen("control=" + socket() + "&trace=" + trace);
        disk.assertReadFails(Errno.EIO, 1);
        disk.read(2);
        disk.write(5, 2, 1);
        disk.device.flush();
        say("addbadblock 9");
        assertEquals(
                List.of(
                        "1 read 512 512 EIO [512 512 transient 1]",
                        "2 read 1024 512 ok delay=30 [1024 512 slow 30]",
                        "3 write 2560 1024 ok",
                        "4 flush 0 0 ok",
                        "- addbadblock 9"),
                Files.readAllLines(trace));
        disk.reopen("trace=" + trace + "&trace-format=json&trace-bytes=64K");
        for (int i = 0; i < 2000; i++) {
            disk.read(i % 8);
        }
        long kept = Files.size(trace) + Files.size(folder.resolve("trace.1"));
        assertTrue(kept <= 64 << 10 && kept > 32 << 10, "kept " + kept);
        List<String> lines = Files.readAllLines(trace);
        assertEquals(
                "{\"number\":2000,\"operation\":\"read\",\"offset\":3584,\"length\":512,\"outcome\":\"ok\",\"delayMillis\":0,"
                        + "\"causes\":[]}",
                lines.get(lines.size() - 1));
    }

    /**
     * A model: after a cut each physical sector is as it was at the last flush or after one of the writes since, as a whole,
     * also where a write took a part of it only.
     */
    @ParameterizedTest
    @ValueSource(ints = {1, 8})
    void aPowerCutKeepsWhatWasFlushedAndOfTheRestWhatChanceWants(int unitSectors) throws IOException {
        long seed = Long.getLong("remap.seed", 1);
        int seeds = Integer.getInteger("remap.seeds", 30);
        boolean oneLost = false;
        boolean oneBetween = false;
        for (long at = seed; at < seed + seeds; at++) {
            Random random = new Random(at);
            disk.reopen("control=" + socket() + "&cache=1M&seed=" + at + "&physical=" + unitSectors * SECTOR);
            List<List<List<Integer>>> possible = new ArrayList<>();
            for (int unit = 0; unit < 64 / unitSectors; unit++) {
                possible.add(new ArrayList<>(List.of(unit(unit, unitSectors))));
            }
            for (int round = 0; round < 60; round++) {
                if (random.nextInt(20) == 0) {
                    disk.device.flush();
                    possible.forEach(
                            versions -> versions.subList(0, versions.size() - 1).clear());
                } else {
                    int first = random.nextInt(60);
                    int count = 1 + random.nextInt(4);
                    disk.write(first, count, round);
                    for (int unit = first / unitSectors; unit <= (first + count - 1) / unitSectors; unit++) {
                        possible.get(unit).add(unit(unit, unitSectors));
                    }
                }
            }
            assertTrue(say("power-cut").contains("ok"), "seed " + at);
            for (int unit = 0; unit < 64 / unitSectors; unit++) {
                List<Integer> now = unit(unit, unitSectors);
                List<List<Integer>> versions = possible.get(unit);
                assertTrue(versions.contains(now), "seed " + at + ", unit " + unit + ": " + now + " of " + versions);
                oneLost |= !now.equals(versions.get(versions.size() - 1));
                oneBetween |= versions.indexOf(now) > 0 && versions.lastIndexOf(now) < versions.size() - 1;
            }
        }
        assertTrue(oneLost && oneBetween, "lost " + oneLost + ", between " + oneBetween);
    }

    /** The first byte of each sector of a physical one. */
    private List<Integer> unit(int unit, int unitSectors) throws IOException {
        return sectors(disk.read((long) unit * unitSectors, unitSectors)).stream()
                .map(sector -> (int) sector[0])
                .toList();
    }

    @Test
    void aFlushThatLiesProtectsNothingAndAHealingWriteIsKept() throws IOException {
        disk.faults("0s 8s read-bad-heals-on-write", "flush-lies").reopen("control=" + socket() + "&cache=1M");
        disk.write(0, 8, 3);
        byte[] before = disk.read(8, 64);
        disk.write(8, 64, 4);
        disk.device.flush();
        say("power-cut 1");
        assertEquals(3, disk.read(0));
        byte[] after = disk.read(8, 64);
        assertFalse(Arrays.equals(before, after), "all lost");
        assertFalse(Arrays.equals(after, disk.read(8, 1)), "all kept");
        disk.faults("");
        disk.write(8, 64, 5);
        disk.device.flush();
        say("power-cut");
        byte[] kept = disk.read(8, 64);
        say("power-cut");
        assertArrayEquals(kept, disk.read(8, 64));
        assertEquals(5, kept[0]);
    }

    @Test
    void thePowerGoesOnceJustBeforeTheOperationThatTheListNames() throws IOException {
        for (String point : List.of("flush:2", "write:3", "read:1", "io:4")) {
            disk.faults("").reopen("cache=1M");
            disk.write(0, 64, 3);
            disk.device.flush();
            disk.faults("power-cut 1 from=" + point).reopen("cache=1M");
            disk.device.flush();
            disk.write(0, 64, 4);
            disk.write(64, 1, 4);
            if (point.equals("write:3")) {
                disk.write(65, 1, 4);
            } else if (!point.equals("read:1")) {
                disk.device.flush();
            }
            Map<Integer, Integer> counts = new HashMap<>();
            for (byte[] sector : sectors(disk.read(0, 64))) {
                counts.merge((int) sector[0], 1, Integer::sum);
            }
            assertEquals(Set.of(3, 4), counts.keySet(), point + ": all lost or all kept");
            disk.write(0, 64, 5);
            for (byte[] sector : sectors(disk.read(0, 64))) {
                assertEquals(5, sector[0], point + ": it went again");
            }
        }
    }

    private static List<byte[]> sectors(byte[] bytes) {
        List<byte[]> sectors = new ArrayList<>();
        for (int at = 0; at < bytes.length; at += SECTOR) {
            sectors.add(Arrays.copyOfRange(bytes, at, at + SECTOR));
        }
        return sectors;
    }

    @Test
    void aDiskThatIsDownAfterThePowerCutAnswersNothing() throws IOException {
        disk.faults("power-cut from=write:2", "down from=write:2").reopen("cache=1M");
        disk.write(0, 1, 3);
        assertThrows(DeviceException.class, () -> disk.write(1, 1, 3));
        disk.assertReadFails(Errno.ENODEV, 0);
    }

    @Test
    void theBlocksOfADeadHalfOfALargeDiskAreCountedAndTooManyToList() throws IOException {
        disk.device.close();
        Files.delete(disk.image());
        disk.size = "100G";
        Files.writeString(disk.list(), "0 50G read-and-write-bad\n");
        disk.open("control=" + socket());
        assertEquals(List.of("countbadblocks: 104857600 badblock(s) found", "ok"), say("countbadblocks"));
        List<String> answer = say("listbadblocks");
        assertTrue(answer.get(0).matches("error: 104857600 .* at most [0-9]+ .*"), answer.get(0));
        Files.writeString(disk.list(), "");
        disk.reopen("block-size=4096&control=" + socket());
        say("fault 7s 10s read-and-write-bad");
        say("fault 18s 1s read-and-write-bad");
        assertEquals(List.of("0", "1", "2", "ok"), say("listbadblocks"));
        assertEquals(List.of("countbadblocks: 3 badblock(s) found", "ok"), say("countbadblocks"));
    }

    @Test
    void aWriteToADiskWhoseFaultsAreDisabledHealsNothing() throws IOException {
        disk.reopen("control=" + socket() + "&trace=" + folder.resolve("trace"));
        say("addbadblock 3");
        say("disable");
        disk.write(3, 1, 5);
        assertEquals(5, disk.read(3));
        say("enable");
        disk.assertReadFails(Errno.EIO, 3);
    }

    @Test
    void jsonIsReadAndWritten() {
        assertEquals("a \"b\" \\c", SimJson.onlyString("{\"command\":\"a \\\"b\\\" \\\\c\"}", "command"));
        assertEquals("x:y", SimJson.onlyString(" { \"command\" : \"x:y\" } ", "command"));
        assertNull(SimJson.onlyString("{\"command\":\"a\",\"b\":\"c\"}", "command"));
        assertNull(SimJson.onlyString("{\"other\":\"a\"}", "command"));
        assertNull(SimJson.onlyString("{}", "command"));
        assertEquals("{\"a\":[1,\"x\\u000a\",true]}", SimJson.write(Map.of("a", List.of(1, "x\n", true))));
    }

    @Test
    void aSocketThatCannotBeMadeRefusesTheDisk() {
        Path tooLong = folder.resolve("x".repeat(120));
        disk.device.close();
        assertThrows(Refusal.class, () -> disk.open("control=" + tooLong));
        // And leaves nothing locked.
        assertTrue(Files.exists(disk.image()));
        try {
            disk.open("");
        } catch (IOException e) {
            throw new AssertionError("the disk is still locked", e);
        }
    }
}
