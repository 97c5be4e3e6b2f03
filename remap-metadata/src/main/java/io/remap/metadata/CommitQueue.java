package io.remap.metadata;

import io.remap.api.MapChange;
import io.remap.api.spi.MetadataStore.CommitListener;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/** Commits that wait for their turn, in the order of the calls. Bounded. Thread-safe. */
final class CommitQueue {
    static final int MAX_WAITING = 8192;

    /**
     * One call of commit.
     *
     * @param changes what it asks for
     * @param listener who is told
     */
    record Commit(List<MapChange> changes, CommitListener listener) {}

    private final ArrayDeque<Commit> waiting = new ArrayDeque<>();

    /** {@code false} if too many are waiting. */
    synchronized boolean offer(Commit commit) {
        if (waiting.size() >= MAX_WAITING) {
            return false;
        }
        waiting.add(commit);
        return true;
    }

    /** The next group: as many commits as one block holds, or a single larger one; empty if none waits. */
    synchronized List<Commit> takeGroup() {
        List<Commit> group = new ArrayList<>();
        int records = 0;
        while (!waiting.isEmpty()
                && (group.isEmpty() || records + waiting.peek().changes().size() <= LogBlock.MAX_RECORDS)) {
            Commit commit = waiting.poll();
            records += commit.changes().size();
            group.add(commit);
        }
        return group;
    }

    synchronized boolean isEmpty() {
        return waiting.isEmpty();
    }

    synchronized int size() {
        return waiting.size();
    }
}
