package io.remap.nbd.plain;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Finds connections where a request hangs while others wait behind it, so that quick requests need not wake a thread for
 * the case that the next one hangs.
 *
 * <p>It looks only at connections that have something under way, and sleeps while there are none. It has a thread of its
 * own: one of the scheduler's may hang on the very device.
 */
final class StallWatch implements AutoCloseable {
    /** What waits behind a request that hangs waits between one and two of these before further threads are brought in. */
    private static final long INTERVAL_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

    private final Deque<Connection> added = new ArrayDeque<>();
    private final Thread thread;
    private volatile boolean closed;

    StallWatch() {
        thread = new Thread(this::run, "remap-plain-watch");
        thread.setDaemon(true);
        thread.start();
    }

    /** Begins to watch the connection, until it has nothing under way. */
    void add(Connection connection) {
        boolean first;
        synchronized (added) {
            first = added.isEmpty();
            added.add(connection);
        }
        if (first) {
            LockSupport.unpark(thread);
        }
    }

    private void run() {
        List<Connection> watched = new ArrayList<>();
        while (!closed) {
            if (watched.isEmpty()) {
                LockSupport.park(this);
            } else {
                LockSupport.parkNanos(this, INTERVAL_NANOS);
            }
            watched.removeIf(connection -> !connection.checkForStall());
            synchronized (added) {
                watched.addAll(added);
                added.clear();
            }
        }
    }

    @Override
    public void close() {
        closed = true;
        LockSupport.unpark(thread);
    }
}
