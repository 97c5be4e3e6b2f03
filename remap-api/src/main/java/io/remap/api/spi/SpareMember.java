package io.remap.api.spi;

import io.remap.api.Place;
import java.util.UUID;

/**
 * One of the spares of a pair, as the metadata state it.
 *
 * @param index its number in a {@link Place}; 0 is the first one, which was made with the metadata, and may have been taken out
 * @param id drawn when it was added, so that no other device of the same pair is taken for it; zeros for the first one
 * @param use what it is for
 * @param slots how many it has
 * @param seen what was written to it last to tell it from older copies of itself; of the first one 0 where it says so itself,
 *     and elsewhere the generation of its table
 * @param table whether the table on it is in force; the first one has it unless it was left behind
 */
public record SpareMember(int index, UUID id, Use use, long slots, long seen, boolean table) {
    /** Most spares of a pair. */
    public static final int MAX_MEMBERS = 32;

    /** The highest priority; the lowest is 0. */
    public static final int MAX_PRIORITY = 100;

    /** The id of the first spare, which the UUID of the pair tells already. */
    public static final UUID FIRST_ID = new UUID(0, 0);

    /**
     * Which of the spares gets a new sector.
     *
     * @param leaving it is to be emptied and removed: it gets no more slots
     * @param standby it gets none as long as another one has room
     * @param priority of several that have room the highest one is taken; 0 to {@link #MAX_PRIORITY}
     */
    public record Use(boolean leaving, boolean standby, int priority) {
        /** As a spare is that nobody said anything of. */
        public static final Use PLAIN = new Use(false, false, 0);

        public Use {
            if (priority < 0 || priority > MAX_PRIORITY) {
                throw new IllegalArgumentException("no such priority: " + priority);
            }
        }
    }

    public SpareMember {
        if (index < 0 || index >= MAX_MEMBERS || slots < 0 || slots > Place.MAX_SLOT) {
            throw new IllegalArgumentException("no such spare: " + index + " with " + slots + " slots");
        }
    }

    /** One that has the table only if it is the first one. */
    public SpareMember(int index, UUID id, Use use, long slots, long seen) {
        this(index, id, use, slots, seen, index == 0);
    }

    /** The spare that each pair has. */
    public static SpareMember first(long slots) {
        return new SpareMember(0, FIRST_ID, Use.PLAIN, slots, 0);
    }

    public boolean leaving() {
        return use.leaving;
    }

    /** The same, to be emptied or not. */
    public SpareMember leaving(boolean isLeaving) {
        return use(new Use(isLeaving, use.standby, use.priority));
    }

    /** The same, standing by or not. */
    public SpareMember standby(boolean isStandby) {
        return use(new Use(use.leaving, isStandby, use.priority));
    }

    /** The same, with another priority. */
    public SpareMember priority(int newPriority) {
        return use(new Use(use.leaving, use.standby, newPriority));
    }

    /** The same, for something else. */
    public SpareMember use(Use newUse) {
        return new SpareMember(index, id, newUse, slots, seen, table);
    }

    /** The same, of another size. */
    public SpareMember slots(long newSlots) {
        return new SpareMember(index, id, use, newSlots, seen, table);
    }

    /** The same, with another stamp. */
    public SpareMember seen(long stamp) {
        return new SpareMember(index, id, use, slots, stamp, table);
    }

    /** The same, with the table on it in force or not. */
    public SpareMember table(boolean hasTable) {
        return new SpareMember(index, id, use, slots, seen, hasTable);
    }
}
