package io.remap.cli;

import io.remap.api.Refusal;
import io.remap.cli.control.ControlClient;
import io.remap.cli.control.JsonLines;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Shows how running services stand. */
@Command(
        name = "status",
        header = "Show the running services, their features and their disks.",
        description = {
            "Without a NAME shows every service of this user. Exit status 1 if none is running.",
            "",
            "Examples:",
            "  remap status",
            "  remap status disk.img --json",
            "  remap status disk.img --watch",
            ""
        })
final class StatusCommand extends Verb {
    @Parameters(arity = "0..1", paramLabel = "NAME", description = "Name of the service.")
    String name;

    @Mixin
    final JsonOption json = new JsonOption();

    @Option(
            names = {"-w", "--watch"},
            arity = "0..1",
            fallbackValue = "2",
            paramLabel = "SECONDS",
            description = "Show it again every so many seconds (2), until interrupted or the service ends.")
    Integer watchSeconds;

    /** Made by picocli. */
    StatusCommand() {}

    @Override
    int run() throws Exception {
        if (watchSeconds != null && watchSeconds < 1) {
            throw new Refusal(Refusal.Kind.USAGE, "--watch " + watchSeconds + ": expected 1 second or more");
        }
        boolean first = true;
        while (true) {
            List<Object> statuses = ask(first);
            if (statuses.isEmpty()) {
                return ExitStatus.OK;
            }
            show(statuses, first);
            out().flush();
            first = false;
            if (watchSeconds == null) {
                return ExitStatus.OK;
            }
            TimeUnit.SECONDS.sleep(watchSeconds);
        }
    }

    /** The statuses; when watching, an end of all services is no error but the end of the command. */
    private List<Object> ask(boolean first) throws Refusal, NotSo {
        Services services = Services.ofThisUser();
        List<Services.Found> asked;
        if (name == null) {
            asked = services.running();
            if (asked.isEmpty() && first) {
                services.findOrOnly(null);
            }
        } else if (first) {
            asked = List.of(services.find(name));
        } else {
            asked = services.running().stream()
                    .filter(service -> service.name().equals(name))
                    .toList();
        }
        List<Object> statuses = new ArrayList<>();
        for (Services.Found service : asked) {
            try (ControlClient client = service.connect()) {
                statuses.add(client.call("status", Map.of(), Services.ANSWER_MILLIS));
            } catch (Refusal e) {
                if (asked.size() == 1 && first) {
                    throw e;
                }
                note(e.getMessage());
            }
        }
        return statuses;
    }

    private void show(List<Object> statuses, boolean first) {
        if (json.wanted) {
            if (watchSeconds == null) {
                out().println(JsonOption.document("services", statuses));
            } else {
                Map<String, Object> line = new LinkedHashMap<>();
                line.put("json_format_version", JsonOption.FORMAT_VERSION);
                line.put("services", statuses);
                out().println(JsonLines.line(line));
            }
            return;
        }
        Terminal terminal = terminal();
        if (!first) {
            terminal.line(terminal.colours() ? "\u001b[H\u001b[2J" : "");
        }
        for (Object status : statuses) {
            new StatusText(terminal).print((Map<?, ?>) status);
        }
    }
}
