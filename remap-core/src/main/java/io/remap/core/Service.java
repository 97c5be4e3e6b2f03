package io.remap.core;

import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.Setting;
import io.remap.api.spi.ControlCommands;
import java.util.List;
import java.util.concurrent.CompletionStage;

/**
 * A running service: disks served to clients.
 *
 * <p>Start and stop go by phases, in two scopes: the service CONTROL → IO_OPT → SERVING, each disk DEVICES → METADATA →
 * MAPPING → HEALTH; stop is the reverse. Control, I/O-opt and health are optional: if they do not start, the status says
 * why and the service runs without them. Thread-safe.
 */
public final class Service implements AutoCloseable {
    private Service() {}

    /**
     * Starts a service with the disks of the specification, and then accepts clients. Either all of it stands on return
     * or everything is undone.
     *
     * @throws Refusal if a disk, a frontend or a listener cannot be started; {@link Refusal.Kind#DEVICE_FAILED} if a
     *     device failed meanwhile
     */
    public static Service start(Providers providers, ServiceSpec spec, Environment environment) throws Refusal {
        return Unbuilt.value(Service.class);
    }

    /** All settings that a service knows, for {@code --set} and its documentation. */
    public static List<Setting> settings(Providers providers) {
        return Unbuilt.value(Service.class);
    }

    /**
     * Serves one more disk.
     *
     * @return how it stands, with the notices of its start (a spare was formatted, a sidecar made, …)
     */
    public ServiceStatus.DiskStatus addDisk(DiskSpec spec) throws Refusal {
        return Unbuilt.value(Service.class);
    }

    /**
     * Stops serving a disk: drains, flushes, saves and closes it; the others go on. Clients of it get errors.
     *
     * @throws Refusal {@link Refusal.Kind#USAGE} if there is no such disk, {@link Refusal.Kind#DEVICE_FAILED} if
     *     something of its stop failed (it is gone all the same)
     */
    public void removeDisk(String name) throws Refusal {
        Unbuilt.value(Service.class);
    }

    /** How it stands now; does not block for anything. */
    public ServiceStatus status() {
        return Unbuilt.value(Service.class);
    }

    /**
     * What may be called from outside.
     *
     * <ul>
     *   <li>{@code status} → {@link ServiceStatus#toMap()}
     *   <li>{@code disks} → the {@code disks} of the status
     *   <li>{@code attributes} {@code [prefix]} → list of {@code {name, unit, doc, value, settable}}
     *   <li>{@code attribute.get} {@code name} → one of these
     *   <li>{@code attribute.set} {@code name, value} → the same, afterwards
     *   <li>{@code map.list} {@code [disk] [first] [limit]} → {@code {disk, sectorBytes, entries: [{first, length, state,
     *       …}], next}}; {@code next} is the sector to go on with, {@code null} at the end
     *   <li>{@code map.add} {@code [disk] first length [unreadable]} → {@code {disk, first, length}} when it is durable
     *   <li>{@code map.remove} {@code [disk] first length} → the same
     *   <li>{@code disk.add} {@code main [spare] [name] [export] [readOnly]} → the disk's status
     *   <li>{@code disk.remove} {@code disk} → {@code {removed: name}}
     *   <li>{@code plugins} → list of {@code {role, name, module, description}}
     *   <li>{@code stop} → {@code {stopping: true}}; the owner of the service is told by {@link #stopRequested()}
     * </ul>
     *
     * {@code disk} may be left out if there is only one.
     */
    public ControlCommands commands() {
        return Unbuilt.value(Service.class);
    }

    /** Completed when somebody asked over the control socket that the service stops; its owner then calls {@link #stop}. */
    public CompletionStage<Void> stopRequested() {
        return Unbuilt.value(Service.class);
    }

    /**
     * Stops: accepts no more, answers what is under way until the time is over, flushes, saves, and closes everything in
     * reverse order, each exactly once. Idempotent; later calls wait for the first.
     *
     * @return whether everything ended in time and in order; if not, {@link #stopFailure} says what did not
     */
    public boolean stop(long timeoutMillis) {
        return Unbuilt.value(Service.class) != null;
    }

    /** What went wrong during the stop, {@code null} if nothing did: the first failure, the others suppressed in it. */
    public Exception stopFailure() {
        return Unbuilt.value(Service.class);
    }

    /** As {@link #stop} with the default time. */
    @Override
    public void close() {
        Unbuilt.value(Service.class);
    }
}
