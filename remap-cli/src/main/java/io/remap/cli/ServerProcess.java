package io.remap.cli;

import io.remap.api.Refusal;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * A {@code remap serve} in a process of its own: this very program, started as this one was. Closing it kills it, if it
 * still runs.
 */
final class ServerProcess implements AutoCloseable {
    private static final String MAIN_CLASS = "io.remap.cli/io.remap.cli.Main";
    private static final long START_MILLIS = 60_000;
    private static final int MAX_LINES = 200;
    private static final int MAX_OUTPUT_BYTES = 1 << 20;
    /** Lines of the log that are told when something went wrong. */
    private static final int TOLD_LINES = 3;

    /** File with what the processes say on stderr. */
    static final String LOG = "remap.log";

    private final Process process;
    private final List<String> output;
    private final Thread reader;

    private ServerProcess(Process process, List<String> output, Thread reader) {
        this.process = process;
        this.output = output;
        this.reader = reader;
    }

    /**
     * Starts it and waits until it serves; an early end is a {@link Refusal} with what it said.
     *
     * @param directory its working directory; what it logs goes to {@link #LOG} there
     */
    static ServerProcess start(List<String> arguments, Path directory, Map<String, String> environment)
            throws IOException {
        List<String> words = new ArrayList<>(List.of(ServeCommand.NAME));
        words.addAll(arguments);
        Process process = launch(words, directory, environment);
        List<String> output = new ArrayList<>();
        CompletableFuture<Boolean> ready = new CompletableFuture<>();
        Thread reader = new Thread(() -> collect(process, output, ready), "remap-server-output");
        reader.setDaemon(true);
        reader.start();
        ServerProcess server = new ServerProcess(process, output, reader);
        boolean served = false;
        try {
            served = ready.get(START_MILLIS, TimeUnit.MILLISECONDS);
        } catch (TimeoutException | ExecutionException e) {
            synchronized (output) {
                output.add("it did not get ready within " + START_MILLIS / 1000 + " s");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        if (!served) {
            server.close();
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT, "the server did not start: " + server.output() + " " + tail(directory));
        }
        return server;
    }

    /** Runs a short command to its end; a status other than 0 is a {@link Refusal} with what it said. */
    static void runOnce(List<String> arguments, Path directory, Map<String, String> environment) throws IOException {
        Process process = launch(arguments, directory, environment);
        try {
            process.getInputStream().readNBytes(MAX_OUTPUT_BYTES);
            int status = process.waitFor();
            if (status != ExitStatus.OK) {
                throw new Refusal(
                        Refusal.Kind.ENVIRONMENT,
                        "remap " + arguments.get(0) + " ended with status " + status + ": " + tail(directory));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static String tail(Path directory) throws IOException {
        List<String> lines = Files.readAllLines(directory.resolve(LOG));
        return String.join(" / ", lines.subList(Math.max(0, lines.size() - TOLD_LINES), lines.size()));
    }

    private static Process launch(List<String> arguments, Path directory, Map<String, String> environment)
            throws IOException {
        List<String> command = ownCommand();
        command.addAll(arguments);
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(directory.toFile())
                .redirectError(Redirect.appendTo(directory.resolve(LOG).toFile()));
        builder.environment().putAll(environment);
        Process process = builder.start();
        process.getOutputStream().close();
        return process;
    }

    /** The command line of this process up to its main class. */
    private static List<String> ownCommand() throws IOException {
        String line = Files.readString(Path.of("/proc/self/cmdline"), StandardCharsets.UTF_8);
        List<String> words = Arrays.asList(line.split("\0", -1));
        int main = words.indexOf(MAIN_CLASS);
        if (main < 0) {
            throw new IOException("this program was not started as the module " + MAIN_CLASS);
        }
        return new ArrayList<>(words.subList(0, main + 1));
    }

    private static void collect(Process process, List<String> output, CompletableFuture<Boolean> ready) {
        try (BufferedReader lines =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                synchronized (output) {
                    if (output.size() == MAX_LINES) {
                        output.remove(MAX_LINES / 2);
                    }
                    output.add(line);
                }
                if (line.equals(ServeCommand.READY)) {
                    ready.complete(true);
                }
            }
        } catch (IOException e) {
            // The process is gone; what it said before is kept.
        }
        ready.complete(false);
    }

    /** What it printed: the first and the last lines. */
    List<String> output() {
        synchronized (output) {
            return List.copyOf(output);
        }
    }

    /** What it printed last, after its end. */
    String lastLine() throws InterruptedException {
        reader.join(START_MILLIS);
        List<String> lines = output();
        return lines.isEmpty() ? "it said nothing" : lines.get(lines.size() - 1);
    }

    /** Asks it to end, as {@code kill} does. */
    void terminate() {
        // Not by Process.destroy(): that closes our end of its output as well, and its last words would be lost.
        process.toHandle().destroy();
    }

    long pid() {
        return process.pid();
    }

    /** Kills it as {@code kill -9} does, and waits until it is gone. */
    void kill() throws InterruptedException {
        process.destroyForcibly();
        process.waitFor();
    }

    /** Waits for its end and returns its exit status. */
    int await(long timeoutMillis) throws InterruptedException, IOException {
        if (!process.waitFor(timeoutMillis, TimeUnit.MILLISECONDS)) {
            throw new IOException("the server (process " + pid() + ") did not end within " + timeoutMillis + " ms");
        }
        return process.exitValue();
    }

    @Override
    public void close() {
        process.destroyForcibly();
        try {
            process.waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
