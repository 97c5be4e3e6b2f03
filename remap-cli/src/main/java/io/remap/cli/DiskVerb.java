package io.remap.cli;

import io.remap.cli.control.ControlClient;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Base of the commands about one disk of a running service. */
abstract class DiskVerb extends Verb {
    @Option(names = "--disk", paramLabel = "DISK", description = "Which disk, if the service has several.")
    String disk;

    @Mixin
    final JsonOption json = new JsonOption();

    /** The argument that chooses the disk. */
    final Map<String, Object> which() {
        return disk == null ? Map.of() : Map.of("disk", disk);
    }

    /** Calls a command of the service of a name, or of the only one. */
    final Map<?, ?> call(String service, String command, Map<String, Object> more, long waitMillis) throws Exception {
        Map<String, Object> arguments = new LinkedHashMap<>(which());
        arguments.putAll(more);
        try (ControlClient client = Services.ofThisUser().findOrOnly(service).connect()) {
            return (Map<?, ?>) client.call(command, arguments, waitMillis);
        }
    }
}
