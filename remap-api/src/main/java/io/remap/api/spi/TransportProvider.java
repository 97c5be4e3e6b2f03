package io.remap.api.spi;

import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.Settings;

/** Provides a transport. */
public interface TransportProvider extends Provider {
    /**
     * Starts the transport; it accepts nothing before {@link Transport#listen}.
     *
     * @throws Refusal if it cannot work here (a native library is missing); the service then runs on another one
     */
    Transport open(Environment environment, Settings settings) throws Refusal;
}
