package io.remap.api.spi;

import io.remap.api.Attribute;
import io.remap.api.DeviceIo;
import java.util.List;

/**
 * Executes transfers. Deadlines, recovery and the error policy are not its business: it reports what the device said.
 * Thread-safe.
 */
public interface IoEngine extends AutoCloseable {
    /**
     * Executes the transfer now or later, on the calling thread or another, and completes it exactly once. Only an error in
     * the program, of an engine that executes it on the calling thread, reaches the caller instead.
     *
     * @throws IllegalStateException if the engine is closed; the transfer is not completed then
     */
    void submit(DeviceIo io);

    /** What it publishes while it is open, under a prefix of its own. */
    default List<Attribute> attributes() {
        return List.of();
    }

    /**
     * Stops taking transfers and waits for those under way. An engine may give up waiting for a device that hangs, after a limit
     * of its own, and completes what it left once the device answers. Idempotent.
     */
    @Override
    void close();
}
