package io.remap.cli;

import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.Refusal;
import io.remap.core.HostPaths;
import io.remap.core.Providers;
import io.remap.core.SpareCare;
import io.remap.core.SystemEnvironment;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Checks the metadata of a spare. */
@Command(
        name = "check",
        header = "Check the metadata of a spare. Writes nothing.",
        description = {
            "Shows every copy of the metadata and how it stands, then what is not as it should be, and what to do. A spare "
                    + "that a service of yours has is read by that service.",
            "The other spares of the pair are checked with one that has the table, where they were the last time or where "
                    + "--spare says: one that is missing, or an older copy, is an error while sectors stand on it. Of a spare "
                    + "without the table only what it says of itself is checked.",
            "",
            "Levels:",
            "  quick     superblocks and headers",
            "  standard  also every block of the table and the log in force, in both copies, and whether what they say "
                    + "can be",
            "  full      also every sector that stands on a spare, compared with its checksum if there is one, and with "
                    + "--main those beside them on main",
            "",
            "Exit status 0 if all is sound, 1 if something is not as it should be, 6 if a mapping may be missing or the "
                    + "table cannot be read, 5 if it is no spare.",
            "",
            "Examples:",
            "  remap check disk.img.spare",
            "  remap check disk.img.spare --main disk.img --level full",
            "  remap check --online disk.img",
            ""
        })
final class CheckCommand extends Verb {
    @Parameters(arity = "0..1", paramLabel = "SPARE", description = "The spare: path or URI.")
    String spare;

    @Option(names = "--main", paramLabel = "MAIN", description = "Also check that it belongs to this main.")
    String main;

    @Option(
            names = "--spare",
            paramLabel = "FURTHER",
            description = "A further spare that is not where it was (repeatable).")
    List<String> further = new ArrayList<>();

    @Option(
            names = "--level",
            paramLabel = "LEVEL",
            defaultValue = "standard",
            description = "quick, standard or full (${DEFAULT-VALUE}).")
    SpareCare.Level level;

    @Option(names = "--online", paramLabel = "NAME", description = "Check the spares of this service instead.")
    String online;

    @Mixin
    final JsonOption json = new JsonOption();

    /** Made by picocli. */
    CheckCommand() {}

    @Override
    int run() throws Exception {
        if ((spare == null) == (online == null)) {
            throw new Refusal(Refusal.Kind.USAGE, "expected SPARE, or --online NAME; see 'remap check --help'");
        }
        if (online != null && (main != null || !further.isEmpty())) {
            throw new Refusal(Refusal.Kind.USAGE, "--main, --spare: a service knows its devices; give --online alone");
        }
        List<Map<?, ?>> checks = new ArrayList<>();
        if (online != null) {
            for (ServedSpare served : ServedSpare.ofName(online)) {
                checks.add(ask(served));
            }
        } else {
            checks.add(check(DeviceUri.parse(spare)));
        }
        int status = ExitStatus.OK;
        for (Map<?, ?> checked : checks) {
            status = Math.max(status, CheckText.exitStatus(checked));
            if (!json.wanted) {
                new CheckText(terminal()).print(checked);
            }
        }
        if (json.wanted) {
            out().println(JsonOption.document("checks", checks));
        }
        return status;
    }

    private Map<?, ?> check(DeviceUri spareUri) throws Refusal, DeviceException {
        Optional<DeviceUri> mainUri = main == null ? Optional.empty() : Optional.of(DeviceUri.parse(main));
        try (SystemEnvironment system = SystemEnvironment.start()) {
            SpareCare care =
                    new SpareCare(Providers.load(), HostPaths.ofThisUser().stateDirectory(), system.environment());
            List<DeviceUri> furtherUris = new ArrayList<>();
            for (String uri : further) {
                furtherUris.add(DeviceUri.parse(uri));
            }
            try {
                return care.check(spareUri, furtherUris, mainUri, level).toMap();
            } catch (Refusal e) {
                ServedSpare served = ServedSpare.behind(e, care, spareUri);
                note(spare + " is served by '" + served.service().name() + "', so that service reads it"
                        + (main == null ? "" : "; --main is left out, as it knows its main"));
                return ask(served);
            }
        }
    }

    private Map<?, ?> ask(ServedSpare served) throws Refusal {
        return served.call("metadata.check", Map.of("level", level.name().toLowerCase(Locale.ROOT)));
    }
}
