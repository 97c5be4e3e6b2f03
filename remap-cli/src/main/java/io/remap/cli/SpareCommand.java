package io.remap.cli;

import io.remap.api.ByteSize;
import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataTools;
import io.remap.core.HostPaths;
import io.remap.core.Providers;
import io.remap.core.SpareCare;
import io.remap.core.SystemEnvironment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Shows and changes the spares of a disk that is served. */
@Command(
        name = "spare",
        header = "Show, add, choose, empty, remove and grow spares of a disk that is served.",
        description = {
            "Spares hold slots, and two of them the table of the mappings: the first one, as long as it is there, and another one. A sector that needs a slot "
                    + "gets one of the spare of the highest priority that answers and has some left; of equal ones in the "
                    + "order of the --spare options of 'remap serve', then by number. A spare that stands by gets none before "
                    + "all others are full, missing or to be emptied; then it takes over, and does so for good.",
            ""
        },
        subcommands = {
            SpareCommand.ListCommand.class,
            SpareCommand.AddCommand.class,
            SpareCommand.SetCommand.class,
            SpareCommand.EvacuateCommand.class,
            SpareCommand.KeepCommand.class,
            SpareCommand.RemoveCommand.class,
            SpareCommand.GrowCommand.class
        })
final class SpareCommand extends VerbGroup {
    /** Made by picocli. */
    SpareCommand() {}

    /** What the subcommands share. */
    abstract static class OfDisk extends DiskVerb {
        /** Calls a command, and shows the spares as they are then. */
        final Map<?, ?> call(String name, String command, Map<String, Object> arguments) throws Exception {
            Map<?, ?> answer = call(name, command, arguments, Services.DEVICE_MILLIS);
            if (json.wanted) {
                out().println(JsonOption.document(answer));
            } else {
                print(answer);
            }
            return answer;
        }

        private void print(Map<?, ?> answer) {
            terminal().heading("disk " + StatusText.text(answer, "disk"));
            List<List<String>> rows = new ArrayList<>();
            rows.add(List.of("SPARE", "DEVICE", "STATE", "PRIORITY", "ROOM", "USED", "FREE", "BAD", "TABLE"));
            for (Object each : StatusText.list(answer, "spares")) {
                Map<?, ?> spare = (Map<?, ?>) each;
                rows.add(List.of(
                        StatusText.text(spare, "spare"),
                        spare.get("device") == null ? "-" : StatusText.text(spare, "device"),
                        StatusText.text(spare, "state"),
                        StatusText.text(spare, "priority"),
                        ByteSize.format(StatusText.number(spare, "slots") * Place.UNIT_BYTES),
                        StatusText.text(spare, "usedSlots"),
                        StatusText.text(spare, "freeSlots"),
                        StatusText.text(spare, "badSlots"),
                        Boolean.TRUE.equals(spare.get("holdsTable")) ? "yes" : "-"));
            }
            terminal().table(rows);
        }
    }

    /** Shows the spares. */
    @Command(
            name = "list",
            header = "Show the spares of a disk, and how many slots are used.",
            description = {"A slot has 4096 bytes.", "", "Example: remap spare list disk.img", ""})
    static final class ListCommand extends OfDisk {
        @Parameters(arity = "0..1", paramLabel = "NAME", description = "Name of the service.")
        String name;

        /** Made by picocli. */
        ListCommand() {}

        @Override
        int run() throws Exception {
            call(name, "spare.list", Map.of());
            return ExitStatus.OK;
        }
    }

    /** Adds one. */
    @Command(
            name = "add",
            header = "Add a further spare.",
            description = {
                "It is formatted, and takes new sectors from then on: at once if its priority is the highest, otherwise once the "
                        + "others are full. The next 'remap serve' finds it where it is now, or where --spare says. From then on the disk is not served for writing "
                        + "without it.",
                "",
                "Examples:",
                "  remap spare add disk.img /dev/sdd1",
                "  remap spare add disk.img more.spare --create 64M",
                "  remap spare add disk.img /dev/sde1 --standby",
                ""
            })
    static final class AddCommand extends OfDisk {
        @Parameters(index = "0", paramLabel = "NAME", description = "Name of the service.")
        String name;

