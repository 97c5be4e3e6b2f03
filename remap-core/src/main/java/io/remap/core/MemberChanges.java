package io.remap.core;

import io.remap.api.Refusal;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.SpareMember;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

/**
 * The changes of what the first spare states of the spares of one disk: by people, and by a spare that stops standing by.
 *
 * <p>Invariant: one is under way at a time, and each is made of what the one before has left, so that none takes another back.
 * At most {@link #MAX_WAITING} wait behind it. Thread-safe; never blocks.
 */
final class MemberChanges {
    /** Most changes that wait: people give one after the other, and each spare takes over once. */
    static final int MAX_WAITING = 256;

    private record Change(UnaryOperator<List<SpareMember>> how, Consumer<Refusal> done) {}

    private final MetadataStore store;
    /** Guarded by itself, as {@link #busy}. */
    private final Deque<Change> waiting = new ArrayDeque<>();

    private boolean busy;

    MemberChanges(MetadataStore store) {
        this.store = store;
    }

    /**
     * States the members anew.
     *
     * @param how gives the new ones for the present ones
     * @param done told once, perhaps within this call: {@code null} once it is durable, otherwise why it is not
     */
    void change(UnaryOperator<List<SpareMember>> how, Consumer<Refusal> done) {
        boolean full;
        synchronized (waiting) {
            full = waiting.size() == MAX_WAITING;
            if (!full) {
                waiting.add(new Change(how, done));
                if (busy) {
                    return;
                }
                busy = true;
            }
        }
        if (full) {
            done.accept(new Refusal(
                    Refusal.Kind.BUSY,
                    MAX_WAITING + " changes of the spares wait for one that does not end: the first spare may not"
                            + " answer; see 'remap status'"));
            return;
        }
        next();
    }

    /** By whoever found nothing under way. */
    private void next() {
        Change change;
        synchronized (waiting) {
            change = waiting.poll();
            busy = change != null;
        }
        if (change == null) {
            return;
        }
        List<SpareMember> present = store.members();
        List<SpareMember> wanted = change.how.apply(present);
        if (wanted.equals(present)) {
            ended(change, null);
        } else {
            store.changeMembers(wanted, refusal -> ended(change, refusal));
        }
    }

    private void ended(Change change, Refusal refusal) {
        change.done.accept(refusal);
        next();
    }

    /** The same members, with one of them changed. */
    static UnaryOperator<List<SpareMember>> of(int index, UnaryOperator<SpareMember> how) {
        return members -> members.stream()
                .map(member -> member.index() == index ? how.apply(member) : member)
                .toList();
    }
}
