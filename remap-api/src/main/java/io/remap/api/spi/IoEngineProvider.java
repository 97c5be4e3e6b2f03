package io.remap.api.spi;

import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.Settings;

/** Provides an I/O engine. */
public interface IoEngineProvider extends Provider {
    /**
     * Opens an engine that takes transfers at once.
     *
     * @param environment time, and a scheduler whose tasks may block
     * @throws Refusal if a setting is wrong or the environment lacks something (a kernel without io_uring, say)
     */
    IoEngine open(Environment environment, Settings settings) throws Refusal;
}
