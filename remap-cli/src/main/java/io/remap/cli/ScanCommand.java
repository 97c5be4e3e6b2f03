package io.remap.cli;

import io.remap.api.ByteSize;
import io.remap.cli.control.ControlClient;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Steers the scan of a disk that is served. */
@Command(
        name = "scan",
        header = "Read main from end to end to find what goes bad: start, pause, watch.",
        description = {
            "A served disk is scanned all the time, slowly (serve --set scan.pass-days=14). 'remap scan start' has it "
                    + "done now, as fast as clients leave room.",
            ""
        },
        subcommands = {
            ScanCommand.StartCommand.class,
            ScanCommand.PauseCommand.class,
            ScanCommand.ResumeCommand.class,
            ScanCommand.CancelCommand.class,
            ScanCommand.StatusCommand.class
        })
final class ScanCommand extends VerbGroup {
    /** Made by picocli. */
    ScanCommand() {}

    /** What the subcommands share: the answer. */
    abstract static class OfDisk extends DiskVerb {
        @Parameters(arity = "0..1", paramLabel = "NAME", description = "Name of the service.")
        String name;

        /** Calls the command, and shows how the scan stands, at once or when it is done. */
        final int answer(String command, Map<String, Object> more, boolean watch) throws Exception {
            Map<?, ?> status = call(name, command, more, Services.ANSWER_MILLIS);
            if (watch) {
                try (ControlClient client =
                        Services.ofThisUser().findOrOnly(name).connect()) {
                    status = new ScanWatch(client, which(), spec.commandLine().getErr()).untilDone(status);
                }
            }
            if (json.wanted) {
                out().println(JsonOption.document(status));
            } else {
                ScanText.print(terminal(), status);
            }
            return ExitStatus.OK;
        }
    }

    /** Begins. */
    @Command(
            name = "start",
            header = "Scan the disk now.",
            description = {
                "The pass under way goes on from where it is. Clients go first; --rate limits the scan further.",
                "",
                "Example: remap scan start disk.img --watch",
                ""
            })
    static final class StartCommand extends OfDisk {
        @Option(
                names = "--rate",
                paramLabel = "BYTES",
                defaultValue = "0",
                description = "Read at most so many bytes in a second (32M); 0: as fast as clients leave room.")
        String rate;

        @Option(names = "--restart", description = "From the beginning.")
        boolean restart;

        @Option(
                names = {"-w", "--watch"},
                description = "Show how it goes on, until it is done.")
        boolean watch;

        /** Made by picocli. */
        StartCommand() {}

        @Override
        int run() throws Exception {
            return answer("scan.start", Map.of("rateBytesPerSecond", ByteSize.parse(rate), "restart", restart), watch);
        }
    }

    /** Stands still. */
    @Command(
            name = "pause",
            header = "Stop the scan until 'remap scan resume', also over restarts.",
            description = {"Example: remap scan pause disk.img", ""})
    static final class PauseCommand extends OfDisk {
        /** Made by picocli. */
        PauseCommand() {}

        @Override
        int run() throws Exception {
            return answer("scan.pause", Map.of(), false);
        }
    }

    /** Goes on. */
    @Command(
            name = "resume",
            header = "Go on with a scan that was paused.",
            description = {"Example: remap scan resume disk.img", ""})
    static final class ResumeCommand extends OfDisk {
        /** Made by picocli. */
        ResumeCommand() {}

        @Override
        int run() throws Exception {
            return answer("scan.resume", Map.of(), false);
        }
    }

    /** Ends. */
    @Command(
            name = "cancel",
            header = "End the scan; none begins before 'remap scan start'.",
            description = {"Example: remap scan cancel disk.img", ""})
    static final class CancelCommand extends OfDisk {
        /** Made by picocli. */
        CancelCommand() {}

        @Override
        int run() throws Exception {
            return answer("scan.cancel", Map.of(), false);
        }
    }

    /** How it stands. */
    @Command(
            name = "status",
            header = "Show how the scan stands.",
            description = {"Example: remap scan status disk.img", ""})
    static final class StatusCommand extends OfDisk {
        @Option(
                names = {"-w", "--watch"},
                description = "Show how it goes on, until the pass is done.")
        boolean watch;

        /** Made by picocli. */
        StatusCommand() {}

        @Override
        int run() throws Exception {
            return answer("scan.status", Map.of(), watch);
        }
    }
}
