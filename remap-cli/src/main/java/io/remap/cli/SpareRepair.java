package io.remap.cli;

import io.remap.api.DeviceUri;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataReport.Finding;
import io.remap.api.spi.MetadataReport.Part;
import io.remap.api.spi.MetadataReport.Verdict;
import io.remap.core.HostPaths;
import io.remap.core.Providers;
import io.remap.core.ShellWords;
import io.remap.core.SpareCare;
import io.remap.core.SystemEnvironment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Writes what is damaged of the metadata of a spare anew, from what is whole: says what that is, and does it if asked to. */
abstract class SpareRepair extends Verb {
    @Parameters(paramLabel = "SPARE", description = "The spare: path or URI.")
    String spare;

    @Option(names = "--apply", description = "Do it.")
    boolean apply;

    @Mixin
    final JsonOption json = new JsonOption();

    /** The copy of the table that has to be whole, as the user named it; empty: any. */
    abstract OptionalInt source() throws Refusal;

    /** What the user typed, without {@code --apply}. */
    abstract String commandLine();

    @Override
    int run() throws Exception {
        DeviceUri uri = DeviceUri.parse(spare);
        try (SystemEnvironment system = SystemEnvironment.start()) {
            SpareCare care =
                    new SpareCare(Providers.load(), HostPaths.ofThisUser().stateDirectory(), system.environment());
            try {
                return repair(care, uri);
            } catch (Refusal e) {
                String name = ServedSpare.behind(e, care, uri).service().name();
                throw new Refusal(
                        Refusal.Kind.BUSY,
                        spare + " is served, and repaired by its service: remap metadata sync " + name,
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
        OptionalInt source = source();
        if (source.isPresent()) {
            requireWhole(report, source.getAsInt());
        }
        boolean written = apply && !bad.isEmpty();
        SpareCare.Checked after = written ? care.repair(uri) : before;
        boolean sound = after.report().verdict() == Verdict.SOUND;
        if (json.wanted) {
            Map<String, Object> document = new LinkedHashMap<>();
            document.put("applied", written);
            source.ifPresent(copy -> document.put("fromCopy", copy));
            document.put("damaged", bad.stream().map(Part::name).toList());
            document.put("checks", List.of(after.toMap()));
            out().println(JsonOption.document(document));
        } else {
            print(report, bad, after, written);
        }
        if (written && !sound) {
            throw new Refusal(
                    Refusal.Kind.DEVICE_FAILED,
                    spare + ": not everything could be written anew; see: remap check " + ShellWords.device(spare));
        }
        return sound ? ExitStatus.OK : ExitStatus.NOT_SO;
    }

    /**
     * All whole copies of a generation say the same, and a repair begins from what is whole of the newest one alone. So the choice of a
     * copy is a demand on it: that it is whole, and of that generation.
     */
    private void requireWhole(MetadataReport report, int copy) throws Refusal {
        List<Part> parts = partsOf(report, copy);
        if (parts.isEmpty()) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    spare + " has no copy " + copy + " of the table in force; its parts are shown by: remap check "
                            + ShellWords.device(spare));
        }
        Optional<Part> bad = parts.stream().filter(Part::isBad).findFirst();
        if (bad.isPresent()) {
            int other = 1 - copy;
            List<Part> others = partsOf(report, other);
            boolean otherIsWhole = !others.isEmpty() && others.stream().noneMatch(Part::isBad);
            throw new Refusal(
                    Refusal.Kind.DAMAGED,
                    "copy " + copy + " of the table of generation " + report.generation() + " on " + spare
                            + " is not whole: " + bad.get().name() + " (byte "
                            + bad.get().offsetBytes() + "): " + bad.get().detail() + "; "
                            + (otherIsWhole
                                    ? "copy " + other + " is: --from-copy " + other
                                    : "'remap repair " + spare + "' takes from each copy what is whole of it"));
        }
    }

    private static List<Part> partsOf(MetadataReport report, int copy) {
        return report.parts().stream()
                .filter(part -> part.inForce() && part.name().contains(" copy " + copy + " "))
                .toList();
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
        boolean table = bad.stream()
                .anyMatch(part ->
                        !part.name().startsWith("superblock") && !part.name().startsWith("stamp"));
        String present = "the present table, as a new generation in both arenas";
        String what = further
                ? "the superblocks and stamps that are not whole" + (table ? ", and " + present : "")
                : (superblocks ? "the superblocks that are not whole, and " : "") + present;
        if (written) {
            terminal().line("written anew: " + what);
            terminal()
                    .line("now: " + (after.report().verdict() == Verdict.SOUND ? "every copy is whole" : "not sound")
                            + (further ? "" : ", generation " + after.report().generation()));
        } else {
            terminal()
                    .line("would be written anew, from what is whole"
                            + (further ? "" : " of generation " + report.generation()) + ": " + what);
            terminal().line("to do it: " + commandLine() + " --apply");
        }
    }
}
