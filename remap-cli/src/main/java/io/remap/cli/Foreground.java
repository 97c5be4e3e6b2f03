package io.remap.cli;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * The end of a command that runs in the foreground until a signal: it stops in order and ends with a status of its own,
 * where a Java process that a signal ends has none.
 */
final class Foreground {
    /** A command with such an end. */
    interface Command {
        Foreground foreground();
    }

    /** After this a stop that hangs on a device ends with a status of failure, if it may not take longer. */
    private static final long STOP_HARD_MILLIS = 60_000;

    /** For what comes after the stop itself. */
    private static final long MARGIN_MILLIS = 10_000;

    private volatile long hardMillis = STOP_HARD_MILLIS;
    private final CompletableFuture<String> stopAsked = new CompletableFuture<>();
    private final CompletableFuture<Integer> ended = new CompletableFuture<>();

    /** From now on SIGTERM, SIGINT and SIGHUP ask for the stop. */
    void begin() {
        Runtime.getRuntime().addShutdownHook(new Thread(this::onSignal, "remap-stop"));
    }

    /** The stop may take so long, by the settings. */
    void stopTakes(long millis) {
        hardMillis = Math.max(STOP_HARD_MILLIS, millis + MARGIN_MILLIS);
    }

    /** Asks for the stop. */
    void stop(String why) {
        stopAsked.complete(why);
    }

    /** Waits until it is asked for the stop, and says why. */
    String awaitStop() {
        return stopAsked.join();
    }

    /** The command is over and its message was printed; a signal that came meanwhile ends with its status. */
    void finished(int status) {
        ended.complete(status);
    }

    /** Runs beside the thread that serves, and also when that one has ended by itself. */
    private void onSignal() {
        if (ended.isDone()) {
            return;
        }
        stop("signal");
        int status = ended.completeOnTimeout(ExitStatus.DEVICE_FAILED, hardMillis, TimeUnit.MILLISECONDS)
                .join();
        Runtime.getRuntime().halt(status);
    }
}
