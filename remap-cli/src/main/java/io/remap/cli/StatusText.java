package io.remap.cli;

import io.remap.api.ByteSize;
import io.remap.cli.Terminal.Tone;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The answer of the command {@code status}, for people. */
final class StatusText {
    private static final String INDENT = "  ";

    private final Terminal terminal;

    StatusText(Terminal terminal) {
        this.terminal = terminal;
    }

    void print(Map<?, ?> status) {
        Duration uptime = Duration.ofMillis(number(status, "uptimeMillis"));
        terminal.heading("service " + text(status, "name") + " (process " + number(status, "pid") + ", up "
                + duration(uptime) + ", remap " + text(status, "version") + ")");
        for (Object feature : list(status, "features")) {
            feature((Map<?, ?>) feature, INDENT);
        }
        List<List<String>> facts = new ArrayList<>();
        facts.add(List.of(
                "clients",
                number(status, "connections") + ", transport " + text(status, "transport") + ", I/O engine "
                        + text(status, "ioEngine")));
        for (Object listener : list(status, "listeners")) {
            facts.add(List.of("listens", String.valueOf(listener)));
        }
        terminal.facts(INDENT, facts);
        for (Object disk : list(status, "disks")) {
            disk((Map<?, ?>) disk);
        }
    }

    private void feature(Map<?, ?> feature, String indent) {
        String text = text(feature, "text");
        terminal.line(indent + text(feature, "name") + ": " + terminal.tone(toneOf(text(feature, "state")), text));
        for (Object part : list(feature, "parts")) {
            feature((Map<?, ?>) part, indent + INDENT);
        }
    }

    private static Tone toneOf(String state) {
        return switch (state.toLowerCase(Locale.ROOT)) {
            case "started" -> Tone.GOOD;
            case "failed" -> Tone.BAD;
            case "starting" -> Tone.WARNING;
            default -> Tone.QUIET;
        };
    }

    /** One disk: what it is made of, where it is served, how many sectors are not on main. */
    void disk(Map<?, ?> disk) {
        terminal.heading(INDENT + "disk " + text(disk, "name") + ": " + ByteSize.format(number(disk, "sizeBytes"))
                + " in sectors of " + number(disk, "sectorBytes") + " bytes"
                + (Boolean.TRUE.equals(disk.get("readOnly")) ? ", read-only" : ""));
        List<List<String>> facts = new ArrayList<>();
        facts.add(List.of("main", device(disk.get("main"))));
        facts.add(List.of("spare", disk.get("spare") == null ? "none" : device(disk.get("spare"))));
        if (disk.get("spare") != null) {
            facts.add(List.of("slots", slots(disk)));
        }
        if (disk.get("metadataCopies") instanceof Map<?, ?> copies) {
            facts.addAll(copies(copies));
        }
        facts.add(List.of("on spare", sectors(disk, "mappedSectors", Tone.WARNING)));
        if (number(disk, "zeroSectors") > 0) {
            facts.add(List.of("zeros", sectors(disk, "zeroSectors", Tone.WARNING) + ", on neither disk"));
        }
        facts.add(List.of("unreadable", sectors(disk, "unreadableSectors", Tone.BAD)));
        facts.add(List.of("lost", sectors(disk, "lostSectors", Tone.BAD)));
        if (number(disk, "avoidedSectors") > 0) {
            facts.add(List.of("avoided", sectors(disk, "avoidedSectors", Tone.BAD)));
        }
        if (!text(disk, "ledger").isEmpty()) {
            facts.add(List.of("ledger", text(disk, "ledger")));
        }
        for (Object device : list(disk, "away")) {
            facts.add(List.of(
                    "away",
                    terminal.tone(Tone.BAD, device + " does not answer: requests wait, nothing is redirected")));
        }
        for (Object uri : list(disk, "uris")) {
            facts.add(List.of("uri", String.valueOf(uri)));
        }
        String flushFailed = text(disk, "flushFailed");
        if (!flushFailed.isEmpty()) {
            facts.add(List.of("flush", terminal.tone(Tone.BAD, "failed: " + flushFailed)));
        }
        for (Object notice : list(disk, "notices")) {
            facts.add(List.of("note", String.valueOf(notice)));
        }
        terminal.facts(INDENT + INDENT, facts);
        for (Object feature : list(disk, "features")) {
            feature((Map<?, ?>) feature, INDENT + INDENT);
        }
    }

    /** How the copies of the table stand, when they were read and when they were saved. */
    List<List<String>> copies(Map<?, ?> copies) {
        boolean whole = number(copies, "copiesValid") == number(copies, "copies")
                && number(copies, "superblocksValid") == number(copies, "superblocks");
        String text = number(copies, "copiesValid") + " of " + number(copies, "copies") + " copies valid, "
                + number(copies, "superblocksValid") + " of " + number(copies, "superblocks") + " superblocks";
        return List.of(
                List.of(
                        "copies",
                        terminal.tone(whole ? Tone.GOOD : Tone.BAD, text) + ", read "
                                + ago(number(copies, "verifiedMillis"))),
                List.of("saved", ago(number(copies, "savedMillis"))));
    }

    private static String ago(long wallMillis) {
        return duration(Duration.ofMillis(Math.max(0, System.currentTimeMillis() - wallMillis))) + " ago";
    }

    private String slots(Map<?, ?> disk) {
        long all = number(disk, "slots");
        long free = number(disk, "freeSlots");
        long bad = number(disk, "badSlots");
        // Below a tenth it is time to add a larger spare.
        Tone tone = free * 10 < all ? Tone.BAD : Tone.GOOD;
        return terminal.tone(tone, free + " of " + all + " free") + (bad == 0 ? "" : ", " + bad + " bad") + "; at most "
                + number(disk, "mappingLimit") + " mappings";
    }

    private String sectors(Map<?, ?> disk, String key, Tone tone) {
        long count = number(disk, key);
        String text = count + (count == 1 ? " sector" : " sectors");
        return count == 0 ? text : terminal.tone(tone, text);
    }

    private static String device(Object device) {
        if (!(device instanceof Map<?, ?> map)) {
            return "?";
        }
        StringBuilder text = new StringBuilder(text(map, "name"));
        if (map.get("traits") instanceof Map<?, ?> traits) {
            text.append(" (").append(ByteSize.format(number(traits, "sizeBytes")));
            text.append(Boolean.TRUE.equals(traits.get("direct")) ? ", direct" : ", buffered")
                    .append(')');
        }
        return text.toString();
    }

    static String text(Map<?, ?> map, String key) {
        Object value = map.get(key);
        return value == null ? "" : value.toString();
    }

    static long number(Map<?, ?> map, String key) {
        return map.get(key) instanceof Number number ? number.longValue() : 0;
    }

    static List<?> list(Map<?, ?> map, String key) {
        return map.get(key) instanceof List<?> list ? list : List.of();
    }

    /** The two greatest units. */
    static String duration(Duration duration) {
        if (duration.toDays() > 0) {
            return duration.toDays() + " d " + duration.toHoursPart() + " h";
        }
        if (duration.toHours() > 0) {
            return duration.toHours() + " h " + duration.toMinutesPart() + " min";
        }
        return duration.toMinutes() > 0
                ? duration.toMinutes() + " min " + duration.toSecondsPart() + " s"
                : duration.toSeconds() + " s";
    }
}
