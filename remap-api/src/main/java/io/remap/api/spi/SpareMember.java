package io.remap.api.spi;

import io.remap.api.Place;
import java.util.UUID;

/**
 * One of the spares of a pair, as the metadata on the first one states it.
 *
 * @param index its number in a {@link Place}; 0 is the first one, which holds the metadata
 * @param id drawn when it was added, so that no other device of the same pair is taken for it; zeros for the first one
 * @param leaving it is to be emptied and removed: it gets no more slots
 * @param slots how many it has
 * @param seen what was written to it last to tell it from older copies of itself; 0 for the first one
 */
public record SpareMember(int index, UUID id, boolean leaving, long slots, long seen) {
    /** Most spares of a pair. */
    public static final int MAX_MEMBERS = 32;

    /** The id of the first spare, which the UUID of the pair tells already. */
    public static final UUID FIRST_ID = new UUID(0, 0);

    public SpareMember {
        if (index < 0 || index >= MAX_MEMBERS || slots < 0 || slots > Place.MAX_SLOT) {
            throw new IllegalArgumentException("no such spare: " + index + " with " + slots + " slots");
        }
    }

    /** The spare that each pair has. */
    public static SpareMember first(long slots) {
        return new SpareMember(0, FIRST_ID, false, slots, 0);
    }

    /** The same, to be emptied or not. */
    public SpareMember leaving(boolean isLeaving) {
        return new SpareMember(index, id, isLeaving, slots, seen);
    }

    /** The same, with another stamp. */
    public SpareMember seen(long stamp) {
        return new SpareMember(index, id, leaving, slots, stamp);
    }
}
