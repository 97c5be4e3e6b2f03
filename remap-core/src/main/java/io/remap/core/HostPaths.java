package io.remap.core;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/**
 * Where this user's services keep their files over restarts. (Sockets of running services have a place of their own,
 * which the control feature guards.)
 *
 * @param stateDirectory witnesses: {@code $REMAP_STATE_DIR}, {@code /var/lib/remap} as root, else
 *     {@code $XDG_STATE_HOME/remap} or {@code ~/.local/state/remap}; absolute
 */
public record HostPaths(Path stateDirectory) {
    private static final String DIRECTORY = "remap";
    private static final Path SYSTEM_STATE = Path.of("/var/lib", DIRECTORY);
    private static final int ROOT_UID = 0;

    /** The paths of the user who runs this process. */
    public static HostPaths ofThisUser() {
        return of(System.getenv(), isRoot(), System.getProperty("user.home"));
    }

    static HostPaths of(Map<String, String> variables, boolean root, String home) {
        String chosen = variables.getOrDefault("REMAP_STATE_DIR", "");
        if (!chosen.isEmpty()) {
            return new HostPaths(Path.of(chosen).toAbsolutePath());
        }
        if (root) {
            return new HostPaths(SYSTEM_STATE);
        }
        // The XDG Base Directory Specification: a relative path in its variables is ignored.
        Path state = Path.of(variables.getOrDefault("XDG_STATE_HOME", ""));
        if (!state.isAbsolute()) {
            state = Path.of(home).toAbsolutePath().resolve(".local").resolve("state");
        }
        return new HostPaths(state.resolve(DIRECTORY));
    }

    /**
     * Where files may be that end with this start of the machine: {@code $XDG_RUNTIME_DIR/remap}, as root {@code /run/remap};
     * empty if there is no such place.
     */
    static Optional<Path> runDirectory() {
        return runDirectory(System.getenv(), isRoot());
    }

    static Optional<Path> runDirectory(Map<String, String> variables, boolean root) {
        Path chosen = Path.of(variables.getOrDefault("XDG_RUNTIME_DIR", ""));
        if (chosen.isAbsolute()) {
            return Optional.of(chosen.resolve(DIRECTORY));
        }
        return root ? Optional.of(Path.of("/run", DIRECTORY)) : Optional.empty();
    }

    /** Which start of this machine it is. */
    static UUID bootId() throws IOException {
        return UUID.fromString(
                Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).trim());
    }

    /** Whether the effective user is root: it owns what the kernel shows of this process. */
    private static boolean isRoot() {
        try {
            return Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(ROOT_UID);
        } catch (IOException e) {
            throw new UncheckedIOException("/proc is not mounted, so the user of this process is unknown", e);
        }
    }
}
