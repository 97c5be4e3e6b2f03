package io.remap.api.spi;

import io.remap.api.Attribute;
import io.remap.api.FeatureStatus;
import java.util.List;

/**
 * A started optional part of the service. Thread-safe: what it tells is asked for by the threads that serve the control
 * socket, several at a time, and must be told without waiting for a device.
 */
public interface Feature extends AutoCloseable {
    /** How it is and what its parts are doing. */
    FeatureStatus status();

    /** What it shows of itself. */
    List<Attribute> attributes();

    /** What it answers over the control socket, as long as it stands. */
    default List<FeatureCommand> commands() {
        return List.of();
    }

    /** Stops it; does not throw, does not interrupt file I/O. Idempotent. */
    @Override
    void close();
}
