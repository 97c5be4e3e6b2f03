package io.remap.nbd;

import io.remap.api.Session;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Where the input side of a session waits for room (a slot, bytes, a sent answer) that other threads make.
 *
 * <p>No wake-up is lost: the input side says that it waits, and then tries once more; the others make room, and then look
 * whether it waits. One of them sees the other. Thread-safe.
 */
final class InputGate {
    private final Session.Events events;
    private final AtomicBoolean waiting = new AtomicBoolean();
    private volatile boolean closed;

    InputGate(Session.Events events) {
        this.events = events;
    }

    /** The input side waits from now on; it must try once more after this. */
    void waitForRoom() {
        waiting.set(true);
    }

    /** Whether nobody has made room since the input side began to wait. */
    boolean isWaiting() {
        return waiting.get();
    }

    /** The input side goes on by itself. */
    void goOn() {
        waiting.set(false);
    }

    /** There may be room. */
    void roomMade() {
        if (waiting.get() && !closed && waiting.compareAndSet(true, false)) {
            events.inputReady();
        }
    }

    /** Nobody waits any more. */
    void close() {
        closed = true;
    }
}
