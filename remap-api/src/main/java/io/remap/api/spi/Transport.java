package io.remap.api.spi;

import io.remap.api.Attribute;
import io.remap.api.ListenAddress;
import io.remap.api.Refusal;
import io.remap.api.SessionFactory;
import java.util.List;

/** Accepts connections and moves bytes between sockets and sessions. Thread-safe. */
public interface Transport extends AutoCloseable {
    /** A socket that connections can be made to; they wait in the system's queue until {@link #start}. */
    interface Listener extends AutoCloseable {
        /** Where it listens, with the port that the system chose. */
        ListenAddress address();

        /** Lets connections in, those that wait first. Once. */
        void start();

        /** Accepts no more; connections go on. Removes a Unix socket's file. Idempotent. */
        @Override
        void close();
    }

    /**
     * Takes the address, so that nobody else can, and accepts nothing before {@link Listener#start}: a service whose
     * address is in use learns it before it touches a disk.
     *
     * @throws Refusal {@link Refusal.Kind#BUSY} if somebody listens there; a stale Unix socket that nobody listens on is
     *     replaced
     */
    Listener listen(ListenAddress address, SessionFactory sessions) throws Refusal;

    /** Connections at the moment. */
    int connections();

    /**
     * Ends every session: no more accepting, sessions refuse new requests, answers under way are sent until the time is
     * over, then sockets are closed. Threads that do file I/O are never interrupted. Returns whether all ended in time.
     */
    boolean drain(long timeoutMillis);

    /** What it publishes while it is open, under a prefix of its own. */
    default List<Attribute> attributes() {
        return List.of();
    }

    /** Closes every socket at once. Idempotent. */
    @Override
    void close();
}
