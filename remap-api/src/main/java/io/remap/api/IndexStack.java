package io.remap.api;

import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A stack of the numbers below a limit, each at most once, without locks and without allocation.
 *
 * <p>Invariants: {@code head} holds the top number plus one (0: empty) in its lower half and, in its upper half, a count
 * of the changes, so that a thread that slept over a pop and a push of the same number does not mistake one stack for the
 * other; {@code below[i]} is what stands under number i plus one, and changes only while i is not in the stack.
 */
public final class IndexStack {
    private static final long CHANGE = 1L << 32;

    private final AtomicLong head = new AtomicLong();
    private final AtomicIntegerArray below;

    /** An empty stack of the numbers 0 to {@code limit - 1}. */
    public IndexStack(int limit) {
        below = new AtomicIntegerArray(limit);
    }

    /** Puts a number on top that is not in the stack. */
    public void push(int number) {
        long top;
        do {
            top = head.get();
            below.set(number, (int) top);
        } while (!head.compareAndSet(top, nextHead(top, number + 1)));
    }

    /** The number pushed last, -1 if there is none. */
    public int pop() {
        while (true) {
            long top = head.get();
            int number = (int) top - 1;
            if (number < 0 || head.compareAndSet(top, nextHead(top, below.get(number)))) {
                return number;
            }
        }
    }

    private static long nextHead(long before, int topPlusOne) {
        return ((before & -CHANGE) + CHANGE) | topPlusOne;
    }
}
