package io.remap.cli;

import io.remap.api.DeviceUri;
import io.remap.api.Refusal;
import io.remap.cli.control.JsonLines;
import io.remap.core.HostPaths;
import io.remap.core.Providers;
import io.remap.core.ShellWords;
import io.remap.core.SpareCare;
import io.remap.core.SystemEnvironment;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** Shows everything that is in force on a spare. */
@Command(
        name = "dump",
        header = "Show all metadata in force on a spare. Writes nothing.",
        description = {
            "Superblocks, arena headers, the spares of the pair, the records of the log, every entry of the table, the bad slots, and the "
                    + "regions with checksums, and why a mapping may be missing there; of a further spare what it says of "
                    + "itself. Units and "
                    + "slots have 4096 bytes; masks name the sectors of a unit, bit 0 the first. With --json each of these "
                    + "is a line of its own.",
            "Exit status 0 if all of this is certain, 6 if a mapping may be missing or the table cannot be read, 5 if it is "
                    + "no spare.",
            "What a running service has is shown by 'remap map list' and 'remap metadata status'.",
            "",
            "Examples:",
            "  remap dump disk.img.spare",
            "  remap dump disk.img.spare --json",
            ""
        })
final class DumpCommand extends Verb {
    private static final Map<String, String> HEADINGS =
            Map.of("badSlots", "bad slots", "sealedRegions", "sealed regions");

    private static final List<String> KINDS =
            List.of("superblocks", "headers", "members", "log", "entries", "badSlots", "sealedRegions", "doubts");

    @Parameters(paramLabel = "SPARE", description = "The spare: path or URI.")
    String spare;

    @Mixin
    final JsonOption json = new JsonOption();

    /** Made by picocli. */
    DumpCommand() {}

    /** Prints the pieces as they come; the kinds in their order, those without a piece too. */
    private abstract static class Printer {
        final PrintWriter out;
        private int kind = -1;

        private Printer(PrintWriter out) {
            this.out = out;
        }

        abstract void begin(String kindName);

        abstract void end();

        abstract void piece(Map<String, Object> values);

        final void add(String kindName, Map<String, Object> values) {
            goTo(KINDS.indexOf(kindName));
            piece(values);
        }

        private void goTo(int wanted) {
            while (kind < wanted) {
                if (kind >= 0) {
                    end();
                }
                kind++;
                begin(KINDS.get(kind));
            }
        }

        final void finish() {
            goTo(KINDS.size() - 1);
            end();
        }
    }

    private static final class JsonPrinter extends Printer {
        private String separator = "";

        private JsonPrinter(PrintWriter out, String spare) {
            super(out);
            Map<String, Object> head = new LinkedHashMap<>();
            head.put("json_format_version", JsonOption.FORMAT_VERSION);
            head.put("spare", spare);
            String opened = JsonLines.line(head);
            out.print(opened.substring(0, opened.length() - 1));
        }

        @Override
        void begin(String kindName) {
            out.print(",\n\"" + kindName + "\":[");
            separator = "\n";
        }

        @Override
        void piece(Map<String, Object> values) {
            out.print(separator + JsonLines.line(values));
            separator = ",\n";
        }

        @Override
        void end() {
            out.print("]");
        }
    }

    private static final class TextPrinter extends Printer {
        private final Terminal terminal;
        private long pieces;

        private TextPrinter(PrintWriter out, Terminal terminal) {
            super(out);
            this.terminal = terminal;
        }

        @Override
        void begin(String kindName) {
            terminal.heading(HEADINGS.getOrDefault(kindName, kindName));
            pieces = 0;
        }

        @Override
        void piece(Map<String, Object> values) {
            StringJoiner line = new StringJoiner(", ", "  ", "");
            values.forEach((name, value) -> line.add(name + " " + value));
            terminal.line(line.toString());
            pieces++;
        }

        @Override
        void end() {
            if (pieces == 0) {
                terminal.line("  none");
            }
        }
    }

    @Override
    int run() throws Exception {
        DeviceUri uri = DeviceUri.parse(spare);
        try (SystemEnvironment system = SystemEnvironment.start()) {
            SpareCare care =
                    new SpareCare(Providers.load(), HostPaths.ofThisUser().stateDirectory(), system.environment());
            Printer[] printer = new Printer[1];
            boolean[] doubtful = new boolean[1];
            try {
                // Nothing is printed before it is certain that there is something to show.
                care.dump(uri, (kind, values) -> {
                    if (printer[0] == null) {
                        printer[0] = json.wanted ? new JsonPrinter(out(), spare) : new TextPrinter(out(), terminal());
                    }
                    printer[0].add(kind, values);
                    doubtful[0] |= kind.equals("doubts");
                });
            } catch (Refusal e) {
                String name = ServedSpare.behind(e, care, uri).service().name();
                throw new Refusal(
                        Refusal.Kind.BUSY,
                        spare + " is served; see 'remap map list " + name + "' and 'remap metadata status " + name
                                + "'",
                        e);
            }
            printer[0].finish();
            if (json.wanted) {
                out().println("\n}");
            }
            if (!doubtful[0]) {
                return ExitStatus.OK;
            }
            note("a mapping may be missing in this; what to do is said by: remap check " + ShellWords.device(spare));
            return ExitStatus.DAMAGED;
        }
    }
}
