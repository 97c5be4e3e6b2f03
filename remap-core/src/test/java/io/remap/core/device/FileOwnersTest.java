package io.remap.core.device;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What people are told of who keeps a file from us. */
class FileOwnersTest {
    @TempDir
    Path directory;

    private final String own = Long.toString(ProcessHandle.current().pid());

    @Test
    void aServiceOfRemapIsNamedWithTheCommandThatStopsIt() throws IOException {
        Path run = Files.createDirectory(directory.toRealPath().resolve("remap"));
        try (FileChannel lock =
                FileChannel.open(run.resolve("a.b.lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            assertEquals(
                    "process " + own + " (remap); stop that one first: XDG_RUNTIME_DIR='" + run.getParent()
                            + "' remap stop a.b",
                    FileOwners.processToStop(own));
            assertEquals(0, lock.size());
        }
    }

    @Test
    void anyOtherProcessIsNamedAsTheSystemDoes() throws IOException {
        String name = Files.readString(Path.of("/proc/self/comm")).trim();
        assertEquals("process " + own + " (" + name + "); stop that one first", FileOwners.processToStop(own));
    }
}
