package io.remap.core;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What was started, the newest on top. Being on the stack <em>is</em> the started flag: nothing else remembers it.
 *
 * <p>Invariant: whatever was pushed is stopped exactly once, after everything that was pushed later, whoever unwinds and
 * however the others end. Thread-safe; nothing is stopped under the lock.
 */
final class StartStack {
    /** Stops one thing. */
    @FunctionalInterface
    interface Stop {
        void stop() throws Exception;
    }

    private record Started(String what, Stop stop) {}

    private static final Logger LOG = LoggerFactory.getLogger(StartStack.class);

    private final String owner;
    private final Deque<Started> started = new ArrayDeque<>();
    private volatile String stopping = "";

    /** @param owner whose parts these are, for messages */
    StartStack(String owner) {
        this.owner = owner;
    }

    /** Notes that something has started. */
    synchronized void push(String what, Stop stop) {
        started.push(new Started(what, stop));
    }

    private synchronized Started pop() {
        return started.poll();
    }

    /** What is being stopped at the moment, empty if nothing is. */
    String stopping() {
        return stopping;
    }

    /**
     * Stops everything, newest first.
     *
     * @return the first failure with the later ones suppressed in it, {@code null} if all went well
     */
    Exception unwind() {
        Exception first = null;
        for (Started next = pop(); next != null; next = pop()) {
            stopping = next.what;
            Exception failure = stop(next);
            first = first(first, failure);
        }
        stopping = "";
        return first;
    }

    private Exception stop(Started next) {
        try {
            next.stop.stop();
            return null;
        } catch (Throwable e) {
            // Whatever it is, the others must still be stopped.
            IOException failure = new IOException(owner + ": " + next.what + " did not stop in order: " + reason(e), e);
            LOG.warn("{}", failure.getMessage());
            return failure;
        }
    }

    /** The first of two failures, the other suppressed in it; {@code null} where there is none. */
    static Exception first(Exception earlier, Exception later) {
        if (earlier == null) {
            return later;
        }
        if (later != null) {
            earlier.addSuppressed(later);
        }
        return earlier;
    }

    /** What an error means for people: its message, where errors of its kind are written for people. */
    static String reason(Throwable error) {
        boolean told = error instanceof IOException || error instanceof java.util.concurrent.TimeoutException;
        return told && error.getMessage() != null ? error.getMessage() : error.toString();
    }
}
