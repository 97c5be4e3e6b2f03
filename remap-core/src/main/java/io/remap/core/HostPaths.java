package io.remap.core;

import java.nio.file.Path;
import java.util.Map;

/**
 * Where this user's services keep their files.
 *
 * @param runDirectory sockets of running services: {@code $XDG_RUNTIME_DIR/remap}, {@code /run/remap} as root
 * @param stateDirectory witnesses, kept over restarts: {@code $REMAP_STATE_DIR}, {@code /var/lib/remap} as root,
 *     {@code $XDG_STATE_HOME/remap} or {@code ~/.local/state/remap}
 */
public record HostPaths(Path runDirectory, Path stateDirectory) {
    /** The paths of the user who runs this process. */
    public static HostPaths ofThisUser() {
        return of(System.getenv(), isRoot(), System.getProperty("user.home"), System.getProperty("java.io.tmpdir"));
    }

    static HostPaths of(Map<String, String> variables, boolean root, String home, String temporary) {
        return Unbuilt.value(HostPaths.class);
    }

    private static boolean isRoot() {
        return Unbuilt.value(HostPaths.class) != null;
    }
}
