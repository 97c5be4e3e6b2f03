package io.remap.core.disk;

import io.remap.api.BlockDevice;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.SpareMember;
import io.remap.api.spi.SpareSlots;

/**
 * A spare, and where its slots are.
 *
 * @param stated as the store states it
 * @param device stays the caller's to close, after the disk or after {@link SpareSteering#remove}
 * @param slots where they lie
 * @param order of spares of equal priority the lowest comes first; {@link #UNORDERED} if nobody chose
 */
public record SpareDevice(SpareMember stated, BlockDevice device, SpareSlots slots, int order) {
    /** Behind all that the user named; among these the number decides. */
    public static final int UNORDERED = Integer.MAX_VALUE;

    /** The spare that a store was opened from. */
    public static SpareDevice openedFrom(BlockDevice device, MetadataStore store) {
        return openedFrom(device, store, UNORDERED);
    }

    /** The same in an order: it may be any spare that has the table. */
    public static SpareDevice openedFrom(BlockDevice device, MetadataStore store, int order) {
        SpareMember opened = store.members().stream()
                .filter(member -> member.index() == store.openedFrom())
                .findFirst()
                .orElseThrow();
        return new SpareDevice(opened, device, store.slots(), order);
    }
}
