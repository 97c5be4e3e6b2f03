package io.remap.api;

import io.remap.api.TableNode.Inner;
import io.remap.api.TableNode.Leaf;
import java.util.ArrayList;
import java.util.List;

/**
 * The remap table: which units of the virtual disk are not plainly on main, and where they are. Immutable; a change
 * gives a new table that shares all but a few nodes with the old one, so that publishing one mapping does not copy a
 * million.
 *
 * <p>The table is a sorted list of extents (first unit, number of units, {@link Place} of the first) in a B+ tree.
 * Neighbouring extents that continue each other are one.
 *
 * <p>Invariants: extents ascend, do not overlap, have 1 to {@link #MAX_RUN_UNITS} units and never the place
 * {@link Place#MAIN}.
 *
 * <p>Thread-safe. {@link Cursor}s are not; each reader has its own and reuses it: a look-up allocates nothing.
 */
public final class RemapTable {
    /** Longest extent and longest run of one change: 64 GiB. */
    public static final long MAX_RUN_UNITS = 1L << 24;

    /** One more than the last unit that an extent may have: 4 PiB. */
    public static final long MAX_UNITS = 1L << 40;

    private static final RemapTable EMPTY = new RemapTable(null, 0, 0, 0);

    private final TableNode root;
    private final long extents;
    private final long mappedUnits;
    private final long endUnit;

    private RemapTable(TableNode root, long extents, long mappedUnits, long endUnit) {
        this.root = root;
        this.extents = extents;
        this.mappedUnits = mappedUnits;
        this.endUnit = endUnit;
    }

    /** The table without an entry. */
    public static RemapTable empty() {
        return EMPTY;
    }

    /** Number of extents. */
    public long extents() {
        return extents;
    }

    /** Number of units that have an entry. */
    public long mappedUnits() {
        return mappedUnits;
    }

    /** Units with a slot on this spare; reads the whole table. */
    public long unitsOn(int spare) {
        long units = 0;
        Cursor cursor = new Cursor();
        for (boolean found = cursor.seek(this, 0); found; found = cursor.next()) {
            boolean there = Place.hasSlot(cursor.place()) && Place.spare(cursor.place()) == spare;
            units += there ? cursor.lengthUnits() : 0;
        }
        return units;
    }

    public boolean isEmpty() {
        return root == null;
    }

    /** Whether no unit of {@code [firstUnit, endUnit)} has an entry; may say {@code false} although none has one. */
    public boolean surelyUntouched(long firstUnit, long endUnitExclusive) {
        return root == null || endUnitExclusive <= root.firstUnit() || firstUnit >= endUnit;
    }

    /** The place of one unit. */
    public long placeOf(long unit) {
        Cursor cursor = new Cursor();
        return cursor.seek(this, unit) && cursor.firstUnit() <= unit
                ? Place.advance(cursor.place(), unit - cursor.firstUnit())
                : Place.MAIN;
    }

    /** This table after one change; what is no SET changes nothing here. */
    public RemapTable with(MapChange change) {
        return change.kind() == MapChange.Kind.SET
                ? with(change.firstUnit(), change.lengthUnits(), change.place())
                : this;
    }

    /** This table with the units of a run at {@code place} and the slots after it, or on main. */
    public RemapTable with(long firstUnit, long lengthUnits, long place) {
        if (firstUnit < 0 || lengthUnits < 1 || lengthUnits > MAX_RUN_UNITS || firstUnit > MAX_UNITS - lengthUnits) {
            throw new IllegalArgumentException("no such run: " + firstUnit + "+" + lengthUnits);
        }
        long end = firstUnit + lengthUnits;
        // What the run overlaps or touches is taken out, and put back as far as it lies outside: its left neighbour,
        // the parts it cuts off, itself, its right neighbour.
        List<long[]> pieces = new ArrayList<>(5);
        long takenFrom = firstUnit;
        long takenTo = end;
        long takenExtents = 0;
        long takenUnits = 0;
        boolean placed = place == Place.MAIN;
        Cursor cursor = new Cursor();
        for (boolean found = cursor.seek(this, Math.max(0, firstUnit - 1));
                found && cursor.firstUnit() <= end;
                found = cursor.next()) {
            long first = cursor.firstUnit();
            takenFrom = Math.min(takenFrom, first);
            takenTo = Math.max(takenTo, cursor.endUnit());
            takenExtents++;
            takenUnits += cursor.lengthUnits();
            if (first < firstUnit) {
                append(pieces, first, Math.min(cursor.endUnit(), firstUnit) - first, cursor.place());
            }
            if (cursor.endUnit() > end) {
                if (!placed) {
                    append(pieces, firstUnit, lengthUnits, place);
                    placed = true;
                }
                long from = Math.max(first, end);
                append(pieces, from, cursor.endUnit() - from, Place.advance(cursor.place(), from - first));
            }
        }
        if (!placed) {
            append(pieces, firstUnit, lengthUnits, place);
        }
        Leaf inserted = new Leaf(pieces.size());
        long insertedUnits = 0;
        for (long[] piece : pieces) {
            inserted.add(piece[0], piece[1], piece[2]);
            insertedUnits += piece[1];
        }
        return spliced(
                takenFrom,
                takenTo,
                inserted,
                extents - takenExtents + inserted.count,
                mappedUnits - takenUnits + insertedUnits);
    }

    private RemapTable spliced(long from, long to, Leaf inserted, long newExtents, long newUnits) {
        List<? extends TableNode> roots;
        if (root == null) {
            roots = inserted.count == 0 ? List.of() : List.of(inserted);
        } else {
            roots = root.splice(from, to, inserted);
        }
        if (roots.isEmpty()) {
            return EMPTY;
        }
        TableNode top = roots.size() == 1 ? roots.get(0) : new Inner(roots.toArray(new TableNode[0]));
        while (top instanceof Inner inner && inner.children.length == 1) {
            top = inner.children[0];
        }
        return new RemapTable(top, newExtents, newUnits, endOf(top));
    }

