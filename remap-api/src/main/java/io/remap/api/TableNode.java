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

    /**
     * Index of the last of {@code count} ascending units that is at most {@code unit}, -1 if all are larger. The first look
     * goes where it stands if they are spread evenly over {@code [floor, limit)}, which bad sectors are often enough: in a
     * large table each look is a cache miss, and halving takes seven.
     *
     * @param words has unit <i>i</i> in the bits from {@code shift} on of element <i>i</i> × {@code stride}
     */
    static int floorIndex(long[] words, int stride, int shift, int count, long unit, long floor, long limit) {
        int low = 0;
        if (unit > floor) {
            double share = unit < limit ? (double) (unit - floor) / (limit - floor) : 1;
            low = (int) Math.min(count - 1, share * count);
        }
        int high;
        int step = 1;
        // Steps that double, away from the first look, until the answer is in [low, high]; then halving.
        if (words[low * stride] >>> shift <= unit) {
            while (low + step < count && words[(low + step) * stride] >>> shift <= unit) {
                low += step;
                step <<= 1;
            }
            high = Math.min(low + step, count) - 1;
        } else {
            high = low - 1;
            while (high - step >= 0 && words[(high - step) * stride] >>> shift > unit) {
                high -= step;
                step <<= 1;
            }
            low = Math.max(high - step, -1);
        }
        while (low < high) {
            int middle = (low + high + 1) >>> 1;
            if (words[middle * stride] >>> shift <= unit) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        return low;
    }

    /**
     * Holds extents, side by side in one array (first unit and length in one word, place in the next) filled up to
     * {@code count}: in a large table each cache line of a look-up is a miss, and an extent never straddles two. It grows
     * by {@link #add} until it is part of a tree; it may be empty only until then.
     */
    static final class Leaf extends TableNode {
        private static final int WORDS = 2;
        private static final int LENGTH_BITS = 24;
        private static final long LENGTH_MASK = (1L << LENGTH_BITS) - 1;

        private final long[] words;
        int count;

        Leaf(int capacity) {
            words = new long[capacity * WORDS];
        }

        long firstUnit(int index) {
            return words[index * WORDS] >>> LENGTH_BITS;
        }

        long lengthUnits(int index) {
            return (words[index * WORDS] & LENGTH_MASK) + 1;
        }

        long place(int index) {
            return words[index * WORDS + 1];
        }

        long endUnit(int index) {
            return firstUnit(index) + lengthUnits(index);
        }

        void add(long firstUnit, long lengthUnits, long place) {
            words[count * WORDS] = firstUnit << LENGTH_BITS | (lengthUnits - 1);
            words[count * WORDS + 1] = place;
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

        /** Index of the last extent that begins at or before {@code unit}, -1 if all begin later. */
        int floorIndex(long unit) {
            return floorIndex(unit, firstUnit(0), endUnit(count - 1));
        }

        /** As the other, told between which units all extents begin, so that nothing has to be looked up for that. */
        int floorIndex(long unit, long floor, long limit) {
            return floorIndex(words, WORDS, LENGTH_BITS, count, unit, floor, limit);
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

        /** Index of the child below which {@code unit} stands, if anywhere, told where all of them end. */
        int childOf(long unit, long limit) {
            return Math.max(0, floorIndex(firstUnits, 1, 0, firstUnits.length, unit, firstUnits[0], limit));
        }

        private int childOf(long unit) {
            return childOf(unit, firstUnits[firstUnits.length - 1]);
        }

        @Override
        List<Inner> splice(long fromUnit, long toUnit, Leaf inserted) {
            int from = childOf(fromUnit);
            int to = Math.max(from, childOf(toUnit - 1));
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
