package io.remap.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class StatusTextTest {
    private static Map<String, Object> feature(String name, String state, String text, Object... parts) {
        return Map.of("name", name, "state", state, "text", text, "parts", List.of(parts));
    }

    private static Map<String, Object> device(String name, long sizeBytes, boolean direct) {
        return Map.of("name", name, "traits", Map.of("sizeBytes", sizeBytes, "direct", direct));
    }

    private static Map<String, Object> disk() {
        Map<String, Object> disk = new LinkedHashMap<>();
        disk.put("name", "old-disk");
        disk.put("sizeBytes", 64L << 20);
        disk.put("sectorBytes", 512);
        disk.put("readOnly", false);
        disk.put("main", device("/dev/sdb", 64L << 20, true));
        disk.put("spare", device("spare.img", 16L << 20, false));
        disk.put("slots", 100L);
        disk.put("freeSlots", 90L);
        disk.put("badSlots", 0L);
        disk.put("mappingLimit", 5000L);
        disk.put("mappedSectors", 8L);
        disk.put("unreadableSectors", 1L);
        disk.put("lostSectors", 0L);
        disk.put("flushFailed", "");
        disk.put("uris", List.of("nbd://127.0.0.1/old-disk"));
        disk.put("notices", List.of("spare.img was formatted"));
        disk.put("features", List.of(feature("metadata", "started", "enabled")));
        return disk;
    }

    private static List<String> printed(Map<String, Object> disk, boolean colours) {
        StringWriter text = new StringWriter();
        PrintWriter out = new PrintWriter(text);
        new StatusText(Terminal.of(out, colours, Map.of("TERM", "xterm"))).disk(disk);
        out.flush();
        return text.toString().lines().toList();
    }

    @Test
    void showsADisk() {
        assertEquals(
                List.of(
                        "  disk old-disk: 64 MiB in sectors of 512 bytes",
                        "    main        /dev/sdb (64 MiB, direct)",
                        "    spare       spare.img (16 MiB, buffered)",
                        "    slots       90 of 100 free; at most 5000 mappings",
                        "    on spare    8 sectors",
                        "    unreadable  1 sector",
                        "    lost        0 sectors",
                        "    uri         nbd://127.0.0.1/old-disk",
                        "    note        spare.img was formatted",
                        "    metadata: enabled"),
                printed(disk(), false));
    }

    @Test
    void showsADiskWithoutASpareAndReadOnly() {
        Map<String, Object> disk = disk();
        disk.put("spare", null);
        disk.put("readOnly", true);
        List<String> lines = printed(disk, false);
        assertEquals("  disk old-disk: 64 MiB in sectors of 512 bytes, read-only", lines.get(0));
        assertEquals("    spare       none", lines.get(2));
        assertFalse(lines.stream().anyMatch(line -> line.contains("slots")), "no slots without a spare");
    }

    @Test
    void saysWhatIsBad() {
        Map<String, Object> disk = disk();
        disk.put("freeSlots", 9L);
        disk.put("badSlots", 2L);
        disk.put("flushFailed", "EIO of /dev/sdb");
        List<String> lines = printed(disk, true);
        String red = "\u001b[31m";
        assertTrue(lines.contains("    slots       " + red + "9 of 100 free\u001b[0m, 2 bad; at most 5000 mappings"));
        assertTrue(lines.contains("    flush       " + red + "failed: EIO of /dev/sdb\u001b[0m"), lines::toString);
        assertTrue(lines.contains("    unreadable  " + red + "1 sector\u001b[0m"), lines::toString);
    }

    @Test
    void showsHowTheCopiesOfTheMetadataStand() {
        Map<String, Object> disk = disk();
        Map<String, Object> copies = new LinkedHashMap<>(
                Map.of("copies", 2, "copiesValid", 2, "superblocks", 4, "superblocksValid", 4, "verifiedMillis", 0L));
        // Whatever the clock says: from the future on it is now.
        copies.put("savedMillis", Long.MAX_VALUE);
        disk.put("metadataCopies", copies);
        List<String> lines = printed(disk, true);
        String whole = "    copies      \u001b[32m2 of 2 copies valid, 4 of 4 superblocks\u001b[0m, read ";
        assertTrue(lines.stream().anyMatch(line -> line.startsWith(whole) && line.endsWith(" ago")), lines::toString);
        assertTrue(lines.contains("    saved       0 s ago"), lines::toString);
        copies.put("superblocksValid", 3);
        String damaged = "\u001b[31m2 of 2 copies valid, 3 of 4 superblocks\u001b[0m";
        assertTrue(printed(disk, true).stream().anyMatch(line -> line.contains(damaged)));
    }

    @ParameterizedTest
    @CsvSource({"999, 0 s", "61000, 1 min 1 s", "7380000, 2 h 3 min", "180000000, 2 d 2 h"})
    void showsAServiceWithItsFeaturesAndTheirParts(long uptimeMillis, String shown) {
        StringWriter text = new StringWriter();
        PrintWriter out = new PrintWriter(text);
        Map<String, Object> status = new LinkedHashMap<>();
        status.put("name", "s");
        status.put("pid", 42L);
        status.put("uptimeMillis", uptimeMillis);
        status.put("version", "1");
        status.put("connections", 3);
        status.put("transport", "plain");
        status.put("ioEngine", "inline");
        status.put("listeners", List.of("/run/s.sock"));
        status.put(
                "features",
                List.of(
                        feature("health", "failed", "failed: no sensor", feature("scanner", "absent", "absent")),
                        feature("control", "started", "enabled")));
        new StatusText(Terminal.of(out, false, Map.of())).print(status);
        out.flush();
        assertEquals(
                List.of(
                        "service s (process 42, up " + shown + ", remap 1)",
                        "  health: failed: no sensor",
                        "    scanner: absent",
                        "  control: enabled",
                        "  clients  3, transport plain, I/O engine inline",
                        "  listens  /run/s.sock"),
                text.toString().lines().toList());
    }
}
