package io.remap.metadata;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Where the blocks of one copy of one arena lie, its bad blocks taken into account. Body block 0 is the first of the
 * table, the log follows it.
 *
 * <p>Invariant: what was replaced stays replaced for the life of the store, and is named in every header written to this
 * copy. A block replaced while a generation lives in the arena counts from the next one on.
 */
final class ArenaCopy {
    /** Stands in the list for a reserve block that is bad itself. */
    static final int RESERVE_BAD = -1;

    final int arena;
    final int copy;
    private final Layout layout;
    private final List<Integer> replaced = new ArrayList<>();
    private final Map<Integer, Integer> reserveOf = new HashMap<>();
    private boolean firstPlaceAbandoned;

    ArenaCopy(Layout layout, int arena, int copy) {
        this.layout = layout;
        this.arena = arena;
        this.copy = copy;
    }

    /** As it is now, for somebody who reads it while it may change. */
    ArenaCopy snapshot() {
        ArenaCopy snapshot = new ArenaCopy(layout, arena, copy);
        snapshot.replaced.addAll(replaced);
        snapshot.reserveOf.putAll(reserveOf);
        snapshot.firstPlaceAbandoned = firstPlaceAbandoned;
        return snapshot;
    }

    /** Takes over what a header found in this copy says. */
    void take(ArenaHeader header) throws Damage {
        replaced.clear();
        reserveOf.clear();
        firstPlaceAbandoned = header.firstPlaceAbandoned();
        for (int body : header.replaced()) {
            if (body != RESERVE_BAD && (body < 0 || body >= layout.tableBlocks() + layout.logBlocks())) {
                throw new Damage("the header of " + this + " replaces block " + body + ", which it does not have");
            }
            reserveOf.put(body, replaced.size());
            replaced.add(body);
        }
    }

    /** Where a header place lies: 0 at the beginning of the copy, 1 at its end. */
    long headerOffset(int place) {
        return base() + (place == 0 ? 0 : layout.arenaBytes() - layout.granuleBytes());
    }

    int logBody(int position) {
        return layout.tableBlocks() + position;
    }

    long offset(int body) {
        Integer reserve = reserveOf.get(body);
        return reserve == null ? base() + (1L + body) * layout.granuleBytes() : reserveOffset(reserve);
    }

    long reserveOffset(int reserve) {
        return base() + (1L + layout.tableBlocks() + layout.logBlocks() + reserve) * layout.granuleBytes();
    }

    /** Whether blocks lie one after the other. */
    boolean isContiguous(int firstBody, int count) {
        for (int body : reserveOf.keySet()) {
            if (body >= firstBody && body < firstBody + count) {
                return false;
            }
        }
        return true;
    }

    /** Puts a reserve block in place of a bad one (again, if that is bad too); {@code false} if none is left. */
    boolean replace(int body) {
        if (replaced.size() >= layout.reserveBlocks()) {
            return false;
        }
        Integer former = reserveOf.get(body);
        if (former != null) {
            replaced.set(former, RESERVE_BAD);
        }
        reserveOf.put(body, replaced.size());
        replaced.add(body);
        return true;
    }

    List<Integer> replaced() {
        return List.copyOf(replaced);
    }

    int headerPlace() {
        return firstPlaceAbandoned ? 1 : 0;
    }

    /** Writes headers to the second place from now on; {@code false} if that is so already. */
    boolean abandonFirstPlace() {
        boolean possible = !firstPlaceAbandoned;
        firstPlaceAbandoned = true;
        return possible;
    }

    boolean firstPlaceAbandoned() {
        return firstPlaceAbandoned;
    }

    private long base() {
        return layout.arenaOffsets().of(arena, copy);
    }

    @Override
    public String toString() {
        return "arena " + (arena == 0 ? "A" : "B") + " copy " + copy;
    }
}
