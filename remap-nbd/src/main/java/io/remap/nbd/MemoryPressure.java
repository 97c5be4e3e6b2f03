package io.remap.nbd;

import io.remap.api.Environment;
import io.remap.api.Scheduler;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Cuts off clients that keep memory from others: a few that stop amid a large payload, or do not read large replies,
 * would hold the whole budget of the buffer pool for ever (a suspended virtual machine is enough). So would some that move a
 * byte now and then: what is enough is {@link ClientProgress}'s to say.
 *
 * <p>A session that gets no buffer says so; {@code timeoutMillis} later, if somebody waits then, the sessions are looked
 * at, and again while somebody waits. Without want of memory nothing runs and nobody is cut off.
 *
 * <p>Invariants: at most one timer is armed; one is armed while a session waits for memory; a client is cut off once, and
 * only while another session waits. Thread-safe.
 */
final class MemoryPressure {
    private final Environment environment;
    private final long timeoutMillis;
    private final long timeoutNanos;

    /** Those that have an export; the others hold no memory of the pool. */
    private final Set<NbdSession> sessions = ConcurrentHashMap.newKeySet();

    private final MemoryPrecedence precedence;
    private final AtomicBoolean armed = new AtomicBoolean();
    private volatile Scheduler.Cancellable timer = () -> {};
    private volatile boolean closed;

    MemoryPressure(Environment environment, long timeoutMillis) {
        this.environment = environment;
        this.precedence = new MemoryPrecedence(environment);
        this.timeoutMillis = timeoutMillis;
        this.timeoutNanos = TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
    }

    /** Who of those that wait comes first. */
    MemoryPrecedence precedence() {
        return precedence;
    }

    void add(NbdSession session) {
        sessions.add(session);
    }

    void remove(NbdSession session) {
        sessions.remove(session);
    }

    /** A session waits for memory, and {@link NbdSession#waitsForMemory} says so already. Any thread. */
    void begins() {
        if (!closed && armed.compareAndSet(false, true)) {
            arm(timeoutMillis);
        }
    }

    private void arm(long delayMillis) {
        timer = environment.scheduler().schedule(this::look, delayMillis);
        if (closed) {
            timer.cancel();
        }
    }

    private void look() {
        if (closed) {
            return;
        }
        int waiting = waiting();
        if (waiting > 0) {
            arm(cutOffStalled(waiting));
            return;
        }
        armed.set(false);
        // Who began to wait before that found the timer armed.
        if (waiting() > 0) {
            begins();
        }
    }

    private int waiting() {
        int waiting = 0;
        for (NbdSession session : sessions) {
            if (session.waitsForMemory()) {
                waiting++;
            }
        }
        return waiting;
    }

    /** Returns when to look again: when the next client may have done nothing for too long. */
    private long cutOffStalled(int waiting) {
        long now = environment.time().nanoTime();
        long longestNanos = 0;
        for (NbdSession session : sessions) {
            long stalledNanos = session.stalledNanos(now);
            if (stalledNanos < timeoutNanos) {
                longestNanos = Math.max(longestNanos, stalledNanos);
            } else if (waiting > (session.waitsForMemory() ? 1 : 0)
                    && session.surelyStalledNanos(now) >= timeoutNanos) {
                session.cutOff(TimeUnit.NANOSECONDS.toMillis(stalledNanos));
            }
        }
        return TimeUnit.NANOSECONDS.toMillis(timeoutNanos - longestNanos) + 1;
    }

    /** Cuts off nobody any more. */
    void close() {
        closed = true;
        timer.cancel();
        precedence.close();
    }
}
