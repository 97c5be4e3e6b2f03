package io.remap.api.spi;

import java.util.Optional;

/**
 * What stands on a device that shall be a spare.
 *
 * @param kind what was found
 * @param detail for people: which foreign signature, what is damaged, what cannot be read
 * @param pair the pairing it belongs to, if it is a spare of ours that could be read
 */
public record SpareContent(Kind kind, String detail, Optional<PairIdentity> pair) {
    /** What was found. */
    public enum Kind {
        /** Only zeros where a format would write, or an interrupted format: may be formatted. */
        BLANK,
        /** A spare of ours. */
        SPARE,
        /** A spare of ours of a newer format than this program knows. */
        TOO_NEW,
        /** A spare of ours that cannot be read. */
        DAMAGED,
        /** Something else: formatting needs the user's word. */
        FOREIGN,
        /** Sectors that would tell cannot be read: anything may stand there, and formatting needs the user's word. */
        UNREADABLE
    }
}
