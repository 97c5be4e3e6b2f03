package io.remap.nbd.plain;

import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.Setting;
import io.remap.api.Settings;
import io.remap.api.spi.Transport;
import io.remap.api.spi.TransportProvider;
import java.util.List;

/** Blocking sockets of the JDK and a few threads for each connection: works everywhere, needs nothing native. */
public final class PlainTransportProvider implements TransportProvider {
    static final Setting CONNECTION_LIMIT = new Setting(
            "plain.connection-limit", "100", "Most connections at a time, 1 to 10000; what exceeds it is hung up on.");
    static final Setting WORKER_LIMIT = new Setting(
            "plain.worker-limit", "8", "Most requests of one connection that are carried out at a time, 1 to 64.");

    static final Setting HUNG_LIMIT = new Setting(
            "plain.hung-limit",
            "128",
            "Most requests of one connection that may hang at a device before others of it have to wait, 1 to 1024; not less"
                    + " than plain.worker-limit.");

    private static final int MAX_CONNECTION_LIMIT = 10_000;
    private static final int MAX_WORKER_LIMIT = 64;
    private static final int MAX_HUNG_LIMIT = 1024;

    @Override
    public String name() {
        return "plain";
    }

    @Override
    public String description() {
        return "blocking sockets, a few threads for each connection";
    }

    @Override
    public List<Setting> settings() {
        return List.of(CONNECTION_LIMIT, WORKER_LIMIT, HUNG_LIMIT);
    }

    @Override
    public void check(Settings settings) throws Refusal {
        Limits.read(settings);
    }

    @Override
    public Transport open(Environment environment, Settings settings) throws Refusal {
        Limits limits = Limits.read(settings);
        return new PlainTransport(
                environment, limits.connections, limits.workers, Math.max(limits.workers, limits.hung), Thread::start);
    }

    private record Limits(int connections, int workers, int hung) {
        static Limits read(Settings settings) throws Refusal {
            return new Limits(
                    (int) settings.number(CONNECTION_LIMIT, 1, MAX_CONNECTION_LIMIT),
                    (int) settings.number(WORKER_LIMIT, 1, MAX_WORKER_LIMIT),
                    (int) settings.number(HUNG_LIMIT, 1, MAX_HUNG_LIMIT));
        }
    }
}
