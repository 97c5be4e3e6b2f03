package io.remap.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Shows and settles the alerts of a disk that is served. */
@Command(
        name = "alerts",
        header = "Show and settle the alerts of a disk.",
        description = {
            "An alert comes up when something gets worse, not while it is bad. 'serve --set alert.hook=/PATH' has a program "
                    + "run for each.",
            ""
        },
        subcommands = {
            AlertsCommand.ListCommand.class,
            AlertsCommand.AckCommand.class,
            AlertsCommand.ResolveCommand.class,
            AlertsCommand.BaselineCommand.class,
            AlertsCommand.TestCommand.class
        })
final class AlertsCommand extends VerbGroup {
    /** Made by picocli. */
    AlertsCommand() {}

    /** What the subcommands share: the list afterwards. */
    abstract static class OfDisk extends DiskVerb {
        final int answer(String service, String command, Map<String, Object> more) throws Exception {
            Map<?, ?> answer = call(service, command, more, Services.ANSWER_MILLIS);
            if (json.wanted) {
                out().println(JsonOption.document(answer));
            } else {
                print(StatusText.list(answer, "alerts"));
                if (StatusText.number(answer, "maintenanceUntilMillis") > 0) {
                    note("no alerts come up before "
                            + Terminal.time(StatusText.number(answer, "maintenanceUntilMillis")) + ": maintenance");
                }
                if (!StatusText.text(answer, "hookFailure").isEmpty()) {
                    note("the hook failed the last time: " + StatusText.text(answer, "hookFailure"));
                }
            }
            return ExitStatus.OK;
        }

        private void print(List<?> alerts) {
            if (alerts.isEmpty()) {
                out().println("no alerts");
                return;
            }
            List<List<String>> rows =
                    new ArrayList<>(List.of(List.of("NUMBER", "SEVERITY", "STATE", "SINCE", "ALERT")));
            for (Object one : alerts) {
                Map<?, ?> alert = (Map<?, ?>) one;
                rows.add(List.of(
                        StatusText.text(alert, "id"),
                        StatusText.text(alert, "severity"),
                        StatusText.text(alert, "state"),
                        Terminal.time(StatusText.number(alert, "raisedMillis")),
                        StatusText.text(alert, "text")));
            }
            terminal().table(rows);
        }
    }

    /** Those that are open, then those that are over. */
    @Command(
            name = "list",
            header = "Show the alerts, those that are over last.",
            description = {"Example: remap alerts list disk.img", ""})
    static final class ListCommand extends OfDisk {
        @Parameters(arity = "0..1", paramLabel = "NAME", description = "Name of the service.")
        String name;

        /** Made by picocli. */
        ListCommand() {}

        @Override
        int run() throws Exception {
            return answer(name, "alerts.list", Map.of());
        }
    }

    /** Somebody knows. */
    @Command(
            name = "ack",
            header = "Take note of an alert: it comes up again when it gets worse.",
            description = {"Example: remap alerts ack disk.img 3", ""})
    static final class AckCommand extends OfDisk {
        @Parameters(index = "0", paramLabel = "NAME", description = "Name of the service.")
        String name;

        @Parameters(index = "1", paramLabel = "NUMBER", description = "Number of the alert.")
        long id;

        /** Made by picocli. */
        AckCommand() {}

        @Override
        int run() throws Exception {
            return answer(name, "alerts.ack", Map.of("id", id));
        }
    }

    /** It was dealt with. */
    @Command(
            name = "resolve",
            header = "End an alert: only more than now is one again.",
            description = {"Example: remap alerts resolve disk.img 3", ""})
    static final class ResolveCommand extends OfDisk {
        @Parameters(index = "0", paramLabel = "NAME", description = "Name of the service.")
        String name;

        @Parameters(index = "1", paramLabel = "NUMBER", description = "Number of the alert.")
        long id;

        /** Made by picocli. */
        ResolveCommand() {}

        @Override
        int run() throws Exception {
            return answer(name, "alerts.resolve", Map.of("id", id));
        }
    }

    /** All is known. */
    @Command(
            name = "baseline",
            header = "End all alerts: how the disk is now is known.",
            description = {"Example: remap alerts baseline disk.img", ""})
    static final class BaselineCommand extends OfDisk {
        @Parameters(arity = "0..1", paramLabel = "NAME", description = "Name of the service.")
        String name;

        /** Made by picocli. */
        BaselineCommand() {}

        @Override
        int run() throws Exception {
            return answer(name, "alerts.baseline", Map.of());
        }
    }

    /** Whether anybody would learn of one. */
    @Command(
            name = "test",
            header = "Have the hook run once, to see whether it works.",
            description = {
                "Waits for that run, at most as long as it may take (alert.hook-timeout-seconds). The exit status is 1 if it "
                        + "fails.",
                "",
                "Example: remap alerts test disk.img",
                ""
            })
    static final class TestCommand extends OfDisk {
        @Parameters(arity = "0..1", paramLabel = "NAME", description = "Name of the service.")
        String name;

        /** Made by picocli. */
        TestCommand() {}

        @Override
        int run() throws Exception {
            long timeoutMillis =
                    StatusText.number(call(name, "alerts.list", Map.of(), Services.ANSWER_MILLIS), "hookTimeoutMillis");
            Map<?, ?> answer = call(name, "alerts.test", Map.of(), timeoutMillis + Services.ANSWER_MILLIS);
            String failure = StatusText.text(answer, "testFailure");
            if (json.wanted) {
                out().println(JsonOption.document(answer));
                return failure.isEmpty() ? ExitStatus.OK : ExitStatus.NOT_SO;
            }
            if (!failure.isEmpty()) {
                throw new NotSo("the hook failed: " + failure);
            }
            out().println("the hook ran, and ended with exit status 0");
            return ExitStatus.OK;
        }
    }
}
