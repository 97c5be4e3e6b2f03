package io.remap.core.disk;

import io.remap.api.Place;
import io.remap.api.RemapTable;
import java.util.Arrays;

/**
 * Everything that {@code map} needs to know about the virtual disk at one moment, in one load. Immutable.
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>{@code table} is a committed table: what stands in it is found again after a crash.
 *   <li>{@code hints} binds nobody: it is not on disk, and dropping an entry costs one more attempt at a bad place.
 *   <li>{@code moving} holds the ranges (first unit, end unit, …) that their lock holder is changing right now; ranges of
 *       different holders do not overlap.
 *   <li>{@code watches} belong to holders too; a request that writes to a slot marks them ({@link #noteSlotWrite}).
 * </ul>
 */
final class MapSnapshot {
    /**
     * Most units with a hint. What becomes unreadable beyond it is not remembered, and tried anew at every read: safe,
     * since a hint only saves attempts. Units that must not be written are remembered whatever their number.
     */
    static final int MAX_HINTED_UNITS = 65_536;

    private static final long[] NOTHING_MOVES = {};
    private static final SlotWatch[] NOTHING_WATCHED = {};

    static final MapSnapshot EMPTY =
            new MapSnapshot(RemapTable.empty(), RemapTable.empty(), NOTHING_MOVES, NOTHING_WATCHED);

    final RemapTable table;

    /** Units with sectors that could not be read, or that must not be written: see {@link Hint}. */
    final RemapTable hints;

    private final long[] moving;
    private final SlotWatch[] watches;

    private MapSnapshot(RemapTable table, RemapTable hints, long[] moving, SlotWatch[] watches) {
        this.table = table;
        this.hints = hints;
        this.moving = moving;
        this.watches = watches;
    }

    /** Whether every sector of the units is plainly on main, for certain. */
    boolean surelyPlain(long firstUnit, long endUnit) {
        return moving.length == 0
                && hints.surelyUntouched(firstUnit, endUnit)
                && table.surelyUntouched(firstUnit, endUnit);
    }

    boolean isMoving(long firstUnit, long endUnit) {
        for (int i = 0; i < moving.length; i += 2) {
            if (moving[i] < endUnit && firstUnit < moving[i + 1]) {
                return true;
            }
        }
        return false;
    }

    MapSnapshot withTable(RemapTable newTable) {
        return new MapSnapshot(newTable, hints, moving, watches);
    }

    MapSnapshot withMoving(long firstUnit, long endUnit) {
        long[] more = Arrays.copyOf(moving, moving.length + 2);
        more[moving.length] = firstUnit;
        more[moving.length + 1] = endUnit;
        return new MapSnapshot(table, hints, more, watches);
    }

    MapSnapshot withoutMoving(long firstUnit, long endUnit) {
        for (int i = 0; i < moving.length; i += 2) {
            if (moving[i] == firstUnit && moving[i + 1] == endUnit) {
                long[] fewer = moving.length == 2 ? NOTHING_MOVES : new long[moving.length - 2];
                System.arraycopy(moving, 0, fewer, 0, i);
                System.arraycopy(moving, i + 2, fewer, i, moving.length - i - 2);
                return new MapSnapshot(table, hints, fewer, watches);
            }
        }
        throw new IllegalStateException("units " + firstUnit + " to " + endUnit + " were not moving");
    }

    MapSnapshot withWatch(SlotWatch watch) {
        SlotWatch[] more = Arrays.copyOf(watches, watches.length + 1);
        more[watches.length] = watch;
        return new MapSnapshot(table, hints, moving, more);
    }

    MapSnapshot withoutWatch(SlotWatch watch) {
        SlotWatch[] fewer =
                Arrays.stream(watches).filter(other -> other != watch).toArray(SlotWatch[]::new);
        return new MapSnapshot(table, hints, moving, fewer);
    }

    /** A request is about to write to slots of these units. */
    void noteSlotWrite(long firstUnit, long endUnit) {
        for (SlotWatch watch : watches) {
            watch.noteWrite(firstUnit, endUnit);
        }
    }

    /** Whether {@link #withUnreadable} would remember sectors of the unit. */
    boolean remembers(long unit) {
        return hints.mappedUnits() < MAX_HINTED_UNITS || hints.placeOf(unit) != Place.MAIN;
    }

    /** Adds sectors of one unit to the unreadable ones, if there is room for it. */
    MapSnapshot withUnreadable(long unit, int mask) {
        long hint = hints.placeOf(unit);
        return remembers(unit) ? withHint(unit, Hint.of(Hint.unreadableMask(hint) | mask, Hint.barred(hint))) : this;
    }

    /** Takes sectors of one unit from the unreadable ones. */
    MapSnapshot withReadable(long unit, int mask) {
        long hint = hints.placeOf(unit);
        return hint == Place.MAIN
                ? this
                : withHint(unit, Hint.of(Hint.unreadableMask(hint) & ~mask, Hint.barred(hint)));
    }

    /** Forbids writes to one unit: a record that may or may not be found at the next open names it. */
    MapSnapshot withBarred(long unit) {
        return withHint(unit, Hint.of(Hint.unreadableMask(hints.placeOf(unit)), true));
    }

    private MapSnapshot withHint(long unit, long hint) {
        return hints.placeOf(unit) == hint ? this : new MapSnapshot(table, hints.with(unit, 1, hint), moving, watches);
    }

    /**
     * A hint about a unit, in the form of a {@link Place} so that hints live in the same kind of tree: its lost mask
     * holds the unreadable sectors, its zero flag says that the unit must not be written.
     */
    static final class Hint {
        private Hint() {}

        static long of(int unreadableMask, boolean barred) {
            return barred ? Place.zero(unreadableMask) : Place.lost(unreadableMask);
        }

        static int unreadableMask(long hint) {
            return Place.lostMask(hint);
        }

        static boolean barred(long hint) {
            return Place.isZero(hint);
        }
    }
}
