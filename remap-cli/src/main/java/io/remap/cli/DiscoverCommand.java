package io.remap.cli;

import io.remap.api.DeviceUri;
import io.remap.api.Refusal;
import io.remap.core.Devices;
import io.remap.core.Discovery;
import io.remap.core.Discovery.Confidence;
import io.remap.core.HostPaths;
import io.remap.core.Providers;
import io.remap.core.ShellWords;
import io.remap.core.SystemEnvironment;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** Finds mains and spares that belong together. */
@Command(
        name = "discover",
        header = "Find mains and spares that belong together. Writes nothing.",
        description = {
            "Looks at the devices and files that are named, or at all block devices of this host that may be opened, and "
                    + "says which of them are a pair, how sure that is and why, and how to serve it.",
            "",
            "How sure:",
            "  certain   main names this spare, and nothing speaks against it",
            "  likely    main names it but was written since, or name or content of main are those that the spare remembers",
            "  possible  only the sizes fit",
            "  not       something shows that the two must not be served together",
            "",
            "Further spares are shown with their pair: present, missing, older (a copy from before it was served last) or twice. "
                    + "Those are looked for also where they were the last time.",
            "",
            "Exit status 0 if a pair was found, 1 if none was.",
            "",
            "Examples:",
            "  remap discover",
            "  remap discover /dev/sdb /dev/sdc1",
            "  remap discover --json *.img",
            ""
        })
final class DiscoverCommand extends Verb {
    @Parameters(arity = "0..*", paramLabel = "DEVICE", description = "Path or URI; default: all block devices.")
    List<String> names = new ArrayList<>();

    @Mixin
    final JsonOption json = new JsonOption();

    /** Made by picocli. */
    DiscoverCommand() {}

    @Override
    int run() throws Exception {
        Discovery.Result result = discover(names);
        boolean found = result.pairs().stream().anyMatch(pair -> pair.confidence() != Confidence.NOT);
        if (json.wanted) {
            out().println(JsonOption.document(result.toMap()));
        } else {
            print(result);
        }
        return found ? ExitStatus.OK : ExitStatus.NOT_SO;
    }

    /** What is among the devices of these names, or of all of this host. */
    static Discovery.Result discover(List<String> names) throws Refusal {
        List<DeviceUri> uris = new ArrayList<>();
        for (String name : names) {
            uris.add(DeviceUri.parse(name));
        }
        if (names.isEmpty()) {
            for (Devices.Found device : Devices.list()) {
                uris.add(DeviceUri.parse(device.path()));
            }
        }
        try (SystemEnvironment system = SystemEnvironment.start()) {
            return new Discovery(Providers.load(), HostPaths.ofThisUser().stateDirectory(), system.environment())
                    .find(uris);
        }
    }

    private void print(Discovery.Result result) {
        Terminal terminal = terminal();
        for (Discovery.Pair pair : result.pairs()) {
            terminal.heading(pair.main() + " and " + pair.spare());
            terminal.line("  pair " + pair.pairUuid() + ": " + word(pair.confidence()));
            pair.reasons().forEach(reason -> terminal.line("    + " + reason));
            pair.against().forEach(reason -> terminal.line("    - " + reason));
            for (Discovery.Member member : pair.members()) {
                terminal.line("    spare " + member.number() + ": "
                        + member.device().map(device -> device + ", ").orElse("") + member.state());
            }
            if (!pair.arguments().isEmpty() && pair.complete()) {
                terminal.line("  serve it with   " + command(pair));
            } else if (!pair.arguments().isEmpty()) {
                terminal.line(
                        "  attach what is missing; to serve it without that, and what stands there answers with errors:");
                terminal.line("                  " + command(pair));
            }
        }
        result.alone().forEach(remark -> terminal.line(remark.device() + " " + remark.what()));
        result.skipped().forEach(remark -> terminal.line(remark.device() + " was left out: " + remark.what()));
        if (result.pairs().isEmpty()) {
            terminal.line("no pair was found");
        }
    }

    static String word(Confidence confidence) {
        return confidence.name().toLowerCase(Locale.ROOT);
    }

    /** As a shell takes it. */
    static String command(Discovery.Pair pair) {
        return "remap " + pair.arguments().stream().map(ShellWords::quoted).collect(Collectors.joining(" "));
    }
}
