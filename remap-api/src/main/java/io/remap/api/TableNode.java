package io.remap.api;

import java.util.Arrays;
import java.util.List;

/**
 * Node of the tree behind {@link RemapTable}.
 *
 * <p>Invariants: a node is never changed after its construction and never empty; the extents of a leaf ascend and do not
 * overlap; {@code firstUnits[i]} of an inner node is at or before the first unit of everything below child <i>i</i> and
 * after everything below child <i>i − 1</i>; all leaves are equally deep.
 */
abstract sealed class TableNode {
    /** Most extents of a leaf and most children of an inner node: small enough to copy, large enough to stay flat. */
    static final int CAPACITY = 128;

    private static final int JOIN_BELOW = CAPACITY / 4;

    /** First unit at or after which something may stand below this node. */
    abstract long firstUnit();

    abstract int size();

    /**
     * The nodes of the same depth that stand for this one after every extent that begins in {@code [fromUnit, toUnit)}
     * is replaced by {@code inserted} (which begin in that range too): none, one or two.
     */
    abstract List<? extends TableNode> splice(long fromUnit, long toUnit, Leaf inserted);

    /** This node and its right neighbour in one, or {@code null} if neither is small or both do not fit. */
    abstract TableNode join(TableNode right);

    static boolean joinable(TableNode left, TableNode right) {
        return (left.size() < JOIN_BELOW || right.size() < JOIN_BELOW) && left.size() + right.size() <= CAPACITY;
    }

    /** Index of the last element of the sorted {@code values} that is at most {@code unit}, -1 if all are larger. */
    static int floorIndex(long[] values, int count, long unit) {
        int low = 0;
        int high = count - 1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            if (values[middle] <= unit) {
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        return high;
    }

    /**
     * Holds extents, side by side in one array (first unit, length, place; the next one) filled up to {@code count}: in a
     * large table each cache line of a look-up is a miss, so an extent is one or two of them. It grows by {@link #add}
     * until it is part of a tree; it may be empty only until then.
     */
    static final class Leaf extends TableNode {
        private static final int WORDS = 3;

        private final long[] words;
        int count;

        Leaf(int capacity) {
            words = new long[capacity * WORDS];
        }

        long firstUnit(int index) {
            return words[index * WORDS];
        }

        long lengthUnits(int index) {
            return words[index * WORDS + 1];
        }

        long place(int index) {
            return words[index * WORDS + 2];
        }

        long endUnit(int index) {
            return firstUnit(index) + lengthUnits(index);
        }

        void add(long firstUnit, long lengthUnits, long place) {
            words[count * WORDS] = firstUnit;
            words[count * WORDS + 1] = lengthUnits;
            words[count * WORDS + 2] = place;
            count++;
        }

        void addAll(Leaf other, int from, int to) {
            System.arraycopy(other.words, from * WORDS, words, count * WORDS, (to - from) * WORDS);
            count += to - from;
        }

        Leaf copy(int from, int to) {
            Leaf part = new Leaf(to - from);
            part.addAll(this, from, to);
            return part;
        }

        /**
         * Index of the last extent that begins at or before {@code unit}, -1 if all begin later. The first guess assumes
         * that extents are spread evenly, which bad sectors are often enough; then it halves.
         */
        int floorIndex(long unit) {
            int low = 0;
            int high = count - 1;
            if (high > 0 && unit >= firstUnit(0) && unit < firstUnit(high)) {
                long span = firstUnit(high) - firstUnit(0);
                int guess = (int) ((double) (unit - firstUnit(0)) / span * high);
                if (firstUnit(guess) <= unit) {
                    low = guess + 1;
                    high = firstUnit(low) > unit ? guess : high - 1;
                } else {
                    high = guess - 1;
                }
            }
            while (low <= high) {
                int middle = (low + high) >>> 1;
                if (firstUnit(middle) <= unit) {
                    low = middle + 1;
                } else {
                    high = middle - 1;
                }
            }
            return high;
        }

        @Override
        long firstUnit() {
            return firstUnit(0);
        }

        @Override
        int size() {
            return count;
        }

        @Override
        List<Leaf> splice(long fromUnit, long toUnit, Leaf inserted) {
            int from = floorIndex(fromUnit - 1) + 1;
            int to = floorIndex(toUnit - 1) + 1;
            Leaf merged = new Leaf(count - (to - from) + inserted.count);
            merged.addAll(this, 0, from);
            merged.addAll(inserted, 0, inserted.count);
            merged.addAll(this, to, count);
            if (merged.count == 0) {
                return List.of();
            }
            if (merged.count <= CAPACITY) {
                return List.of(merged);
            }
            // Appending at the end is how a table grows from a scan: leave the left leaf full then.
            int middle = to == count ? CAPACITY : merged.count / 2;
            return List.of(merged.copy(0, middle), merged.copy(middle, merged.count));
        }

        @Override
        TableNode join(TableNode right) {
            if (!joinable(this, right)) {
                return null;
            }
            Leaf other = (Leaf) right;
            Leaf both = new Leaf(count + other.count);
            both.addAll(this, 0, count);
            both.addAll(other, 0, other.count);
            return both;
        }
    }

    /** Holds nodes. */
    static final class Inner extends TableNode {
        final long[] firstUnits;
        final TableNode[] children;

        Inner(TableNode[] children) {
            this.children = children;
            firstUnits = new long[children.length];
            for (int i = 0; i < children.length; i++) {
                firstUnits[i] = children[i].firstUnit();
            }
        }

        @Override
        long firstUnit() {
            return firstUnits[0];
        }

        @Override
        int size() {
            return children.length;
        }

        @Override
        List<Inner> splice(long fromUnit, long toUnit, Leaf inserted) {
            int from = Math.max(0, floorIndex(firstUnits, children.length, fromUnit));
            int to = Math.max(from, floorIndex(firstUnits, children.length, toUnit - 1));
            TableNode[] result = new TableNode[children.length + 2];
            System.arraycopy(children, 0, result, 0, from);
            int count = from;
            for (TableNode node : children[from].splice(fromUnit, toUnit, inserted)) {
                result[count++] = node;
            }
            if (to > from) {
                for (TableNode node : children[to].splice(fromUnit, toUnit, new Leaf(0))) {
                    result[count++] = node;
                }
            }
            int rest = children.length - (to + 1);
            System.arraycopy(children, to + 1, result, count, rest);
            count += rest;
            count = joinAround(result, count, from);
            if (count == 0) {
                return List.of();
            }
            if (count <= CAPACITY) {
                return List.of(new Inner(Arrays.copyOf(result, count)));
            }
            int middle = to == children.length - 1 ? CAPACITY : count / 2;
            return List.of(
                    new Inner(Arrays.copyOf(result, middle)), new Inner(Arrays.copyOfRange(result, middle, count)));
        }

        /** Joins small neighbours near the place that changed; returns the new count. */
        private static int joinAround(TableNode[] nodes, int count, int changed) {
            int remaining = count;
            for (int i = Math.max(1, changed); i < remaining && i <= changed + 2; ) {
                TableNode joined = nodes[i - 1].join(nodes[i]);
                if (joined == null) {
                    i++;
                } else {
                    nodes[i - 1] = joined;
                    System.arraycopy(nodes, i + 1, nodes, i, remaining - i - 1);
                    remaining--;
                }
            }
            return remaining;
        }

        @Override
        TableNode join(TableNode right) {
            if (!joinable(this, right)) {
                return null;
            }
            TableNode[] both = Arrays.copyOf(children, children.length + right.size());
            System.arraycopy(((Inner) right).children, 0, both, children.length, right.size());
            return new Inner(both);
        }
    }
}
