package io.remap.api.spi;

import io.remap.api.Attribute;
import io.remap.api.BlockDevice;
import io.remap.api.FeatureStatus;
import io.remap.api.MapChange;
import io.remap.api.Refusal;
import io.remap.api.RemapTable;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * The durable remap table of a pair: on the spare that it was opened from, and perhaps a copy of it on another one.
 * Thread-safe.
 *
 * <p>The table it gives out is the committed one: what is in it will be found again after a crash at any moment.
 */
public interface MetadataStore extends AutoCloseable {
    /** How a commit ended. */
    enum Outcome {
        /** Durable in every copy. */
        DURABLE,
        /**
         * Certainly not in force, now or after a crash. The caller may try again, with another slot.
         */
        NOT_COMMITTED,
        /**
         * Nothing can be made durable any more: the changes are not in force now; whether they would be found at the
         * next open is unknown, so the sectors they name must not be written elsewhere, nor their slots reused.
         */
        STORE_FAILED
    }

    /** Told when a commit has ended. */
    @FunctionalInterface
    interface CommitListener {
        /**
         * Called once, from any thread, never from within {@link MetadataStore#commit}. Must not block.
         *
         * @param table the committed table, with these changes and perhaps later ones; with {@code DURABLE} only
         */
        void committed(Outcome outcome, RemapTable table);
    }

    /** Told when a save has ended. */
    @FunctionalInterface
    interface SaveListener {
        /**
         * Called once, from any thread, never from within {@link MetadataStore#save}. Must not block.
         *
         * @param failure why nothing was saved, for people; empty if it was
         */
        void ended(String failure);
    }

    /** Receives runs of bad slots. */
    @FunctionalInterface
    interface SlotRunVisitor {
        void run(int spare, long firstSlot, long lengthSlots);
    }

    /** Receives sealed regions of spares. */
    @FunctionalInterface
    interface SealVisitor {
        /** One of them; its {@link io.remap.api.Seal} names its spare. */
        void region(long region, long seal);
    }

    /** The pairing. */
    PairIdentity pair();

    /** What the spare offers that it was opened from. */
    SparePlan plan();

    /** Generation of the newest durable table; grows with every checkpoint. */
    long generation();

    /** What the {@link #generation} of each spare with the table in force is at least: who finds less has found an older one. */
    default long generationOnAll() {
        return generation();
    }

    /** Of the generation in force: of this opening, or of the one that was found if this one is read-only. */
    Lineage lineage();

    /** The committed table at this moment. */
    RemapTable table();

    /** The slots known as bad. */
    void badSlots(SlotRunVisitor visitor);

    /**
     * The sealed regions. Their blocks take slots as mappings do: whoever hands out slots must not give them to others. A
     * region that was sealed when nobody wrote to its slots must be opened, durably, before anything of it is written.
     */
    default void seals(SealVisitor visitor) {}

    /** Where the slots of the spare lie that it was opened from. */
    SpareSlots slots();

    /** Where a slot of the spare that it was opened from lies on it, in bytes. */
    default long slotOffsetBytes(long slot) {
        return slots().offsetBytes(slot);
    }

    /** The spares of the pair as the generation in force states them, in the order of their numbers; at least one. */
    default List<SpareMember> members() {
        return List.of(SpareMember.first(slots().count()));
    }

    /**
     * States the spares of the pair anew, in a new generation, after the commits so far. A member that is left out must have
     * no mapping, its bad slots are forgotten. One that holds the table may be left out if another one, which stays, holds it
     * too; if it was the one that this was opened from, {@link #openedFrom} and {@link #slots} are of that other one from then
     * on.
     *
     * @param members all of them
     * @param listener told once, from any thread, never from within this call: {@code null} once it is durable, otherwise
     *     why it is not, and the former ones are in force
     */
    default void changeMembers(List<SpareMember> members, Consumer<Refusal> listener) {
        throw new UnsupportedOperationException("this store keeps one spare");
    }

