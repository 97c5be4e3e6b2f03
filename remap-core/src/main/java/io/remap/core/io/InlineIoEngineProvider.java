package io.remap.core.io;

import io.remap.api.Environment;
import io.remap.api.Settings;
import io.remap.api.spi.IoEngine;
import io.remap.api.spi.IoEngineProvider;

/** The engine that runs each transfer on the thread that asks for it. */
public final class InlineIoEngineProvider implements IoEngineProvider {
    @Override
    public String name() {
        return "inline";
    }

    @Override
    public String description() {
        return "each transfer on the thread that asks for it";
    }

    @Override
    public IoEngine open(Environment environment, Settings settings) {
        return new InlineIoEngine();
    }
}
