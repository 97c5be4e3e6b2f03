package io.remap.cli;

import io.remap.api.ByteSize;
import io.remap.api.DeviceUri;
import io.remap.core.HostPaths;
import io.remap.core.Pairing;
import io.remap.core.Providers;
import io.remap.core.ShellWords;
import io.remap.core.SystemEnvironment;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Pairs a main with a spare. */
@Command(
        name = "create",
        header = "Format a spare for a main device.",
        description = {
            "Writes the (empty) remap table to the spare, as one transaction, and never writes to MAIN. What is on MAIN "
                    + "stays, and is served in place. 'remap serve' does this by itself for a blank spare.",
            "",
            "Blank is a spare of zeros. One larger than 256M is not read as a whole: at its beginning, middle and end, where "
                    + "its tables will begin, and at samples between. One on which anything is found is refused without --force.",
            "",
            "Examples:",
            "  remap create /dev/sdb --spare /dev/sdc1",
            "  remap create disk.img --spare disk.spare --spare-size 256M",
            ""
        })
final class CreateCommand extends Verb {
    @Parameters(paramLabel = "MAIN", description = "The failing device: path or URI.")
    String main;

    @Option(names = "--spare", required = true, paramLabel = "SPARE", description = "The healthy one: path or URI.")
    String spare;

    @Option(
            names = "--spare-size",
            paramLabel = "BYTES",
            description = "Make the spare, an image file that does not exist yet, with this size (64M, 2G, ...).")
    String spareSize;

    @Option(
            names = "--sector-size",
            paramLabel = "BYTES",
            description = "Sector size of the virtual disk, where MAIN is a file: 512 (default) or 4096.")
    Integer sectorBytes;

    @Option(
            names = "--force",
            description = "The content of the spare may go; take devices that look in use, and a spare in memory.")
    boolean force;

    @Option(
            names = "--no-witness",
            description = "Go on where it cannot be noted durably that MAIN belongs to this spare.")
    boolean noWitness;

    @Mixin
    final JsonOption json = new JsonOption();

    /** Made by picocli. */
    CreateCommand() {}

    @Override
    int run() throws Exception {
        DeviceUri mainUri = DeviceUri.parse(main);
        DeviceUri spareUri = DeviceUri.parse(spare);
        Pairing.CreateOptions options = new Pairing.CreateOptions(
                force,
                noWitness,
                sectorBytes == null ? OptionalInt.empty() : OptionalInt.of(sectorBytes),
                spareSize == null ? OptionalLong.empty() : OptionalLong.of(ByteSize.parse(spareSize)));
        try (SystemEnvironment system = SystemEnvironment.start()) {
            Pairing.Created created = new Pairing(
                            Providers.load(), HostPaths.ofThisUser().stateDirectory(), system.environment())
                    .create(mainUri, spareUri, options);
            if (json.wanted) {
                printJson(created);
            } else {
                out().println("formatted " + created.spareName() + " (" + ByteSize.format(created.spareBytes())
                        + ") as the spare of " + main + ": " + created.plan().slots() + " slots of 4 KiB, at most "
                        + created.plan().mappingLimit() + " mappings, "
                        + ByteSize.format(created.plan().metadataBytes()) + " of metadata");
                out().println("serve it with: " + serveCommand());
                created.notices().forEach(this::note);
            }
        }
        return ExitStatus.OK;
    }

    private String serveCommand() {
        return "remap serve " + ShellWords.device(main) + " --spare " + ShellWords.device(spare)
                + (sectorBytes == null ? "" : " --sector-size " + sectorBytes);
    }

    private void printJson(Pairing.Created created) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("pairUuid", created.pair().pairUuid().toString());
        document.put("spare", created.spareName());
        document.put("spareBytes", created.spareBytes());
        document.put("slots", created.plan().slots());
        document.put("mappingLimit", created.plan().mappingLimit());
        document.put("metadataBytes", created.plan().metadataBytes());
        document.put("notices", created.notices());
        out().println(JsonOption.document(document));
    }
}
