package io.remap.iopt;

import io.netty.channel.epoll.Epoll;
import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.Setting;
import io.remap.api.Settings;
import io.remap.api.spi.Transport;
import io.remap.api.spi.TransportProvider;
import java.util.List;

/** A few event loops over epoll for all connections; needs the native library of Netty for this architecture. */
public final class FastTransportProvider implements TransportProvider {
    static final Setting CONNECTION_LIMIT = new Setting(
            "fast.connection-limit", "100", "Most connections at a time, 1 to 10000; what exceeds it is hung up on.");

    static final Setting LOOPS =
            new Setting("fast.loops", "auto", "Event loops, 1 to 64; auto is one for each processor, but at most 4.");

    private static final String AUTO = "auto";
    private static final int MAX_CONNECTION_LIMIT = 10_000;
    private static final int MAX_LOOPS = 64;
    private static final int MAX_LOOPS_BY_DEFAULT = 4;

    @Override
    public String name() {
        return "fast";
    }

    @Override
    public String description() {
        return "event loops over epoll, zero copy";
    }

    @Override
    public List<Setting> settings() {
        return List.of(CONNECTION_LIMIT, LOOPS);
    }

    /** An event loop must not wait for a device. */
    @Override
    public List<String> engines() {
        return List.of("fast");
    }

    @Override
    public void check(Settings settings) throws Refusal {
        connectionLimit(settings);
        loops(settings);
    }

    private static int connectionLimit(Settings settings) throws Refusal {
        return (int) settings.number(CONNECTION_LIMIT, 1, MAX_CONNECTION_LIMIT);
    }

    private static int loops(Settings settings) throws Refusal {
        return settings.text(LOOPS).equals(AUTO)
                ? Math.min(Runtime.getRuntime().availableProcessors(), MAX_LOOPS_BY_DEFAULT)
                : (int) settings.number(LOOPS, 1, MAX_LOOPS);
    }

    @Override
    public Transport open(Environment environment, Settings settings) throws Refusal {
        int connectionLimit = connectionLimit(settings);
        int loops = loops(settings);
        try {
            if (!Epoll.isAvailable()) {
                throw refusal(Epoll.unavailabilityCause());
            }
            return new FastTransport(environment, connectionLimit, loops);
        } catch (RuntimeException | LinkageError e) {
            throw refusal(e);
        }
    }

    private static Refusal refusal(Throwable cause) {
        Throwable root = cause;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        return new Refusal(
                Refusal.Kind.ENVIRONMENT,
                "epoll through the native library of Netty does not work here: " + root,
                cause);
    }
}
