package io.remap.metadata;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
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
 * Looks at what a further spare says of itself, and mends it: four superblocks and two stamps. Whether it still counts, and
 * what stands on it, is told by the first spare. A copy of the table on it is looked at, and not mended: the next start writes
 * it anew, if it is one that counts.
 */
final class MemberExamination {
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
        List<Finding> findings = new ArrayList<>(
                Examination.findingsOf(parts, "'remap repair " + device.name() + "' shows what would be written anew"));
        findings.add(new Finding(
                Severity.NOTE,
                "this is spare " + superblock.member()
                        + " of its pair: the mappings, and whether it still counts, are told" + " by the first one",
                "'remap check' of the first spare reads what stands on this one too"));
        MetadataReport copy = copyOfTable(findings);
        findings.sort(Comparator.comparing(Finding::severity));
        return new MetadataReport(
                CopyCheck.allValid(parts) ? Verdict.SOUND : Verdict.REPAIRABLE,
                Optional.of(superblock.pair()),
                superblock.version().major() + "." + superblock.version().minor(),
                copy == null ? 0 : copy.generation(),
                copy == null ? 0 : copy.mappings(),
                copy != null && copy.cleanStop(),
                parts,
                findings);
    }

    /** Gives what was found of it, {@code null} if there is none that could count. */
    private MetadataReport copyOfTable(List<Finding> findings) throws Refusal, DeviceException {
        if (!superblock.version().isSpread()) {
            return null;
        }
        MetadataReport copy = Examination.of(device, MetadataTools.Level.STANDARD);
        if (copy.verdict() == Verdict.UNUSABLE) {
            findings.add(new Finding(
                    Severity.NOTE,
                    "no copy of the table can be loaded from it",
                    "if the first spare states one here, the next start writes it anew"));
            return null;
        }
        findings.add(new Finding(
                Severity.NOTE,
                "a copy of the table is on it, of generation " + copy.generation() + " with " + copy.mappings()
                        + " mappings",
                ""));
        copy.parts().stream()
                .filter(part -> part.isBad() && !part.name().startsWith("superblock"))
                .forEach(part -> findings.add(new Finding(
                        Severity.WARNING,
                        "of the copy of the table, " + part.name() + " is damaged or unreadable: " + part.detail(),
                        "the next start for writing writes it anew")));
        return copy;
    }

    private List<Part> stamps() throws DeviceException {
        return MemberStamp.parts(io, superblock.layout(), superblock.pair().pairUuid());
    }

    /** Writes superblocks and stamps that are damaged anew from those that are whole; a stamp never becomes a newer one. */
    void repair() throws DeviceException {
        LogMetadataProvider.complete(io, identities);
        long stamp = MemberStamp.read(io, superblock.layout(), superblock.pair().pairUuid());
        if (stamp >= 0 && !CopyCheck.allValid(stamps())) {
            MemberStamp.write(io, superblock.layout(), superblock.pair().pairUuid(), stamp);
        }
    }
}
