package io.remap.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;

class HostPathsTest {
    private static Path state(Map<String, String> variables, boolean root) {
        return HostPaths.of(variables, root, "/home/ann").stateDirectory();
    }

    @Test
    void theChosenDirectoryComesFirst() {
        Map<String, String> chosen = Map.of("REMAP_STATE_DIR", "/srv/state", "XDG_STATE_HOME", "/x");
        assertEquals(Path.of("/srv/state"), state(chosen, true));
        assertEquals(Path.of("/srv/state"), state(chosen, false));
        assertEquals(Path.of("here").toAbsolutePath(), state(Map.of("REMAP_STATE_DIR", "here"), true));
    }

    @Test
    void thenThePlaceOfTheSystemOrOfTheUser() {
        assertEquals(Path.of("/var/lib/remap"), state(Map.of("XDG_STATE_HOME", "/x"), true));
        assertEquals(Path.of("/x/remap"), state(Map.of("XDG_STATE_HOME", "/x"), false));
        assertEquals(Path.of("/home/ann/.local/state/remap"), state(Map.of(), false));
        assertEquals(Path.of("/home/ann/.local/state/remap"), state(Map.of("XDG_STATE_HOME", "relative"), false));
        assertEquals(Path.of("/var/lib/remap"), state(Map.of("REMAP_STATE_DIR", ""), true));
    }

    @Test
    void thisUserHasOne() {
        assertTrue(HostPaths.ofThisUser().stateDirectory().isAbsolute());
    }
}
