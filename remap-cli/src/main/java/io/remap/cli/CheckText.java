package io.remap.cli;

import io.remap.cli.Terminal.Tone;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What a check of a spare found, for people: the copies, what is not as it should be, and one line that sums it up. */
final class CheckText {
    private final Terminal terminal;

    CheckText(Terminal terminal) {
        this.terminal = terminal;
    }

    /** The exit status for what was found. */
    static int exitStatus(Map<?, ?> checked) {
        Map<?, ?> report = report(checked);
        String verdict = StatusText.text(report, "verdict");
        if (verdict.equals("unusable") || verdict.equals("read-only")) {
            return ExitStatus.DAMAGED;
        }
        boolean fine = StatusText.list(report, "findings").stream()
                .allMatch(finding ->
                        StatusText.text((Map<?, ?>) finding, "severity").equals("note"));
        return fine ? ExitStatus.OK : ExitStatus.NOT_SO;
    }

    static Map<?, ?> report(Map<?, ?> checked) {
        return (Map<?, ?>) checked.get("report");
    }

    void print(Map<?, ?> checked) {
        Map<?, ?> report = report(checked);
        terminal.heading(title(checked, report));
        printParts(report);
        printFurther(checked);
        for (Object finding : StatusText.list(report, "findings")) {
            printFinding((Map<?, ?>) finding);
        }
        printVerdict(checked, report);
    }

    private static String title(Map<?, ?> checked, Map<?, ?> report) {
        StringBuilder title = new StringBuilder("spare ").append(StatusText.text(checked, "spare"));
        if (report.get("pair") instanceof Map<?, ?> pair) {
            title.append(" of pair ").append(StatusText.text(pair, "pairUuid"));
            title.append(" (main ")
                    .append(StatusText.text(pair, "mainStableId"))
                    .append(')');
        }
        String format = StatusText.text(report, "format");
        title.append(format.isEmpty() ? "" : ", format " + format);
        long generation = StatusText.number(report, "generation");
        title.append(generation == 0 ? "" : ", generation " + generation);
        String service = StatusText.text(checked, "service");
        return title.append(service.isEmpty() ? "" : ", read by the service '" + service + "'")
                .toString();
    }

    private void printParts(Map<?, ?> report) {
        List<List<String>> rows = new ArrayList<>(List.of(List.of("PART", "AT BYTE", "GENERATION", "STATE", "DETAIL")));
        for (Object each : StatusText.list(report, "parts")) {
            Map<?, ?> part = (Map<?, ?>) each;
            long generation = StatusText.number(part, "generation");
            rows.add(List.of(
                    StatusText.text(part, "name"),
                    StatusText.text(part, "offsetBytes"),
                    generation == 0 ? "" : Long.toString(generation),
                    StatusText.text(part, "state"),
                    StatusText.text(part, "detail")));
        }
        if (rows.size() > 1) {
            terminal.table(rows);
        }
    }

    private void printFurther(Map<?, ?> checked) {
        List<List<String>> rows =
                new ArrayList<>(List.of(List.of("SPARE", "DEVICE", "STATE", "SLOTS", "USED", "COPIES")));
        for (Object each : StatusText.list(checked, "further")) {
            Map<?, ?> spare = (Map<?, ?>) each;
            List<?> parts = StatusText.list(spare, "parts");
            long whole = parts.stream()
                    .filter(part -> StatusText.text((Map<?, ?>) part, "state").equals("valid"))
                    .count();
            rows.add(List.of(
                    StatusText.text(spare, "spare"),
                    spare.get("device") == null ? "-" : StatusText.text(spare, "device"),
                    StatusText.text(spare, "state"),
                    StatusText.text(spare, "slots"),
                    spare.get("usedUnits") == null ? "" : StatusText.text(spare, "usedUnits"),
                    parts.isEmpty() ? "" : whole + " of " + parts.size() + " whole"));
        }
        if (rows.size() > 1) {
            terminal.table(rows);
        }
    }

    private void printFinding(Map<?, ?> finding) {
        String severity = StatusText.text(finding, "severity");
        Tone tone = switch (severity) {
            case "error" -> Tone.BAD;
            case "warning" -> Tone.WARNING;
            default -> Tone.QUIET;
        };
        terminal.line(terminal.tone(tone, severity) + ": " + StatusText.text(finding, "what"));
        String hint = StatusText.text(finding, "hint");
        if (!hint.isEmpty()) {
            terminal.line("  what to do: " + hint);
        }
    }

    private void printVerdict(Map<?, ?> checked, Map<?, ?> report) {
        String verdict = StatusText.text(report, "verdict");
        boolean quick = StatusText.text(checked, "level").equals("quick");
        String text = switch (verdict) {
            case "sound" -> quick ? "superblocks and headers are whole" : "every copy is whole";
            case "repairable" ->
                quick
                        ? "some copies are damaged; --level standard tells whether all mappings are known"
                        : "all mappings are known for certain; some copies are damaged";
            case "read-only" -> "a mapping may be missing: reading only, and nothing is repaired";
            default -> "the mappings cannot be loaded: nothing is served from it, and nothing is repaired";
        };
        Tone tone = verdict.equals("sound") ? Tone.GOOD : verdict.equals("repairable") ? Tone.WARNING : Tone.BAD;
        long read = StatusText.number(checked, "sectorsRead");
        long unreadable = StatusText.number(checked, "sectorsUnreadable");
        long rotten = StatusText.number(checked, "sectorsRotten");
        String slots = StatusText.text(checked, "level").equals("full") && (read > 0 || unreadable > 0)
                ? "; " + read + " sectors were read, " + unreadable + " cannot be read"
                        + (rotten > 0 ? ", " + rotten + " are not what was written there" : "")
                : "";
        terminal.line(terminal.tone(tone, verdict) + ": " + text + slots);
    }
}