        @Parameters(index = "1", paramLabel = "SPARE", description = "The device: path or URI.")
        String spare;

        @Option(
                names = "--create",
                paramLabel = "BYTES",
                description = "Make it, an image file that does not exist yet, with this size (64M, 2G, ...).")
        String createSize;

        @Option(names = "--priority", paramLabel = "N", description = "0 (as nobody chooses) to 100, the highest.")
        int priority;

        @Option(names = "--standby", description = "Use it only once no other one has room.")
        boolean standby;

        @Option(names = "--force", description = "Its content may go; take a device that looks in use.")
        boolean force;

        /** Made by picocli. */
        AddCommand() {}

        @Override
        int run() throws Exception {
            Map<String, Object> arguments = new LinkedHashMap<>();
            // The server has a working directory of its own.
            arguments.put("spare", DeviceUri.parse(spare).absolute().toString());
            arguments.put("force", force);
            arguments.put("priority", priority);
            arguments.put("standby", standby);
            if (createSize != null) {
                arguments.put("createBytes", ByteSize.parse(createSize));
            }
            call(name, "spare.add", arguments);
            return ExitStatus.OK;
        }
    }

    /** What the commands on one spare share. */
    abstract static class OfSpare extends OfDisk {
        @Parameters(index = "0", paramLabel = "NAME", description = "Name of the service.")
        String name;

        @Parameters(index = "1", paramLabel = "SPARE", description = "Its number, as 'remap spare list' shows it.")
        int spare;

        final Map<String, Object> arguments() {
            Map<String, Object> arguments = new LinkedHashMap<>();
            arguments.put("spare", spare);
            return arguments;
        }
    }

    /** Changes what one is for. */
    @Command(
            name = "set",
            header = "Choose the priority of a spare, or have it stand by.",
            description = {
                "New sectors go to the highest priority; what stands on a spare stays there. Kept with the table of the mappings.",
                "",
                "Examples:",
                "  remap spare set disk.img 1 --priority 10",
                "  remap spare set disk.img 2 --standby",
                ""
            })
    static final class SetCommand extends OfSpare {
        @Option(names = "--priority", paramLabel = "N", description = "0 to 100, the highest.")
        Integer priority;

        @Option(
                names = "--standby",
                negatable = true,
                description = "Use it only once no other one has room, or always.")
        Boolean standby;

        /** Made by picocli. */
        SetCommand() {}

        @Override
        int run() throws Exception {
            if (priority == null && standby == null) {
                throw new Refusal(Refusal.Kind.USAGE, "nothing to set: give --priority N, --standby or --no-standby");
            }
            Map<String, Object> arguments = arguments();
            if (priority != null) {
                arguments.put("priority", priority);
            }
            if (standby != null) {
                arguments.put("standby", standby);
            }
            call(name, "spare.set", arguments);
            return ExitStatus.OK;
        }
    }

    /** Empties one. */
    @Command(
            name = "evacuate",
            header = "Move what stands on a spare to the others.",
            description = {
                "It gets nothing new from then on. Clients go on; what cannot be read stays where it is, and the command fails "
                        + "then with exit status 1. So it does if 'remap spare keep' takes it back meanwhile, and after ten "
                        + "minutes, when it goes on without being waited for.",
                "",
                "Example: remap spare evacuate disk.img 1",
                ""
            })
    static final class EvacuateCommand extends OfSpare {
        /** Made by picocli. */
        EvacuateCommand() {}

        @Override
        int run() throws Exception {
            Map<?, ?> answer = call(name, "spare.evacuate", arguments());
            long left = StatusText.number(answer, "leftUnits");
            if (Boolean.TRUE.equals(answer.get("goesOn"))) {
                throw new NotSo("spare " + spare + " is not empty yet: " + left
                        + " units of 4096 bytes stand on it; that goes on, and 'remap spare list' shows how far it is");
            }
            if (Boolean.TRUE.equals(answer.get("takenBack"))) {
                throw new NotSo("spare " + spare + " is kept, as somebody took that back ('remap spare keep'): " + left
                        + " units of 4096 bytes stand on it");
            }
            if (left > 0) {
                throw new NotSo("spare " + spare + " is not empty: " + left
                        + " units of 4096 bytes cannot be read there now; try again, or give them up with 'remap spare"
                        + " remove --lose'");
            }
            return ExitStatus.OK;
        }
    }

