package io.remap.cli;

import io.remap.api.DeviceUri;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataReport.Finding;
import io.remap.api.spi.MetadataReport.Part;
import io.remap.api.spi.MetadataReport.Verdict;
import io.remap.core.HostPaths;
import io.remap.core.Providers;
import io.remap.core.SpareCare;
import io.remap.core.SystemEnvironment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Writes damaged copies of the metadata of a spare anew. */
@Command(
        name = "repair",
        header = "Write damaged copies of the metadata of a spare anew, from those that are whole.",
        description = {
            "Without --apply it says what would be written, and writes nothing. A spare that is served is repaired by its "
                    + "service: 'remap metadata sync'. Where it is not certain what the mappings are, nothing is written.",
            "Of a further spare superblocks and stamps are written anew; its mappings are on the first one.",
            "",
            "Exit status 0 if all is sound now, 1 if something would be written, 6 if it is not certain what the mappings "
                    + "are.",
            "",
            "Examples:",
            "  remap repair disk.img.spare",
            "  remap repair disk.img.spare --apply",
            ""
        })
final class RepairCommand extends Verb {
    @Parameters(paramLabel = "SPARE", description = "The spare: path or URI.")
    String spare;

    @Option(names = "--apply", description = "Do it.")
    boolean apply;

    @Mixin
    final JsonOption json = new JsonOption();

    /** Made by picocli. */
    RepairCommand() {}

    @Override
    int run() throws Exception {
        DeviceUri uri = DeviceUri.parse(spare);
        try (SystemEnvironment system = SystemEnvironment.start()) {
            SpareCare care =
                    new SpareCare(Providers.load(), HostPaths.ofThisUser().stateDirectory(), system.environment());
            try {
                return repair(care, uri);
            } catch (Refusal e) {
                Optional<ServedSpare> served =
                        e.kind() == Refusal.Kind.BUSY ? ServedSpare.find(care, uri) : Optional.empty();
                if (served.isEmpty()) {
                    throw e;
                }
                throw new Refusal(
                        Refusal.Kind.BUSY,
                        spare + " is served, and repaired by its service: remap metadata sync "
                                + served.get().service().name(),
                        e);
            }
        }
    }

    private int repair(SpareCare care, DeviceUri uri) throws Exception {
        SpareCare.Checked before = care.check(uri, List.of(), Optional.empty(), SpareCare.Level.STANDARD);
        MetadataReport report = before.report();
        List<Part> bad = report.parts().stream().filter(Part::isBad).toList();
        if (report.verdict() != Verdict.SOUND && report.verdict() != Verdict.REPAIRABLE) {
            Finding gravest = report.findings().get(0);
            throw new Refusal(
                    Refusal.Kind.DAMAGED,
                    spare + " is not repaired, as it is not certain what its mappings are: " + gravest.what() + "; "
                            + gravest.hint());
        }
        boolean written = apply && !bad.isEmpty();
        SpareCare.Checked after = written ? care.repair(uri) : before;
        boolean sound = after.report().verdict() == Verdict.SOUND;
        if (json.wanted) {
            Map<String, Object> document = new LinkedHashMap<>();
            document.put("applied", written);
            document.put("damaged", bad.stream().map(Part::name).toList());
            document.put("checks", List.of(after.toMap()));
            out().println(JsonOption.document(document));
        } else {
            print(report, bad, after, written);
        }
        if (written && !sound) {
            throw new Refusal(
                    Refusal.Kind.DEVICE_FAILED,
                    spare + ": not everything could be written anew; see 'remap check " + spare + "'");
        }
        return sound ? ExitStatus.OK : ExitStatus.NOT_SO;
    }

    private void print(MetadataReport report, List<Part> bad, SpareCare.Checked after, boolean written) {
        if (bad.isEmpty()) {
            terminal().line("nothing to repair: every copy is whole");
            return;
        }
        List<List<String>> rows = new ArrayList<>(List.of(List.of("DAMAGED", "AT BYTE", "DETAIL")));
        bad.forEach(part -> rows.add(List.of(part.name(), Long.toString(part.offsetBytes()), part.detail())));
        terminal().table(rows);
        boolean superblocks = bad.stream().anyMatch(part -> part.name().startsWith("superblock"));
        boolean further = report.parts().stream().anyMatch(part -> part.name().startsWith("stamp"));
        String what = further
                ? "the superblocks and stamps that are not whole"
                : (superblocks ? "the superblocks that are not whole, and " : "")
                        + "the present table, as a new generation in both arenas";
        if (written) {
            terminal().line("written anew: " + what);
            terminal()
                    .line("now: " + (after.report().verdict() == Verdict.SOUND ? "every copy is whole" : "not sound")
                            + (further ? "" : ", generation " + after.report().generation()));
        } else {
            terminal()
                    .line("would be written anew, from what is whole"
                            + (further ? "" : " of generation " + report.generation()) + ": " + what);
            terminal().line("to do it: remap repair " + spare + " --apply");
        }
    }
}
