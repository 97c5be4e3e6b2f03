package io.remap.api.spi;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import java.util.Optional;
import java.util.UUID;

/**
 * Keeps the remap table on the spares of a pair. All methods work on a device that the caller opened and closes; it
 * is direct where that is possible.
 */
public interface MetadataProvider extends Provider {
    /** Says what stands on the device; writes nothing. An unreadable place is not an absent one. */
    SpareContent inspect(BlockDevice spare) throws DeviceException;

    /**
     * The pair whose spare this is, empty if it is none. Reads only where that would stand, and takes a place that cannot be
     * read as saying nothing: the question is asked of a main, which may be failing.
     *
     * @throws Refusal {@link Refusal.Kind#DAMAGED} if it is a spare for certain, but not whose
     */
    Optional<PairIdentity> pairOnSpare(BlockDevice device) throws Refusal, DeviceException;

    /**
     * What a spare of this size would offer.
     *
     * @param sparePhysicalSectorBytes unit that its medium rewrites: no two slots share one
     * @throws Refusal {@link Refusal.Kind#USAGE} if it is too small, saying how large it must be
     */
    SparePlan plan(long spareSizeBytes, int sparePhysicalSectorBytes) throws Refusal;

    /**
     * Makes the device an empty spare, as one transaction: a crash at any moment leaves it formatted or not formatted,
     * never half. The caller has made sure that its content may go.
     */
    void format(BlockDevice spare, PairIdentity pair, Environment environment) throws Refusal, DeviceException;

    /**
     * Recovers the table and makes it durable anew before returning, so that what was seen once cannot vanish.
     *
     * @param writing by which opening; empty to write nothing, and to have commits refused
     * @throws Refusal {@link Refusal.Kind#DAMAGED} if mappings exist or may exist and cannot be loaded,
     *     {@link Refusal.Kind#WRONG_DEVICE} if this is no spare of ours
     */
    MetadataStore open(BlockDevice spare, Optional<Lineage> writing, Environment environment, Settings settings)
            throws Refusal, DeviceException;

    /** As the other, for writing by an opening of which no main knows. */
    default MetadataStore open(BlockDevice spare, boolean readOnly, Environment environment, Settings settings)
            throws Refusal, DeviceException {
        Optional<Lineage> writing = readOnly ? Optional.empty() : Optional.of(Lineage.first(environment.newUuid()));
        return open(spare, writing, environment, settings);
    }

    /**
     * Who has opened the spare for writing last; empty if nobody has, or if it does not say. Writes nothing, and may be asked
     * while another host serves it.
     */
    default Optional<SpareOwner> owner(BlockDevice spare) throws Refusal, DeviceException {
        return Optional.empty();
    }

    /**
     * Makes the device a further spare of a pair: it holds slots, and no table before {@link MetadataStore#spread}.
     * It counts once the table states it, {@link MetadataStore#changeMembers}. One transaction as {@link #format}.
     *
     * @param index its number, 1 or more
     * @param id that no device of the pair has had
     */
    default SpareSlots formatMember(BlockDevice spare, PairIdentity pair, int index, UUID id, Environment environment)
            throws Refusal, DeviceException {
        throw new Refusal(Refusal.Kind.USAGE, "the metadata module '" + name() + "' knows one spare of a pair only");
    }

    /** Which further spare this is; empty if it is none. Writes nothing. */
    default Optional<SpareIdentity> member(BlockDevice device) throws Refusal, DeviceException {
        return Optional.empty();
    }

    /**
     * Writes a number to a further spare, durably, by which it is told from older copies of itself: the table states
     * it then ({@link SpareMember#seen}), and demands as much or more from then on.
     */
    default void stampMember(BlockDevice device, long stamp) throws Refusal, DeviceException {
        throw new Refusal(Refusal.Kind.USAGE, "the metadata module '" + name() + "' knows one spare of a pair only");
    }

    /**
     * The first spare of a pair, seen from the outside as {@link #member} sees the others: number 0, and its generation for a
     * stamp, -1 if its table cannot be loaded. Empty if it is none. Writes nothing.
     */
    default Optional<SpareIdentity> firstSpare(BlockDevice device) throws Refusal, DeviceException {
        return Optional.empty();
    }

    /** Which spare of a pair it is: one that {@link #member} or {@link #firstSpare} knows. Writes nothing. */
    default Optional<SpareIdentity> identity(BlockDevice device) throws Refusal, DeviceException {
        Optional<SpareIdentity> further = member(device);
        return further.isPresent() ? further : firstSpare(device);
    }

    /** The table on a spare, empty if none can be loaded from it. Writes nothing. */
    default Optional<TableCopy> table(BlockDevice spare) throws Refusal, DeviceException {
        return Optional.empty();
    }

    /**
     * Makes a spare that its pair does not state any more a device without content. What is no spare of this pair and number is
     * left alone.
     */
    default void eraseMember(BlockDevice device, PairIdentity pair, int index) throws Refusal, DeviceException {}

    /** How to see and mend what stands on a spare, if this provider knows. */
    default Optional<MetadataTools> tools() {
        return Optional.empty();
    }
}
