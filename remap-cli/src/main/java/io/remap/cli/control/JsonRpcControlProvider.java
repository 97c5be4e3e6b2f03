package io.remap.cli.control;

import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.api.spi.ControlCommands;
import io.remap.api.spi.ControlProvider;
import io.remap.api.spi.Feature;
import java.nio.file.Path;

/** Control by JSON-RPC 2.0, one JSON object per line, over a Unix socket that only the owner and root may use. */
public final class JsonRpcControlProvider implements ControlProvider {
    public static final String NAME = "json-rpc";

    public JsonRpcControlProvider() {}

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String description() {
        return "attributes and commands as JSON-RPC 2.0 over a private Unix socket";
    }

    @Override
    public Feature open(
            String serviceName, Path runDirectory, ControlCommands commands, Environment environment, Settings settings)
            throws Refusal {
        return ControlServer.start(serviceName, runDirectory, commands, environment);
    }
}
