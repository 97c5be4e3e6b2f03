package io.remap.cli;

import io.remap.api.Refusal;
import io.remap.core.Discovery;
import io.remap.core.Discovery.Confidence;
import io.remap.core.ShellWords;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Serves the one pair that is found among devices. */
@Command(
        name = AssembleCommand.NAME,
        header = "Serve the pair that is found among some devices.",
        description = {
            "Looks for mains and spares as 'remap discover' does, and serves the one pair of which it is certain. Refuses "
                    + "where there is none, or more than one: then name the devices, or the pair.",
            "With --likely also a pair that is only likely: main is taken for the one that the spare belongs to.",
            "All further spares of the pair are served with it. Where one is missing it is refused, without --missing-spares.",
            "",
            "Runs in the foreground as 'remap serve' does.",
            "",
            "Examples:",
            "  remap assemble",
            "  remap assemble /dev/sdb /dev/sdc1 --name old-disk",
            "  remap assemble --pair 4b1f2a0c-6f0e-4b52-9d0e-1d6c5f7f2a11 --read-only",
            ""
        })
final class AssembleCommand extends Verb {
    static final String NAME = "assemble";

    @Parameters(arity = "0..*", paramLabel = "DEVICE", description = "Path or URI; default: all block devices.")
    List<String> names = new ArrayList<>();

    @Option(names = "--pair", paramLabel = "UUID", description = "The pair with this UUID.")
    String pairUuid;

    @Option(names = "--likely", description = "Also take a pair that is not certain, but likely.")
    boolean likely;

    @Option(
            names = "--missing-spares",
            description =
                    "Also take a pair without further spares that are not there; what stands on them answers with errors.")
    boolean missingSpares;

    @Option(names = "--name", paramLabel = "NAME", description = "As of 'remap serve'.")
    String name;

    @Option(names = "--socket", paramLabel = "PATH", description = "As of 'remap serve'.")
    List<String> sockets = new ArrayList<>();

    @Option(names = "--listen", paramLabel = "HOST:PORT", description = "As of 'remap serve'.")
    List<String> listen = new ArrayList<>();

    @Option(names = "--read-only", description = "Refuse writes.")
    boolean readOnly;

    @Option(names = "--transport", paramLabel = "KIND", description = "As of 'remap serve'.")
    String transport;

    @Option(
            names = "--set",
            paramLabel = "SETTING=VALUE",
            description = "Choose the value of a setting; 'remap plugins settings' lists them.")
    Map<String, String> settings = new LinkedHashMap<>();

    /** Made by picocli. */
    AssembleCommand() {}

    @Override
    int run() throws Exception {
        Discovery.Pair pair = choose(DiscoverCommand.discover(names));
        String others = pair.members().stream()
                .map(member ->
                        ", spare " + member.number() + " " + member.device().orElse(member.state()))
                .collect(Collectors.joining());
        note("serving " + pair.main() + " with the spare " + pair.spare() + others + ": "
                + DiscoverCommand.word(pair.confidence()) + ", pair " + pair.pairUuid());
        String[] arguments = arguments(pair).toArray(String[]::new);
        CommandLine serve = Main.commandLine(arguments);
        int status = serve.execute(arguments);
        Main.finished(serve, status);
        return status;
    }

    private Discovery.Pair choose(Discovery.Result result) throws Refusal {
        List<Discovery.Pair> good = result.pairs().stream()
                .filter(pair -> pairUuid == null || pair.pairUuid().equalsIgnoreCase(pairUuid))
                .filter(pair ->
                        pair.confidence() == Confidence.CERTAIN || (likely && pair.confidence() == Confidence.LIKELY))
                .toList();
        if (good.size() == 1) {
            return requireMembers(good.get(0));
        }
        if (good.isEmpty()) {
            throw new Refusal(
                    Refusal.Kind.WRONG_DEVICE,
                    "no pair is " + (likely ? "certain or likely" : "certain")
                            + " among these devices; what there is, and why, shows: remap discover" + named());
        }
        throw new Refusal(
                Refusal.Kind.USAGE,
                "several pairs fit: "
                        + good.stream()
                                .map(pair -> pair.main() + " with " + pair.spare() + " (pair " + pair.pairUuid() + ")")
                                .collect(Collectors.joining("; "))
                        + ": name the devices of one, or --pair UUID");
    }

    private Discovery.Pair requireMembers(Discovery.Pair pair) throws Refusal {
        boolean servable = !pair.arguments().isEmpty() && (pair.complete() || missingSpares);
        if (servable) {
            return pair;
        }
        throw new Refusal(
                Refusal.Kind.WRONG_DEVICE,
                pair.main() + " with " + pair.spare() + " lacks a spare: " + String.join("; ", pair.against())
                        + (pair.arguments().isEmpty()
                                ? ""
                                : ". Attach it and name it; or go on without it by --missing-spares, and what stands on it"
                                        + " answers with errors"));
    }

    private String named() {
        return names.stream().map(name -> " " + ShellWords.device(name)).collect(Collectors.joining());
    }

    private List<String> arguments(Discovery.Pair pair) {
        List<String> arguments = new ArrayList<>(pair.arguments());
        if (name != null) {
            arguments.addAll(List.of("--name", name));
        }
        sockets.forEach(socket -> arguments.addAll(List.of("--socket", socket)));
        listen.forEach(address -> arguments.addAll(List.of("--listen", address)));
        if (readOnly && !arguments.contains("--read-only")) {
            arguments.add("--read-only");
        }
        if (transport != null) {
            arguments.addAll(List.of("--transport", transport));
        }
        settings.forEach((setting, value) -> arguments.addAll(List.of("--set", setting + "=" + value)));
        return arguments;
    }
}
