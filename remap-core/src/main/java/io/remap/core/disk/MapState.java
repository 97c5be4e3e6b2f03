package io.remap.core.disk;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.function.UnaryOperator;

/**
 * The current {@link MapSnapshot}, and the requests that wait because a range of it is moving.
 *
 * <p>Invariants: only holders of a range lock publish, and only changes of their range; a parked request is dispatched
 * again after the publication that ends the move it met, exactly once.
 */
final class MapState {
    /** Most requests parked at a time; beyond it a request is answered with an error. */
    static final int MAX_PARKED = 16_384;

    private final Executor executor;
    private final List<Parked> parked = new ArrayList<>();
    private volatile MapSnapshot current;

    private record Parked(long firstUnit, long endUnit, Runnable again) {}

    MapState(MapSnapshot initial, Executor executor) {
        this.current = initial;
        this.executor = executor;
    }

    MapSnapshot current() {
        return current;
    }

    /** Replaces the snapshot and wakes whoever waited for a range that moves no more. */
    void publish(UnaryOperator<MapSnapshot> change) {
        List<Runnable> awake = new ArrayList<>();
        synchronized (parked) {
            MapSnapshot next = change.apply(current);
            current = next;
            parked.removeIf(p -> !waits(next, p.firstUnit, p.endUnit) && awake.add(p.again));
        }
        for (Runnable again : awake) {
            executor.execute(again);
        }
    }

    private static boolean waits(MapSnapshot snapshot, long firstUnit, long endUnit) {
        return snapshot.isMoving(firstUnit, endUnit) && !snapshot.isRefused(firstUnit, endUnit);
    }

    /**
     * Runs {@code again} on the executor once the units move no more, or nobody knows for how long they will.
     *
     * @return {@code false} if too many wait already
     */
    boolean park(long firstUnit, long endUnit, Runnable again) {
        synchronized (parked) {
            if (waits(current, firstUnit, endUnit)) {
                return parked.size() < MAX_PARKED && parked.add(new Parked(firstUnit, endUnit, again));
            }
        }
        executor.execute(again);
        return true;
    }
}
