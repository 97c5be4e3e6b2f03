package io.remap.cli;

import io.remap.api.DeviceUri;
import io.remap.api.Refusal;
import io.remap.api.SectorRange;
import io.remap.cli.control.SimControlClient;
import io.remap.core.sim.SimFiles;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The commands that steer a simulated disk while it is served: one command to its control socket each. */
final class SimSteering {
    private SimSteering() {}

    /** What was given as an image, as a device of the scheme {@code sim:}. */
    static String uri(String image) {
        return image.startsWith("sim:") ? image : "sim:" + image;
    }

    /** A command to a disk. */
    abstract static class Steering extends Verb {
        @Parameters(index = "0", paramLabel = "IMAGE", description = "The image of the disk, which somebody serves.")
        String image;

        @Option(
                names = "--control",
                paramLabel = "SOCKET",
                description = "Its control socket; default: IMAGE.sim-control.")
        Path control;

        @Mixin
        final JsonOption json = new JsonOption();

        /** What the disk is told, as one line. */
        abstract String command() throws Refusal;

        /** What people are told of it. */
        abstract List<String> text(Map<?, ?> values);

        @Override
        int run() throws Exception {
            Map<?, ?> values = SimControlClient.call(socket(), command());
            if (json.wanted) {
                out().println(JsonOption.document(values));
            } else {
                text(values).forEach(out()::println);
            }
            return ExitStatus.OK;
        }

        private Path socket() throws Refusal {
            if (control != null) {
                return control;
            }
            DeviceUri uri = DeviceUri.parse(SimSteering.uri(image));
            String chosen = uri.parameters().get("control");
            return chosen == null ? SimFiles.control(Path.of(uri.path())) : Path.of(chosen);
        }

        static String inSectors(SectorRange range) {
            return range.firstSector() + "s " + range.lengthSectors() + "s";
        }
    }

    /** Shows how it stands. */
    @Command(
            name = "status",
            header = "Show how a simulated disk stands.",
            description = {"", "Example: remap sim status disk.img", ""})
    static final class Status extends Steering {
        /** Made by picocli. */
        Status() {}

        @Override
        String command() {
            return "status";
        }

        @Override
        List<String> text(Map<?, ?> values) {
            List<String> lines = new ArrayList<>();
            values.forEach((key, value) -> lines.add(key + ": " + value));
            return lines;
        }
    }

    /** Makes sectors bad. */
    @Command(
            name = "bad",
            header = "Make sectors of a simulated disk fail.",
            description = {
                "How they fail is a mode of the list of faults with what belongs to it; default: unreadable until they are "
                        + "written.",
                "",
                "Examples:",
                "  remap sim bad disk.img 2048+8",
                "  remap sim bad disk.img 4096 slow 30000",
                "  remap sim bad disk.img 8192+64 transient p=0.2 errno=ENODATA from=read:1000",
                ""
            })
    static final class Bad extends Steering {
        @Parameters(index = "1", paramLabel = "SECTORS", description = "SECTOR, FIRST+LENGTH or FIRST-LAST.")
        String sectors;

        @Parameters(index = "2..*", arity = "0..*", paramLabel = "MODE", description = "How they fail.")
        List<String> mode = List.of("read-bad-heals-on-write");

        /** Made by picocli. */
        Bad() {}

        @Override
        String command() throws Refusal {
            return "fault " + inSectors(SectorArgument.parse(sectors)) + " " + String.join(" ", mode);
        }

        @Override
        List<String> text(Map<?, ?> values) {
            return List.of("fails from now on: " + values.get("fault"));
        }
    }

    /** Makes sectors good. */
    @Command(
            name = "heal",
            header = "End the faults of sectors of a simulated disk.",
            description = {
                "Of the list too, until their lines change.",
                "",
                "Example: remap sim heal disk.img 2048+8",
                ""
            })
    static final class Heal extends Steering {
        @Parameters(index = "1", paramLabel = "SECTORS", description = "SECTOR, FIRST+LENGTH or FIRST-LAST.")
        String sectors;

        /** Made by picocli. */
        Heal() {}

        @Override
        String command() throws Refusal {
            return "heal " + inSectors(SectorArgument.parse(sectors));
        }

        @Override
        List<String> text(Map<?, ?> values) {
            return List.of("healed: " + values.get("faults") + " faults touched these sectors");
        }
    }

