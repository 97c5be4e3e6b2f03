package io.remap.core.io;

import io.remap.api.DeviceIo;
import io.remap.api.spi.IoEngine;
import java.lang.invoke.VarHandle;
import java.util.concurrent.atomic.LongAdder;

/**
 * Runs each transfer on the thread that submits it, which is what a transport with blocking workers wants.
 *
 * <p>Invariant: {@code ended} never exceeds {@code begun}; they are equal if and only if nothing is under way. A submitter
 * counts, then looks at {@code closed}; the closer sets it, then counts. The full fence between makes that one of both
 * sees the other.
 */
final class InlineIoEngine implements IoEngine {
    private final LongAdder begun = new LongAdder();
    private final LongAdder ended = new LongAdder();
    private final Object allEnded = new Object();
    private volatile boolean closed;

    @Override
    public void submit(DeviceIo io) {
        begun.increment();
        VarHandle.fullFence();
        try {
            if (closed) {
                throw new IllegalStateException("the I/O engine is closed");
            }
            io.run();
        } finally {
            ended.increment();
            VarHandle.fullFence();
            if (closed) {
                wakeCloser();
            }
        }
    }

    private void wakeCloser() {
        synchronized (allEnded) {
            allEnded.notifyAll();
        }
    }

    @Override
    public void close() {
        closed = true;
        VarHandle.fullFence();
        boolean interrupted = false;
        synchronized (allEnded) {
            while (isBusy()) {
                try {
                    allEnded.wait();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Sums what ended first: if what began until later is no more, nothing was under way in between. */
    private boolean isBusy() {
        long endedBefore = ended.sum();
        return begun.sum() != endedBefore;
    }
}
