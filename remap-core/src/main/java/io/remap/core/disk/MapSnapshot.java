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
 *   <li>{@code inDoubt} holds for each device the ranges of which it may not hold what was acknowledged ({@link
 *       LedgerVerification}): they move as well, and nobody but a verification reads there in order to write or to answer.
 *   <li>{@code avoided} binds nobody either: it says where main is not touched for a client, and nothing about what stands where.
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

    static final MapSnapshot EMPTY = new MapSnapshot(
            RemapTable.empty(), RemapTable.empty(), NOTHING_MOVES, NOTHING_WATCHED, Doubt.NOWHERE, NOTHING_MOVES);

    final RemapTable table;

    /** Units with sectors that could not be read, or that must not be written: see {@link Hint}. */
    final RemapTable hints;

    private final long[] moving;
    private final SlotWatch[] watches;
    /** By the number of the device; nothing of those behind the end was ever in doubt. */
    private final Doubt[] inDoubt;
    /** Units of main that are left alone: first unit, end unit, …; in order, apart from each other. */
    private final long[] avoided;

    /** What is in doubt of one device. */
    private static final class Doubt {
        private static final Doubt NONE = new Doubt(0, NOTHING_MOVES, false);
        private static final Doubt[] NOWHERE = {};

        /** Doubts so far: what was read before one that came meanwhile is worth nothing. */
        private final long count;
        /** In disk order: first unit, end unit, … */
        private final long[] ranges;
        /** They cannot be verified for now: requests get an error instead of waiting. */
        private final boolean refused;

        private Doubt(long count, long[] ranges, boolean refused) {
            this.count = count;
            this.ranges = ranges;
            this.refused = refused;
        }
    }

    private MapSnapshot(
            RemapTable table, RemapTable hints, long[] moving, SlotWatch[] watches, Doubt[] inDoubt, long[] avoided) {
        this.table = table;
        this.hints = hints;
        this.moving = moving;
        this.watches = watches;
        this.inDoubt = inDoubt;
        this.avoided = avoided;
    }

    /** Whether every sector of the units is plainly on main, for certain. */
    boolean surelyPlain(long firstUnit, long endUnit) {
        return moving.length == 0
                && nothingInDoubt()
                && !isAvoided(firstUnit, endUnit)
                && hints.surelyUntouched(firstUnit, endUnit)
                && table.surelyUntouched(firstUnit, endUnit);
    }

    /** Whether main is left alone somewhere in the units. */
    boolean isAvoided(long firstUnit, long endUnit) {
        int next = firstAvoidedAfter(firstUnit);
        return next < avoided.length && avoided[next - 1] < endUnit;
    }

    /** Where that changes next: the end of the avoided range that the unit is in, or the start of the next one. */
    long avoidedChangesAfter(long unit) {
        int next = firstAvoidedAfter(unit);
        if (next >= avoided.length) {
            return Long.MAX_VALUE >> Place.UNIT_SHIFT;
        }
        return avoided[next - 1] <= unit ? avoided[next] : avoided[next - 1];
    }

    /** The index of the first end behind a unit; beyond the array if there is none. */
    private int firstAvoidedAfter(long unit) {
        int low = 0;
        int high = avoided.length / 2;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (avoided[2 * middle + 1] <= unit) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return 2 * low + 1;
    }

    /** Main is left alone in these ranges, and in no others. */
    MapSnapshot withAvoided(long[] ranges) {
        return new MapSnapshot(table, hints, moving, watches, inDoubt, ranges);
    }

    boolean isMoving(long firstUnit, long endUnit) {
        return overlaps(moving, firstUnit, endUnit) || isInDoubt(firstUnit, endUnit);
    }

    private static boolean overlaps(long[] ranges, long firstUnit, long endUnit) {
        for (int i = 0; i < ranges.length; i += 2) {
            if (ranges[i] < endUnit && firstUnit < ranges[i + 1]) {
                return true;
            }
        }
        return false;
    }

    private boolean nothingInDoubt() {
        for (Doubt doubt : inDoubt) {
            if (doubt.ranges.length > 0) {
                return false;
            }
        }
        return true;
    }

    /** How often something was put in doubt so far. */
    long doubts() {
        long count = 0;
        for (Doubt doubt : inDoubt) {
            count += doubt.count;
        }
        return count;
    }

    /** Of these, those of one device. */
    long doubts(int device) {
        return doubtOf(device).count;
    }

    private Doubt doubtOf(int device) {
        return device < inDoubt.length ? inDoubt[device] : Doubt.NONE;
    }

    /** Whether what was acknowledged may not be there. */
    boolean isInDoubt(long firstUnit, long endUnit) {
        for (Doubt doubt : inDoubt) {
            if (overlaps(doubt.ranges, firstUnit, endUnit)) {
                return true;
            }
        }
        return false;
    }

    /** Whether requests for the units are answered with an error instead of waiting. */
    boolean isRefused(long firstUnit, long endUnit) {
        for (Doubt doubt : inDoubt) {
            if (doubt.refused && overlaps(doubt.ranges, firstUnit, endUnit)) {
                return true;
            }
        }
        return false;
    }

    /** Nothing of the device is asked for any more. */
    MapSnapshot withoutDoubts(int device) {
        return with(device, new Doubt(doubtOf(device).count, NOTHING_MOVES, false));
    }

    /** These ranges of the device, and no others, are in doubt from now on. */
    MapSnapshot withDoubt(int device, long[] ranges) {
        return with(device, new Doubt(doubtOf(device).count + 1, ranges, doubtOf(device).refused));
    }

    /** What is in doubt of the device cannot be verified for now, or can be again. */
    MapSnapshot withDoubtRefused(int device, boolean refused) {
        return with(device, new Doubt(doubtOf(device).count, doubtOf(device).ranges, refused));
    }

    /** What lies before this unit is as it was acknowledged, as far as the device has it. */
    MapSnapshot withoutDoubtBefore(int device, long unit) {
        Doubt doubt = doubtOf(device);
        int from = 0;
        while (from < doubt.ranges.length && doubt.ranges[from + 1] <= unit) {
            from += 2;
        }
        long[] left = Arrays.copyOfRange(doubt.ranges, from, doubt.ranges.length);
        if (left.length > 0) {
            left[0] = Math.max(left[0], unit);
        }
        return with(device, new Doubt(doubt.count, left, doubt.refused && left.length > 0));
    }

    private MapSnapshot with(int device, Doubt doubt) {
        Doubt[] changed = Arrays.copyOf(inDoubt, Math.max(inDoubt.length, device + 1));
        for (int i = inDoubt.length; i < changed.length; i++) {
            changed[i] = Doubt.NONE;
        }
        changed[device] = doubt;
        return new MapSnapshot(table, hints, moving, watches, changed, avoided);
    }

    MapSnapshot withTable(RemapTable newTable) {
        return new MapSnapshot(newTable, hints, moving, watches, inDoubt, avoided);
    }

    MapSnapshot withMoving(long firstUnit, long endUnit) {
        long[] more = Arrays.copyOf(moving, moving.length + 2);
        more[moving.length] = firstUnit;
        more[moving.length + 1] = endUnit;
        return new MapSnapshot(table, hints, more, watches, inDoubt, avoided);
    }

    MapSnapshot withoutMoving(long firstUnit, long endUnit) {
        for (int i = 0; i < moving.length; i += 2) {
            if (moving[i] == firstUnit && moving[i + 1] == endUnit) {
                long[] fewer = moving.length == 2 ? NOTHING_MOVES : new long[moving.length - 2];
                System.arraycopy(moving, 0, fewer, 0, i);
                System.arraycopy(moving, i + 2, fewer, i, moving.length - i - 2);
                return new MapSnapshot(table, hints, fewer, watches, inDoubt, avoided);
            }
        }
        throw new IllegalStateException("units " + firstUnit + " to " + endUnit + " were not moving");
    }

    MapSnapshot withWatch(SlotWatch watch) {
        SlotWatch[] more = Arrays.copyOf(watches, watches.length + 1);
        more[watches.length] = watch;
        return new MapSnapshot(table, hints, moving, more, inDoubt, avoided);
    }

    MapSnapshot withoutWatch(SlotWatch watch) {
        SlotWatch[] fewer =
                Arrays.stream(watches).filter(other -> other != watch).toArray(SlotWatch[]::new);
        return new MapSnapshot(table, hints, moving, fewer, inDoubt, avoided);
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
        return hints.placeOf(unit) == hint
                ? this
                : new MapSnapshot(table, hints.with(unit, 1, hint), moving, watches, inDoubt, avoided);
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
