package io.remap.metadata;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataReport.Finding;
import io.remap.api.spi.MetadataReport.Part;
import io.remap.api.spi.MetadataReport.Severity;
import io.remap.api.spi.MetadataReport.State;
import io.remap.api.spi.MetadataReport.Verdict;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Reads the copies of an open store step by step, while commits go on.
 *
 * <p>Why it needs no turn of its own: the blocks in force stay as they are until another generation is in force, and
 * whoever finds that this happened meanwhile drops what was read ({@link #report}); the new generation was read back when
 * it was written. Not thread-safe.
 */
final class Verification {
    private final BlockDevice device;
    private final Superblock superblock;
    private final CommitLog.View view;
    private final BlockIo io;
    private final List<CopyCheck> checks = new ArrayList<>();
    private final List<Part> others = new ArrayList<>();
    private Identities identities;
    /** Why the superblocks are not ours any more, {@code null} if they are. */
    private String strange;

    private int checksDone;

    Verification(BlockDevice device, Superblock superblock, CommitLog.View view) {
        this.device = device;
        this.superblock = superblock;
        this.view = view;
        this.io = new BlockIo(device, superblock.layout().granuleBytes());
        for (ArenaCopy copy : view.copies()) {
            checks.add(new CopyCheck(io, superblock.layout(), copy, view.header(), view.logBlocks(), true));
        }
    }

    /** Reads a little; {@code false} if all is read: then it is not called again. */
    boolean step() throws DeviceException {
        if (identities == null && strange == null) {
            readSuperblocks();
            return true;
        }
        if (others.isEmpty()) {
            int other = 1 - view.copies().get(0).arena;
            for (ArenaCopy copy : Formatter.arena(superblock.layout(), other)) {
                others.add(Examination.otherHeader(
                        io, superblock.layout(), superblock.pair().pairUuid(), copy));
            }
            return true;
        }
        if (!checks.get(checksDone).step()) {
            checksDone++;
        }
        return checksDone < checks.size();
    }

    /** Again, where they may have changed since. */
    void readSuperblocks() throws DeviceException {
        try {
            identities = Identities.read(device);
            boolean foreign = identities.first() != null
                    && !identities
                            .first()
                            .pair()
                            .pairUuid()
                            .equals(superblock.pair().pairUuid());
            if (foreign || identities.disagree()) {
                strange =
                        "the superblocks are not those that were there when the spare was opened: somebody else writes to"
                                + " it";
            }
        } catch (Damage e) {
            strange = e.getMessage();
        }
    }

    /** What stands at the places of the superblocks; only if {@link #superblocksCanBeRepaired}. */
    Identities identities() {
        return identities;
    }

    int superblocksWhole() {
        return identities == null ? 0 : identities.count(Identities.State.WHOLE);
    }

    boolean superblocksCanBeRepaired() {
        return strange == null
                && identities.first() != null
                && superblocksWhole() < Identities.COUNT
                && identities.count(Identities.State.MARKER) == 0;
    }

    int copiesValid() {
        int valid = 0;
        for (CopyCheck check : checks) {
            valid += CopyCheck.allValid(check.parts()) ? 1 : 0;
        }
        return valid;
    }

    /** The generation that was read. */
    long generation() {
        return view.header().generation().number();
    }

    boolean needsGeneration() {
        return copiesValid() < checks.size() || !CopyCheck.allValid(others);
    }

    /** Whether a header of the generation in force is damaged, which stays where it is when another one is in force. */
    boolean hasBadHeader() {
        return checks.stream().anyMatch(check -> check.parts().get(0).isBad());
    }

    /**
     * What was found.
     *
     * @param now what is in force now, which may be another generation than the one that was read
     * @param mappings entries of the table
     */
    MetadataReport report(ArenaHeader now, long mappings) {
        List<Part> parts = identities == null ? new ArrayList<>() : Examination.superblockParts(identities);
        boolean superseded = !now.generation().equals(view.header().generation());
        if (superseded) {
            parts.add(new Part(
                    "generation " + now.generation().number(),
                    0,
                    now.generation().number(),
                    State.VALID,
                    true,
                    "both copies were read back when it was written, during this check"));
        } else {
            checks.forEach(check -> parts.addAll(check.parts()));
            parts.addAll(others);
        }
        List<Finding> findings = new ArrayList<>();
        String notOurs = strange != null || superseded ? strange : newerGeneration();
        if (notOurs != null) {
            findings.add(new Finding(Severity.ERROR, notOurs, "stop the service, and check the spare then"));
        }
        findings.addAll(Examination.findingsOf(
                parts, "the next verification writes it anew; 'remap metadata sync' does so at once"));
        return new MetadataReport(
                notOurs != null ? Verdict.READ_ONLY : CopyCheck.allValid(parts) ? Verdict.SOUND : Verdict.REPAIRABLE,
                Optional.of(superblock.pair()),
                superblock.version().major() + "." + superblock.version().minor(),
                now.generation().number(),
                mappings,
                false,
                parts,
                findings);
    }

    /** What stands in the other arena is older, as long as nobody else writes. */
    private String newerGeneration() {
        for (Part part : others) {
            if (part.generation() > generation()) {
                return "another server has begun generation " + part.generation() + " on this spare, or formatted it";
            }
        }
        return null;
    }
}
