package io.remap.core;

import io.remap.api.Attribute;
import io.remap.api.Environment;
import io.remap.api.ListenAddress;
import io.remap.api.Refusal;
import io.remap.api.Scheduler;
import io.remap.api.Setting;
import io.remap.api.spi.ControlCommands;
import io.remap.api.spi.ControlProvider;
import io.remap.api.spi.FaultPolicyProvider;
import io.remap.api.spi.Frontend;
import io.remap.api.spi.FrontendProvider;
import io.remap.api.spi.Transport;
import io.remap.core.device.FileDeviceProvider;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running service: disks served to clients.
 *
 * <p>Start and stop go by phases, in two scopes: the service CONTROL → IO_OPT → SERVING, each disk DEVICES → METADATA →
 * MAPPING → HEALTH; stop is the reverse. Control, I/O-opt and health are optional: if they do not start, the status says
 * why and the service runs without them. Thread-safe.
 *
 * <p>Invariants: what was started is on a {@link StartStack} or in the {@link DiskTable}, and nowhere else; what disks use
 * (transport, engine, buffers) is stopped after the last disk is gone, control last of all, so that the status answers as
 * long as anything hangs.
 */
public final class Service implements AutoCloseable {
    /** Nobody waits for answers while a start is undone. */
    private static final long UNDO_DRAIN_MILLIS = 1_000;

    /** How long clients have to take the errors that end their requests at a stop: until the next sweep, and the way to them. */
    private static final long ANSWER_MILLIS = 1_000;

    private static final Logger LOG = LoggerFactory.getLogger(Service.class);

    final ServiceSpec spec;
    final Providers providers;
    final Environment environment;
    final DiskTable disks = new DiskTable();
    final FeatureTracker control;
    final long startedMillis;
    final long startedNanos;

    private final ServiceSettings own;
    private final PairOpener pairs;
    private final CommandTable commands;

    /** What outlives the disks: control, the I/O path, the frontend. */
    private final StartStack lasting;
    /** Where clients connect: ends before the disks. */
    private final StartStack clients;

    private final List<Transport.Listener> listeners = new CopyOnWriteArrayList<>();
    private final CompletableFuture<Void> stopRequest = new CompletableFuture<>();
    private final AtomicBoolean stopBegun = new AtomicBoolean();
    /** How the stop of clients and disks ended; known while control still answers, so that who asked can be told. */
    private final CompletableFuture<Optional<Exception>> disksStopped = new CompletableFuture<>();

    private final CompletableFuture<Optional<Exception>> stopped = new CompletableFuture<>();

    private volatile IoPath io;
    private volatile Frontend frontend;
    private volatile ServiceParts parts;
    private volatile ChosenPolicy policy;
    private volatile boolean running;
    private volatile long drainMillis;
    private volatile Exception overdue;

    private Service(Providers providers, ServiceSpec spec, Environment environment, PairOpener pairs) throws Refusal {
        this.providers = providers;
        this.spec = spec;
        this.environment = environment;
        this.pairs = pairs;
        this.own = ServiceSettings.read(spec.settings(), providers);
        String owner = "service '" + spec.name() + "'";
        this.lasting = new StartStack(owner);
        this.clients = new StartStack(owner);
        this.control = new FeatureTracker(owner, StatusReport.CONTROL, environment, own.featureTimeoutMillis());
        this.commands = new CommandTable(this);
        this.startedMillis = environment.time().wallMillis();
        this.startedNanos = environment.time().nanoTime();
    }

    /**
     * Starts a service with the disks of the specification, and then accepts clients. Either all of it stands on return
     * or everything is undone.
     *
     * @throws Refusal if a disk, a frontend or a listener cannot be started, or a service of that name runs already;
     *     {@link Refusal.Kind#DEVICE_FAILED} if a device failed meanwhile
     */
    public static Service start(Providers providers, ServiceSpec spec, Environment environment) throws Refusal {
        return start(
                providers, spec, environment, new Pairing(providers, spec.stateDirectory(), environment).opening());
    }

