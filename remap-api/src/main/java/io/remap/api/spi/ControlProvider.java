package io.remap.api.spi;

import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import java.nio.file.Path;

/** Makes a running service visible and steerable from outside. */
public interface ControlProvider extends Provider {
    /**
     * Starts to answer.
     *
     * @param serviceName name of the service, safe as a file name
     * @param runDirectory private directory of this user's services; exists
     * @param commands what may be called
     */
    Feature open(
            String serviceName, Path runDirectory, ControlCommands commands, Environment environment, Settings settings)
            throws Refusal;
}
