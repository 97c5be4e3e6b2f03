package io.remap.api;

import java.util.concurrent.Executor;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Runs what must not run in the caller: recovery, commits, timers. Passed in everywhere, so that a simulator decides
 * the order and the time.
 *
 * <p>Tasks may block on a device, never on another request: waiting for somebody else is a continuation. Tasks must not
 * throw; what they throw is logged as a programmer error.
 */
public interface Scheduler extends Executor {
    /** Runs the task soon, on some thread of the scheduler. */
    @Override
    void execute(Runnable task);

    /**
     * Runs the task once, no earlier than after the delay.
     *
     * @return cancels the task if it has not started
     */
    Cancellable schedule(Runnable task, long delayMillis);

    /**
     * A lock for tasks that do one thing after the other with a device, so that who waits for it waits for the device. Only
     * {@code lock} and {@code unlock} are to be used.
     */
    default Lock newLock() {
        return new ReentrantLock();
    }

    /** Cancels a scheduled task. */
    interface Cancellable {
        /** Idempotent; a task that has started goes on. */
        void cancel();
    }
}
