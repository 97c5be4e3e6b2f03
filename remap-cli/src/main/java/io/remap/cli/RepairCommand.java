package io.remap.cli;

import java.util.OptionalInt;
import picocli.CommandLine.Command;

/** Writes damaged copies of the metadata of a spare anew. */
@Command(
        name = "repair",
        header = "Write damaged copies of the metadata of a spare anew, from those that are whole.",
        description = {
            "Without --apply it says what would be written, and writes nothing. A spare that is served is repaired by its "
                    + "service: 'remap metadata sync'. Where it is not certain what the mappings are, nothing is written.",
            "Of a further spare its stamps are written anew, too.",
            "",
            "Exit status 0 if all is sound now, 1 if something would be written, 6 if it is not certain what the mappings "
                    + "are.",
            "",
            "Examples:",
            "  remap repair disk.img.spare",
            "  remap repair disk.img.spare --apply",
            ""
        })
final class RepairCommand extends SpareRepair {
    /** Made by picocli. */
    RepairCommand() {}

    @Override
    OptionalInt source() {
        return OptionalInt.empty();
    }

    @Override
    String commandLine() {
        return "remap repair " + spare;
    }
}
