package io.remap.metadata;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataReport.Finding;
import io.remap.api.spi.MetadataReport.Severity;
import io.remap.api.spi.MetadataReport.Verdict;
import io.remap.api.spi.MetadataTools;
import java.util.Optional;

/** Sees and mends a spare that nobody serves. Stateless. */
final class LogMetadataTools implements MetadataTools {
    @Override
    public MetadataReport check(BlockDevice spare, Level level) throws Refusal, DeviceException {
        Optional<MemberExamination> further = further(spare);
        return further.isPresent() ? further.get().report() : Examination.of(spare, level);
    }

    @Override
    public MetadataReport checkBeside(BlockDevice spare) throws Refusal, DeviceException {
        Optional<MemberExamination> further = further(spare);
        return further.isPresent() ? further.get().reportBeside() : beside(Examination.of(spare, Level.STANDARD));
    }

    /** Of a first spare that is not certain what it has: another one tells. */
    private static MetadataReport beside(MetadataReport first) {
        if (first.verdict() != Verdict.READ_ONLY) {
            return first;
        }
        return new MetadataReport(
                first.verdict(),
                first.pair(),
                first.format(),
                first.generation(),
                first.mappings(),
                first.cleanStop(),
                first.parts(),
                first.findings().stream()
                        .map(finding -> finding.severity() == Severity.ERROR
                                ? new Finding(Severity.NOTE, finding.what(), "the next start writes it anew")
                                : finding)
                        .toList());
    }

    private static Optional<MemberExamination> further(BlockDevice spare) throws Refusal, DeviceException {
        try {
            return MemberExamination.of(spare, Identities.read(spare));
        } catch (Damage e) {
            // Whose it is cannot be told; the examination of a first spare says why.
            return Optional.empty();
        }
    }

    @Override
    public MetadataReport repair(BlockDevice spare, Environment environment) throws Refusal, DeviceException {
        MetadataReport before = check(spare, Level.STANDARD);
        if (before.verdict() == Verdict.SOUND) {
            return before;
        }
        if (before.verdict() != Verdict.REPAIRABLE) {
            Finding gravest = before.findings().get(0);
            throw new Refusal(
                    Refusal.Kind.DAMAGED,
                    spare.name() + " is not repaired, as it is not certain what its mappings are: " + gravest.what()
                            + "; " + gravest.hint());
        }
        Optional<MemberExamination> further = further(spare);
        try {
            if (further.isPresent()) {
                further.get().repair(environment);
            } else {
                repairTable(spare, Identities.read(spare), environment);
            }
        } catch (Damage e) {
            throw new Refusal(Refusal.Kind.DAMAGED, spare.name() + ": " + e.getMessage(), e);
        }
        return check(spare, Level.STANDARD);
    }

    /** Superblocks, and the table that is in force, as it was: of a spare that has one. */
    static void repairTable(BlockDevice spare, Identities identities, Environment environment)
            throws Refusal, Damage, DeviceException {
        Superblock superblock = LogMetadataProvider.identify(spare, identities, true);
        BlockIo io = LogMetadataProvider.blockIo(spare, superblock);
        TableRecovery.Found found = LogMetadataProvider.recover(io, superblock, SavedArea.find(io, superblock));
        if (!found.doubts().isEmpty()) {
            throw new Refusal(
                    Refusal.Kind.DAMAGED, spare.name() + ": " + found.doubts().get(0));
        }
        // In the name of the owner: whether the last stop was in order stays as it was, and so does whose stop it was.
        // A copy from before stays one, though its number grows. Main may remember that stop, so that it must be told
        // wherever this is cut off: each generation has it from the moment on in which it is in force.
        CommitLog log = new CommitLog(
                io,
                superblock,
                found,
                found.header().lineage(),
                environment.on(found.header().host()));
        // As an opening does it: into the arena that is not in force, then the superblocks that rely on it.
        log.beginRepaired(found.clean());
        LogMetadataProvider.complete(io, identities);
        // And into the other arena, so that no damaged block is left.
        log.repairAhead(found.clean());
    }

    @Override
    public Grown grow(BlockDevice spare) throws Refusal, DeviceException {
        try {
            return Growth.of(spare);
        } catch (Damage e) {
            throw new Refusal(Refusal.Kind.DAMAGED, spare.name() + ": " + e.getMessage(), e);
        }
    }

    @Override
    public void dump(BlockDevice spare, DumpSink sink) throws Refusal, DeviceException {
        try {
            new Dump(spare, sink).write();
        } catch (Damage e) {
            throw new Refusal(Refusal.Kind.DAMAGED, spare.name() + ": " + e.getMessage(), e);
        }
    }
}
