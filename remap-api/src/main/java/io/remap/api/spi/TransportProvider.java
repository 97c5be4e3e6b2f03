package io.remap.api.spi;

import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import java.util.List;

/** Provides a transport. */
public interface TransportProvider extends Provider {
    /**
     * Names of the I/O engines that never make the threads of this transport wait for a device, the preferred first: it is
     * opened only if one of them executes its work. Empty if its threads may wait: any engine will do.
     */
    default List<String> engines() {
        return List.of();
    }

    /**
     * Starts the transport; it accepts nothing before {@link Transport#listen}.
     *
     * @throws Refusal if it cannot work here (a native library is missing); the service then runs on another one
     */
    Transport open(Environment environment, Settings settings) throws Refusal;
}
