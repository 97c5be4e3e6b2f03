package io.remap.api.spi;

import java.util.List;

/**
 * The table that is in force on one spare by its own word. A copy that was left behind says the same of itself: what tells is
 * another one, or the witness of main.
 *
 * @param index number of that spare
 * @param generation its generation; the copies of a pair count on their own
 * @param term grows each time that a copy is left behind: the table of the higher one counts
 * @param members the spares of the pair as it states them
 * @param certain nothing on that spare speaks for a newer state: it could be opened for writing
 */
public record TableCopy(int index, long generation, long term, List<SpareMember> members, boolean certain) {
    public TableCopy {
        members = List.copyOf(members);
    }

    /**
     * Whether it counts before another one of its pair. Of equal terms each has all that was acknowledged, so that a certain one
     * comes before one that could not be written, and neither where both are the same.
     */
    public boolean countsBefore(TableCopy other) {
        return term > other.term || (term == other.term && certain && !other.certain);
    }

    /** Whether it has gone on without the table on another spare, or never knew of one there. */
    public boolean leftBehind(int spare) {
        return members.stream().noneMatch(member -> member.index() == spare && member.table());
    }

    /**
     * How new another spare must be at least, as it knew when it was written: of the first one the generation of its table, of
     * others the stamp; 0 on the first spare itself, -1 of a spare that it does not know.
     */
    public long seen(int spare) {
        return members.stream()
                .filter(member -> member.index() == spare)
                .mapToLong(SpareMember::seen)
                .findFirst()
                .orElse(-1);
    }
}
