package io.remap.cli;

import io.remap.api.Refusal;
import io.remap.cli.control.ControlClient;
import io.remap.cli.control.RunDirectory;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Finds the running services of this user. */
final class Services {
    /** For commands that answer from memory. */
    static final long ANSWER_MILLIS = 10_000;

    /** For commands that read or move what stands on devices, with flushes between: a slow one takes minutes. */
    static final long DEVICE_MILLIS = 600_000;

    /** A running service. */
    record Found(Path directory, String name) {
        ControlClient connect() throws Refusal {
            return ControlClient.connect(directory, name);
        }
    }

    private final Map<String, String> environment;

    Services(Map<String, String> environment) {
        this.environment = environment;
    }

    /** Those of this process's environment. */
    static Services ofThisUser() {
        return new Services(System.getenv());
    }

    /** Every service that answers, by name. */
    List<Found> running() throws Refusal {
        List<Found> found = new ArrayList<>();
        for (Path directory : existingDirectories()) {
            for (String name : RunDirectory.names(directory)) {
                if (ControlClient.isRunning(directory, name)) {
                    found.add(new Found(directory, name));
                }
            }
        }
        return found;
    }

    /** The service of a name. */
    Found find(String name) throws Refusal, NotSo {
        RunDirectory.checkName(name);
        for (Path directory : existingDirectories()) {
            if (ControlClient.isRunning(directory, name)) {
                return new Found(directory, name);
            }
        }
        throw new NotSo("no service named '" + name + "' is running" + others());
    }

    /** The service of a name; without one, the only service that runs. */
    Found findOrOnly(String name) throws Refusal, NotSo {
        if (name != null) {
            return find(name);
        }
        List<Found> running = running();
        if (running.isEmpty()) {
            throw new NotSo("no service is running" + others());
        }
        if (running.size() > 1) {
            throw new Refusal(
                    Refusal.Kind.USAGE, "several services are running: " + names(running) + "; say which one you mean");
        }
        return running.get(0);
    }

    private String others() throws Refusal {
        List<Found> running = running();
        return running.isEmpty()
                ? " (looked in "
                        + String.join(
                                ", ",
                                RunDirectory.search(environment).stream()
                                        .map(Path::toString)
                                        .toList())
                        + "; services of another user are not shown)"
                : "; running: " + names(running);
    }

    private static String names(List<Found> services) {
        return String.join(", ", services.stream().map(Found::name).toList());
    }

    private List<Path> existingDirectories() throws Refusal {
        List<Path> existing = new ArrayList<>();
        for (Path directory : RunDirectory.search(environment)) {
            if (Files.exists(directory, LinkOption.NOFOLLOW_LINKS)) {
                RunDirectory.check(directory);
                existing.add(directory);
            }
        }
        return existing;
    }
}
