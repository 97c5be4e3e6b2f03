package io.remap.cli.control;

import io.remap.api.Refusal;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/**
 * Holds the name of a service while it runs, so that what a killed one left behind can be told from what a running one
 * uses: the system gives a lock back when its process ends, however it ends.
 *
 * <p>Invariants: the file is never removed (a lock on a removed file would protect nothing), and while it is locked it
 * holds the process id of the holder. Within one process the lock does not exclude (closing any descriptor of a file
 * gives back the locks of the whole process, see fcntl(2)): a server that listens is found before the lock is touched.
 */
final class ServiceLock implements AutoCloseable {
    private static final int MAX_PID_BYTES = 20;

    private final FileChannel channel;

    private ServiceLock(FileChannel channel) {
        this.channel = channel;
    }

    /** Takes the name, or refuses with {@link Refusal.Kind#BUSY} naming the process that has it. */
    static ServiceLock take(Path directory, String name) throws Refusal {
        Path file = RunDirectory.lockFile(directory, name);
        FileChannel channel = null;
        try {
            channel = FileChannel.open(
                    file,
                    Set.of(
                            StandardOpenOption.CREATE,
                            StandardOpenOption.READ,
                            StandardOpenOption.WRITE,
                            LinkOption.NOFOLLOW_LINKS),
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
            if (!lock(channel)) {
                throw new Refusal(Refusal.Kind.BUSY, running(name, holder(channel)));
            }
            byte[] pid = Long.toString(ProcessHandle.current().pid()).getBytes(StandardCharsets.US_ASCII);
            channel.truncate(0);
            if (channel.write(ByteBuffer.wrap(pid), 0) != pid.length) {
                throw new IOException("short write");
            }
            return new ServiceLock(channel);
        } catch (Refusal e) {
            abandon(channel);
            throw e;
        } catch (IOException e) {
            abandon(channel);
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT, "lock file " + file + " cannot be used: " + RunDirectory.reason(e), e);
        }
    }

    static String running(String name, String holder) {
        return "a service named '" + name + "' is running" + holder + ": stop it with 'remap stop " + name
                + "', or choose another --name";
    }

    private static void abandon(FileChannel channel) {
        if (channel != null) {
            try {
                channel.close();
            } catch (IOException e) {
                // Nothing was written through it that anybody needs.
            }
        }
    }

    private static boolean lock(FileChannel channel) throws IOException {
        try {
            return channel.tryLock() != null;
        } catch (OverlappingFileLockException e) {
            return false;
        }
    }

    private static String holder(FileChannel channel) throws IOException {
        ByteBuffer text = ByteBuffer.allocate(MAX_PID_BYTES);
        int length = channel.read(text, 0);
        String pid = new String(text.array(), 0, Math.max(0, length), StandardCharsets.US_ASCII);
        return pid.matches("[0-9]+") ? " (process " + pid + ")" : "";
    }

    /** Gives the name back. Idempotent. */
    @Override
    public void close() {
        abandon(channel);
    }
}
