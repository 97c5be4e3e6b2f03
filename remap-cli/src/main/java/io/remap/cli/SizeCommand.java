package io.remap.cli;

import io.remap.api.BlockDevice;
import io.remap.api.ByteSize;
import io.remap.api.DeviceTraits;
import io.remap.api.DeviceUri;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.SparePlan;
import io.remap.core.Devices;
import io.remap.core.Providers;
import io.remap.core.SpareSizing;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Calculates the size of a spare. */
@Command(
        name = "size",
        header = "Calculate how large a spare should be.",
        description = {
            "MAIN is a device (it is only looked at), or a size such as 2T where no file has that name.",
            "",
            "Examples:",
            "  remap size /dev/sdb",
            "  remap size 2T --percent 1 --bad 1200",
            ""
        })
final class SizeCommand extends Verb {
    @Parameters(paramLabel = "MAIN", description = "The failing device, or its size.")
    String main;

    @Option(
            names = "--percent",
            paramLabel = "P",
            defaultValue = "" + SpareSizing.DEFAULT_PERCENT,
            description = "Share of sectors expected to go bad, 0 to " + SpareSizing.MAX_PERCENT
                    + " percent (${DEFAULT-VALUE}).")
    int percent;

    @Option(names = "--bad", paramLabel = "N", description = "Sectors known as bad already.")
    Long badSectors;

    @Option(names = "--strict", description = "Apply the strict rule of dm-remap: 1.05 times MAIN.")
    boolean strict;

    @Option(
            names = "--sector-size",
            paramLabel = "BYTES",
            description = "Sector size, where MAIN is a size (" + DeviceTraits.MIN_SECTOR_BYTES + ").")
    Integer sectorBytes;

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
        OptionalLong bad = badSectors == null ? OptionalLong.empty() : OptionalLong.of(badSectors);
        if (Character.isDigit(main.charAt(0)) && !Files.exists(Path.of(main))) {
            int sector = sectorBytes == null ? DeviceTraits.MIN_SECTOR_BYTES : sectorBytes;
            return new SpareSizing.Question(ByteSize.parse(main), sector, percent, bad, strict);
        }
        try (BlockDevice device = new Devices(providers).open(DeviceUri.parse(main), OpenOptions.inspect())) {
            DeviceTraits traits = device.traits();
            int sector = sectorBytes == null ? traits.logicalSectorBytes() : sectorBytes;
            return new SpareSizing.Question(traits.sizeBytes(), sector, percent, bad, strict);
        }
    }

    private void print(SpareSizing.Report report) {
        List<List<String>> facts = new ArrayList<>();
        facts.add(List.of("main", size(report.question().mainBytes())));
        facts.add(List.of("needed", size(report.neededBytes()) + (strict ? ", strict rule" : "")));
        facts.add(List.of("", String.format(Locale.ROOT, "%.2f %% of main: %s", report.ratioPercent(), report.hint())));
        report.neededPlan().ifPresent(plan -> facts.add(List.of("", offers(plan))));
        facts.add(List.of("recommended", size(report.recommendedBytes())));
        report.recommendedPlan().ifPresent(plan -> facts.add(List.of("", offers(plan))));
        terminal().facts("", facts);
    }

    private static String size(long bytes) {
        return bytes + " bytes (" + ByteSize.format(bytes) + ")";
    }

    private static String offers(SparePlan plan) {
        return "offers " + plan.slots() + " slots of 4 KiB, at most " + plan.mappingLimit() + " mappings";
    }

    private static Map<String, Object> document(SpareSizing.Report report) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("mainBytes", report.question().mainBytes());
        document.put("sectorBytes", report.question().sectorBytes());
        document.put("percent", report.question().percent());
        document.put("strict", report.question().strict());
        document.put("neededBytes", report.neededBytes());
        document.put("calculatedBytes", report.calculatedBytes());
        document.put("strictBytes", report.strictBytes());
        document.put("ratioPercent", report.ratioPercent());
        document.put("hint", report.hint());
        document.put("neededOffers", report.neededPlan().map(SizeCommand::planMap).orElse(null));
        document.put("recommendedBytes", report.recommendedBytes());
        document.put(
                "recommendedOffers",
                report.recommendedPlan().map(SizeCommand::planMap).orElse(null));
        return document;
    }

    private static Map<String, Object> planMap(SparePlan plan) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("slots", plan.slots());
        map.put("mappingLimit", plan.mappingLimit());
        map.put("metadataBytes", plan.metadataBytes());
        return map;
    }
}
