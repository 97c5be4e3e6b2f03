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
            "Without a NAME shows every service of this user. Exit status 1 if none is running, 3 if one does not answer.",
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
            List<Services.Found> asked = asked(first);
            if (asked.isEmpty()) {
                return ExitStatus.OK;
            }
            Answers answers = ask(asked);
            show(answers, first);
            out().flush();
            if (watchSeconds == null) {
                return answers.end();
            }
            first = false;
            TimeUnit.SECONDS.sleep(watchSeconds);
        }
    }

    /**
     * What the services say.
     *
     * @param unanswered those that do not answer: name and why
     * @param refusals why, in the same order
     */
    private record Answers(List<Object> statuses, List<Map<String, Object>> unanswered, List<Refusal> refusals) {
        /** What is missing is not to be taken for well. */
        int end() throws Refusal {
            if (!refusals.isEmpty()) {
                throw refusals.get(0);
            }
            return ExitStatus.OK;
        }
    }

    /** Whom to ask; when watching, an end of all services is no error but the end of the command. */
    private List<Services.Found> asked(boolean first) throws Refusal, NotSo {
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
        return asked;
    }

    private Answers ask(List<Services.Found> asked) {
        Answers answers = new Answers(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
        for (Services.Found service : asked) {
            try (ControlClient client = service.connect()) {
                answers.statuses.add(client.call("status", Map.of(), Services.ANSWER_MILLIS));
            } catch (Refusal e) {
                answers.unanswered.add(Map.of("name", service.name(), "error", e.getMessage()));
                answers.refusals.add(e);
                // The first one is said at the end, if there is one.
                if (watchSeconds != null || answers.refusals.size() > 1) {
                    note(e.getMessage());
                }
            }
        }
        return answers;
    }

    private void show(Answers answers, boolean first) {
        if (json.wanted) {
            Map<String, Object> document = new LinkedHashMap<>();
            document.put("json_format_version", JsonOption.FORMAT_VERSION);
            document.put("services", answers.statuses);
            document.put("unanswered", answers.unanswered);
            out().println(watchSeconds == null ? JsonLines.pretty(document) : JsonLines.line(document));
            return;
        }
        Terminal terminal = terminal();
        if (!first) {
            terminal.line(terminal.colours() ? "\u001b[H\u001b[2J" : "");
        }
        for (Object status : answers.statuses) {
            new StatusText(terminal).print((Map<?, ?>) status);
        }
    }
}
