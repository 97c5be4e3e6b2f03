package io.remap.iopt;

import io.remap.api.DeviceIo;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * Transfers that wait for a worker or for io_uring: a bounded ring for many producers and consumers, without a lock
 * and without allocation (D. Vyukov's bounded MPMC queue). In the order in which they came, as far as several
 * producers have one.
 *
 * <p>Invariants: the place of position {@code p} is {@code p & mask}; its turn is {@code p} while it is free for the
 * producer of that position, {@code p + 1} once it holds the transfer, and {@code p + capacity} after it was taken, which
 * is the next producer's. {@code head <= tail <= head + capacity}.
 */
final class TransferQueue {
    private static final VarHandle TURN = MethodHandles.arrayElementVarHandle(long[].class);

    /** Places of head and tail among the {@link #positions}: on cache lines that nobody else writes. */
    private static final int HEAD = 16;

    private static final int TAIL = 32;
    private static final int POSITIONS = 48;

    private final long[] positions = new long[POSITIONS];
    private final long[] turns;
    private final DeviceIo[] places;
    private final int mask;

    /** Takes a power of two. */
    TransferQueue(int capacity) {
        if (Integer.bitCount(capacity) != 1) {
            throw new IllegalArgumentException(capacity + " is no power of two");
        }
        places = new DeviceIo[capacity];
        turns = new long[capacity];
        mask = capacity - 1;
        for (int i = 0; i < capacity; i++) {
            turns[i] = i;
        }
    }

    /** Adds the transfer; {@code false} if there is no place. */
    boolean offer(DeviceIo transfer) {
        while (true) {
            long position = (long) TURN.getVolatile(positions, TAIL);
            int place = (int) position & mask;
            long turn = (long) TURN.getAcquire(turns, place);
            if (turn == position) {
                if (TURN.compareAndSet(positions, TAIL, position, position + 1)) {
                    places[place] = transfer;
                    TURN.setRelease(turns, place, position + 1);
                    return true;
                }
            } else if (turn < position) {
                return false;
            }
        }
    }

    /** Takes the first; {@code null} if there is none, or if its producer has not put it down yet. */
    DeviceIo poll() {
        while (true) {
            long position = (long) TURN.getVolatile(positions, HEAD);
            int place = (int) position & mask;
            long turn = (long) TURN.getAcquire(turns, place);
            if (turn == position + 1) {
                if (TURN.compareAndSet(positions, HEAD, position, position + 1)) {
                    DeviceIo transfer = places[place];
                    places[place] = null;
                    TURN.setRelease(turns, place, position + mask + 1);
                    return transfer;
                }
            } else if (turn <= position) {
                return null;
            }
        }
    }

    /** How many were taken so far. */
    long taken() {
        return (long) TURN.getVolatile(positions, HEAD);
    }

    /** How many wait, those included that are being put down. */
    int size() {
        long head = (long) TURN.getVolatile(positions, HEAD);
        return (int) Math.max(0, (long) TURN.getVolatile(positions, TAIL) - head);
    }
}