    static Service start(Providers providers, ServiceSpec spec, Environment environment, PairOpener pairs)
            throws Refusal {
        Service service = new Service(providers, spec, environment, pairs);
        try {
            service.startPhases();
            return service;
        } catch (Refusal | RuntimeException e) {
            service.undo(e);
            throw e;
        } catch (LinkageError e) {
            Refusal refusal =
                    new Refusal(Refusal.Kind.ENVIRONMENT, "a module of the installation does not fit: " + e, e);
            service.undo(refusal);
            throw refusal;
        } catch (OutOfMemoryError e) {
            Refusal refusal = new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "the host gives no thread, or no memory: " + e.getMessage()
                            + "; raise the limit of processes (ulimit -u, or TasksMax= of the service)",
                    e);
            service.undo(refusal);
            throw refusal;
        }
    }

    private void undo(Exception cause) {
        LOG.info("service '{}' does not start: {}", spec.name(), StartStack.reason(cause));
        stop(UNDO_DRAIN_MILLIS);
        if (stopFailure() != null) {
            cause.addSuppressed(stopFailure());
        }
    }

    /**
     * Binds the C library, which takes a fifth of a second: for a thread beside one that has something else to do before
     * it starts a service. Starts nothing.
     */
    public static void preload() {
        FileDeviceProvider.preload();
    }

    /** All settings that a service knows, for {@code --set} and its documentation. */
    public static List<Setting> settings(Providers providers) {
        return ServiceSettings.all(providers);
    }

    // --- the phases of the service

    /** The order of the start; that of the stop is its reverse. */
    private void startPhases() throws Refusal {
        startControl();
        startIoOpt();
        startServing();
        running = true;
        LOG.info("service '{}' serves {} at {}", spec.name(), disks.list().size(), listenerTexts());
    }

    /** First of all, so that the status can name what failed; and alone in refusing a name that is in use. */
    private void startControl() throws Refusal {
        lasting.push("control", control::close);
        control.start(
                providers,
                ControlProvider.class,
                own.control(),
                provider -> {
                    makeRunDirectory();
                    return provider.open(spec.name(), spec.runDirectory(), commands, environment, spec.settings());
                },
                0);
        Optional<Refusal> inUse = control.refusal(Refusal.Kind.BUSY);
        if (inUse.isPresent()) {
            throw inUse.get();
        }
    }

    private void makeRunDirectory() throws IOException {
        Files.createDirectories(
                spec.runDirectory(),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }

    private void startIoOpt() throws Refusal {
        io = IoPath.start(providers, spec.transport(), own, spec.settings(), environment, lasting);
    }

    /** The addresses are taken first, so that a busy one costs no disk anything; clients are let in when all disks stand. */
    private void startServing() throws Refusal {
        policy = new ChosenPolicy(providers.require(FaultPolicyProvider.class, own.policy()), spec.settings());
        parts = new ServiceParts(pairs, providers, io, policy, environment, spec.settings(), own);
        frontend = frontendProvider().open(disks, io.buffers(), environment, spec.settings());
        lasting.push("frontend", frontend::close);
        clients.push("clients", this::drain);
        for (ListenAddress address : spec.listen()) {
            Transport.Listener listener = io.transport().listen(address, frontend.sessions());
            listeners.add(listener);
            clients.push("listener " + listener.address(), listener::close);
        }
        for (DiskSpec disk : spec.disks()) {
            startDisk(disk);
        }
        listeners.forEach(Transport.Listener::start);
    }

    private FrontendProvider frontendProvider() throws Refusal {
        if (providers.all(FrontendProvider.class).isEmpty()) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "no module provides a frontend: remap-nbd is missing from the module path");
        }
        return providers.require(FrontendProvider.class, own.frontend());
    }

    /**
     * What is not answered when the time is over is answered with an error; who does not even take that is hung up on. A
     * client that does not read its answers is no failure of the stop: a request that has none is one of its disk's.
     */
    private void drain() {
        Scheduler.Cancellable end =
                environment.scheduler().schedule(() -> disks.disks().forEach(ServedDisk::endRequests), drainMillis);
        try {
            int clientsBefore = io.transport().connections();
            if (!io.transport().drain(drainMillis + ANSWER_MILLIS)) {
                LOG.warn(
                        "service '{}': hung up on those of {} clients that had not taken their answers {} ms after the stop",
                        spec.name(),
                        clientsBefore,
                        drainMillis + ANSWER_MILLIS);
            }
        } finally {
            end.cancel();
        }
    }

    // --- disks that come and go

    private ServedDisk startDisk(DiskSpec disk) throws Refusal {
        DiskTable.Entry entry = disks.reserve(disk);
        ServedDisk started = null;
        try {
            started = ServedDisk.start(disk, parts);
            if (disks.admit(entry, started)) {
                return started;
            }
            started.stop(0);
            throw new Refusal(Refusal.Kind.BUSY, "the service is stopping: disk '" + disk.name() + "' was not added");
        } finally {
            if (started == null || started.isStopped()) {
                disks.release(entry);
            }
        }
    }

    /**
     * Serves one more disk.
     *
     * @return how it stands, with the notices of its start (a spare was formatted, a sidecar made, …)
     */
    public ServiceStatus.DiskStatus addDisk(DiskSpec spec) throws Refusal {
        if (!running) {
            throw new Refusal(Refusal.Kind.BUSY, "the service is starting or stopping: it takes no disks");
        }
        return status(startDisk(spec));
    }

    /**
     * Stops serving a disk: drains, flushes, saves and closes it; the others go on. Clients of it get errors.
     *
     * @throws Refusal {@link Refusal.Kind#USAGE} if there is no such disk, {@link Refusal.Kind#DEVICE_FAILED} if
     *     something of its stop failed (it is gone all the same), or hangs
     */
    public void removeDisk(String name) throws Refusal {
        CompletableFuture<Optional<Exception>> stop = stopDisk(disks.entry(name), own.drainTimeoutMillis());
        Exception failure;
        try {
            failure = stop.get(own.drainTimeoutMillis() + own.saveTimeoutMillis(), TimeUnit.MILLISECONDS)
                    .orElse(null);
        } catch (TimeoutException e) {
            failure = new IOException("disk '" + name + "' is still stopping: a device may not answer; see the status");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            failure = e;
        } catch (ExecutionException e) {
            failure = e;
        }
        if (failure != null) {
            throw new Refusal(Refusal.Kind.DEVICE_FAILED, StartStack.reason(failure), failure);
        }
    }

    /** Stops a disk on a thread of its own, so that one that hangs keeps nobody else from being saved. */
    private CompletableFuture<Optional<Exception>> stopDisk(DiskTable.Entry entry, long drainTimeoutMillis) {
        CompletableFuture<Optional<Exception>> result = new CompletableFuture<>();
        Optional<ServedDisk> leaving = disks.leave(entry);
        if (leaving.isEmpty()) {
            // Somebody else stops it, or the thread that starts it will undo it.
            return entry.gone().thenApply(gone -> Optional.empty());
        }
        environment.scheduler().execute(() -> {
            Exception failure = leaving.get().stop(drainTimeoutMillis);
            disks.release(entry);
            result.complete(Optional.ofNullable(failure));
        });
        return result;
    }

    // --- what others see

    /** How it stands now; does not block for anything. */
    public ServiceStatus status() {
        return new StatusReport(this).build();
    }

    ServiceStatus.DiskStatus status(ServedDisk disk) {
        List<String> uris = new ArrayList<>();
        List<String> attach = new ArrayList<>();
        String export = disk.exportName();
        for (Transport.Listener listener : listeners) {
            uris.add(frontend.uri(listener.address(), export));
            attach.addAll(frontend.attachCommands(listener.address(), export));
        }
        return disk.status(uris, attach);
    }

    /** The I/O path, {@code null} until it stands. */
    IoPath io() {
        return io;
    }

    List<String> listenerTexts() {
        return listeners.stream().map(listener -> listener.address().toString()).toList();
    }

    /** The attributes of everything, by their full names. */
    List<Attribute> attributes() {
        List<Attribute> all = new ArrayList<>(control.attributes());
        IoPath path = io;
        if (path != null) {
            all.addAll(path.attributes());
        }
        Frontend protocol = frontend;
        if (protocol != null) {
            all.addAll(protocol.attributes());
        }
        ChosenPolicy rules = policy;
        if (rules != null) {
            all.addAll(rules.attributes());
        }
        for (ServedDisk disk : disks.disks()) {
            for (Attribute inner : disk.attributes()) {
                all.add(new Attribute(
                        "disk." + disk.name() + "." + inner.name(),
                        inner.unit(),
                        inner.doc(),
                        inner.get(),
                        inner.set()));
            }
        }
        return all;
    }

    /** What may be called from outside: {@link CommandTable} lists it. */
    public ControlCommands commands() {
        return commands;
    }

    /** Completed when somebody asked over the control socket that the service stops; its owner then calls {@link #stop}. */
    public CompletionStage<Void> stopRequested() {
        return stopRequest.minimalCompletionStage();
    }

    /** Tells the owner, on another thread: who asked gets an answer first. */
    void requestStop() {
        environment.scheduler().execute(() -> stopRequest.complete(null));
    }

    /**
     * Waits until the disks are stopped, at most so long.
     *
     * @return the first failure, none if all of them ended in order
     * @throws TimeoutException if they have not ended
     */
    Optional<Exception> awaitDisksStopped(long timeoutMillis) throws TimeoutException {
        try {
            return disksStopped.get(timeoutMillis, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new TimeoutException("interrupted");
        } catch (ExecutionException e) {
            throw new IllegalStateException("a failure is a result here", e);
        }
    }

    // --- stop

    /**
     * Stops: accepts no more, answers what is under way until the time is over, and the rest with an error, flushes, saves, and
     * closes everything in reverse order, each exactly once. Idempotent; later calls wait for the first.
     *
     * @param timeoutMillis for requests under way; the setting {@code save-timeout-millis} says how much longer what hangs at a
     *     device, flushing, saving and closing are waited for
     * @return whether everything ended in time and in order; if not, {@link #stopFailure} says what did not
     */
    public boolean stop(long timeoutMillis) {
        if (stopBegun.compareAndSet(false, true)) {
            running = false;
            drainMillis = timeoutMillis;
            environment.scheduler().execute(this::stopPhases);
        }
        try {
            return stopped.get(stopMillis(timeoutMillis), TimeUnit.MILLISECONDS).isEmpty();
        } catch (TimeoutException e) {
            overdue = new IOException("still waiting for " + stopping() + "; a device may not answer");
            LOG.error("service '{}': {}", spec.name(), overdue.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException e) {
            throw new IllegalStateException("a failure is a result here", e);
        }
        return false;
    }

    /**
     * How long a stop takes at most.
     *
     * @param timeoutMillis for requests under way
     */
    private long stopMillis(long timeoutMillis) {
        return timeoutMillis + ANSWER_MILLIS + own.cleanupDelayMillis() + own.saveTimeoutMillis();
    }

    /** SERVING is over for clients, then for the disks, side by side; the rest when the last of them is gone. */
    private void stopPhases() {
        LOG.info("service '{}' stops", spec.name());
        Exception withClients = clients.unwind();
        environment.scheduler().schedule(() -> stopDisks(withClients), own.cleanupDelayMillis());
    }

    /** The clients are gone: nobody waits for what may still be under way. */
    private void stopDisks(Exception withClients) {
        List<CompletableFuture<Optional<Exception>>> stops = new ArrayList<>();
        for (DiskTable.Entry entry : disks.close()) {
            stops.add(stopDisk(entry, 0));
        }
        var unused = CompletableFuture.allOf(stops.toArray(CompletableFuture[]::new))
                .thenRunAsync(
                        () -> {
                            Exception failure = withClients;
                            for (CompletableFuture<Optional<Exception>> stop : stops) {
                                failure = StartStack.first(failure, stop.join().orElse(null));
                            }
                            disksStopped.complete(Optional.ofNullable(failure));
                            failure = StartStack.first(failure, lasting.unwind());
                            LOG.info("service '{}' stopped", spec.name());
                            stopped.complete(Optional.ofNullable(failure));
                        },
                        environment.scheduler());
    }

    private String stopping() {
        List<String> waiting = new ArrayList<>();
        for (String what : List.of(clients.stopping(), lasting.stopping())) {
            if (!what.isEmpty()) {
                waiting.add(what);
            }
        }
        for (ServedDisk disk : disks.disks()) {
            waiting.add("disk '" + disk.name() + "' (" + disk.stopping() + ")");
        }
        return waiting.isEmpty() ? "a disk that starts" : String.join(", ", waiting);
    }

    /** What went wrong during the stop, {@code null} if nothing did: the first failure, the others suppressed in it. */
    public Exception stopFailure() {
        return stopped.isDone() ? stopped.join().orElse(null) : overdue;
    }

    /** How long {@link #stop()} takes at most, in milliseconds. */
    public long stopMillis() {
        return stopMillis(own.drainTimeoutMillis());
    }

    /** As {@link #stop(long)} with the time of the setting {@code drain-timeout-millis}. */
    public boolean stop() {
        return stop(own.drainTimeoutMillis());
    }

    @Override
    public void close() {
        stop();
    }
}
