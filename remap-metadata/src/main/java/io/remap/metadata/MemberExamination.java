package io.remap.metadata;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataReport.Finding;
import io.remap.api.spi.MetadataReport.Part;
import io.remap.api.spi.MetadataReport.Severity;
import io.remap.api.spi.MetadataReport.Verdict;
import io.remap.api.spi.MetadataTools;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * Looks at what a further spare says of itself, and mends it: four superblocks, two stamps, and the copy of the table, if one
 * can be loaded. Whether it still counts is told by the tables of the other spares.
 */
final class MemberExamination {
    private static final String NO_STAMP =
            "both stamps are damaged, and nothing else on it says how new it is: it may be a copy from before";
    private static final String NO_STAMP_HINT =
            "if you know that it is the one that was served last, 'remap serve' with its name by --spare, and --adopt,"
                    + " takes your word for it and stamps it anew; if it is not, serve with --missing-spares";

    private final BlockDevice device;
    private final Identities identities;
    private final Superblock superblock;
    private final BlockIo io;

    private MemberExamination(BlockDevice device, Identities identities, Superblock superblock) throws Damage, Refusal {
        this.device = device;
        this.identities = identities;
        this.superblock = superblock;
        this.io = LogMetadataProvider.blockIo(device, superblock);
    }

    /**
     * Empty if the device is no further spare.
     *
     * @param identities its superblocks
     */
    static Optional<MemberExamination> of(BlockDevice device, Identities identities) throws Refusal {
        try {
            Superblock superblock = identities.first();
            boolean further = superblock != null
                    && superblock.member() != 0
                    && !superblock.version().tooNew()
                    && !identities.interruptedFormat();
            if (further && identities.disagree()) {
                throw new Damage("its superblocks contradict each other: parts of different spares were mixed");
            }
            return further ? Optional.of(new MemberExamination(device, identities, superblock)) : Optional.empty();
        } catch (Damage e) {
            throw new Refusal(Refusal.Kind.DAMAGED, device.name() + ": " + e.getMessage(), e);
        }
    }

    /** Of the spare by itself: its table may be the only one. */
    MetadataReport report() throws Refusal, DeviceException {
        return report(false);
    }

    /** Where another table is in force, from which the next start writes this one anew if it is not certain. */
    MetadataReport reportBeside() throws Refusal, DeviceException {
        return report(true);
    }

    private MetadataReport report(boolean beside) throws Refusal, DeviceException {
        List<Part> parts = new ArrayList<>(Examination.superblockParts(identities));
        parts.addAll(stamps());
        List<Finding> findings = new ArrayList<>();
        findings.add(new Finding(
                Severity.NOTE,
                "this is spare " + superblock.member() + " of its pair: whether it still counts is told by the others",
                "'remap check' of another spare with the table reads what stands on this one too"));
        Optional<MetadataReport> table = table().filter(found -> !beside || isCertain(found));
        if (table.isPresent()) {
            table.get().parts().stream()
                    .filter(part -> !part.name().startsWith("superblock"))
                    .forEach(parts::add);
            findings.add(new Finding(
                    Severity.NOTE,
                    "the table is on it, of generation " + table.get().generation() + " with "
                            + table.get().mappings() + " mappings",
                    ""));
            if (!isCertain(table.get())) {
                table.get().findings().stream()
                        .filter(finding -> finding.severity() == Severity.ERROR)
                        .forEach(findings::add);
            }
        }
        Verdict tables = table.map(MetadataReport::verdict).orElse(Verdict.SOUND);
        if (table.isEmpty() && superblock.version().isSpread()) {
            tables = withoutTable(beside, findings);
        }
        boolean stamped =
                MemberStamp.read(io, superblock.layout(), superblock.pair().pairUuid()) >= 0;
        if (!stamped) {
            findings.add(new Finding(Severity.ERROR, NO_STAMP, NO_STAMP_HINT));
        }
        Verdict own = CopyCheck.allValid(parts) ? Verdict.SOUND : Verdict.REPAIRABLE;
        Verdict verdict = !stamped ? Verdict.UNUSABLE : own.compareTo(tables) > 0 ? own : tables;
        findings.addAll(Examination.findingsOf(
                parts,
                verdict == Verdict.REPAIRABLE
                        ? "'remap repair " + device.name() + "' shows what would be written anew"
                        : ""));
        findings.sort(Comparator.comparing(Finding::severity));
        return new MetadataReport(
                verdict,
                Optional.of(superblock.pair()),
                superblock.version().major() + "." + superblock.version().minor(),
                table.map(MetadataReport::generation).orElse(0L),
                table.map(MetadataReport::mappings).orElse(0L),
                table.filter(MetadataReport::cleanStop).isPresent(),
                parts,
                findings);
    }

