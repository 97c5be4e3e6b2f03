package io.remap.cli;

import io.remap.api.ByteSize;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Shows what the unreadable, lost and avoided sectors of a disk hit. */
@Command(
        name = "impact",
        header = "Show which partitions have sectors that cannot be read now, and how to name the files.",
        description = {
            "Prints the ranges within each partition that are unreadable, lost, or in an avoided area ('remap avoid'), and the "
                    + "exact commands of its file system that name the files there. It runs none of them.",
            "",
            "Example: remap impact disk.img --device /dev/nbd0",
            ""
        })
final class ImpactCommand extends DiskVerb {
    private static final int RANGES_SHOWN = 20;

    @Parameters(arity = "0..1", paramLabel = "NAME", description = "Name of the service.")
    String name;

    @Option(
            names = "--device",
            paramLabel = "DEVICE",
            defaultValue = "/dev/nbd0",
            description = "Where the disk is attached, for the commands (${DEFAULT-VALUE}).")
    String device;

    /** Made by picocli. */
    ImpactCommand() {}

    @Override
    int run() throws Exception {
        Map<?, ?> answer = call(name, "impact", Map.of("device", device), Services.DEVICE_MILLIS);
        if (json.wanted) {
            out().println(JsonOption.document(answer));
            return ExitStatus.OK;
        }
        long total = StatusText.number(answer, "rangesTotal");
        if (total == 0) {
            out().println("no sector is unreadable, lost or avoided");
        } else {
            long sectors = StatusText.number(answer, "sectorsTotal");
            out().println((sectors == 1
                            ? "1 sector"
                            : sectors + " sectors in " + total + (total == 1 ? " run" : " runs"))
                    + (sectors == 1 ? " is" : " are") + " unreadable, lost or avoided");
        }
        for (Object partition : StatusText.list(answer, "partitions")) {
            print((Map<?, ?>) partition);
        }
        List<?> outside = StatusText.list(answer, "outside");
        if (!outside.isEmpty()) {
            terminal().heading("in no partition");
            printRanges(outside, StatusText.number(answer, "outsideTotal"));
        }
        return ExitStatus.OK;
    }

    private void print(Map<?, ?> partition) {
        String kind = StatusText.text(partition, "fileSystem");
        terminal()
                .heading(StatusText.text(partition, "device")
                        + " (" + ByteSize.format(StatusText.number(partition, "lengthBytes")) + " from byte "
                        + StatusText.number(partition, "startBytes") + ", " + (kind.isEmpty() ? "nothing known" : kind)
                        + ")");
        printRanges(StatusText.list(partition, "ranges"), StatusText.number(partition, "rangesTotal"));
        for (Object command : StatusText.list(partition, "commands")) {
            out().println("    " + command);
        }
    }

    /** @param total how many there are, of which the first are listed */
    private void printRanges(List<?> ranges, long total) {
        int shown = Math.min(RANGES_SHOWN, ranges.size());
        for (Object one : ranges.subList(0, shown)) {
            Map<?, ?> range = (Map<?, ?>) one;
            out().println("  bytes " + StatusText.number(range, "offsetBytes") + "+"
                    + StatusText.number(range, "lengthBytes") + " " + StatusText.text(range, "state"));
        }
        if (total > shown) {
            out().println("  and " + (total - shown) + " more; --json shows "
                    + (ranges.size() < total ? "the first " + ranges.size() + " of all " + total : "them"));
        }
    }
}
