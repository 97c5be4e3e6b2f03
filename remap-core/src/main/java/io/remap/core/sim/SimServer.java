package io.remap.core.sim;

import io.remap.api.BlockDevice;
import io.remap.api.BufferPool;
import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.Environment;
import io.remap.api.Export;
import io.remap.api.Exports;
import io.remap.api.ListenAddress;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.api.spi.BlockDeviceProvider.Door;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import io.remap.api.spi.BufferPoolProvider;
import io.remap.api.spi.Frontend;
import io.remap.api.spi.FrontendProvider;
import io.remap.api.spi.Transport;
import io.remap.api.spi.TransportProvider;
import io.remap.core.Devices;
import io.remap.core.Providers;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves a simulated disk alone, as a failing disk is: no spare, no retries, each error to the client.
 *
 * <p>Invariant: what was started is on the stack {@code parts}, and ends in the reverse order. Not thread-safe but for
 * {@link #close}.
 */
public final class SimServer implements AutoCloseable {
    private static final String PLAIN = "plain";
    private static final long BUFFER_BUDGET_BYTES = 64 << 20;

    private static final Logger LOG = LoggerFactory.getLogger(SimServer.class);

    /**
     * What to serve.
     *
     * @param disk the device
     * @param name of the export
     * @param listen where
     * @param readOnly writes are refused
     */
    public record Spec(DeviceUri disk, String name, List<ListenAddress> listen, boolean readOnly) {
        public Spec {
            listen = List.copyOf(listen);
        }
    }

    private final Deque<AutoCloseable> parts = new ArrayDeque<>();
    private final List<String> uris = new ArrayList<>();
    private BlockDevice device;
    private Transport transport;

    private SimServer() {}

    /**
     * Starts it; clients can connect on return.
     *
     * @throws Refusal if the disk or an address cannot be used; then nothing is left of it
     */
    public static SimServer start(Providers providers, Spec spec, Environment environment)
            throws Refusal, DeviceException {
        SimServer server = new SimServer();
        try {
            server.startParts(providers, spec, environment);
            return server;
        } catch (Refusal | DeviceException | RuntimeException e) {
            server.close(0);
            throw e;
        }
    }

    /** One disk, under its name and as the default. */
    private record Only(Export export) implements Exports {
        @Override
        public Optional<Export> find(String name) {
            return name.isEmpty() || name.equals(export.name()) ? Optional.of(export) : Optional.empty();
        }

        @Override
        public List<Export> list() {
            return List.of(export);
        }
    }

    private void startParts(Providers providers, Spec spec, Environment environment) throws Refusal, DeviceException {
        device = new Devices(providers)
                .open(spec.disk(), OpenOptions.serve(spec.readOnly(), Door.AUTO, OptionalInt.empty()));
        parts.push(device);
        BufferPool buffers = providers.require(BufferPoolProvider.class, PLAIN).open(BUFFER_BUDGET_BYTES);
        parts.push(buffers);
        transport = providers.require(TransportProvider.class, PLAIN).open(environment, Settings.defaults());
        parts.push(transport);
        Export export = new Export(
                spec.name(), "a disk that fails on demand", new SimDisk(spec.name(), device, environment.scheduler()));
        Frontend frontend = providers
                .require(FrontendProvider.class, "nbd")
                .open(new Only(export), buffers, environment, Settings.defaults());
        parts.push(frontend);
        List<Transport.Listener> listeners = new ArrayList<>();
        for (ListenAddress address : spec.listen()) {
            Transport.Listener listener = transport.listen(address, frontend.sessions());
            listeners.add(listener);
            parts.push(listener);
            uris.add(frontend.uri(listener.address(), spec.name()));
        }
        listeners.forEach(Transport.Listener::start);
    }

    /** Where clients find the disk. */
    public List<String> uris() {
        return List.copyOf(uris);
    }

    public long sizeBytes() {
        return device.traits().sizeBytes();
    }

    /** Ends it; requests that are under way have so much time. */
    public synchronized void close(long drainMillis) {
        if (transport != null && !transport.drain(drainMillis)) {
            LOG.info("requests were still under way after {} ms; nobody answered them", drainMillis);
        }
        while (!parts.isEmpty()) {
            try {
                parts.pop().close();
            } catch (Exception e) {
                LOG.warn("a part of the server of a simulated disk did not end in order: {}", e.toString());
            }
        }
    }

    @Override
    public void close() {
        close(0);
    }
}
