package io.remap.cli;

import io.remap.api.BlockDevice;
import io.remap.api.ByteSize;
import io.remap.api.DeviceTraits;
import io.remap.api.DeviceUri;
import io.remap.api.Refusal;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.SparePlan;
import io.remap.core.Devices;
import io.remap.core.Providers;
import io.remap.core.SpareSizing;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Says how large a spare should be. */
@Command(
        name = "size",
        header = "Say how large a spare should be for a main device.",
        description = {
            "Shows what the calculator of dm-remap v4 demands, what we recommend, and what a spare of either size offers: "
                    + "slots of 4 KiB, and the most mappings that its table holds. Nothing is written.",
            "",
            "Examples:",
            "  remap size disk.img",
            "  remap size /dev/sdb --bad 3000",
            "  remap size 8T --percent 1 --json",
            ""
        })
final class SizeCommand extends Verb {
    private static final Pattern PLAIN_SIZE = Pattern.compile("[0-9.]+([KMGTPE](iB)?)?", Pattern.CASE_INSENSITIVE);

    @Parameters(paramLabel = "MAIN", description = "The failing device: path or URI; or just a size: 500G, 8T.")
    String main;

    @Option(
            names = "--percent",
            paramLabel = "P",
            description = "Share of the sectors expected to go bad, 0 to " + SpareSizing.MAX_PERCENT + " (default "
                    + SpareSizing.DEFAULT_PERCENT + ").")
    int percent = SpareSizing.DEFAULT_PERCENT;

    @Option(names = "--bad", paramLabel = "N", description = "Sectors known as bad already (default 0).")
    long badSectors;

    @Option(names = "--strict", description = "The strict rule of dm-remap v4: 1.05 times MAIN.")
    boolean strict;

    @Mixin
    final JsonOption json = new JsonOption();

    /** Made by picocli. */
    SizeCommand() {}

    @Override
    int run() throws Exception {
        Providers providers = Providers.load();
        Optional<MetadataProvider> metadata =
                providers.all(MetadataProvider.class).stream().findFirst();
        SpareSizing.Report report = SpareSizing.report(question(providers), metadata);
        if (json.wanted) {
            out().println(JsonOption.document(document(report)));
        } else {
            print(report);
        }
        return ExitStatus.OK;
    }

    private SpareSizing.Question question(Providers providers) throws Exception {
        if (isPlainSize(main)) {
            return new SpareSizing.Question(
                    ByteSize.parse(main), DeviceTraits.MIN_SECTOR_BYTES, percent, badSectors, strict);
        }
        try (BlockDevice device = new Devices(providers).open(DeviceUri.parse(main), OpenOptions.inspect())) {
            DeviceTraits traits = device.traits();
            return new SpareSizing.Question(
                    traits.sizeBytes(), traits.logicalSectorBytes(), percent, badSectors, strict);
        } catch (Refusal e) {
            if (main.indexOf('/') < 0 && main.indexOf(':') < 0 && Files.notExists(Path.of(main))) {
                throw new Refusal(e.kind(), e.getMessage() + " (and '" + main + "' is no size either)", e);
            }
            throw e;
        }
    }

    /** Whether a text is meant as a size: it reads as one, and no file has that name. */
    static boolean isPlainSize(String text) {
        return PLAIN_SIZE.matcher(text).matches() && !Files.exists(Path.of(text), LinkOption.NOFOLLOW_LINKS);
    }

    private void print(SpareSizing.Report report) {
        SpareSizing.Question question = report.question();
        Terminal terminal = terminal();
        terminal.heading("spare for " + main + ", " + ByteSize.format(question.mainBytes()) + " in sectors of "
                + question.sectorBytes() + " bytes");
        List<List<String>> rows = new ArrayList<>(List.of(List.of("RULE", "SPARE", "BYTES", "SLOTS", "MAPPINGS")));
        rows.add(row(
                question.strict() ? "strict: 1.05 times main" : "dm-remap v4: " + question.percent() + " % and a fifth",
                report.neededBytes(),
                report.neededPlan()));
        rows.add(row("recommended here", report.recommendedBytes(), report.recommendedPlan()));
        terminal.table(rows);
        terminal.line(String.format(
                Locale.ROOT, "dm-remap v4 asks for %.2f %% of main: %s", report.ratioPercent(), report.hint()));
        terminal.line("a slot takes the sectors of one 4 KiB unit; a mapping is a run of neighbouring units");
    }

    private static List<String> row(String rule, long bytes, Optional<SparePlan> plan) {
        return List.of(
                rule,
                ByteSize.format(bytes),
                Long.toString(bytes),
                plan.map(offer -> Long.toString(offer.slots())).orElse("too small"),
                plan.map(offer -> Long.toString(offer.mappingLimit())).orElse("-"));
    }

    private Map<String, Object> document(SpareSizing.Report report) {
        SpareSizing.Question question = report.question();
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("main", main);
        document.put("mainBytes", question.mainBytes());
        document.put("sectorBytes", question.sectorBytes());
        document.put("percent", question.percent());
        document.put("badSectors", question.badSectors());
        document.put("strict", question.strict());
        document.put("calculatedBytes", report.calculatedBytes());
        document.put("strictBytes", report.strictBytes());
        document.put("neededBytes", report.neededBytes());
        document.put("ratioPercent", report.ratioPercent());
        document.put("hint", report.hint());
        document.put("recommendedBytes", report.recommendedBytes());
        document.put("neededPlan", plan(report.neededPlan()));
        document.put("recommendedPlan", plan(report.recommendedPlan()));
        return document;
    }

    private static Map<String, Object> plan(Optional<SparePlan> plan) {
        if (plan.isEmpty()) {
            return null;
        }
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("slots", plan.get().slots());
        values.put("mappingLimit", plan.get().mappingLimit());
        values.put("metadataBytes", plan.get().metadataBytes());
        return values;
    }
}
