package io.remap.api.spi;

import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.Settings;

/** Provides an I/O engine. */
public interface IoEngineProvider extends Provider {
    IoEngine open(Environment environment, Settings settings) throws Refusal;
}
