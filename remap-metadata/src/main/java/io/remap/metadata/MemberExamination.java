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

    MetadataReport report() throws Refusal, DeviceException {
        List<Part> parts = new ArrayList<>(Examination.superblockParts(identities));
        parts.addAll(stamps());
        List<Finding> findings = new ArrayList<>();
        findings.add(new Finding(
                Severity.NOTE,
                "this is spare " + superblock.member() + " of its pair: whether it still counts is told by the others",
                "'remap check' of another spare with the table reads what stands on this one too"));
        Optional<MetadataReport> table = table();
        if (table.isPresent()) {
            table.get().parts().stream()
                    .filter(part -> !part.name().startsWith("superblock"))
                    .forEach(parts::add);
            findings.add(new Finding(
                    Severity.NOTE,
                    "the table is on it, of generation " + table.get().generation() + " with "
                            + table.get().mappings() + " mappings",
                    ""));
        } else if (superblock.version().isSpread()) {
            findings.add(new Finding(
                    Severity.NOTE,
                    "no table can be loaded from it for certain",
                    "if another spare states one here, the next start writes it anew"));
        }
        boolean stamped =
                MemberStamp.read(io, superblock.layout(), superblock.pair().pairUuid()) >= 0;
        if (!stamped) {
            findings.add(new Finding(Severity.ERROR, NO_STAMP, NO_STAMP_HINT));
        }
        findings.addAll(Examination.findingsOf(
                parts, stamped ? "'remap repair " + device.name() + "' shows what would be written anew" : ""));
        findings.sort(Comparator.comparing(Finding::severity));
        return new MetadataReport(
                stamped ? CopyCheck.allValid(parts) ? Verdict.SOUND : Verdict.REPAIRABLE : Verdict.UNUSABLE,
                Optional.of(superblock.pair()),
                superblock.version().major() + "." + superblock.version().minor(),
                table.map(MetadataReport::generation).orElse(0L),
                table.map(MetadataReport::mappings).orElse(0L),
                table.filter(MetadataReport::cleanStop).isPresent(),
                parts,
                findings);
    }

    /** How the table on it stands; empty if there is none, or none that is certain. */
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
        boolean certain = table.verdict() == Verdict.SOUND || table.verdict() == Verdict.REPAIRABLE;
        return certain ? Optional.of(table) : Optional.empty();
    }

    private List<Part> stamps() throws DeviceException {
        return MemberStamp.parts(io, superblock.layout(), superblock.pair().pairUuid());
    }

    /** Writes what is damaged anew from what is whole; a stamp never becomes a newer one. */
    void repair(Environment environment) throws Refusal, Damage, DeviceException {
        Optional<MetadataReport> table = table();
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
