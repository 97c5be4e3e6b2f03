package io.remap.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Refusal;
import io.remap.api.SectorRange;
import io.remap.api.Settings;
import io.remap.api.spi.ControlCommands;
import io.remap.api.spi.Feature;
import io.remap.cli.MapPicture.Mark;
import io.remap.cli.control.ControlClient;
import io.remap.cli.control.JsonRpcControlProvider;
import io.remap.cli.control.RunDirectory;
import io.remap.core.SystemEnvironment;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The listing against a service that answers with a map of ours, page by page, over the real control socket. */
@Timeout(60)
class MapListingTest {
    private static final String NAME = "disk";
    private static final long SECTORS = 100_000;

    @TempDir
    Path parent;

    private final List<Object> disks = new ArrayList<>();
    private final List<Map<String, Object>> entries = new ArrayList<>();
    private int pageEntries = 2;
    private SystemEnvironment environment;
    private Feature service;
    private ControlClient client;

    @BeforeEach
    void start() throws Exception {
        disks.add(Map.of("name", NAME, "sizeBytes", SECTORS * 512, "sectorBytes", 512));
        Path directory = parent.resolve("remap");
        RunDirectory.prepare(directory);
        environment = SystemEnvironment.start();
        service = new JsonRpcControlProvider()
                .open(NAME, directory, commands(), environment.environment(), new Settings(Map.of()));
        client = ControlClient.connect(directory, NAME);
    }

    @AfterEach
    void end() {
        client.close();
        service.close();
        environment.close();
    }

    private ControlCommands commands() {
        return new ControlCommands() {
            @Override
            public SortedSet<String> names() {
                return new TreeSet<>(List.of("status", "map.list"));
            }

            @Override
            public Object call(String name, Map<String, Object> arguments) throws Refusal {
                return name.equals("status") ? Map.of("disks", disks) : page(arguments);
            }
        };
    }

    private Map<String, Object> page(Map<String, Object> arguments) {
        assertEquals(NAME, arguments.get("disk"));
        long first = ((Number) arguments.get("first")).longValue();
        List<Map<String, Object>> found = entries.stream()
                .filter(entry -> (long) entry.get("first") >= first)
                .limit(pageEntries)
                .toList();
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("entries", found);
        Map<String, Object> last = found.isEmpty() ? null : found.get(found.size() - 1);
        answer.put("next", found.size() < pageEntries ? null : (long) last.get("first") + (long) last.get("length"));
        return answer;
    }

    private void entry(long first, long length, String state, long spareOffsetBytes) {
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("first", first);
        entry.put("length", length);
        entry.put("state", state);
        if (spareOffsetBytes >= 0) {
            entry.put("spareOffsetBytes", spareOffsetBytes);
        }
        entries.add(entry);
    }

    private List<String> printed(int limit) throws Exception {
        StringWriter text = new StringWriter();
        PrintWriter out = new PrintWriter(text);
        MapListing.fetch(client, null, limit).print(Terminal.of(out, false, Map.of()));
        out.flush();
        return text.toString().lines().toList();
    }

    @Test
    void saysThatEverythingIsOnMain() throws Exception {
        List<String> lines = printed(10);
        assertEquals("disk disk, 48.8 MiB in sectors of 512 bytes", lines.get(0));
        assertEquals("every sector is on main", lines.get(lines.size() - 1));
    }

    @Test
    void showsEveryStateWhereItStands() throws Exception {
        entry(7, 1, "spare", 4096);
        entry(2048, 8, "unreadable-on-spare", 8192);
        entry(3000, 2, "unreadable", -1);
        entry(3500, 8, "zero", -1);
        entry(4000, 3, "lost", -1);
        List<String> lines = printed(10);
        assertEquals(
                List.of(
                        "SECTORS    COUNT  STATE                WHERE",
                        "7          1      spare                at byte 4096 of the spare",
                        "2048-2055  8      unreadable-on-spare  at byte 8192 of the spare",
                        "3000-3001  2      unreadable",
                        "3500-3507  8      zero                 nowhere: reads as zeros",
                        "4000-4002  3      lost"),
                lines.subList(lines.size() - 6, lines.size()));
        assertTrue(lines.get(1).strip().matches("#.*\\?.*X\\.*"), lines.get(1));
        assertTrue(lines.stream().anyMatch(line -> line.contains("0 zeros, on neither")), lines.toString());
    }