    private static long endOf(TableNode node) {
        TableNode last = node;
        while (last instanceof Inner inner) {
            last = inner.children[inner.children.length - 1];
        }
        Leaf run = (Leaf) last;
        return run.endUnit(run.count - 1);
    }

    /** Adds an extent to an ascending list, as a part of the last one if it continues it. */
    private static void append(List<long[]> pieces, long firstUnit, long lengthUnits, long place) {
        if (!pieces.isEmpty()) {
            long[] last = pieces.get(pieces.size() - 1);
            if (continues(last[0], last[1], last[2], firstUnit, place) && last[1] + lengthUnits <= MAX_RUN_UNITS) {
                last[1] += lengthUnits;
                return;
            }
        }
        pieces.add(new long[] {firstUnit, lengthUnits, place});
    }

    private static boolean continues(long first, long length, long place, long nextFirst, long nextPlace) {
        return first + length == nextFirst
                && Place.advance(place, length) == nextPlace
                && (!Place.hasSlot(place) || Place.slot(place) + length <= Place.MAX_SLOT);
    }

    /** Where a reader stands in a table. Reused; not thread-safe. */
    public static final class Cursor {
        private RemapTable table;
        private Leaf run;
        private int index;

        /** A reader that stands nowhere yet. */
        public Cursor() {}

        /**
         * Goes to the first extent that ends after {@code unit}.
         *
         * @return whether there is one
         */
        public boolean seek(RemapTable inTable, long unit) {
            table = inTable;
            run = null;
            long wanted = unit;
            while (wanted < inTable.endUnit) {
                TableNode node = inTable.root;
                // Everything below the node begins in [floor, limit).
                long floor = node.firstUnit();
                long limit = inTable.endUnit;
                while (node instanceof Inner inner) {
                    int child = inner.childOf(wanted, limit);
                    floor = inner.firstUnits[child];
                    if (child + 1 < inner.firstUnits.length) {
                        limit = inner.firstUnits[child + 1];
                    }
                    node = inner.children[child];
                }
                Leaf candidates = (Leaf) node;
                int at = candidates.floorIndex(wanted, floor, limit);
                if (at < 0 || candidates.endUnit(at) <= wanted) {
                    at++;
                }
                if (at < candidates.count) {
                    run = candidates;
                    index = at;
                    return true;
                }
                // The gap at the end of a leaf: the extent is the first one of the next.
                wanted = limit;
            }
            return false;
        }

        /** Goes to the next extent; {@code false} if this was the last, and then there is no current one. */
        public boolean next() {
            if (run == null) {
                return false;
            }
            if (index + 1 < run.count) {
                index++;
                return true;
            }
            return seek(table, endUnit());
        }

        public long firstUnit() {
            return run.firstUnit(index);
        }

        public long lengthUnits() {
            return run.lengthUnits(index);
        }

        /** The unit after the last one. */
        public long endUnit() {
            return run.endUnit(index);
        }

        /** The place of the first unit; that of a later one by {@link Place#advance}. */
        public long place() {
            return run.place(index);
        }
    }

    /** Builds a table from extents in ascending order, with full nodes: for loading a million at once. */
    public static final class Builder {
        private final List<TableNode> leaves = new ArrayList<>();
        private Leaf current = new Leaf(TableNode.CAPACITY);
        private long extents;
        private long mappedUnits;
        private long lastFirst = -1;
        private long lastLength;
        private long lastPlace;

        /** A builder of an empty table. */
        public Builder() {}

        /** Adds an extent after all those added before. */
        public Builder add(long firstUnit, long lengthUnits, long place) {
            if (firstUnit < 0
                    || lengthUnits < 1
                    || lengthUnits > MAX_RUN_UNITS
                    || firstUnit > MAX_UNITS - lengthUnits
                    || place == Place.MAIN
                    || (lastFirst >= 0 && firstUnit < lastFirst + lastLength)) {
                throw new IllegalArgumentException("extent out of order or range: " + firstUnit + "+" + lengthUnits);
            }
            mappedUnits += lengthUnits;
            if (lastFirst >= 0
                    && continues(lastFirst, lastLength, lastPlace, firstUnit, place)
                    && lastLength + lengthUnits <= MAX_RUN_UNITS) {
                lastLength += lengthUnits;
                return this;
            }
            flushLast();
            lastFirst = firstUnit;
            lastLength = lengthUnits;
            lastPlace = place;
            return this;
        }

        private void flushLast() {
            if (lastFirst < 0) {
                return;
            }
            if (current.count == TableNode.CAPACITY) {
                leaves.add(current);
                current = new Leaf(TableNode.CAPACITY);
            }
            current.add(lastFirst, lastLength, lastPlace);
            extents++;
        }

        /** The table; the builder must not be used afterwards. */
        public RemapTable build() {
            flushLast();
            if (current.count > 0) {
                leaves.add(current.copy(0, current.count));
            }
            if (leaves.isEmpty()) {
                return EMPTY;
            }
            List<TableNode> level = leaves;
            while (level.size() > 1) {
                List<TableNode> above = new ArrayList<>();
                for (int i = 0; i < level.size(); i += TableNode.CAPACITY) {
                    above.add(new Inner(level.subList(i, Math.min(level.size(), i + TableNode.CAPACITY))
                            .toArray(new TableNode[0])));
                }
                level = above;
            }
            return new RemapTable(level.get(0), extents, mappedUnits, endOf(level.get(0)));
        }
    }
}
