package io.remap.cli;

import io.remap.api.Refusal;
import io.remap.cli.control.ControlClient;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Stops a service and waits until it is gone. */
@Command(
        name = "stop",
        header = "Stop a service.",
        description = {
            "Asks the service to answer what is under way, to flush and to save, and waits until it has ended.",
            "",
            "Example: remap stop disk.img",
            ""
        })
final class StopCommand extends Verb {
    @Parameters(paramLabel = "NAME", description = "Name of the service; 'remap status' shows it.")
    String name;

    @Option(
            names = "--timeout",
            paramLabel = "SECONDS",
            defaultValue = "60",
            description = "Wait at most so long (${DEFAULT-VALUE}).")
    long timeoutSeconds;

    /** Made by picocli. */
    StopCommand() {}

    @Override
    int run() throws Exception {
        Services.Found service = Services.ofThisUser().find(name);
        stop(service, timeoutSeconds * 1000);
        out().println("stopped " + name);
        return ExitStatus.OK;
    }

    /** Asks a service to stop and waits until its process has ended. */
    static void stop(Services.Found service, long timeoutMillis) throws Refusal, NotSo, InterruptedException {
        Optional<ProcessHandle> process;
        long pid;
        try (ControlClient client = service.connect()) {
            Map<?, ?> status = (Map<?, ?>) client.call("status", Map.of(), Services.ANSWER_MILLIS);
            pid = ((Number) status.get("pid")).longValue();
            process = ProcessHandle.of(pid);
            client.call("stop", Map.of(), Services.ANSWER_MILLIS);
        }
        if (process.isEmpty()) {
            return;
        }
        try {
            process.get().onExit().get(timeoutMillis, TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new NotSo("service '" + service.name() + "' (process " + pid + ") is still stopping after "
                    + timeoutMillis / 1000 + " s: a device may not answer; see 'remap status " + service.name() + "'");
        } catch (ExecutionException e) {
            throw new IllegalStateException("the end of process " + pid + " cannot be awaited", e.getCause());
        }
    }
}