    /** What it means that no table can be loaded. */
    private Verdict withoutTable(boolean beside, List<Finding> findings) throws DeviceException {
        Optional<String> lost = lostTable(io, superblock);
        if (!beside && lost.isPresent() && superblock.version().has(Superblock.Version.WITHOUT_FIRST)) {
            findings.add(new Finding(
                    Severity.ERROR,
                    lost.get() + "; the pair may go on without its first spare, and this may have been its only table",
                    Examination.unusableHint(device, superblock)));
            return Verdict.UNUSABLE;
        }
        findings.add(new Finding(
                !beside && lost.isPresent() ? Severity.WARNING : Severity.NOTE,
                "no table can be loaded from it for certain",
                "if another spare states one here, the next start writes it anew"));
        return Verdict.SOUND;
    }

    /** Why the table that a further spare had cannot be loaded; empty if it can be, or if it had none. */
    static Optional<String> lostTable(BlockIo io, Superblock superblock) throws DeviceException {
        if (!superblock.version().isSpread()) {
            return Optional.empty();
        }
        try {
            LogMetadataProvider.inForce(io, superblock);
            return Optional.empty();
        } catch (Damage e) {
            return hadTable(io, superblock) ? Optional.of(e.getMessage()) : Optional.empty();
        }
    }

    /** The newest header says so; where an arena has none that is whole, it may have said so. */
    private static boolean hadTable(BlockIo io, Superblock superblock) throws DeviceException {
        UUID pair = superblock.pair().pairUuid();
        try {
            boolean mayHave = false;
            for (int arena = 0; arena < 2; arena++) {
                boolean noneWhole = true;
                for (ArenaCopy copy : Formatter.arena(superblock.layout(), arena)) {
                    noneWhole &= Examination.otherHeader(io, superblock.layout(), pair, copy)
                            .isBad();
                }
                mayHave |= noneWhole;
            }
            // A copy that was begun and never stated is none.
            return mayHave
                    || Headers.read(io, superblock.layout(), pair).candidates().stream()
                            .limit(1)
                            .flatMap(newest -> newest.header().members().stream())
                            .anyMatch(member -> member.index() == superblock.member() && member.table());
        } catch (Damage e) {
            return true;
        }
    }

    /** How the table on it stands; empty if none can be loaded. */
    private Optional<MetadataReport> table() throws Refusal, DeviceException {
        if (!superblock.version().isSpread()) {
            return Optional.empty();
        }
        try {
            LogMetadataProvider.inForce(io, superblock);
        } catch (Damage e) {
            return Optional.empty();
        }
        MetadataReport table = Examination.of(device, MetadataTools.Level.STANDARD);
        return table.verdict() == Verdict.UNUSABLE ? Optional.empty() : Optional.of(table);
    }

    private static boolean isCertain(MetadataReport table) {
        return table.verdict() == Verdict.SOUND || table.verdict() == Verdict.REPAIRABLE;
    }

    private List<Part> stamps() throws DeviceException {
        return MemberStamp.parts(io, superblock.layout(), superblock.pair().pairUuid());
    }

    /** Writes what is damaged anew from what is whole; a stamp never becomes a newer one. */
    void repair(Environment environment) throws Refusal, Damage, DeviceException {
        Optional<MetadataReport> table = table().filter(MemberExamination::isCertain);
        if (table.isPresent() && !CopyCheck.allValid(table.get().parts())) {
            LogMetadataTools.repairTable(device, identities, environment);
        }
        LogMetadataProvider.complete(io, identities);
        long stamp = MemberStamp.read(io, superblock.layout(), superblock.pair().pairUuid());
        if (stamp >= 0 && !CopyCheck.allValid(stamps())) {
            MemberStamp.write(io, superblock.layout(), superblock.pair().pairUuid(), stamp);
        }
    }
}
