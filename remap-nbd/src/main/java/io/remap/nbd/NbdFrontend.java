package io.remap.nbd;

import io.remap.api.Attribute;
import io.remap.api.BufferPool;
import io.remap.api.Environment;
import io.remap.api.Exports;
import io.remap.api.ListenAddress;
import io.remap.api.Session;
import io.remap.api.SessionFactory;
import io.remap.api.spi.Frontend;
import java.util.List;
import org.slf4j.LoggerFactory;

/** Serves exports over NBD, each client through an {@link NbdSession}. Thread-safe. */
final class NbdFrontend implements Frontend {
    private static final int DEFAULT_SECTOR_BYTES = 512;

    private final Exports exports;
    private final NbdCounters counters = new NbdCounters();
    private final MemoryPressure pressure;
    private final NbdSession.Shared shared;
    private volatile boolean closed;

    NbdFrontend(
            Exports exports,
            BufferPool pool,
            Environment environment,
            long handshakeTimeoutMillis,
            long stallTimeoutMillis) {
        this.exports = exports;
        LimitedLog log = new LimitedLog(LoggerFactory.getLogger(NbdFrontend.class), environment.time());
        this.pressure = new MemoryPressure(environment, stallTimeoutMillis);
        this.shared = new NbdSession.Shared(
                exports, pool, environment, new SessionMemory(), pressure, counters, log, handshakeTimeoutMillis);
    }

    @Override
    public SessionFactory sessions() {
        return this::session;
    }

    private Session session(String peer, Session.Events events) {
        if (closed) {
            throw new IllegalStateException("the NBD frontend is closed; close the transport before it");
        }
        return new NbdSession(shared, peer, events);
    }

    @Override
    public String uri(ListenAddress address, String exportName) {
        return NbdUris.uri(address, exportName);
    }

    @Override
    public List<String> attachCommands(ListenAddress address, String exportName) {
        int sectorBytes = exports.find(exportName)
                .map(export -> export.disk().traits().sectorBytes())
                .orElse(DEFAULT_SECTOR_BYTES);
        boolean root = "root".equals(System.getProperty("user.name"));
        return NbdUris.attachCommands(address, exportName, sectorBytes, root);
    }

    @Override
    public List<Attribute> attributes() {
        return counters.attributes();
    }

    /** The sessions belong to the transport, which is closed before. */
    @Override
    public void close() {
        closed = true;
        pressure.close();
    }
}
