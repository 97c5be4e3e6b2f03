package io.remap.metadata;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataReport.Finding;
import io.remap.api.spi.MetadataReport.Part;
import io.remap.api.spi.MetadataReport.Severity;
import io.remap.api.spi.MetadataReport.State;
import io.remap.api.spi.MetadataReport.Verdict;
import io.remap.api.spi.MetadataTools.Level;
import io.remap.metadata.Headers.Candidate;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * Looks at a spare that nobody writes, and says how each copy stands and what can be done. What the mappings are is told
 * by {@link TableRecovery} alone, so that a check and an opening never differ. Writes nothing. Used once.
 */
final class Examination {
    private static final String KEEP = "keep main and spare as they are (a copy of both is best)";
    private static final String READ_ONLY_HINT =
            "serve them with --read-only to copy off what is certain, then make a new pair";
    private static final String UNUSABLE_HINT =
            "'remap forget MAIN' gives up what stands on this spare, and lets main be served with a new one";

    private final BlockDevice device;
    private final Level level;
    private final List<Part> parts = new ArrayList<>();
    private final List<Finding> findings = new ArrayList<>();
    private Verdict verdict = Verdict.SOUND;
    private Superblock superblock;
    private BlockIo io;
    private long generation;
    private long mappings;
    private boolean cleanStop;

    private Examination(BlockDevice device, Level level) {
        this.device = device;
        this.level = level;
    }

    /** @throws Refusal {@link Refusal.Kind#WRONG_DEVICE} if it is no spare, or cannot be read in its blocks */
    static MetadataReport of(BlockDevice device, Level level) throws Refusal, DeviceException {
        return new Examination(device, level).examine();
    }

    private MetadataReport examine() throws Refusal, DeviceException {
        try {
            Identities identities = Identities.read(device);
            parts.addAll(superblockParts(identities));
            superblock = identities.first();
            superblock = LogMetadataProvider.identify(device, identities, true);
            io = LogMetadataProvider.blockIo(device, superblock);
            judgeSuperblocks(identities);
            examineGenerations();
        } catch (Damage e) {
            unusable(e.getMessage());
        } catch (Refusal e) {
            if (e.kind() != Refusal.Kind.DAMAGED) {
                throw e;
            }
            unusable(e.getMessage());
        }
        // Where a mapping may be missing a repair is refused.
        findings.addAll(findingsOf(
                parts,
                verdict == Verdict.SOUND
                        ? "'remap repair " + device.name() + "' shows what would be written anew"
                        : ""));
        if (verdict == Verdict.SOUND && !CopyCheck.allValid(parts)) {
            verdict = Verdict.REPAIRABLE;
        }
        findings.sort(Comparator.comparing(Finding::severity));
        return new MetadataReport(
                verdict,
                Optional.ofNullable(superblock).map(Superblock::pair),
                superblock == null
                        ? ""
                        : superblock.version().major() + "."
                                + superblock.version().minor(),
                generation,
                mappings,
                cleanStop,
                parts,
                findings);
    }

    private void unusable(String why) {
        verdict = Verdict.UNUSABLE;
        findings.add(new Finding(Severity.ERROR, why, unusableHint(device, superblock)));
    }

    /** What to do where no table can be loaded; {@code superblock} is {@code null} if there is none. */
    static String unusableHint(BlockDevice device, Superblock superblock) {
        if (superblock != null && superblock.version().tooNew()) {
            // Nothing is wrong with it as far as we can tell: nothing is to be given up.
            return KEEP;
        }
        return KEEP + "; " + otherSparesFirst(device, superblock) + UNUSABLE_HINT;
    }

    private String readOnlyHint() {
        return KEEP + "; " + otherSparesFirst(device, superblock) + READ_ONLY_HINT;
    }

    /** A copy of the table may be as whole as can be. */
    private static String otherSparesFirst(BlockDevice device, Superblock superblock) {
        return superblock != null && superblock.version().isSpread()
                ? "another spare of the pair may have a whole copy of the table: 'remap serve MAIN --spare "
                        + device.name()
                        + " --spare OTHER', with --adopt if that asks for it, goes on from there; only if none has: "
                : "";
    }

    private void readOnly(String why, String hint) {
        verdict = Verdict.READ_ONLY;
        findings.add(new Finding(Severity.ERROR, why, hint));
    }

    static List<Part> superblockParts(Identities identities) {
        List<Part> parts = new ArrayList<>();
        for (Identities.Found one : identities.found()) {
            String detail = one.error() == null ? "" : one.error().getMessage();
            State state = State.DAMAGED;
            switch (one.state()) {
                case WHOLE -> state = State.VALID;
                case UNREADABLE -> state = State.UNREADABLE;
                case MARKER -> detail = "the mark of a format under way";
                case BROKEN -> detail = "a superblock with a wrong checksum";
                case ZERO -> detail = "only zeros";
                case OTHER -> detail = "no superblock";
            }
            parts.add(new Part("superblock " + parts.size(), one.offsetBytes(), 0, state, true, detail));
        }
        return parts;
    }

    private void judgeSuperblocks(Identities identities) {
        if (superblock.version().readOnly()) {
            readOnly(
                    "the spare has a feature that this program can only read",
                    "use the program that wrote it; this one serves it with --read-only");
        }
        if (identities.count(Identities.State.WHOLE) < Identities.QUORUM) {
            findings.add(new Finding(
                    Severity.ERROR,
                    "only one superblock of four is whole, so the spare is served with --read-only alone",
                    "'remap repair " + device.name() + "' makes the others from it"));
        }
    }

