package io.remap.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Shows and changes in which areas main is left alone. */
@Command(
        name = "avoid",
        header = "Show and change in which areas main is left alone.",
        description = {
            "In an avoided area reads fail at once, without an attempt that costs seconds and wears the drive, and writes go to "
                    + "the spare. What stands on the spare is read there. Areas are found by themselves ('serve --set avoid=off' "
                    + "ends that) and tried again now and then, or named by you.",
            ""
        },
        subcommands = {AvoidCommand.ListCommand.class, AvoidCommand.AddCommand.class, AvoidCommand.RemoveCommand.class})
final class AvoidCommand extends VerbGroup {
    /** Made by picocli. */
    AvoidCommand() {}

    /** What the subcommands share: the list afterwards. */
    abstract static class OfDisk extends DiskVerb {
        final int answer(String service, String command, Map<String, Object> more) throws Exception {
            Map<?, ?> answer = call(service, command, more, Services.ANSWER_MILLIS);
            if (json.wanted) {
                out().println(JsonOption.document(answer));
            } else {
                print(answer);
            }
            return ExitStatus.OK;
        }

        private void print(Map<?, ?> answer) {
            List<?> regions = StatusText.list(answer, "regions");
            if (regions.isEmpty()) {
                out().println("no area is avoided");
                return;
            }
            List<List<String>> rows =
                    new ArrayList<>(List.of(List.of("SECTORS", "COUNT", "ORIGIN", "SINCE", "TRIED AGAIN")));
            for (Object one : regions) {
                Map<?, ?> region = (Map<?, ?>) one;
                long first = StatusText.number(region, "first");
                long length = StatusText.number(region, "length");
                rows.add(List.of(
                        first + "-" + (first + length - 1),
                        Long.toString(length),
                        StatusText.text(region, "origin"),
                        Terminal.time(StatusText.number(region, "sinceMillis")),
                        region.get("retryMillis") == null
                                ? "never"
                                : "when wanted after " + Terminal.time(StatusText.number(region, "retryMillis"))));
            }
            terminal().table(rows);
            terminal()
                    .line(StatusText.number(answer, "spareUnits") + " of at most "
                            + StatusText.number(answer, "spareBudgetUnits")
                            + " units of 4096 bytes in these areas are on the spare");
        }
    }

    /** All areas. */
    @Command(
            name = "list",
            header = "Show the areas in which main is left alone.",
            description = {"Example: remap avoid list disk.img", ""})
    static final class ListCommand extends OfDisk {
        @Parameters(arity = "0..1", paramLabel = "NAME", description = "Name of the service.")
        String name;

        /** Made by picocli. */
        ListCommand() {}

        @Override
        int run() throws Exception {
            return answer(name, "avoid.list", Map.of());
        }
    }

    /** A person knows better. */
    @Command(
            name = "add",
            header = "Leave main alone in an area, until 'avoid remove'.",
            description = {
                "Rounded to whole units of 4096 bytes. What is there stays there, and is read again once the area is avoided no "
                        + "more.",
                "",
                "Example: remap avoid add disk.img 2048+1000",
                ""
            })
    static final class AddCommand extends OfDisk {
        @Parameters(index = "0", paramLabel = "NAME", description = "Name of the service.")
        String name;

        @Parameters(index = "1", paramLabel = "SECTORS", description = "SECTOR, FIRST+LENGTH or FIRST-LAST.")
        String sectors;

        /** Made by picocli. */
        AddCommand() {}

        @Override
        int run() throws Exception {
            return answer(name, "avoid.add", SectorArgument.forCommand(SectorArgument.parse(sectors)));
        }
    }

    /** It is to be read again. */
    @Command(
            name = "remove",
            header = "Use main again in an area.",
            description = {
                "Whoever had it avoided. What was written meanwhile stays on the spare.",
                "",
                "Example: remap avoid remove disk.img 2048+1000",
                ""
            })
    static final class RemoveCommand extends OfDisk {
        @Parameters(index = "0", paramLabel = "NAME", description = "Name of the service.")
        String name;

        @Parameters(index = "1", paramLabel = "SECTORS", description = "SECTOR, FIRST+LENGTH or FIRST-LAST.")
        String sectors;

        /** Made by picocli. */
        RemoveCommand() {}

        @Override
        int run() throws Exception {
            return answer(name, "avoid.remove", SectorArgument.forCommand(SectorArgument.parse(sectors)));
        }
    }
}
