package io.remap.cli;

import io.remap.api.Refusal;
import java.util.OptionalInt;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Writes the metadata of a spare anew from a copy that the user names. */
@Command(
        name = "restore",
        header = "Write damaged copies of the metadata of a spare anew, from a copy that you name.",
        description = {
            "As 'remap repair', and refused unless the copy is whole and of the newest generation: without --apply it says what "
                    + "would be written, and writes nothing. Nobody may serve the spare.",
            "An older table is never put back: what was mapped since would read as the old content of main.",
            "",
            "Exit status 0 if all is sound now, 1 if something would be written, 6 if that copy is not whole, or it is not "
                    + "certain what the mappings are.",
            "",
            "Examples:",
            "  remap metadata restore disk.img.spare --from-copy 1",
            "  remap metadata restore disk.img.spare --from-copy 1 --apply",
            ""
        })
final class RestoreCommand extends SpareRepair {
    @Option(
            names = "--from-copy",
            required = true,
            paramLabel = "0|1",
            description = "The copy, as 'remap check' names it.")
    int copy;

    /** Made by picocli. */
    RestoreCommand() {}

    @Override
    OptionalInt source() throws Refusal {
        if (copy != 0 && copy != 1) {
            throw new Refusal(Refusal.Kind.USAGE, "--from-copy " + copy + ": there are copies 0 and 1");
        }
        return OptionalInt.of(copy);
    }

    @Override
    String commandLine() {
        return "remap metadata restore " + spare + " --from-copy " + copy;
    }
}
