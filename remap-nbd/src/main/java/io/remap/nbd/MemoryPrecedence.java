package io.remap.nbd;

import io.remap.api.Environment;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Gives the session that has waited longest for memory precedence for a moment: else a large request would wait for ever
 * while small ones take what comes back before it is enough.
 *
 * <p>While a session has precedence no other one claims memory, so that what they have comes back as their requests end. It
 * loses it when it has claimed, when it is closed, and after {@link #MOMENT_MILLIS} in vain: what it lacks is then held by a
 * disk or a client that does not answer ({@link MemoryPressure}), and others do not wait for that.
 *
 * <p>Invariants: at most one timer is armed; one is armed while a session waits; nobody has precedence for longer than a
 * moment, whoever goes; when it ends, all who were held back are told. Thread-safe. Without want of memory nothing runs, and a
 * claim costs the look at one field.
 */
final class MemoryPrecedence {
    /** Who waits no longer than this needs no help. */
    static final long PATIENCE_MILLIS = 100;

    static final long MOMENT_MILLIS = 250;

    /** After a moment in vain the others go on for so long. */
    static final long PAUSE_MILLIS = 1_000;

    private static final long PATIENCE_NANOS = TimeUnit.MILLISECONDS.toNanos(PATIENCE_MILLIS);

    private final Environment environment;
    private final Set<InFlight> sessions = ConcurrentHashMap.newKeySet();
    private final AtomicBoolean armed = new AtomicBoolean();
    private volatile InFlight holder;
    private volatile boolean closed;

    MemoryPrecedence(Environment environment) {
        this.environment = environment;
    }

    void add(InFlight session) {
        sessions.add(session);
    }

    /** The session is closed, and will not claim what it waited for. */
    void remove(InFlight session) {
        sessions.remove(session);
        if (holder == session) {
            end();
        }
    }

    long nanoTime() {
        return environment.time().nanoTime();
    }

    /** Whether the session may claim memory now; if not, its gate tells when. */
    boolean admits(InFlight session) {
        InFlight now = holder;
        return now == null || now == session;
    }

    /** The session does not wait any more. Its input side, after it says so. */
    void claimed(InFlight session) {
        if (holder == session) {
            end();
        }
    }

    /** A session waits for memory, and {@link InFlight#waitsForMemory} says so already. */
    void begins() {
        if (!closed && !armed.get() && armed.compareAndSet(false, true)) {
            arm(PATIENCE_MILLIS);
        }
    }

    private void arm(long delayMillis) {
        var unused = environment.scheduler().schedule(this::look, delayMillis);
    }

    private void look() {
        if (closed) {
            return;
        }
        if (holder != null) {
            end();
            arm(PAUSE_MILLIS);
            return;
        }
        InFlight longest = longestWaiting();
        if (longest == null) {
            armed.set(false);
            // Who began to wait before that found the timer armed.
            if (longestWaiting() != null) {
                begins();
            }
        } else if (longest.waitedNanos(nanoTime()) < PATIENCE_NANOS) {
            arm(PATIENCE_MILLIS);
        } else {
            give(longest);
            arm(MOMENT_MILLIS);
        }
    }

    /** {@code null} if nobody waits. */
    private InFlight longestWaiting() {
        long now = nanoTime();
        long mostNanos = Long.MIN_VALUE;
        InFlight longest = null;
        for (InFlight session : sessions) {
            if (session.waitsForMemory() && session.waitedNanos(now) > mostNanos) {
                mostNanos = session.waitedNanos(now);
                longest = session;
            }
        }
        return longest;
    }

    private void give(InFlight session) {
        holder = session;
        // Who claimed or was closed before that did not see that it has precedence.
        if (closed || !session.waitsForMemory() || !sessions.contains(session)) {
            end();
        }
    }

    private void end() {
        holder = null;
        sessions.forEach(InFlight::mayClaim);
    }

    /** Nobody has precedence any more. */
    void close() {
        closed = true;
        end();
    }
}
