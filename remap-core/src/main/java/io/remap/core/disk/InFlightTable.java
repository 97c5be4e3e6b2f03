package io.remap.core.disk;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Executor;

/**
 * Which units are being read or written at this moment, so that whoever changes the map can wait for exactly those that
 * overlap: one side of the relocation fence.
 *
 * <p>The rule that makes it safe: a client enters here, <b>full fence</b>, then loads the snapshot; a mover publishes a
 * snapshot in which its range is moving, <b>full fence</b>, then scans here. So either the client sees the move, or the
 * mover sees the client. (With release/acquire in place of the full fence both can miss each other.)
 *
 * <p>Invariants: an entry is a single word, so a scan sees all of it or nothing; it is FREE or owned by the one transfer
 * that entered it, and changed by one thread at a time; the waiters are told after every exit that follows their registration.
 */
final class InFlightTable {
    /** Most transfers at a time; more wait. A power of two. */
    static final int CAPACITY = 4096;

    /** Most units of one entry. */
    static final long MAX_UNITS = (1 << 14) - 1;

    private static final VarHandle ENTRIES = MethodHandles.arrayElementVarHandle(long[].class);
    private static final long FREE = 0;
    private static final long VALID = 1;
    private static final long WRITE = 2;
    private static final int LENGTH_SHIFT = 2;
    private static final int UNIT_SHIFT = 16;
    /** A transfer that hangs, and that whoever began it does not wait for any more. */
    private static final long LATE = 1L << 63;

    /** Entries of different threads begin in different cache lines. */
    private static final int LINE = 8;

    private final long[] entries;
    private final Executor executor;

    /** Replaced as a whole under the monitor of this object; read without it at every exit. */
    private volatile Waiter[] waiters = {};

    /** Which transfers are waited for. */
    enum Awaited {
        WRITES,
        /** But for those to main that hang, by one who leaves main alone. */
        WRITES_IN_TIME,
        /** Reads and writes. A read that hangs is for nobody any more. */
        ALL,
        /** As ALL, but for writes to main that hang, by one who leaves main alone. */
        ALL_IN_TIME;

        private boolean includes(long entry) {
            boolean write = (entry & WRITE) != 0;
            boolean late = entry < 0;
            return switch (this) {
                case WRITES -> write;
                case WRITES_IN_TIME -> write && !late;
                case ALL -> write || !late;
                case ALL_IN_TIME -> !late;
            };
        }
    }

    private record Waiter(long firstUnit, long endUnit, Awaited awaited, Runnable then) {
        /** Whether the transfer of this entry is one that is waited for. */
        boolean waitsFor(long entry) {
            if (entry == FREE || !awaited.includes(entry)) {
                return false;
            }
            long first = (entry & ~LATE) >>> UNIT_SHIFT;
            return first < endUnit && firstUnit < first + ((entry >>> LENGTH_SHIFT) & MAX_UNITS);
        }
    }

    InFlightTable(Executor executor) {
        this(executor, CAPACITY);
    }

    /** @param capacity most transfers at a time, a power of two from 8 on */
    InFlightTable(Executor executor, int capacity) {
        this.executor = executor;
        this.entries = new long[capacity];
    }

    /**
     * Enters a transfer. The caller must load the snapshot after this call, not before.
     *
     * @param endUnit at most {@link #MAX_UNITS} after {@code firstUnit}
     * @return the index to {@link #exit}, or -1 if the table is full
     */
    int enter(long firstUnit, long endUnit, boolean write) {
        long units = endUnit - firstUnit;
        if (units < 1 || units > MAX_UNITS || endUnit >= 1L << (64 - UNIT_SHIFT - 1)) {
            throw new IllegalArgumentException("no entry for units " + firstUnit + " to " + endUnit);
        }
        long entry = firstUnit << UNIT_SHIFT | units << LENGTH_SHIFT | (write ? WRITE : 0) | VALID;
        int start = (int) Thread.currentThread().getId() * LINE;
        int capacity = entries.length;
        for (int i = 0; i < capacity; i++) {
            // Steps of one line first, so that threads with neighbouring numbers do not share one.
            int index = (start + i * LINE + i / (capacity / LINE)) & (capacity - 1);
            if ((long) ENTRIES.getOpaque(entries, index) == FREE
                    && ENTRIES.compareAndSet(entries, index, FREE, entry)) {
                VarHandle.fullFence();
                return index;
            }
        }
        return -1;
    }

    /** The transfer has ended, whatever came of it. */
    void exit(int index) {
        long entry = entries[index];
        ENTRIES.setVolatile(entries, index, FREE);
        for (Waiter waiter : waiters) {
            if (waiter.waitsFor(entry)) {
                executor.execute(this::tellWaiters);
                return;
            }
        }
    }

    /**
     * The transfer hangs, and whoever began it waits for it no more: for a write, to main. Its entry stays until {@link
     * #exit}.
     */
    void markLate(int index) {
        ENTRIES.setVolatile(entries, index, entries[index] | LATE);
        tellWaiters();
    }

    /**
     * Calls {@code then} once no transfer that entered before this call and overlaps the units is left: at once on the
     * calling thread, or later on the executor. Only one wait for overlapping units at a time.
     *
     * @param awaited which transfers count
     */
    void awaitOverlapping(long firstUnit, long endUnit, Awaited awaited, Runnable then) {
        Waiter waiter = new Waiter(firstUnit, endUnit, awaited, then);
        VarHandle.fullFence();
        if (isClear(waiter)) {
            then.run();
            return;
        }
        synchronized (this) {
            Waiter[] more = Arrays.copyOf(waiters, waiters.length + 1);
            more[waiters.length] = waiter;
            waiters = more;
            VarHandle.fullFence();
        }
        // The last transfer may have left between the scan and the registration.
        tellWaiters();
    }

    /**
     * Whether a write is under way that overlaps the units and entered before this call. One that enters later loads a
     * snapshot that was published before the call.
     */
    boolean isWriting(long firstUnit, long endUnit) {
        VarHandle.fullFence();
        return !isClear(new Waiter(firstUnit, endUnit, Awaited.WRITES, () -> {}));
    }

    private void tellWaiters() {
        List<Waiter> ready = new ArrayList<>();
        List<Waiter> waiting = new ArrayList<>();
        VarHandle.fullFence();
        synchronized (this) {
            for (Waiter waiter : waiters) {
                (isClear(waiter) ? ready : waiting).add(waiter);
            }
            if (!ready.isEmpty()) {
                waiters = waiting.toArray(new Waiter[0]);
            }
        }
        for (Waiter waiter : ready) {
            executor.execute(waiter.then);
        }
    }

    private boolean isClear(Waiter waiter) {
        for (int i = 0; i < entries.length; i++) {
            if (waiter.waitsFor((long) ENTRIES.getVolatile(entries, i))) {
                return false;
            }
        }
        return true;
    }

    /** Transfers at this moment; for tests. */
    int size() {
        int count = 0;
        for (int i = 0; i < entries.length; i++) {
            count += (long) ENTRIES.getVolatile(entries, i) == FREE ? 0 : 1;
        }
        return count;
    }
}
