package io.remap.api.spi;

import java.util.List;
import java.util.Optional;

/**
 * What a check of the metadata on a spare found.
 *
 * @param verdict what can be done with the spare as it stands
 * @param pair the pairing, empty if no superblock tells it
 * @param format version of the format, for people; empty if it is not known
 * @param generation the generation in force, 0 if it is not known
 * @param mappings entries of its table, bad slots included; 0 if the table was not read
 * @param cleanStop the last server stopped in order; {@code false} also where the log was not read
 * @param parts the copies in their order on the spare
 * @param findings what is not as it should be, the gravest first
 */
public record MetadataReport(
        Verdict verdict,
        Optional<PairIdentity> pair,
        String format,
        long generation,
        long mappings,
        boolean cleanStop,
        List<Part> parts,
        List<Finding> findings) {
    public MetadataReport {
        parts = List.copyOf(parts);
        findings = List.copyOf(findings);
    }

    /** What can be done with the spare as it stands, the best first. */
    public enum Verdict {
        /** Every copy is whole. */
        SOUND,
        /** All mappings are known for certain; the copies that are damaged can be written anew from the others. */
        REPAIRABLE,
        /** A mapping may be missing: what is certain can be read, nothing may be written. */
        READ_ONLY,
        /** The mappings cannot be loaded. */
        UNUSABLE
    }

    /** How one part stands. */
    public enum State {
        VALID,
        /** Nothing was ever written there, and nothing need be. */
        EMPTY,
        /** It can be read, and is not what must stand there. */
        DAMAGED,
        /** It cannot be read. */
        UNREADABLE,
        /** What it holds cannot be judged: the header that belongs to it is damaged. */
        UNKNOWN
    }

    /**
     * A superblock, or the header, table or log in one copy.
     *
     * @param name for example {@code superblock 2} or {@code arena A copy 1 table}
     * @param offsetBytes where it begins on the spare
     * @param generation that it is of, 0 for a superblock or where it is not known
     * @param state how it stands
     * @param inForce the mappings are read from it; of other generations only a header is kept in order
     * @param detail for people: its extent, and what is wrong with it
     */
    public record Part(String name, long offsetBytes, long generation, State state, boolean inForce, String detail) {
        /** Whether there is something to mend. */
        public boolean isBad() {
            return state != State.VALID && state != State.EMPTY;
        }
    }

    /** How grave a finding is, the gravest first. */
    public enum Severity {
        /** Data or mappings are in danger, or out of reach. */
        ERROR,
        /** Nothing is lost, but a second failure might cost something. */
        WARNING,
        /** Good to know. */
        NOTE
    }

    /**
     * Something that is not as it should be.
     *
     * @param severity how grave
     * @param what one sentence with the place
     * @param hint what to do next; may be empty
     */
    public record Finding(Severity severity, String what, String hint) {}
}
