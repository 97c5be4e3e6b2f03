package io.remap.cli;

import io.remap.api.ByteSize;
import io.remap.api.Refusal;
import io.remap.core.ShellWords;
import io.remap.core.sim.SimCreation;
import io.remap.core.sim.SimCreation.DeadHead;
import io.remap.core.sim.SimCreation.Made;
import io.remap.core.sim.SimCreation.Wish;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Makes a simulated disk. */
@Command(
        name = "create",
        header = "Make a simulated disk with bad sectors.",
        description = {
            "Makes the sparse image IMAGE, or with no --size takes the one that exists, and the list of its faults "
                    + "IMAGE.sim-faults, a text that may be edited. The same seed gives the same places, in every version.",
            "",
            "Places come in bursts as they were measured on disks in the field; --scattered spreads small clusters evenly.",
            "",
            "Examples:",
            "  remap sim create disk.img --size 1G --bad-count 300",
            "  remap sim create disk.img --size 64M --bad-percent 0.5 --seed 7 --over 600",
            "  remap sim create old.img --from rescue.map",
            ""
        })
final class SimCreateCommand extends Verb {
    private static final Pattern HEAD = Pattern.compile("(\\d{1,3})/(\\d{1,3})");
    private static final long MAX_OVER_SECONDS = TimeUnit.DAYS.toSeconds(365);
    private static final double MAX_PERCENT = 25;

    @Parameters(paramLabel = "IMAGE", description = "The image file.")
    Path image;

    @Option(names = "--size", paramLabel = "BYTES", description = "Size of the new image, for example 1G.")
    String size;

    /** How many. */
    static final class Amount {
        @Option(
                names = "--bad-count",
                paramLabel = "N",
                description =
                        "So many sectors of 512 bytes fail; bursts are of whole blocks of 4 KiB, so up to 7 more.")
        Long count;

        @Option(names = "--bad-percent", paramLabel = "P", description = "This share of the sectors fails, 0 to 25.")
        Double percent;

        /** Made by picocli. */
        Amount() {}
    }

    @ArgGroup(exclusive = true)
    Amount amount = new Amount();

    @Option(
            names = "--from",
            paramLabel = "FILE",
            description =
                    "Places from a map file of ddrescue (all it has not rescued), a list of badblocks, or a list of faults.")
    Path from;

    @Option(names = "--block-size", paramLabel = "BYTES", description = "Unit of a list of badblocks, its -b.")
    Integer blockBytes;

    @Option(
            names = "--dead-head",
            paramLabel = "HEAD/HEADS",
            description = "One head of so many reads nothing: every so many bands fail.")
    String deadHead;

    @Option(
            names = "--band",
            paramLabel = "BYTES",
            defaultValue = "128M",
            description = "How much one head has before the next follows (${DEFAULT-VALUE}).")
    String band;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "0",
            description = "Which places (${DEFAULT-VALUE}); any whole number.")
    long seed;

    @Option(
            names = "--mode",
            paramLabel = "MODE",
            defaultValue = "read-bad-heals-on-write",
            description = "How they fail (${DEFAULT-VALUE}).")
    String mode;

    @Option(names = "--scattered", description = "Small clusters anywhere, and not bursts.")
    boolean scattered;

    @Option(
            names = "--over",
            paramLabel = "SECONDS",
            defaultValue = "0",
            description = "The places go bad one after the other, in this time after the disk is opened.")
    long overSeconds;

    @Mixin
    final JsonOption json = new JsonOption();

    /** Made by picocli. */
    SimCreateCommand() {}

    @Override
    int run() throws Exception {
        if (amount.percent != null && !(amount.percent >= 0 && amount.percent <= MAX_PERCENT)) {
            throw usage("--bad-percent " + amount.percent + ": expected 0 to 25");
        }
        if (amount.count != null && amount.count < 0) {
            throw usage("--bad-count " + amount.count + ": expected 0 or more");
        }
        if (overSeconds < 0 || overSeconds > MAX_OVER_SECONDS || (overSeconds > 0 && scattered)) {
            throw usage(
                    "--over " + overSeconds + ": expected 0 to " + MAX_OVER_SECONDS + " seconds, without --scattered");
        }
        Made made = SimCreation.create(new Wish(
                image,
                size == null ? OptionalLong.empty() : OptionalLong.of(ByteSize.parse(size)),
                amount.count == null ? OptionalLong.empty() : OptionalLong.of(amount.count),
                amount.percent == null ? OptionalDouble.empty() : OptionalDouble.of(amount.percent),
                Optional.ofNullable(from),
                blockBytes == null ? OptionalInt.empty() : OptionalInt.of(blockBytes),
                deadHead == null ? Optional.empty() : Optional.of(head()),
                seed,
                mode,
                !scattered,
                TimeUnit.SECONDS.toMillis(overSeconds)));
        if (json.wanted) {
            Map<String, Object> values = new LinkedHashMap<>();
            values.put("image", image.toString());
            values.put("list", made.list().toString());
            values.put("sizeBytes", made.sizeBytes());
            values.put("faults", made.faults());
            values.put("badSectors", made.badSectors());
            values.put("seed", seed);
            if (!made.unrescuedSectors().isEmpty()) {
                values.put("unrescuedSectors", made.unrescuedSectors());
            }
            out().println(JsonOption.document(values));
        } else {
            out().println(image + ": " + ByteSize.format(made.sizeBytes()) + ", " + made.badSectors() + " sectors in "
                    + made.faults() + " places fail; they stand in " + made.list());
            if (!made.unrescuedSectors().isEmpty()) {
                out().println("of these the map of ddrescue says: "
                        + made.unrescuedSectors().entrySet().stream()
                                .map(state -> state.getValue() + " " + state.getKey())
                                .collect(Collectors.joining(", ")));
            }
            out().println("serve it with   remap sim serve " + ShellWords.quoted(image.toString()));
        }
        return ExitStatus.OK;
    }

    private DeadHead head() throws Refusal {
        Matcher matcher = HEAD.matcher(deadHead);
        if (!matcher.matches()) {
            throw usage("--dead-head " + deadHead + ": expected HEAD/HEADS, for example 2/8");
        }
        return new DeadHead(
                Integer.parseInt(matcher.group(1)), Integer.parseInt(matcher.group(2)), ByteSize.parse(band));
    }

    private static Refusal usage(String message) {
        return new Refusal(Refusal.Kind.USAGE, message);
    }
}
