package io.remap.core;

import io.remap.api.Attribute;
import io.remap.api.BlockDevice;
import io.remap.api.BufferPool;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceIo;
import io.remap.api.DeviceTraits;
import io.remap.api.DeviceUri;
import io.remap.api.Environment;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import io.remap.api.Exports;
import io.remap.api.FeatureState;
import io.remap.api.FeatureStatus;
import io.remap.api.ListenAddress;
import io.remap.api.Refusal;
import io.remap.api.SessionFactory;
import io.remap.api.Settings;
import io.remap.api.spi.BufferPoolProvider;
import io.remap.api.spi.ControlCommands;
import io.remap.api.spi.ControlProvider;
import io.remap.api.spi.FaultPolicy;
import io.remap.api.spi.FaultPolicyProvider;
import io.remap.api.spi.Feature;
import io.remap.api.spi.Frontend;
import io.remap.api.spi.FrontendProvider;
import io.remap.api.spi.HealthProvider;
import io.remap.api.spi.IoEngine;
import io.remap.api.spi.IoEngineProvider;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.Provider;
import io.remap.api.spi.SpareMember;
import io.remap.api.spi.Transport;
import io.remap.api.spi.TransportProvider;
import io.remap.api.spi.WatchedDisk;
import io.remap.core.ServiceSpec.TransportPreference;
import io.remap.core.disk.TrackedDevice;
import io.remap.testkit.MemoryDevice;
import io.remap.testkit.MemoryMetadata;
import io.remap.testkit.RealEnvironment;
import io.remap.testkit.TrackingBufferPool;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * A service of doubles that note every opening and closing, and fail, throw or hang where a test says so ({@link #at}).
 * Events are named {@code open X} and {@code close X}.
 */
final class ServiceRig implements AutoCloseable {
    static final int MAIN_BYTES = 1 << 20;
    static final int SPARE_BYTES = 1 << 20;
    static final int SECTOR_BYTES = 512;
    /** Of clients; by it their pool is told from those of the disks. */
    static final long BUFFER_BYTES = 33 << 20;

    static final String RECOVERY_POOL = "pool of recovery";
    static final long PATIENCE_MILLIS = 10_000;

    /** What happens at an event, instead of nothing. */
    @FunctionalInterface
    interface Behaviour {
        void happen() throws Exception;
    }

    final List<String> events = new CopyOnWriteArrayList<>();
    final Map<String, BlockDevice> devices = new ConcurrentHashMap<>();
    final MemoryMetadata metadata = new MemoryMetadata();
    final Map<String, String> settings = new LinkedHashMap<>();
    final List<Provider> providers = new ArrayList<>();
    final List<ListenAddress> listen = new ArrayList<>(List.of(new ListenAddress.Unix(Path.of("/run/a.sock"))));
    final CountDownLatch go = new CountDownLatch(1);
    TransportPreference transport = TransportPreference.AUTO;
    volatile ControlCommands commands;
    volatile Exports exports;
    volatile boolean withMetadata = true;
    /** A sector of every main that cannot be read, -1 for none. */
    volatile long badSector = -1;

    private final Map<String, Behaviour> behaviours = new ConcurrentHashMap<>();
    private final ScheduledExecutorService threads = Executors.newScheduledThreadPool(16, task -> {
        Thread thread = new Thread(task, "rig");
        thread.setDaemon(true);
        return thread;
    });
    private final List<Service> started = new ArrayList<>();

    ServiceRig() {
        settings.put("save-timeout-millis", "10000");
        settings.put("feature-timeout-millis", "10000");
        settings.put("drain-timeout-millis", "1000");
        settings.put("buffer-budget-bytes", Long.toString(BUFFER_BYTES));
        providers.add(new ControlDouble());
        providers.add(new PoolDouble("plain"));
        providers.add(new EngineDouble("inline"));
        providers.add(new PolicyDouble());
        providers.add(new TransportDouble("plain"));
        providers.add(new FrontendDouble());
        providers.add(new HealthDouble());
    }

    /** From now on this happens at the event. */
    void at(String event, Behaviour behaviour) {
        behaviours.put(event, behaviour);
    }

    /** The event does not end until {@link #go}. */
    void hangAt(String event) {
        at(event, go::await);
    }

    void without(Class<? extends Provider> role) {
        providers.removeIf(role::isInstance);
    }

    private void happens(String event) throws Exception {
        events.add(event);
        Behaviour behaviour = behaviours.get(event);
        if (behaviour != null) {
            behaviour.happen();
        }
    }

    private <E extends Exception> void happens(String event, Class<E> allowed) throws E {
        try {
            happens(event);
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            if (allowed.isInstance(e)) {
                throw allowed.cast(e);
            }
            throw new IllegalStateException(e);
        }
    }

    private void closes(String what) {
        happens("close " + what, RuntimeException.class);
    }

    /** Openings and closings so far, without what only happens in between. */
    List<String> opensAndCloses() {
        return events.stream()
                .filter(event -> event.startsWith("open ") || event.startsWith("close "))
                .toList();
    }

    Environment environment() {
        return RealEnvironment.on(threads);
    }

    static DiskSpec disk(String name) throws Refusal {
        DiskSpec plain =
                DiskSpec.of(DeviceUri.parse("mem:" + name), Optional.of(DeviceUri.parse("mem:" + name + "-s")));
        return new DiskSpec(
                plain.main(),
                plain.spares(),
                false,
                name,
                "",
                false,
                plain.door(),
                plain.sectorBytes(),
                false,
                false,
                false,
                false,
                false,
                false);
    }

    Service start(String... disks) throws Refusal {
        List<DiskSpec> specs = new ArrayList<>();
        for (String disk : disks) {
            specs.add(disk(disk));
        }
        ServiceSpec spec = new ServiceSpec(
                "rig",
                listen,
                transport,
                new Settings(settings),
                Path.of(System.getProperty("java.io.tmpdir")),
                Path.of("/nonexistent"),
                specs);
        Service service = Service.start(Providers.of(providers), spec, environment(), new Pairs());
        started.add(service);
        return service;
    }

    /** Polls until it is so. */
    static void await(String what, BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(PATIENCE_MILLIS);
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("not within " + PATIENCE_MILLIS + " ms: " + what);
            }
            TimeUnit.MILLISECONDS.sleep(1);
        }
    }

    @Override
    public void close() {
        go.countDown();
        started.forEach(Service::close);
        threads.shutdownNow();
    }

    // --- the doubles

    private final class Pairs implements PairOpener {
        @Override
        public PairDevices openDevices(DiskSpec spec) throws Refusal, DeviceException {
            eventOf("open devices " + spec.name());
            BlockDevice main = new NotedDevice(spec.name() + "-main", MAIN_BYTES);
            BlockDevice spare = new NotedDevice(spec.name() + "-spare", SPARE_BYTES);
            return new PairDevices(
                    spec,
                    TrackedDevice.of(main),
                    Optional.of(TrackedDevice.of(spare)),
                    Optional.empty(),
                    List.of(),
                    List.of("devices noticed"));
        }

        @Override
        public PairMetadata openMetadata(PairDevices pair, Settings chosen, Succession succession)
                throws Refusal, DeviceException {
            String name = pair.spec().name();
            eventOf("open metadata " + name);
            FeatureStatus witness = FeatureStatus.of("witness", FeatureState.STARTED, "");
            if (!withMetadata) {
                return new PairMetadata(
                        Optional.empty(),
                        true,
                        FeatureStatus.of("metadata", FeatureState.FAILED, "damaged"),
                        witness,
                        0,
                        MainCheck.NONE,
                        new FurtherSpares(),
                        List.of());
            }
            TrackedDevice spare = pair.spare().orElseThrow();
            metadata.format(spare, new PairIdentity(new java.util.UUID(1, 2), MAIN_BYTES, SECTOR_BYTES, "x"), null);
            MetadataStore store = metadata.open(spare, false, environment(), chosen);
            MetadataStore noted = (MetadataStore) Proxy.newProxyInstance(
                    MetadataStore.class.getClassLoader(),
                    new Class<?>[] {MetadataStore.class},
                    (proxy, method, args) -> {
                        if (method.getName().equals("close")) {
                            closes("metadata " + name);
                        }
                        try {
                            return method.invoke(store, args);
                        } catch (InvocationTargetException e) {
                            throw e.getCause();
                        }
                    });
            return new PairMetadata(
                    Optional.of(noted),
                    false,
                    noted.status(),
                    witness,
                    0,
                    MainCheck.NONE,
                    new FurtherSpares(),
                    List.of("metadata noticed"));
        }

        @Override
        public void noteStop(PairDevices pair, PairMetadata closed, long stopId) {
            events.add("note the stop of " + pair.spec().name());
        }

        @Override
        public void spreadTable(PairMetadata open) throws Refusal {
            SpareSet.spread(open.further(), open.store().orElseThrow());
        }

        @Override
        public FurtherSpares.Open addSpare(
                PairDevices pair,
                PairMetadata open,
                DeviceUri uri,
                OptionalLong createBytes,
                boolean force,
                SpareMember.Use use) {
            throw new UnsupportedOperationException("no test adds a spare here");
        }

        @Override
        public void stampSpares(PairDevices pair, PairMetadata open, MemberChanges changes) {
            throw new UnsupportedOperationException("there are no further spares here");
        }

        @Override
        public MetadataReport checkSpare(BlockDevice further) {
            throw new UnsupportedOperationException("there are no further spares here");
        }

        @Override
        public void eraseSpare(BlockDevice device, PairIdentity pair, int index) {
            throw new UnsupportedOperationException("no test removes a spare here");
        }

        private void eventOf(String event) throws Refusal, DeviceException {
            try {
                happens(event, Refusal.class);
            } catch (IllegalStateException e) {
                if (e.getCause() instanceof DeviceException cause) {
                    throw cause;
                }
                throw e;
            }
        }
    }

    /** Memory; flushes and the close are events. */
    private final class NotedDevice implements BlockDevice {
        private final MemoryDevice memory;

        NotedDevice(String name, int sizeBytes) {
            this.memory = new MemoryDevice(name, sizeBytes, SECTOR_BYTES);
            devices.put(name, this);
        }

        @Override
        public String name() {
            return memory.name();
        }

        @Override
        public DeviceTraits traits() {
            return memory.traits();
        }

        @Override
        public DeviceIdentity identity() {
            return memory.identity();
        }

        @Override
        public void read(long offsetBytes, ByteBuffer target) throws DeviceException {
            step("read " + name());
            long badByte = badSector * SECTOR_BYTES;
            if (name().endsWith("-main") && offsetBytes <= badByte && badByte < offsetBytes + target.remaining()) {
                throw new DeviceException(name(), "read", offsetBytes, target.remaining(), Errno.ENODATA);
            }
            memory.read(offsetBytes, target);
        }

        @Override
        public void write(long offsetBytes, ByteBuffer source) throws DeviceException {
            step("write " + name());
            memory.write(offsetBytes, source);
        }

        @Override
        public void flush() throws DeviceException {
            step("flush " + name());
            memory.flush();
        }

        private void step(String event) throws DeviceException {
            happens(event, DeviceException.class);
        }

        @Override
        public void discard(long offsetBytes, long lengthBytes) {
            memory.discard(offsetBytes, lengthBytes);
        }

        @Override
        public void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) {
            memory.zero(offsetBytes, lengthBytes, keepAllocated);
        }

        @Override
        public void close() {
            memory.close();
            closes(name());
        }
    }

    /** A name that also describes. */
    private abstract static class Named implements Provider {
        private final String name;

        Named(String name) {
            this.name = name;
        }

        @Override
        public String name() {
            return name;
        }

        @Override
        public String description() {
            return "double";
        }
    }

    private final class FeatureDouble implements Feature {
        private final String name;
        private final List<Attribute> attributes;

        FeatureDouble(String name, List<Attribute> attributes) {
            this.name = name;
            this.attributes = attributes;
        }

        @Override
        public FeatureStatus status() {
            return FeatureStatus.of("double", FeatureState.STARTED, "");
        }

        @Override
        public List<Attribute> attributes() {
            return attributes;
        }

        @Override
        public void close() {
            closes(name);
        }
    }

    private final class ControlDouble extends Named implements ControlProvider {
        ControlDouble() {
            super("double");
        }

        @Override
        public Feature open(
                String serviceName, Path runDirectory, ControlCommands given, Environment environment, Settings chosen)
                throws Refusal {
            commands = given;
            happens("open control", Refusal.class);
            return new FeatureDouble(
                    "control", List.of(Attribute.readOnly("control.requests", "count", "Requests.", () -> 7L)));
        }
    }

    private final class HealthDouble extends Named implements HealthProvider {
        private volatile String score = "50";

        HealthDouble() {
            super("double");
        }

        @Override
        public Feature open(WatchedDisk disk, Environment environment, Settings chosen) throws Refusal {
            happens("open health " + disk.name(), Refusal.class);
            return new FeatureDouble(
                    "health " + disk.name(),
                    List.of(
                            Attribute.settable("health.limit", "percent", "Limit.", () -> score, this::setScore),
                            Attribute.readOnly("health.broken", "text", "Cannot tell.", () -> {
                                throw new IllegalStateException("cannot tell");
                            })));
        }

        private void setScore(String text) throws Refusal {
            if (text.length() > 3) {
                throw new Refusal(Refusal.Kind.USAGE, "health.limit: expected 0 to 100, found '" + text + "'");
            }
            score = text;
        }
    }

    final class PoolDouble extends Named implements BufferPoolProvider {
        PoolDouble(String name) {
            super(name);
        }

        @Override
        public BufferPool open(long budgetBytes) {
            String pool = budgetBytes == BUFFER_BYTES ? "pool " + name() : RECOVERY_POOL;
            happens("open " + pool, RuntimeException.class);
            BufferPool opened = new TrackingBufferPool(budgetBytes);
            return (BufferPool) Proxy.newProxyInstance(
                    BufferPool.class.getClassLoader(), new Class<?>[] {BufferPool.class}, (proxy, method, args) -> {
                        if (method.getName().equals("close")) {
                            closes(pool);
                            return null;
                        }
                        return method.invoke(opened, args);
                    });
        }
    }

    final class EngineDouble extends Named implements IoEngineProvider {
        EngineDouble(String name) {
            super(name);
        }

        @Override
        public IoEngine open(Environment environment, Settings chosen) throws Refusal {
            happens("open engine " + name(), Refusal.class);
            return new IoEngine() {
                @Override
                public void submit(DeviceIo io) {
                    events.add("submit " + name());
                    io.run();
                }

                @Override
                public void close() {
                    closes("engine " + name());
                }
            };
        }
    }

    private static final class PolicyDouble extends Named implements FaultPolicyProvider {
        PolicyDouble() {
            super("standard");
        }

        @Override
        public FaultPolicy open(Settings chosen) {
            return new FaultPolicy() {
                @Override
                public Verdict readFailed(ErrorClass errorClass, int attempts, boolean deviceAlive) {
                    return errorClass.mayBeSector() ? Verdict.BLAME_SECTORS : Verdict.BLAME_DEVICE;
                }

                @Override
                public Verdict writeFailed(ErrorClass errorClass, int attempts, boolean deviceAlive) {
                    return readFailed(errorClass, attempts, deviceAlive);
                }

                @Override
                public long retryDelayMillis(int attempts) {
                    return 0;
                }

                @Override
                public long holdOffMillis(int failures) {
                    return 0;
                }
            };
        }
    }

    final class TransportDouble extends Named implements TransportProvider {
        private final List<String> engines;

        /** {@code engines}: those that do not make its threads wait, none if they may. */
        TransportDouble(String name, String... engines) {
            super(name);
            this.engines = List.of(engines);
        }

        @Override
        public List<String> engines() {
            return engines;
        }

        @Override
        public Transport open(Environment environment, Settings chosen) throws Refusal {
            happens("open transport " + name(), Refusal.class);
            return new Transport() {
                @Override
                public Listener listen(ListenAddress address, SessionFactory sessions) throws Refusal {
                    happens("open " + address, Refusal.class);
                    return new Listener() {
                        @Override
                        public ListenAddress address() {
                            return address;
                        }

                        @Override
                        public void start() {
                            happens("let in " + address, RuntimeException.class);
                        }

                        @Override
                        public void close() {
                            closes(address.toString());
                        }
                    };
                }

                @Override
                public int connections() {
                    return 3;
                }

                @Override
                public boolean drain(long timeoutMillis) {
                    happens("drain", RuntimeException.class);
                    return !events.contains("late");
                }

                @Override
                public void close() {
                    closes("transport " + name());
                }
            };
        }
    }

    private final class FrontendDouble extends Named implements FrontendProvider {
        FrontendDouble() {
            super("nbd");
        }

        @Override
        public Frontend open(Exports given, BufferPool buffers, Environment environment, Settings chosen)
                throws Refusal {
            exports = given;
            happens("open frontend", Refusal.class);
            return new Frontend() {
                @Override
                public SessionFactory sessions() {
                    return (peer, sessionEvents) -> {
                        throw new IllegalStateException("nobody connects here");
                    };
                }

                @Override
                public String uri(ListenAddress address, String exportName) {
                    return "nbd:" + address + "/" + exportName;
                }

                @Override
                public List<String> attachCommands(ListenAddress address, String exportName) {
                    return List.of("attach " + uri(address, exportName));
                }

                @Override
                public List<Attribute> attributes() {
                    return List.of(Attribute.readOnly("nbd.sessions", "count", "Sessions.", () -> 0L));
                }

                @Override
                public void close() {
                    closes("frontend");
                }
            };
        }
    }
}
