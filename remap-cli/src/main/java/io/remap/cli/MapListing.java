package io.remap.cli;

import io.remap.api.ByteSize;
import io.remap.api.Refusal;
import io.remap.cli.MapPicture.Mark;
import io.remap.cli.control.ControlClient;
import io.remap.cli.control.JsonLines;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;

/**
 * What is not plainly on main of a served disk: asked for page by page, shown as a picture and a table. Of a million
 * ranges only those to be shown are kept.
 */
final class MapListing {
    private static final int PAGE_ENTRIES = 5_000;
    private static final String SPARE_OFFSET = "spareOffsetBytes";

    private final Map<?, ?> disk;
    private final long sectorBytes;
    private final MapPicture picture;
    private final int limit;
    private final List<Map<?, ?>> kept = new ArrayList<>();
    private final Map<Mark, Long> sectors = new EnumMap<>(Mark.class);
    private long count;

    private MapListing(Map<?, ?> disk, int limit) {
        this.disk = disk;
        this.limit = limit;
        this.sectorBytes = StatusText.number(disk, "sectorBytes");
        this.picture = new MapPicture(Math.max(1, StatusText.number(disk, "sizeBytes") / Math.max(1, sectorBytes)));
    }

    /**
     * Asks for the whole map of a disk; at most so many ranges are kept, to be shown.
     *
     * @param name {@code null} for the only one of the service
     */
    static MapListing fetch(ControlClient client, String name, int limit) throws Refusal, NotSo {
        MapListing listing = new MapListing(diskOf(client, name), limit);
        eachEntry(client, listing.disk, listing::add);
        return listing;
    }

    /** Prints the whole map as JSON, each range in a line of its own, as it arrives. */
    static void printJson(ControlClient client, String name, PrintWriter out) throws Refusal, NotSo {
        Map<?, ?> disk = diskOf(client, name);
        Map<String, Object> head = new LinkedHashMap<>();
        head.put("json_format_version", JsonOption.FORMAT_VERSION);
        for (String key : List.of("name", "sizeBytes", "sectorBytes")) {
            head.put(key.equals("name") ? "disk" : key, disk.get(key));
        }
        String opened = JsonLines.line(head);
        out.print(opened.substring(0, opened.length() - 1) + ",\"entries\":[");
        String[] separator = {"\n"};
        eachEntry(client, disk, entry -> {
            out.print(separator[0] + JsonLines.line(entry));
            separator[0] = ",\n";
        });
        out.println("\n]}");
    }

    private static Map<?, ?> diskOf(ControlClient client, String name) throws Refusal, NotSo {
        Map<?, ?> status = (Map<?, ?>) client.call("status", Map.of(), Services.ANSWER_MILLIS);
        List<Map<?, ?>> disks = new ArrayList<>();
        for (Object one : StatusText.list(status, "disks")) {
            Map<?, ?> disk = (Map<?, ?>) one;
            if (name == null || name.equals(disk.get("name"))) {
                disks.add(disk);
            }
        }
        if (disks.isEmpty()) {
            throw new NotSo(name == null ? "the service serves no disk now" : "there is no disk '" + name + "'");
        }
        if (disks.size() > 1) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "say which disk, with --disk: there are "
                            + String.join(
                                    ", ",
                                    disks.stream()
                                            .map(disk -> StatusText.text(disk, "name"))
                                            .toList()));
        }
        return disks.get(0);
    }

    private static void eachEntry(ControlClient client, Map<?, ?> disk, Consumer<Map<?, ?>> action) throws Refusal {
        Map<String, Object> arguments = new LinkedHashMap<>();
        arguments.put("disk", StatusText.text(disk, "name"));
        arguments.put("limit", PAGE_ENTRIES);
        Object next = 0L;
        while (next != null) {
            arguments.put("first", next);
            Map<?, ?> page = (Map<?, ?>) client.call("map.list", arguments, Services.ANSWER_MILLIS);
            for (Object entry : StatusText.list(page, "entries")) {
                action.accept((Map<?, ?>) entry);
            }
            next = page.get("next");
        }
    }

    private void add(Map<?, ?> entry) {
        count++;
        long length = StatusText.number(entry, "length");
        picture.add(StatusText.number(entry, "first"), length, markOf(entry));
        sectors.merge(markOf(entry), length, Long::sum);
        if (kept.size() < limit) {
            kept.add(entry);
        }
    }

    /** Sectors in a state. */
    long sectors(Mark mark) {
        return sectors.getOrDefault(mark, 0L);
    }

    /** Whether a sector stands on the spare, among the entries kept. */
    boolean isOnSpare(long sector) {
        return kept.stream()
                .anyMatch(entry -> markOf(entry) == Mark.REMAPPED
                        && sector >= StatusText.number(entry, "first")
                        && sector - StatusText.number(entry, "first") < StatusText.number(entry, "length"));
    }

    void print(Terminal terminal) {
        terminal.heading("disk " + disk.get("name") + ", " + ByteSize.format(StatusText.number(disk, "sizeBytes"))
                + " in sectors of " + sectorBytes + " bytes");
        picture.print(terminal);
        if (count == 0) {
            terminal.line("every sector is on main");
            return;
        }
        List<List<String>> rows = new ArrayList<>(List.of(List.of("SECTORS", "COUNT", "STATE", "WHERE")));
        for (Map<?, ?> entry : kept) {
            long first = StatusText.number(entry, "first");
            long length = StatusText.number(entry, "length");
            rows.add(List.of(
                    length == 1 ? Long.toString(first) : first + "-" + (first + length - 1),
                    Long.toString(length),
                    StatusText.text(entry, "state"),
                    where(entry)));
        }
        terminal.table(rows);
        if (count > kept.size()) {
            terminal.line("and " + (count - kept.size()) + " more; --limit or --json shows them");
        }
    }

    private static String where(Map<?, ?> entry) {
        String spare = entry.get("spare") == null ? "the spare" : "spare " + entry.get("spare");
        return entry.get(SPARE_OFFSET) == null
                ? entry.get("spare") == null
                        ? markOf(entry) == Mark.ZERO ? "nowhere: reads as zeros" : ""
                        : "on " + spare + ", which is not there"
                : "at byte " + entry.get(SPARE_OFFSET) + " of " + spare;
    }

    private static Mark markOf(Map<?, ?> entry) {
        return switch (StatusText.text(entry, "state").toLowerCase(Locale.ROOT)) {
            case "unreadable", "unreadable_on_spare", "unreadable-on-spare", "on-missing-spare" -> Mark.UNREADABLE;
            case "avoided" -> Mark.AVOIDED;
            case "lost" -> Mark.LOST;
            case "zero" -> Mark.ZERO;
            default -> Mark.REMAPPED;
        };
    }
}
