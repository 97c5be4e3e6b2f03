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
            "Asks the service to answer what is under way, to flush and to save, and waits until it has ended. Exit status 7 "
                    + "and the reason if something could not be flushed or saved.",
            "",
            "Example: remap stop disk.img",
            ""
        })
final class StopCommand extends Verb {
    private static final long MAX_TIMEOUT_SECONDS = 3600;

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
        if (timeoutSeconds < 1 || timeoutSeconds > MAX_TIMEOUT_SECONDS) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "--timeout " + timeoutSeconds + ": expected 1 to " + MAX_TIMEOUT_SECONDS + " seconds");
        }
        stop(service, timeoutSeconds * 1000);
        out().println("stopped " + name);
        return ExitStatus.OK;
    }

    /**
     * Asks a service to stop and waits until its process has ended.
     *
     * @throws Refusal {@link Refusal.Kind#DEVICE_FAILED} if it ended, but not in order
     * @throws NotSo if it has not ended in time
     */
    static void stop(Services.Found service, long timeoutMillis) throws Refusal, NotSo, InterruptedException {
        long deadlineNanos = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
        String failure;
        long pid;
        Optional<ProcessHandle> process;
        try (ControlClient client = service.connect()) {
            Map<?, ?> status = (Map<?, ?>) client.call("status", Map.of(), Services.ANSWER_MILLIS);
            pid = StatusText.number(status, "pid");
            process = ProcessHandle.of(pid);
            client.call("stop", Map.of(), Services.ANSWER_MILLIS);
            failure = awaitOutcome(client, timeoutMillis);
        }
        if (process.isPresent()) {
            awaitEnd(process.get(), service, Math.max(1, (deadlineNanos - System.nanoTime()) / 1_000_000));
        }
        if (failure != null) {
            throw new Refusal(
                    Refusal.Kind.DEVICE_FAILED,
                    "service '" + service.name() + "' stopped, but not in order: " + failure);
        }
    }

    /** What went wrong with the disks, {@code null} if nothing did or they have not ended in time. */
    private static String awaitOutcome(ControlClient client, long timeoutMillis) {
        try {
            Map<?, ?> outcome = (Map<?, ?>) client.call(
                    "stop.wait", Map.of("timeoutMillis", timeoutMillis), timeoutMillis + Services.ANSWER_MILLIS);
            return (String) outcome.get("failure");
        } catch (Refusal e) {
            return "it ended without saying how (" + e.getMessage() + "); its log may tell";
        }
    }

    private static void awaitEnd(ProcessHandle process, Services.Found service, long timeoutMillis)
            throws NotSo, InterruptedException {
        try {
            process.onExit().get(timeoutMillis, TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new NotSo("service '" + service.name() + "' (process " + process.pid()
                    + ") is still stopping: a device may not answer; see 'remap status " + service.name() + "'");
        } catch (ExecutionException e) {
            throw new IllegalStateException("the end of process " + process.pid() + " cannot be awaited", e.getCause());
        }
    }
}
