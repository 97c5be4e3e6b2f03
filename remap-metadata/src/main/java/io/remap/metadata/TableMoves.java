package io.remap.metadata;

import io.remap.api.spi.TableMove;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Consumer;

/** Tells of the moves of a table, also of those that came before somebody listened. Thread-safe. */
final class TableMoves {
    /** Most moves that wait for a listener: an opening makes two for each spare at most; later ones are dropped. */
    static final int MAX_WAITING = 64;

    private final Deque<TableMove> waiting = new ArrayDeque<>();
    private Consumer<TableMove> told;

    synchronized void note(TableMove move) {
        if (told != null) {
            told.accept(move);
        } else if (waiting.size() < MAX_WAITING) {
            waiting.add(move);
        }
    }

    /** From now on; it must not block. */
    synchronized void tell(Consumer<TableMove> listener) {
        told = listener;
        waiting.forEach(listener);
        waiting.clear();
    }
}
