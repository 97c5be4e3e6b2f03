package io.remap.api.spi;

import io.remap.api.BufferPool;
import io.remap.api.Environment;
import io.remap.api.Exports;
import io.remap.api.Refusal;
import io.remap.api.Settings;

/** Provides a block protocol. */
public interface FrontendProvider extends Provider {
    Frontend open(Exports exports, BufferPool buffers, Environment environment, Settings settings) throws Refusal;
}
