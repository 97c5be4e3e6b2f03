package io.remap.cli;

import io.remap.api.Refusal;
import io.remap.cli.Terminal.Tone;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Shows how healthy a disk that is served is, and why. */
@Command(
        name = "health",
        header = "Show how healthy a disk is, and why.",
        description = {
            "The score is 100 less the points of its reasons; what counts is the numbers beside them. --maintenance stops "
                    + "alerts and moves of weak sectors for a while; failing writes are redirected all the same.",
            "",
            "Example: remap health disk.img",
            ""
        })
final class HealthCommand extends DiskVerb {
    private static final int WORST_SHOWN = 5;
    private static final long MAX_MAINTENANCE_MINUTES = 7 * 24 * 60;

    @Parameters(arity = "0..1", paramLabel = "NAME", description = "Name of the service.")
    String name;

    @Option(
            names = "--maintenance",
            paramLabel = "MINUTES",
            description = "No alerts and no moves of weak sectors for so long, at most a week (10080); 0: go on now.")
    Long maintenanceMinutes;

    /** Made by picocli. */
    HealthCommand() {}

    @Override
    int run() throws Exception {
        if (maintenanceMinutes != null && (maintenanceMinutes < 0 || maintenanceMinutes > MAX_MAINTENANCE_MINUTES)) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "--maintenance " + maintenanceMinutes + ": expected 0 to " + MAX_MAINTENANCE_MINUTES
                            + " minutes, which is a week");
        }
        Map<?, ?> answer = maintenanceMinutes == null
                ? call(name, "health", Map.of(), Services.ANSWER_MILLIS)
                : call(name, "maintenance", Map.of("seconds", 60 * maintenanceMinutes), Services.ANSWER_MILLIS);
        if (json.wanted) {
            out().println(JsonOption.document(answer));
        } else {
            print(terminal(), answer);
        }
        return ExitStatus.OK;
    }

    private static void print(Terminal terminal, Map<?, ?> health) {
        terminal.heading("disk " + StatusText.text(health, "disk") + ": " + score(terminal, health));
        for (Object one : StatusText.list(health, "reasons")) {
            Map<?, ?> reason = (Map<?, ?>) one;
            terminal.line(String.format(
                    Locale.ROOT,
                    "  -%-3d %s: %s",
                    StatusText.number(reason, "points"),
                    StatusText.text(reason, "what"),
                    StatusText.text(reason, "count")));
        }
        List<List<String>> facts = new ArrayList<>();
        facts.add(List.of("alerts", StatusText.number(health, "openAlerts") + " open"));
        if (StatusText.number(health, "maintenanceUntilMillis") > 0) {
            facts.add(List.of(
                    "maintenance", "until " + Terminal.time(StatusText.number(health, "maintenanceUntilMillis"))));
        }
        facts.add(List.of(
                "sectors",
                StatusText.number(health, "unreadableSectors") + " unreadable, "
                        + StatusText.number(health, "lostSectors") + " lost"));
        if (StatusText.number(health, "droppedTroubles") > 0) {
            facts.add(
                    List.of(
                            "not counted",
                            StatusText.number(health, "droppedTroubles")
                                    + " errors that came faster than they could be taken, since the start: see 'remap events'"));
        }
        facts.add(List.of("avoided", avoided((Map<?, ?>) health.get("avoided"))));
        facts.add(List.of(
                "weak",
                StatusText.number(health, "weakUnits") + " units found, " + StatusText.number(health, "movedUnits")
                        + " moved to the spare"));
        facts.add(List.of("spare", spare((Map<?, ?>) health.get("spare"))));
        facts.add(List.of("reads of 1 MiB", latency((Map<?, ?>) health.get("latency"))));
        facts.add(List.of("scan", scan((Map<?, ?>) health.get("scan"))));
        facts.addAll(smart((Map<?, ?>) health.get("smart")));
        terminal.facts("  ", facts);
        printWorst(terminal, StatusText.list(health, "worstRegions"));
    }

    private static String score(Terminal terminal, Map<?, ?> scored) {
        long score = StatusText.number(scored, "score");
        Tone tone = score >= 75 ? Tone.GOOD : score >= 50 ? Tone.WARNING : Tone.BAD;
        return terminal.tone(tone, score + " of 100, " + StatusText.text(scored, "word"));
    }

    private static String avoided(Map<?, ?> avoided) {
        long found = StatusText.number(avoided, "foundAreas");
        long named = StatusText.number(avoided, "namedAreas");
        if (found + named == 0) {
            return "no area";
        }
        return found + " areas found dead (" + StatusText.number(avoided, "foundSectors") + " sectors), " + named
                + " named by a person (" + StatusText.number(avoided, "namedSectors")
                + "); reads of what main holds there fail at once";
    }

    private static String spare(Map<?, ?> spare) {
        if (StatusText.number(spare, "slots") == 0) {
            return "none";
        }
        Map<?, ?> full = (Map<?, ?>) spare.get("full");
        String end = switch (StatusText.text(full, "state")) {
            case "estimated" ->
                "full in about " + StatusText.number(full, "days") + " days (" + StatusText.number(full, "earliestDays")
                        + " to "
                        + (full.get("latestDays") == null ? "never" : StatusText.number(full, "latestDays")) + ")";
            case "no-growth" -> "not filling up";
            default -> "when it is full is unknown";
        };
        return StatusText.number(spare, "usedPercent") + " % of " + StatusText.number(spare, "slots")
                + " slots in use, " + end + " (" + StatusText.text(full, "method") + ")";
    }

    private static String latency(Map<?, ?> latency) {
        return StatusText.number(latency, "reads") == 0
                ? "none so far"
                : String.format(
                        Locale.ROOT,
                        "%d, median %.1f ms, 99 %% within %.1f ms, slowest %.1f ms, %d slow",
                        StatusText.number(latency, "reads"),
                        StatusText.number(latency, "medianMicros") / 1e3,
                        StatusText.number(latency, "p99Micros") / 1e3,
                        StatusText.number(latency, "maxMicros") / 1e3,
                        StatusText.number(latency, "slowReads"));
    }

    private static String scan(Map<?, ?> scan) {
        String state = StatusText.text(scan, "state");
        return state + (state.equals("running") ? ", " + StatusText.text(scan, "percent") + " %" : "");
    }

    private static List<List<String>> smart(Map<?, ?> smart) {
        List<List<String>> facts = new ArrayList<>();
        if (smart.get("report") instanceof Map<?, ?> report) {
            facts.add(List.of(
                    "SMART",
                    StatusText.text(report, "model")
                            + (Boolean.TRUE.equals(report.get("passed")) ? ", passed" : ", FAILED")
                            + told(report, "temperatureCelsius", " °C")
                            + told(report, "powerOnHours", " hours")
                            + told(report, "pendingSectors", " pending")
                            + told(report, "reallocatedSectors", " reallocated")
                            + told(report, "percentUsed", " % of its life used")));
            if (!StatusText.text(smart, "why").isEmpty()) {
                facts.add(List.of(
                        "",
                        "that was at " + Terminal.time(StatusText.number(smart, "reportMillis"))
                                + "; it did not answer since: " + StatusText.text(smart, "why")));
            }
            if (!StatusText.text(report, "ercAdvice").isEmpty()) {
                facts.add(List.of("advice", StatusText.text(report, "ercAdvice")));
            }
        } else {
            facts.add(List.of("SMART", "unknown: " + StatusText.text(smart, "why")));
        }
        return facts;
    }

    private static String told(Map<?, ?> report, String key, String unit) {
        return report.containsKey(key) ? ", " + StatusText.text(report, key) + unit : "";
    }

    private static void printWorst(Terminal terminal, List<?> regions) {
        if (regions.isEmpty()) {
            return;
        }
        terminal.heading("worst regions");
        List<List<String>> rows = new ArrayList<>(List.of(List.of("FROM MIB", "SCORE", "WHY", "LAST")));
        for (Object one : regions.subList(0, Math.min(WORST_SHOWN, regions.size()))) {
            Map<?, ?> region = (Map<?, ?>) one;
            List<String> why = new ArrayList<>();
            for (Object reason : StatusText.list(region, "reasons")) {
                why.add(StatusText.text((Map<?, ?>) reason, "count") + " "
                        + StatusText.text((Map<?, ?>) reason, "what"));
            }
            rows.add(List.of(
                    Long.toString(StatusText.number(region, "offsetBytes") >> 20),
                    StatusText.text(region, "score"),
                    String.join(", ", why),
                    Terminal.time(StatusText.number(region, "lastMillis"))));
        }
        terminal.table(rows);
    }
}