    /** Takes the device away. */
    @Command(
            name = "down",
            header = "Take a simulated disk away: everything fails until 'up'.",
            description = {"", "Example: remap sim down disk.img --errno ENXIO", ""})
    static final class Down extends Steering {
        @Option(
                names = "--errno",
                paramLabel = "NAME",
                defaultValue = "ENODEV",
                description = "The error: ENODEV (default), ENXIO, EIO, ETIMEDOUT, …")
        String errno;

        /** Made by picocli. */
        Down() {}

        @Override
        String command() {
            return "state down errno=" + errno;
        }

        @Override
        List<String> text(Map<?, ?> values) {
            return List.of("down; bring it back with   remap sim up " + image);
        }
    }

    /** Gives the device a state. */
    @Command(
            name = "state",
            header = "Give a simulated disk as a whole a state.",
            description = {
                "down, hangs, read-only, link-reset SECONDS, size BYTES, identity SERIAL, flush-fails [COUNT], flush-lies, "
                        + "power-cut [SEED] from=POINT; with errno=, from= and until=, whose points are io:N, read:N, write:N, "
                        + "flush:N or ms:N. 'up' ends them all.",
                "",
                "Examples:",
                "  remap sim state disk.img flush-lies",
                "  remap sim state disk.img link-reset 10",
                "  remap sim state disk.img hangs",
                "  remap sim state disk.img power-cut from=write:1000",
                ""
            })
    static final class State extends Steering {
        @Parameters(index = "1..*", arity = "1..*", paramLabel = "STATE", description = "The state.")
        List<String> state;

        /** Made by picocli. */
        State() {}

        @Override
        String command() {
            return "state " + String.join(" ", state);
        }

        @Override
        List<String> text(Map<?, ?> values) {
            return List.of("states now: " + values.get("states"));
        }
    }

    /** Ends the states of the device. */
    @Command(
            name = "up",
            header = "End the states of a simulated disk: it is there again.",
            description = {"States that its list of faults says stay.", "", "Example: remap sim up disk.img", ""})
    static final class Up extends Steering {
        /** Made by picocli. */
        Up() {}

        @Override
        String command() {
            return "up";
        }

        @Override
        List<String> text(Map<?, ?> values) {
            return List.of(
                    values.get("states") instanceof List<?> left && !left.isEmpty()
                            ? "its list of faults still says: " + left
                            : "up");
        }
    }

    /** Cuts the power. */
    @Command(
            name = "power-cut",
            header = "Lose what a simulated disk has not flushed, as at a power cut.",
            description = {
                "Of the writes since the last flush that it really made each sector is lost or kept, as the seed wants it. The "
                        + "disk goes on at once.",
                "",
                "Example: remap sim power-cut disk.img",
                ""
            })
    static final class PowerCut extends Steering {
        @Option(names = "--seed", paramLabel = "N", description = "Which ones; default: the number of the cut.")
        Long seed;

        /** Made by picocli. */
        PowerCut() {}

        @Override
        String command() {
            return "power-cut" + (seed == null ? "" : " " + seed);
        }

        @Override
        List<String> text(Map<?, ?> values) {
            return List.of("of " + values.get("unflushedSectors") + " writes of a sector that were not flushed, "
                    + values.get("lostSectors") + " are lost");
        }
    }

    /** Any command. */
    @Command(
            name = "message",
            header = "Give a simulated disk a message of dm-dust.",
            description = {
                "addbadblock N, removebadblock N, queryblock N, countbadblocks, clearbadblocks, listbadblocks, enable, disable, "
                        + "quiet; and the commands of the control socket.",
                "",
                "Examples:",
                "  remap sim message disk.img addbadblock 60",
                "  remap sim message disk.img countbadblocks",
                ""
            })
    static final class Message extends Steering {
        @Parameters(index = "1..*", arity = "1..*", paramLabel = "WORD", description = "The message.")
        List<String> words;

        /** Made by picocli. */
        Message() {}

        @Override
        String command() {
            return String.join(" ", words);
        }

        @Override
        List<String> text(Map<?, ?> values) {
            List<String> lines = new ArrayList<>();
            values.forEach((key, value) -> lines.add(key + ": " + value));
            return lines;
        }
    }
}