    private void examineGenerations() throws Damage, DeviceException {
        UUID pair = superblock.pair().pairUuid();
        List<CopyCheck> inForce = List.of();
        int arena = -1;
        try {
            Headers headers = Headers.read(io, superblock.layout(), pair);
            if (headers.candidates().isEmpty()) {
                throw new Damage("no arena has a readable header");
            }
            // Shown if the table turns out to be lost.
            Candidate newest = headers.candidates().get(0);
            // Not before: a header that names impossible places has none that could be shown.
            inForce = checks(newest);
            arena = newest.arena;
            generation = newest.number();
            if (level == Level.QUICK) {
                Begins.refuseOlder(Begins.highest(io, superblock, headers), newest);
                headers.doubts().forEach(doubt -> readOnly(doubt, readOnlyHint()));
                return;
            }
            TableRecovery.Found found = LogMetadataProvider.recover(io, superblock, SavedArea.find(io, superblock));
            found.doubts().forEach(doubt -> readOnly(doubt, readOnlyHint()));
            arena = found.arena();
            inForce = checks(found);
            generation = found.header().generation().number();
            mappings = found.tables().entries();
            cleanStop = found.clean();
        } finally {
            addCopies(pair, arena, inForce);
        }
    }

    private List<CopyCheck> checks(Candidate newest) throws Damage {
        List<CopyCheck> checks = new ArrayList<>();
        for (ArenaCopy copy : Formatter.arena(superblock.layout(), newest.arena)) {
            if (newest.byCopy[copy.copy] != null) {
                copy.take(newest.byCopy[copy.copy]);
            }
            checks.add(new CopyCheck(io, superblock.layout(), copy, newest.header(), 0, false));
        }
        return checks;
    }

    private List<CopyCheck> checks(TableRecovery.Found found) {
        List<CopyCheck> checks = new ArrayList<>();
        for (ArenaCopy copy : found.copies().get(found.arena())) {
            checks.add(new CopyCheck(io, superblock.layout(), copy, found.header(), found.logBlocks(), false));
        }
        return checks;
    }

    /** The copies in the order A 0, A 1, B 0, B 1. */
    private void addCopies(UUID pair, int inForceArena, List<CopyCheck> inForce) throws DeviceException {
        for (int arena = 0; arena < 2; arena++) {
            for (ArenaCopy copy : Formatter.arena(superblock.layout(), arena)) {
                if (arena != inForceArena) {
                    parts.add(notInForce(otherHeader(io, superblock.layout(), pair, copy)));
                    continue;
                }
                CopyCheck check = inForce.get(copy.copy);
                boolean more = check.step();
                while (more && level != Level.QUICK) {
                    more = check.step();
                }
                parts.addAll(level == Level.QUICK ? check.parts().subList(0, 1) : check.parts());
            }
        }
    }

    private Part notInForce(Part header) {
        if (header.state() != State.VALID || generation == 0) {
            return header;
        }
        return new Part(
                header.name(),
                header.offsetBytes(),
                header.generation(),
                State.VALID,
                false,
                header.generation() < generation
                        ? "an older generation"
                        : "not in force: it was being written when the server ended");
    }

    /**
     * The header of a copy that is not in force. It must be readable, since a newer generation could hide where it is not;
     * one that was never written is all right.
     */
    static Part otherHeader(BlockIo io, Layout layout, UUID pair, ArenaCopy copy) throws DeviceException {
        String name = copy + " header";
        Part bad = null;
        for (int place = 0; place < Layout.HEADER_PLACES; place++) {
            long offset = copy.headerOffset(place);
            try {
                ArenaHeader header = ArenaHeader.decode(io.read(offset), pair, layout, offset);
                if (header != null && (bad == null || header.firstPlaceAbandoned())) {
                    return new Part(name, offset, header.generation().number(), State.VALID, false, "");
                }
                if (!Block.isZero(io.block(0), 0, Block.BYTES) && bad == null) {
                    bad = new Part(name, offset, 0, State.DAMAGED, false, "no whole header of this pair");
                }
            } catch (Damage e) {
                bad = bad != null ? bad : new Part(name, offset, 0, State.DAMAGED, false, e.getMessage());
            } catch (DeviceException e) {
                CopyCheck.refuseDeviceError(e);
                bad = bad != null && bad.state() == State.UNREADABLE
                        ? bad
                        : new Part(name, offset, 0, State.UNREADABLE, false, e.getMessage());
            }
        }
        return bad != null
                ? bad
                : new Part(name, copy.headerOffset(0), 0, State.EMPTY, false, "no generation was written there yet");
    }

    /** What is damaged, one finding each. */
    static List<Finding> findingsOf(List<Part> parts, String hint) {
        List<Finding> findings = new ArrayList<>();
        for (Part part : parts) {
            if (part.isBad() && part.state() != State.UNKNOWN) {
                findings.add(new Finding(
                        Severity.WARNING,
                        part.name() + " (byte " + part.offsetBytes() + ") is "
                                + (part.state() == State.DAMAGED ? "damaged" : "unreadable") + ": " + part.detail(),
                        hint));
            }
        }
        return findings;
    }
}
