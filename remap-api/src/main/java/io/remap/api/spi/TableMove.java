package io.remap.api.spi;

/**
 * A change of where the table of a pair is.
 *
 * @param kind what happened
 * @param spare number of the spare that it happened to
 * @param detail why, for people; empty if there is nothing to say
 */
public record TableMove(Kind kind, int spare, String detail) {
    /** What happened. */
    public enum Kind {
        /** The table is on this spare from now on, too. */
        COPIED,
        /** The table on this spare does not count any more: another one goes on without it. */
        LEFT_BEHIND
    }
}
