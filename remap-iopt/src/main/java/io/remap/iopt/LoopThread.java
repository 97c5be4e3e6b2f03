package io.remap.iopt;

import io.netty.util.concurrent.FastThreadLocalThread;
import io.remap.api.DeviceIo;
import io.remap.api.Pace;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Thread of an event loop. It must not wait for a device: transfers that might are collected while the loop starts the work
 * that it decoded, and handed over together, which wakes a worker once and not for each. The replies of a turn leave
 * together, after that.
 *
 * <p>Waking a worker costs ten times what a write into the page cache does. So what has been quick of late the loop executes
 * itself, although it might hang for once: then the thread is given up, and another one takes its loop over
 * ({@link Loop#rescue}). It is the loop's no more, and finds that out before it touches anything of it.
 *
 * <p>Used by itself only, but for {@link #isInTransfer}, {@link #isHeldUp} and {@link #giveUp}. Invariant: what is collected is
 * handed over before the loop waits for events, and before the thread executes a transfer itself.
 */
final class LoopThread extends FastThreadLocalThread implements BatchThread {
    /** Most transfers that are handed over together. */
    static final int MAX_BATCH = 64;

    /** Most different things to be done at the end of a turn, which are connections with replies. */
    private static final int MAX_ENDS = 16;

    /** Who takes transfers over. */
    @FunctionalInterface
    interface Workers {
        /** Takes the first {@code count} transfers of the array, which stays the caller's. Does not wait. */
        void take(DeviceIo[] transfers, int count);
    }

    private static final int FREE = 0;
    private static final int IN_TRANSFER = 1;
    private static final int LOST = 2;

    /** {@link #FREE}, or what the thread is in. {@link #LOST} for ever once it is. */
    private final AtomicInteger state = new AtomicInteger();

    /** Changes with each transfer that the thread executes. */
    private volatile long transfers;

    private long transfersByMe;

    /** Of the transfer that it executes; set before the state is. */
    private Pace pace;

    /** The watch's. */
    private long transfersSeen;

    private int timesSeen;
    private boolean watched;
    private volatile Loop loop;

    private final DeviceIo[] collected = new DeviceIo[MAX_BATCH];
    private int count;
    private Workers workers;

    private final Runnable[] ends = new Runnable[MAX_ENDS];
    private int endCount;
    private boolean inTurn;

    LoopThread(Runnable loop, String name) {
        super(loop, name);
    }

    /** The thread runs this loop from now on. */
    void runs(Loop its) {
        loop = its;
    }

    /** Begins to execute a transfer that should be quick, as those of this pace are; {@code false} if the thread must not. */
    boolean beginTransfer(Pace itsPace) {
        Loop its = loop;
        if (its == null || !its.canBeRescued() || state.get() != FREE) {
            return false;
        }
        handOver();
        transfersByMe++;
        transfers = transfersByMe;
        pace = itsPace;
        state.set(IN_TRANSFER);
        return true;
    }

    /** The transfer has ended; {@code false} if another thread has the loop by now. */
    boolean endTransfer() {
        if (state.compareAndSet(IN_TRANSFER, FREE)) {
            return true;
        }
        loop.lostThreadCameBack();
        return false;
    }

    /** Whether another thread has the loop. */
    boolean isLost() {
        return state.get() == LOST;
    }

    /** Whether it is in a transfer. For the watch. */
    boolean isInTransfer() {
        return state.get() == IN_TRANSFER;
    }

    /**
     * Whether it is in the same transfer for so many times of asking. True again only after twice as long each time, as
     * there may be a reason why nobody could take over. For the watch.
     */
    boolean isHeldUp(int times) {
        long now = transfers;
        if (now != transfersSeen) {
            transfersSeen = now;
            timesSeen = 0;
        }
        return ++timesSeen > times && Integer.bitCount(timesSeen - times) == 1;
    }

    /** The watch knows of this thread. */
    boolean isWatched() {
        return watched;
    }

    void watched() {
        watched = true;
    }

    /** Has another thread take the loop over, if this one is in a transfer still. For the watch. */
    boolean giveUp() {
        return loop.rescue(this::loseIfInTransfer);
    }

    private boolean loseIfInTransfer() {
        if (!state.compareAndSet(IN_TRANSFER, LOST)) {
            return false;
        }
        // Before the other thread meets the next one of the kind.
        pace.hung();
        return true;
    }

    /** Collects a transfer for these workers. */
    void collect(Workers takers, DeviceIo transfer) {
        if (takers != workers || count == MAX_BATCH) {
            handOver();
            workers = takers;
        }
        collected[count++] = transfer;
    }

    /** Hands over what was collected. */
    void handOver() {
        if (count > 0) {
            int length = count;
            count = 0;
            workers.take(collected, length);
        }
    }

    /** Begins a batch: what one connection is given to do at a time. */
    void beginTurn() {
        inTurn = true;
    }

    @Override
    public boolean atBatchEnd(Runnable task) {
        if (!inTurn || isLost()) {
            return false;
        }
        for (int i = endCount - 1; i >= 0; i--) {
            if (ends[i] == task) {
                return true;
            }
        }
        if (endCount == MAX_ENDS) {
            return false;
        }
        ends[endCount++] = task;
        return true;
    }

    /** Ends the batch. What the tasks at its end bring with them is done too. */
    void endTurn() {
        try {
            handOver();
            for (int i = 0; i < endCount; i++) {
                Runnable task = ends[i];
                ends[i] = null;
                task.run();
            }
            handOver();
        } finally {
            endCount = 0;
            inTurn = false;
        }
    }
}
