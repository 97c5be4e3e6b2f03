package io.remap.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Shows what happened to a disk that is served, also before its last start. */
@Command(
        name = "events",
        header = "Show what happened to a disk.",
        description = {
            "The newest events, oldest of them first: starts and stops, what became of sectors (watched, weak, unreadable, "
                    + "readable again, avoided, healed, redirected, relocated, returned, lost), errors of a device; with the last "
                    + "error that led to it, and how often that was tried. What repeats within seconds on sectors that "
                    + "touch is one event with a count. Events are kept on the spare: those of the last minute before a "
                    + "crash may be missing.",
            "",
            "Example: remap events disk.img",
            ""
        })
final class EventsCommand extends DiskVerb {
    @Parameters(arity = "0..1", paramLabel = "NAME", description = "Name of the service.")
    String name;

    @Option(
            names = "--limit",
            paramLabel = "N",
            defaultValue = "50",
            description = "Show at most so many events, 1 to 1024 (${DEFAULT-VALUE}).")
    int limit;

    @Option(
            names = "--after",
            paramLabel = "NUMBER",
            defaultValue = "0",
            description = "Only events after the one with this number.")
    long after;

    /** Made by picocli. */
    EventsCommand() {}

    @Override
    int run() throws Exception {
        Map<?, ?> answer = call(name, "events", Map.of("limit", limit, "after", after), Services.ANSWER_MILLIS);
        if (json.wanted) {
            out().println(JsonOption.document(answer));
        } else {
            print(StatusText.list(answer, "events"));
        }
        return ExitStatus.OK;
    }

    private void print(List<?> events) {
        if (events.isEmpty()) {
            out().println("nothing happened so far");
            return;
        }
        List<List<String>> rows =
                new ArrayList<>(List.of(List.of("NUMBER", "WHEN", "TIMES", "EVENT", "SECTORS", "DETAIL")));
        for (Object one : events) {
            Map<?, ?> event = (Map<?, ?>) one;
            rows.add(List.of(
                    StatusText.text(event, "number"),
                    Terminal.time(StatusText.number(event, "lastMillis")),
                    StatusText.text(event, "count"),
                    StatusText.text(event, "kind").replace('-', ' '),
                    event.get("sectors") instanceof Map<?, ?> range
                            ? StatusText.number(range, "firstSector") + "+" + StatusText.number(range, "lengthSectors")
                            : "",
                    detail(event)));
        }
        terminal().table(rows);
    }

    private static String detail(Map<?, ?> event) {
        String detail = StatusText.text(event, "detail");
        if (!(event.get("cause") instanceof Map<?, ?> cause)
                || StatusText.text(event, "kind").equals("device-fault")) {
            return detail;
        }
        String error = StatusText.text(cause, "error");
        String text = StatusText.text(cause, "operation") + ": "
                + (error.isEmpty() ? "failed" : error + " (" + StatusText.text(cause, "errno") + ")") + ", "
                + StatusText.text(cause, "attempts") + " tries";
        return detail.isEmpty() ? text : text + "; " + detail;
    }
}