    /** Number of the spare that it was opened from: the first one, or one that has a copy of the table. */
    default int openedFrom() {
        return 0;
    }

    /** Name of the spare whose table decides now, if it may be another one than it was opened from. */
    default Optional<String> leadName() {
        return Optional.empty();
    }

    /** As {@link TableCopy#term}, of the table that is open. */
    default long term() {
        return 0;
    }

    /**
     * Keeps a copy of the table on one more of the spares that are there. From then on a commit is durable on both before it
     * ends as such, and the death of either leaves the other in force. One that was stated and is not there is left behind.
     *
     * @param present the spares that are there, by number, but for the one that this was opened from; they stay the caller's
     * @param listener told once, from any thread, perhaps within this call: {@code null}, or why the table cannot be written at
     *     all. That no copy could be made is no failure: {@link #members} says where the table is
     */
    default void spread(Map<Integer, BlockDevice> present, Consumer<Refusal> listener) {
        listener.accept(null);
    }

    /**
     * Has the callback run each time that a copy of the table was left behind, after that is durable and before anything that
     * the copy does not know is acknowledged: whoever remembers the {@link #generation} must do so now.
     *
     * <p>By any thread, perhaps within {@link #spread}, one call at a time. Commits wait for it meanwhile: it may
     * block, but not on an answer of this store, and it must not close it. What it throws is logged. One callback,
     * the last one that was set; not for what was left behind before.
     */
    default void whenLeftBehind(Runnable remember) {}

    /**
     * Has the callback told where the table came to be and where it was left behind, of all that happened since the
     * opening: what came before is told within this call.
     *
     * <p>By any thread, one call at a time, in the order in which it happened. Commits wait for it meanwhile: it must
     * not block, nor close the store, but may have {@link #spread} make another copy. One callback, the last one that
     * was set.
     */
    default void whenTableMoves(Consumer<TableMove> told) {}

    /**
     * Makes changes durable, all or none of those that one commit block can hold, in the order of the calls.
     *
     * <p>Everything written to the spare before the call is flushed before the first record is written. Returns at once.
     *
     * @param changes at least one; kept until the listener was called
     */
    void commit(List<MapChange> changes, CommitListener listener);

    /** Whether the last stop was marked as a clean one; {@code false} also where there was none so far. */
    boolean stoppedInOrder();

    /**
     * What was saved last beside the table, as the opening found it: bytes by the name of a section. Empty if nothing was, or
     * if it cannot be read. It may be older than the table, and nothing that must be right may rest on it.
     */
    Map<String, byte[]> saved();

    /** Most bytes that {@link #save} takes, names included. */
    int saveCapacityBytes();

    /**
     * Saves sections in the place of all former ones, in the background: commits go first. If the power goes meanwhile, the
     * former ones are found. One at a time; another one, or too much, fails.
     *
     * @param sections bytes by name, the names of at most 64 bytes; not changed until the listener was called
     */
    void save(Map<String, byte[]> sections, SaveListener listener);

    /**
     * Has the callback run when the store finds that another server has taken the spare over: from then on this one must
     * neither read nor write the pair. At least once, by any thread; at once if it is known already. One callback; it must
     * not block.
     */
    void whenTakenOver(Runnable stop);

    /** Whether commits are possible; {@code failed: device, errno} otherwise. */
    FeatureStatus status();

    /** What it shows of itself. */
    List<Attribute> attributes();

    /** The copies of the table, if it keeps some. */
    default Optional<MetadataCopies> copies() {
        return Optional.empty();
    }

    /**
     * The stop is not a clean one: something that was acknowledged may not be durable, or requests were still under way.
     * {@link #close} does not mark it as clean then.
     */
    void stopIsUnclean();

    /**
     * Waits for commits and saves under way, marks a clean stop unless something failed or {@link #stopIsUnclean} was said, and gives
     * up the spare (not closing it).
     */
    @Override
    void close();

    /** Whether {@link #close} has recorded, durably, that the store was closed in order; {@code false} before it. */
    default boolean cleanStopRecorded() {
        return false;
    }
}