    /** Takes an evacuation back. */
    @Command(
            name = "keep",
            header = "Use a spare again that was to be emptied.",
            description = {"Example: remap spare keep disk.img 1", ""})
    static final class KeepCommand extends OfSpare {
        /** Made by picocli. */
        KeepCommand() {}

        @Override
        int run() throws Exception {
            call(name, "spare.keep", arguments());
            return ExitStatus.OK;
        }
    }

    /** Uses room that one has got. */
    @Command(
            name = "grow",
            header = "Use the room that a spare has got since it was formatted.",
            description = {
                "For a file or volume that was made larger, the first spare or a further one, of a disk that is not served. What "
                        + "stands on it stays where it is. There is no way back: it is refused by earlier versions from then on, "
                        + "and must not become smaller again.",
                "The table of the mappings does not grow: neighbouring sectors share an entry, and "
                        + "'remap dump' and 'remap status' tell how many there are.",
                "Its four superblocks stay where they are too: the last two of them are found through the first two alone, once the "
                        + "device is larger than it was when it was formatted.",
                "",
                "Example: truncate -s 1G disk.img.spare && remap spare grow disk.img.spare",
                ""
            })
    static final class GrowCommand extends Verb {
        @Parameters(paramLabel = "SPARE", description = "The spare: path or URI.")
        String spare;

        @Mixin
        final JsonOption json = new JsonOption();

        /** Made by picocli. */
        GrowCommand() {}

        @Override
        int run() throws Exception {
            DeviceUri uri = DeviceUri.parse(spare);
            try (SystemEnvironment system = SystemEnvironment.start()) {
                SpareCare care =
                        new SpareCare(Providers.load(), HostPaths.ofThisUser().stateDirectory(), system.environment());
                MetadataTools.Grown grown = grow(care, uri);
                if (json.wanted) {
                    Map<String, Object> document = new LinkedHashMap<>();
                    document.put("spare", spare);
                    document.put("slotsBefore", grown.before());
                    document.put("slots", grown.now());
                    document.put("mappingLimit", grown.mappingLimit());
                    out().println(JsonOption.document(document));
                } else if (grown.now() > grown.before()) {
                    terminal()
                            .line(spare + " has room for " + ByteSize.format(grown.now() * Place.UNIT_BYTES)
                                    + " of sectors now, and had for "
                                    + ByteSize.format(grown.before() * Place.UNIT_BYTES)
                                    + (grown.mappingLimit() > 0
                                            ? "; its table still holds " + grown.mappingLimit() + " mappings"
                                            : "; the next 'remap serve' uses it"));
                }
                if (grown.now() == grown.before()) {
                    throw new NotSo(spare + " has no more room than it uses: make the file or volume larger first");
                }
            }
            return ExitStatus.OK;
        }

        private MetadataTools.Grown grow(SpareCare care, DeviceUri uri) throws Refusal, DeviceException {
            try {
                return care.grow(uri);
            } catch (Refusal e) {
                String name = ServedSpare.behind(e, care, uri).service().name();
                throw new Refusal(
                        Refusal.Kind.BUSY,
                        spare + " is served: 'remap stop " + name
                                + "', grow it, then serve it again; or, without a stop, 'remap spare add " + name
                                + "' with a further spare",
                        e);
            }
        }
    }

    /** Removes one. */
    @Command(
            name = "remove",
            header = "Take a spare out of the pair.",
            description = {
                "Refused while sectors stand on it: 'remap spare evacuate' moves them. With --lose they are given up instead, "
                        + "for a spare that is gone: each answers EIO until it is written.",
                "",
                "Example: remap spare remove disk.img 1",
                ""
            })
    static final class RemoveCommand extends OfSpare {
        @Option(names = "--lose", description = "Give up what stands on it.")
        boolean lose;

        /** Made by picocli. */
        RemoveCommand() {}

        @Override
        int run() throws Exception {
            Map<String, Object> arguments = arguments();
            arguments.put("lose", lose);
            call(name, "spare.remove", arguments);
            return ExitStatus.OK;
        }
    }
}
