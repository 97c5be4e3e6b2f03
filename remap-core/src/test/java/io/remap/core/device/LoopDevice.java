package io.remap.core.device;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A real block device for tests: an image behind a loop device. Needs root and losetup, see {@link #available}. */
final class LoopDevice implements AutoCloseable {
    private static final long MAX_COMMAND_SECONDS = 30;

    /** Found out once, by attaching one: a container may have root and no loop devices. */
    private static final boolean AVAILABLE = tryOne();

    final String node;

    private LoopDevice(String node) {
        this.node = node;
    }

    /** Whether loop devices are to be had here. */
    static boolean available() {
        return AVAILABLE;
    }

    /** Skips the test where they are not. */
    static void require() {
        assumeTrue(AVAILABLE, "no loop devices are to be had here (root and losetup)");
    }

    private static boolean tryOne() {
        try {
            Path image = Files.createTempFile("remap-loop", ".img");
            try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
                file.setLength(1 << 20);
                attach(image).close();
                return true;
            } finally {
                Files.delete(image);
            }
        } catch (IOException e) {
            return false;
        }
    }

    static LoopDevice attach(Path image, String... options) throws IOException {
        List<String> command = new ArrayList<>(List.of("losetup", "--find", "--show"));
        command.addAll(List.of(options));
        command.add(image.toString());
        return new LoopDevice(run(command.toArray(String[]::new)).trim());
    }

    /** Runs a command and returns what it says; it must succeed. */
    static String run(String... command) throws IOException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            if (!process.waitFor(MAX_COMMAND_SECONDS, TimeUnit.SECONDS) || process.exitValue() != 0) {
                throw new IOException(String.join(" ", command) + ": " + said);
            }
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
        return said;
    }

    @Override
    public void close() throws IOException {
        run("losetup", "--detach", node);
    }
}
