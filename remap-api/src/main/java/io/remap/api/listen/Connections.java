package io.remap.api.listen;

import io.remap.api.Setting;
import io.remap.api.TimeSource;
import io.remap.api.spi.Transport;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * The connections of a transport, and where it listens for more, whatever serves them: no more of them than its
 * limit, until it is stopped, which ends them in order or at once.
 *
 * <p>Invariants: once it is stopping neither a connection nor a listener is added; what was added counts until it has
 * said that it is over.
 *
 * <p>Thread-safe; connections and listeners are called without a lock.
 *
 * @param <C> a connection
 * @param <L> what listens
 */
public final class Connections<C extends Connections.Connection, L extends Transport.Listener> {
    /** While it waits for sessions to end, drain looks this often for one that ended without a reply. */
    private static final long DRAIN_CHECK_MILLIS = 50;

    /** One of them, as far as its end is concerned. */
    public interface Connection {
        /**
         * New requests are refused; ends the connection as soon as nothing is under way any more. Called again and
         * again until it is over.
         */
        void drain();

        /** Hangs up. Idempotent. */
        void end();

        /** Whether anybody gets anything over it still; otherwise its end is not waited for. */
        default boolean isServed() {
            return true;
        }
    }

    private final int limit;
    private final Setting limitSetting;
    private final OccasionalLog log;
    private final TimeSource time;

    /** Guards this and all below. */
    private final Set<C> connections = new HashSet<>();

    private final Set<L> listeners = new HashSet<>();
    private boolean stopping;

    /** {@code limitSetting}: where {@code limit} comes from, for who is told that it is reached. */
    public Connections(int limit, Setting limitSetting, OccasionalLog log, TimeSource time) {
        this.limit = limit;
        this.limitSetting = limitSetting;
        this.log = log;
        this.time = time;
    }

    /** Adds what listens, until {@link #stopped}; where it is stopping already, closes it and throws. */
    public L listens(L listener) {
        synchronized (connections) {
            if (!stopping) {
                listeners.add(listener);
                return listener;
            }
        }
        listener.close();
        throw new IllegalStateException("the transport was stopped: it cannot listen on " + listener.address());
    }

    /** It does not listen any more. */
    public void stopped(L listener) {
        synchronized (connections) {
            listeners.remove(listener);
        }
    }

    /** Adds a connection, until {@link #ended}; {@code false}: there is no place for it, and it is to be hung up on. */
    public boolean add(C connection, String peer) {
        synchronized (connections) {
            if (stopping) {
                return false;
            }
            if (connections.size() < limit) {
                connections.add(connection);
                return true;
            }
        }
        log.warn("hung up on " + peer + ": there are " + limit + " connections already (setting " + limitSetting.name()
                + ")");
        return false;
    }

    /** The connection is over. Idempotent. */
    public void ended(C connection) {
        synchronized (connections) {
            connections.remove(connection);
            connections.notifyAll();
        }
    }

    /** How many there are. */
    public int count() {
        synchronized (connections) {
            return connections.size();
        }
    }

    /** Those that there are at the moment. */
    public List<C> all() {
        synchronized (connections) {
            return new ArrayList<>(connections);
        }
    }

    /** What listens at the moment. */
    public List<L> listeners() {
        synchronized (connections) {
            return new ArrayList<>(listeners);
        }
    }

    /** Whether it is stopping and there is none any more, nor will be. */
    public boolean areOver() {
        synchronized (connections) {
            return stopping && connections.isEmpty();
        }
    }

    /** As {@link Transport#drain}. */
    public boolean drain(long timeoutMillis) {
        long startNanos = time.nanoTime();
        List<C> open = stopAccepting();
        open.forEach(Connection::drain);
        try {
            while (isAnyServed()) {
                long leftMillis = timeoutMillis - TimeUnit.NANOSECONDS.toMillis(time.nanoTime() - startNanos);
                if (leftMillis <= 0) {
                    break;
                }
                synchronized (connections) {
                    if (!connections.isEmpty()) {
                        connections.wait(Math.min(leftMillis, DRAIN_CHECK_MILLIS));
                    }
                }
                open.forEach(Connection::drain);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        boolean all = !isAnyServed();
        open.forEach(Connection::end);
        return all;
    }

    private boolean isAnyServed() {
        return all().stream().anyMatch(Connection::isServed);
    }

    /** Listens no more, and hangs up on all. Idempotent. */
    public void end() {
        stopAccepting().forEach(Connection::end);
    }

    /** Returns the connections that there are. */
    private List<C> stopAccepting() {
        synchronized (connections) {
            stopping = true;
        }
        listeners().forEach(Transport.Listener::close);
        return all();
    }
}
