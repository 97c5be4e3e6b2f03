package io.remap.iopt;

import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Which workers rest, by their numbers. The lowest is taken first: so the same few run, their caches warm, and those with
 * high numbers rest until they end.
 */
final class IdleSet {
    private final AtomicLongArray bits;

    /** For numbers from 0 to below {@code limit}. */
    IdleSet(int limit) {
        bits = new AtomicLongArray((limit + Long.SIZE - 1) / Long.SIZE);
    }

    void add(int number) {
        bits.getAndAccumulate(number / Long.SIZE, 1L << number, (old, bit) -> old | bit);
    }

    /** Whether it was in there. */
    boolean remove(int number) {
        long bit = 1L << number;
        return (bits.getAndAccumulate(number / Long.SIZE, bit, (old, b) -> old & ~b) & bit) != 0;
    }

    /** Takes the lowest out; -1 if there is none. */
    int takeLowest() {
        for (int i = 0; i < bits.length(); i++) {
            long word = bits.get(i);
            while (word != 0) {
                if (bits.compareAndSet(i, word, word & (word - 1))) {
                    return i * Long.SIZE + Long.numberOfTrailingZeros(word);
                }
                word = bits.get(i);
            }
        }
        return -1;
    }
}
