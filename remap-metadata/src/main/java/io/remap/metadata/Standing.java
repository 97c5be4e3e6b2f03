package io.remap.metadata;

import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import io.remap.api.FeatureState;
import io.remap.api.FeatureStatus;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataStore.Outcome;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether an open store may be written, and why not: it is read-only, it is closed, or it has failed.
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>Once it has failed nothing is written any more.
 *   <li>Who is to hear that another server has taken the spare over does so, whether he asked before or after that.
 * </ul>
 *
 * <p>Thread-safe; {@link #failed} in a turn of the store.
 */
final class Standing {
    private static final Logger LOG = LoggerFactory.getLogger(Standing.class);

    private final Turns turns;
    private final boolean readOnly;
    private final Supplier<String> name;
    private volatile DeviceException failure;
    private volatile boolean takenOver;
    private volatile Runnable whenTakenOver = () -> {};

    /**
     * @param turns closed with the store
     * @param name of the spare that it was opened from
     */
    Standing(Turns turns, boolean readOnly, Supplier<String> name) {
        this.turns = turns;
        this.readOnly = readOnly;
        this.name = name;
    }

    boolean isReadOnly() {
        return readOnly;
    }

    /** Why it has failed, {@code null} if it has not. */
    DeviceException failure() {
        return failure;
    }

    boolean mayWrite() {
        return refusal() == null;
    }

    /** How a commit ends that comes now, {@code null} if it may become durable. */
    Outcome refusal() {
        if (readOnly || turns.isClosed()) {
            return Outcome.NOT_COMMITTED;
        }
        return failure != null ? Outcome.STORE_FAILED : null;
    }

    /** Why nothing can be written, {@code null} if it can. */
    Refusal refusalToWrite() {
        DeviceException error = failure;
        if (error != null) {
            return new Refusal(
                    Refusal.Kind.DEVICE_FAILED, "the metadata has failed, and is not written: " + error.getMessage());
        }
        if (turns.isClosed()) {
            return stopping();
        }
        return readOnly ? new Refusal(Refusal.Kind.USAGE, name.get() + " is open read-only: nothing is written") : null;
    }

    /** Of what comes too late. */
    Refusal stopping() {
        return new Refusal(Refusal.Kind.BUSY, name.get() + ": the spare is being given up");
    }

    /** Nothing is written any more. */
    void failed(DeviceException error) {
        failure = error;
        LOG.error("{}: no mapping can be made any more: {}", name.get(), error.getMessage());
        if (error.errorClass() == ErrorClass.RESERVED) {
            takenOver = true;
            whenTakenOver.run();
        }
    }

    /** A mistake of ours. What it has left half done is not known, so that nobody goes on from there. */
    void failed(RuntimeException error) {
        LOG.error("{}: an error in the program", name.get(), error);
        failed(new DeviceException(
                name.get(),
                "write",
                0,
                0,
                Errno.NONE,
                ErrorClass.INTERNAL,
                "an error in the program: " + error,
                error));
    }

    /** Runs it once another server has taken the spare over. */
    void whenTakenOver(Runnable stop) {
        whenTakenOver = stop;
        if (takenOver) {
            stop.run();
        }
    }

    /** {@code detail}: what there is to say of one that is as it should be. */
    FeatureStatus status(String detail) {
        DeviceException error = failure;
        if (turns.isClosed()) {
            return FeatureStatus.of("metadata", FeatureState.STOPPED, "");
        }
        if (error != null) {
            return FeatureStatus.of("metadata", FeatureState.FAILED, error.getMessage());
        }
        return FeatureStatus.of("metadata", FeatureState.STARTED, readOnly ? "read-only" : detail);
    }
}
