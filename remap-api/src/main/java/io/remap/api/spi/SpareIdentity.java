package io.remap.api.spi;

import java.util.UUID;

/**
 * What a spare of a pair says of itself, seen from another one that has the table.
 *
 * @param pair whose it is
 * @param index its number
 * @param id drawn when it was added; whether it still counts the first spare tells
 * @param slots where its slots lie
 * @param stamp the newest of {@link MetadataProvider#stampMember}, of a first spare its generation; -1 if none can be read
 */
public record SpareIdentity(PairIdentity pair, int index, UUID id, SpareSlots slots, long stamp) {
    /** The same with another stamp. */
    public SpareIdentity stamped(long newStamp) {
        return new SpareIdentity(pair, index, id, slots, newStamp);
    }

    /** Whether it is this member of its pair. */
    public boolean is(SpareMember member) {
        return index == member.index() && id.equals(member.id());
    }
}
