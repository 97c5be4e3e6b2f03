package io.remap.cli;

import io.remap.api.Refusal;
import io.remap.api.SectorRange;
import io.remap.cli.control.ControlClient;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Shows and changes the map of a disk that is served. */
@Command(
        name = "map",
        header = "Show and change which sectors stand on the spare.",
        subcommands = {MapCommand.ListCommand.class, MapCommand.AddCommand.class, MapCommand.RemoveCommand.class})
final class MapCommand extends VerbGroup {
    /** Made by picocli. */
    MapCommand() {}

    /** Lists what is not plainly on main. */
    @Command(
            name = "list",
            header = "Show the sectors that are not plainly on main.",
            description = {
                "Remapped sectors stand on the spare. Unreadable ones answer EIO and are tried again later; lost ones "
                        + "answer EIO until they are written. Of zeros that were written the map keeps that they are zeros: "
                        + "they take no place on the spare. For avoided ones see 'remap avoid'.",
                "",
                "Example: remap map list disk.img",
                ""
            })
    static final class ListCommand extends DiskVerb {
        @Parameters(arity = "0..1", paramLabel = "NAME", description = "Name of the service.")
        String name;

        @Option(
                names = "--limit",
                paramLabel = "N",
                defaultValue = "100",
                description = "Show at most so many ranges (${DEFAULT-VALUE}); --json shows all.")
        int limit;

        /** Made by picocli. */
        ListCommand() {}

        @Override
        int run() throws Exception {
            if (limit < 0) {
                throw new Refusal(Refusal.Kind.USAGE, "--limit " + limit + ": expected 0 or more");
            }
            try (ControlClient client = Services.ofThisUser().findOrOnly(name).connect()) {
                if (json.wanted) {
                    MapListing.printJson(client, disk, out());
                } else {
                    MapListing.fetch(client, disk, limit).print(terminal());
                }
            }
            return ExitStatus.OK;
        }
    }

    /** Moves sectors to the spare. */
    @Command(
            name = "add",
            header = "Move sectors to the spare.",
            description = {
                "Their content is copied. A sector that cannot be read is refused, unless --unreadable is given: then "
                        + "it becomes lost, and answers EIO until it is written.",
                "",
                "Example: remap map add disk.img 2048+8",
                ""
            })
    static final class AddCommand extends DiskVerb {
        @Parameters(index = "0", paramLabel = "NAME", description = "Name of the service.")
        String name;

        @Parameters(index = "1", paramLabel = "SECTORS", description = "SECTOR, FIRST+LENGTH or FIRST-LAST.")
        String sectors;

        @Option(names = "--unreadable", description = "Give up the content of those that cannot be read.")
        boolean unreadable;

        /** Made by picocli. */
        AddCommand() {}

        @Override
        int run() throws Exception {
            SectorRange range = SectorArgument.parse(sectors);
            Map<String, Object> arguments = SectorArgument.forCommand(range);
            arguments.put("unreadable", unreadable);
            Map<?, ?> answer = call(name, "map.add", arguments, Services.DEVICE_MILLIS);
            out().println(json.wanted ? JsonOption.document(answer) : said(range, answer));
            return ExitStatus.OK;
        }
    }

    /** What became of sectors that were to go to the spare. */
    static String said(SectorRange range, Map<?, ?> answer) {
        long lost = StatusText.number(answer, "lostSectors");
        if (lost == range.lengthSectors()) {
            return range + " are given up: EIO until they are written";
        }
        return range + " are on the spare"
                + (lost == 0 ? "" : ", but for " + lost + " that are given up: EIO until they are written");
    }

    /** Moves sectors back to main. */
    @Command(
            name = "remove",
            header = "Move sectors back to main.",
            description = {
                "Their content is copied back and read again from the medium; where main does not take it, the sectors "
                        + "stay on the spare and the command fails.",
                "",
                "Example: remap map remove disk.img 2048+8",
                ""
            })
    static final class RemoveCommand extends DiskVerb {
        @Parameters(index = "0", paramLabel = "NAME", description = "Name of the service.")
        String name;

        @Parameters(index = "1", paramLabel = "SECTORS", description = "SECTOR, FIRST+LENGTH or FIRST-LAST.")
        String sectors;

        /** Made by picocli. */
        RemoveCommand() {}

        @Override
        int run() throws Exception {
            SectorRange range = SectorArgument.parse(sectors);
            Map<?, ?> answer = call(name, "map.remove", SectorArgument.forCommand(range), Services.DEVICE_MILLIS);
            out().println(json.wanted ? JsonOption.document(answer) : range + " are on main");
            return ExitStatus.OK;
        }
    }
}