    @Test
    void saysWhatWasGivenUpByAMove() {
        SectorRange range = new SectorRange(2048, 8);
        assertEquals("sectors 2048+8 are on the spare", MapCommand.said(range, Map.of("lostSectors", 0L)));
        assertEquals(
                "sectors 2048+8 are given up: EIO until they are written",
                MapCommand.said(range, Map.of("lostSectors", 8L)));
        assertEquals(
                "sectors 2048+8 are on the spare, but for 3 that are given up: EIO until they are written",
                MapCommand.said(range, Map.of("lostSectors", 3L)));
    }

    @Test
    void countsAllOfManyPagesAndShowsAsManyAsAreWanted() throws Exception {
        for (int index = 0; index < 9; index++) {
            entry(index * 100L, 10, "spare", index * 4096L);
        }
        MapListing listing = MapListing.fetch(client, null, 4);
        assertEquals(90, listing.sectors(Mark.REMAPPED));
        assertEquals(0, listing.sectors(Mark.LOST));
        List<String> lines = printed(4);
        assertEquals("and 5 more; --limit or --json shows them", lines.get(lines.size() - 1));
        assertEquals(4, lines.stream().filter(line -> line.contains("at byte")).count());
    }

    @Test
    void knowsWhichSectorsStandOnTheSpare() throws Exception {
        entry(100, 10, "spare", 4096);
        entry(200, 10, "lost", -1);
        MapListing listing = MapListing.fetch(client, null, Integer.MAX_VALUE);
        assertTrue(listing.isOnSpare(100) && listing.isOnSpare(109));
        assertFalse(listing.isOnSpare(99) || listing.isOnSpare(110) || listing.isOnSpare(200));
    }

    @Test
    void printsJsonWithARangeInEachLine() throws Exception {
        pageEntries = 1;
        entry(1, 1, "spare", 4096);
        entry(5, 2, "lost", -1);
        StringWriter text = new StringWriter();
        PrintWriter out = new PrintWriter(text);
        MapListing.printJson(client, null, out);
        out.flush();
        assertEquals(
                List.of(
                        "{\"json_format_version\":1,\"disk\":\"disk\",\"sizeBytes\":51200000,\"sectorBytes\":512,"
                                + "\"entries\":[",
                        "{\"first\":1,\"length\":1,\"state\":\"spare\",\"spareOffsetBytes\":4096},",
                        "{\"first\":5,\"length\":2,\"state\":\"lost\"}",
                        "]}"),
                text.toString().lines().toList());
    }

    @Test
    void ofSeveralDisksOneIsChosen() throws Exception {
        disks.add(0, Map.of("name", "other", "sizeBytes", 512L, "sectorBytes", 512));
        entry(1, 1, "spare", 4096);
        assertEquals(1, MapListing.fetch(client, NAME, 1).sectors(MapPicture.Mark.REMAPPED));
        Refusal unclear = assertThrows(Refusal.class, () -> MapListing.fetch(client, null, 1));
        assertEquals("say which disk, with --disk: there are other, disk", unclear.getMessage());
        NotSo absent = assertThrows(NotSo.class, () -> MapListing.fetch(client, "third", 1));
        assertEquals("there is no disk 'third'", absent.getMessage());
    }

    @Test
    void aServiceWithoutADiskHasNoMap() {
        disks.clear();
        NotSo refusal = assertThrows(NotSo.class, () -> MapListing.fetch(client, null, 1));
        assertEquals("the service serves no disk now", refusal.getMessage());
    }
}
