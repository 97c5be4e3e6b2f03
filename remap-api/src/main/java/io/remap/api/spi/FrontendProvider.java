package io.remap.api.spi;

import io.remap.api.BufferPool;
import io.remap.api.Environment;
import io.remap.api.Exports;
import io.remap.api.Refusal;
import io.remap.api.Settings;

/** Provides a block protocol. */
public interface FrontendProvider extends Provider {
    /**
     * Opens it; it serves nothing until a transport asks it for sessions.
     *
     * @param exports what there is to serve, which changes while the service runs
     * @param buffers memory of payloads, of which it keeps none that no request needs
     * @throws Refusal if a setting is wrong or the environment lacks something
     */
    Frontend open(Exports exports, BufferPool buffers, Environment environment, Settings settings) throws Refusal;
}
