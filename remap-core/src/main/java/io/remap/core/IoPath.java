package io.remap.core;

import io.remap.api.Attribute;
import io.remap.api.BufferPool;
import io.remap.api.Environment;
import io.remap.api.FeatureState;
import io.remap.api.FeatureStatus;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.api.spi.BufferPoolProvider;
import io.remap.api.spi.IoEngine;
import io.remap.api.spi.IoEngineProvider;
import io.remap.api.spi.Provider;
import io.remap.api.spi.Transport;
import io.remap.api.spi.TransportProvider;
import io.remap.core.ServiceSpec.TransportPreference;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What moves the bytes of a service, the product of the phase IO_OPT: buffer pool, I/O engine and transport, each the one
 * that was wanted or, where that does not work, the plain one. Decided before the first client, so that no connection
 * stays slow for life; only the engine of the plain transport may be taken over from later, if a delay was chosen.
 *
 * <p>Invariant: a transport whose threads must not wait ({@link TransportProvider#engines}) runs with one of its engines or
 * not at all.
 */
final class IoPath {
    static final String FAST = "fast";
    static final String PLAIN = "plain";

    /** Of each disk: sixteen transfers of the largest piece. Memory is taken as it is needed. */
    private static final long RECOVERY_BUDGET_BYTES = 16L << 20;

    private static final Logger LOG = LoggerFactory.getLogger(IoPath.class);

    /** Opens the product of a provider. */
    @FunctionalInterface
    private interface Opener<P extends Provider, T> {
        T open(P provider) throws Exception;
    }

    /**
     * A part and where it comes from.
     *
     * @param provider name of the provider in use
     * @param product what it opened
     * @param status of the optional part: absent where the plain one was wanted
     */
    private record Part<T>(String provider, T product, FeatureStatus status) {}

    private static final String ENGINE = "I/O engine";
    private static final String HOT_PATH = "hot path";

    private final Providers providers;
    private final ServiceSettings own;
    private final Settings settings;
    private final Environment environment;

    private Part<BufferPool> pool;
    private volatile Part<IoEngine> engine;
    private Part<Transport> transport;

    private IoPath(Providers providers, ServiceSettings own, Settings settings, Environment environment) {
        this.providers = providers;
        this.own = own;
        this.settings = settings;
        this.environment = environment;
    }

    /**
     * Opens the parts; what was opened is on the stack, also after a failure.
     *
     * @throws Refusal if a plain part is needed and not there
     */
    static IoPath start(
            Providers providers,
            TransportPreference preference,
            ServiceSettings own,
            Settings settings,
            Environment environment,
            StartStack stack)
            throws Refusal {
        IoPath path = new IoPath(providers, own, settings, environment);
        path.startParts(preference, stack);
        LOG.info(
                "transport {}, I/O engine {}, buffer pool {}",
                path.transport.provider,
                path.engine.provider,
                path.pool.provider);
        return path;
    }

    /** The engine first: whether one is there that the transport can run with decides about the transport. */
    private void startParts(TransportPreference preference, StartStack stack) throws Refusal {
        String wanted = preference == TransportPreference.PLAIN ? PLAIN : FAST;
        Optional<TransportProvider> provider = providers.find(TransportProvider.class, wanted);
        List<String> engines = provider.map(TransportProvider::engines).orElse(List.of());
        if (engines.isEmpty()) {
            startAnyEngine(stack);
            startPool(provider.isPresent() ? wanted : PLAIN, stack);
            startTransport(wanted, preference, stack);
        } else if (startEngineOf(wanted, engines, preference, stack)) {
            startPool(wanted, stack);
            startTransport(wanted, preference, stack);
        } else {
            startPool(PLAIN, stack);
            startTransport(PLAIN, preference, stack);
            String why = "needs the I/O engine '" + engines.get(0) + "'; '" + PLAIN + "' serves instead";
            transport = new Part<>(PLAIN, transport.product, FeatureStatus.of(HOT_PATH, FeatureState.ABSENT, why));
        }
    }

    private static boolean isAuto(String setting) {
        return setting.equals(ServiceSettings.AUTO);
    }

    private void startPool(String transportName, StartStack stack) throws Refusal {
        String wanted = own.bufferPool();
        if (isAuto(wanted)) {
            boolean isThere =
                    providers.find(BufferPoolProvider.class, transportName).isPresent();
            wanted = isThere ? transportName : ServiceSettings.PLAIN_POOL;
        }
        pool = choose(
                "memory pool",
                BufferPoolProvider.class,
                wanted,
                ServiceSettings.PLAIN_POOL,
                true,
                provider -> provider.open(own.bufferBudgetBytes()));
        stack.push("buffer pool", pool.product::close);
    }

    /**
     * Starts an engine for a transport whose threads must not wait.
     *
     * @return {@code false} if it is another one, by failure or by choice: the plain transport has to serve
     *
     * @throws Refusal if both the transport and an engine that does not fit it were asked for
     */
    private boolean startEngineOf(
            String transportName, List<String> engines, TransportPreference preference, StartStack stack)
            throws Refusal {
        String wanted = isAuto(own.ioEngine()) ? engines.get(0) : own.ioEngine();
        if (!engines.contains(wanted)) {
            if (preference == TransportPreference.FAST) {
                throw new Refusal(
                        Refusal.Kind.USAGE,
                        "setting io-engine: '" + wanted + "' would make the event loops of the transport '"
                                + transportName + "' wait for devices; expected auto or one of " + engines
                                + ", or another transport: --transport plain");
            }
            startAnyEngine(stack);
            return false;
        }
        openEngine(wanted);
        stack.push(ENGINE, engine.product::close);
        return engine.provider.equals(wanted);
    }

    private void openEngine(String wanted) throws Refusal {
        engine = choose(ENGINE, IoEngineProvider.class, wanted, ServiceSettings.PLAIN_ENGINE, true, this::open);
    }

    private IoEngine open(IoEngineProvider provider) throws Refusal {
        return provider.open(environment, settings);
    }

    /** Starts the engine of a transport that takes any; a chosen one takes over later if there is a delay. */
    private void startAnyEngine(StartStack stack) throws Refusal {
        String wanted = isAuto(own.ioEngine()) ? ServiceSettings.PLAIN_ENGINE : own.ioEngine();
        boolean later = own.ioOptDelayMillis() > 0 && !wanted.equals(ServiceSettings.PLAIN_ENGINE);
        openEngine(later ? ServiceSettings.PLAIN_ENGINE : wanted);
        if (!later) {
            stack.push(ENGINE, engine.product::close);
            return;
        }
        EngineSwitch engines = new EngineSwitch(engine.product);
        stack.push(ENGINE, engines::close);
        String when = wanted + " in " + own.ioOptDelayMillis() + " ms";
        engine = new Part<>(engine.provider, engines, FeatureStatus.of(ENGINE, FeatureState.STARTING, when));
        var timer = environment.scheduler().schedule(() -> takeOver(engines, wanted), own.ioOptDelayMillis());
        stack.push("I/O engine timer", timer::cancel);
    }

    private void takeOver(EngineSwitch engines, String wanted) {
        try {
            IoEngine next = open(providers.require(IoEngineProvider.class, wanted));
            if (engines.takeOver(next)) {
                engine = new Part<>(wanted, engines, FeatureStatus.of(ENGINE, FeatureState.STARTED, wanted));
            } else {
                next.close();
            }
        } catch (Exception | LinkageError | OutOfMemoryError e) {
            FeatureStatus status = failed(ENGINE, wanted, ServiceSettings.PLAIN_ENGINE, StartStack.reason(e));
            engine = new Part<>(ServiceSettings.PLAIN_ENGINE, engines, status);
        }
    }

    private void startTransport(String wanted, TransportPreference preference, StartStack stack) throws Refusal {
        transport = choose(
                HOT_PATH,
                TransportProvider.class,
                wanted,
                PLAIN,
                preference == TransportPreference.FAST,
                provider -> provider.open(environment, settings));
        stack.push("transport", transport.product::close);
    }

    private <P extends Provider, T extends AutoCloseable> Part<T> choose(
            String part, Class<P> role, String wanted, String plain, boolean missed, Opener<P, T> opener)
            throws Refusal {
        FeatureStatus status = FeatureStatus.of(part, FeatureState.ABSENT, "");
        if (!wanted.equals(plain)) {
            Optional<P> provider = providers.find(role, wanted);
            if (provider.isPresent()) {
                try {
                    T product = Bounded.call(
                            environment.scheduler(),
                            own.featureTimeoutMillis(),
                            () -> opener.open(provider.get()),
                            IoPath::closeLate);
                    return new Part<>(wanted, product, FeatureStatus.of(part, FeatureState.STARTED, wanted));
                } catch (Exception e) {
                    status = failed(part, wanted, plain, StartStack.reason(e));
                }
            } else if (missed) {
                status = failed(part, wanted, plain, "no module provides it");
            }
        }
        try {
            return new Part<>(plain, opener.open(plainOf(role, plain)), status);
        } catch (Refusal | RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new Refusal(Refusal.Kind.ENVIRONMENT, "'" + plain + "' cannot be opened: " + e.getMessage(), e);
        }
    }

    private static FeatureStatus failed(String part, String wanted, String plain, String reason) {
        String why = "'" + wanted + "': " + reason + "; '" + plain + "' serves instead";
        LOG.warn("{} {}", part, why);
        return FeatureStatus.of(part, FeatureState.FAILED, why);
    }

    private static void closeLate(AutoCloseable product) {
        try {
            product.close();
        } catch (Exception e) {
            LOG.warn("a part that started too late did not stop in order: {}", StartStack.reason(e));
        }
    }

    private <P extends Provider> P plainOf(Class<P> role, String plain) throws Refusal {
        if (role == TransportProvider.class && providers.find(role, plain).isEmpty()) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "no module provides the transport '" + plain + "': remap-nbd is missing from the module path");
        }
        return providers.require(role, plain);
    }

    /** For the payloads of clients. */
    BufferPool buffers() {
        return pool.product;
    }

    /**
     * Memory for what a disk needs itself, the caller's to close. Apart from that of clients: one that stops in the middle
     * of a payload holds memory for as long as it likes, and must not keep a sector from being moved. And apart from that of
     * other disks: on a disk that hangs, transfers hold theirs until it answers.
     */
    BufferPool openRecoveryBuffers() throws Refusal {
        return providers
                .require(BufferPoolProvider.class, ServiceSettings.PLAIN_POOL)
                .open(RECOVERY_BUDGET_BYTES);
    }

    String bufferPoolName() {
        return pool.provider;
    }

    IoEngine engine() {
        return engine.product;
    }

    String engineName() {
        return engine.provider;
    }

    Transport transport() {
        return transport.product;
    }

    String transportName() {
        return transport.provider;
    }

    List<Attribute> attributes() {
        BufferPool buffers = pool.product;
        Transport moving = transport.product;
        List<Attribute> all = new ArrayList<>(List.of(
                Attribute.readOnly(
                        "buffers.used-bytes", "bytes", "Memory given out to transfers.", buffers::bytesInUse),
                Attribute.readOnly(
                        "buffers.budget-bytes", "bytes", "Most memory of transfers.", own::bufferBudgetBytes),
                Attribute.readOnly("transport.connections", "count", "Clients connected now.", () ->
                        (long) moving.connections())));
        all.addAll(buffers.attributes());
        all.addAll(engine.product.attributes());
        all.addAll(moving.attributes());
        return all;
    }

    /** The feature I/O-opt: as good as its parts. */
    FeatureStatus status() {
        List<FeatureStatus> parts = List.of(transport.status, pool.status, engine.status);
        for (FeatureState state : List.of(FeatureState.FAILED, FeatureState.STARTING, FeatureState.STARTED)) {
            for (FeatureStatus part : parts) {
                if (part.state() == state) {
                    String detail = state == FeatureState.FAILED ? part.name() + " " + part.detail() : "";
                    return new FeatureStatus("I/O-opt", state, detail, parts);
                }
            }
        }
        return absent();
    }

    /** The feature I/O-opt where nothing of it is there. */
    static FeatureStatus absent() {
        return FeatureStatus.of(
                "I/O-opt",
                FeatureState.ABSENT,
                "",
                FeatureStatus.of(HOT_PATH, FeatureState.ABSENT, ""),
                FeatureStatus.of("memory pool", FeatureState.ABSENT, ""),
                FeatureStatus.of(ENGINE, FeatureState.ABSENT, ""));
    }
}
