package io.remap.api.listen;

import io.remap.api.Refusal;
import java.io.IOException;
import java.net.BindException;
import java.net.ConnectException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The file of a listening Unix socket, whatever library the socket is of.
 *
 * <p>Thread-safe. Invariants: under its name it never shows with another mode than 0600 (it is bound under a passing name, and renamed
 * when it is private); it replaces nothing but a socket that nobody listens on; and it removes only the very file that it
 * made.
 */
public final class UnixSocketFile {
    /** Longest path of a Unix socket on Linux: {@code sun_path} of unix(7) without its final zero. */
    public static final int MAX_PATH_BYTES = 107;

    private static final int FILE_TYPE_MASK = 0170000;
    private static final int FILE_TYPE_SOCKET = 0140000;
    private static final int MAX_PASSING_NAME_CHARS = 10;
    private static final int PASSING_NAME_TRIES = 16;
    private static final int RADIX = 36;
    private static final Logger log = LoggerFactory.getLogger(UnixSocketFile.class);

    private final Path path;
    private final Object ownKey;

    private UnixSocketFile(Path path) throws IOException {
        this.path = path;
        this.ownKey = fileKey(path);
    }

    /** Binds a socket to a path and begins to listen there. */
    @FunctionalInterface
    public interface Binder {
        /**
         * Binds the socket.
         *
         * @param path where nothing is yet
         * @throws BindException if it could not be bound, also because something is there after all: that must not be
         *     touched
         * @throws FileAlreadyExistsException if something is there after all
         */
        void bind(Path path) throws IOException;
    }

    /**
     * Makes a socket listen at the path, or refuses.
     *
     * @param binder the caller's, who closes its socket after a refusal
     */
    public static UnixSocketFile bind(Path path, RandomGenerator random, Binder binder) throws Refusal {
        int lengthBytes = path.toString().getBytes(StandardCharsets.UTF_8).length;
        if (lengthBytes > MAX_PATH_BYTES) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "the path of the socket " + path + " has " + lengthBytes + " bytes: choose one of at most "
                            + MAX_PATH_BYTES);
        }
        if (path.getFileName() == null) {
            throw new Refusal(Refusal.Kind.USAGE, "'" + path + "' is no path for a socket: name a file");
        }
        refuseIfInUse(path);
        Path passing = null;
        try {
            passing = bindUnderPassingName(binder, path, random);
            Files.setPosixFilePermissions(passing, PosixFilePermissions.fromString("rw-------"));
            Files.move(passing, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            return new UnixSocketFile(path);
        } catch (IOException e) {
            abandon(passing);
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT, "the socket " + path + " cannot be made: " + reason(e, path), e);
        }
    }

    /** In the same directory and never longer than the final name, so that a path of full length works. */
    private static Path bindUnderPassingName(Binder binder, Path path, RandomGenerator random) throws IOException {
        int chars = Math.min(path.getFileName().toString().length(), MAX_PASSING_NAME_CHARS);
        for (int tries = 1; ; tries++) {
            StringBuilder name = new StringBuilder(chars > 2 ? "." : "");
            while (name.length() < chars) {
                name.append(Character.forDigit(random.nextInt(RADIX), RADIX));
            }
            Path passing = path.resolveSibling(name.toString());
            try {
                binder.bind(passing);
                return passing;
            } catch (BindException | FileAlreadyExistsException e) {
                if (tries == PASSING_NAME_TRIES || !Files.exists(passing, LinkOption.NOFOLLOW_LINKS)) {
                    throw e;
                }
            }
        }
    }

    private static void refuseIfInUse(Path path) throws Refusal {
        try {
            int mode = (Integer) Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
            if ((mode & FILE_TYPE_MASK) != FILE_TYPE_SOCKET) {
                throw new Refusal(
                        Refusal.Kind.ENVIRONMENT,
                        path + " exists and is no socket: choose another path, or find out what it is and remove it");
            }
            try (SocketChannel probe = SocketChannel.open(StandardProtocolFamily.UNIX)) {
                // A server that is stopped and whose queue is full must not make us wait.
                probe.configureBlocking(false);
                probe.connect(UnixDomainSocketAddress.of(path));
            }
            throw new Refusal(
                    Refusal.Kind.BUSY,
                    "somebody listens on the socket " + path + ": stop that server, or choose another path");
        } catch (NoSuchFileException e) {
            log.trace("{} is free", path);
        } catch (ConnectException e) {
            log.info("replacing the socket {}, which was left behind: nobody listens on it", path);
        } catch (Refusal e) {
            throw e;
        } catch (IOException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "it cannot be found out whether somebody listens on the socket " + path + ": " + reason(e, path),
                    e);
        }
    }

    /** Removes the file if it is still the one that was made here. Does not throw. */
    public void remove() {
        try {
            if (fileKey(path).equals(ownKey)) {
                Files.delete(path);
            }
        } catch (NoSuchFileException e) {
            log.debug("the socket {} was removed by somebody else", path);
        } catch (IOException e) {
            log.warn("the socket {} cannot be removed: {}", path, reason(e, path));
        }
    }

    private static void abandon(Path passing) {
        try {
            if (passing != null) {
                Files.deleteIfExists(passing);
            }
        } catch (IOException e) {
            log.warn("cannot tidy up {}: {}", passing, e.toString());
        }
    }

    /** Device and inode number. */
    private static Object fileKey(Path path) throws IOException {
        return Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
                .fileKey();
    }

    /** What to tell people, without the path that the message names already. */
    private static String reason(IOException e, Path path) {
        Path directory = path.toAbsolutePath().getParent();
        if (!Files.isDirectory(directory)) {
            return directory + " is no directory";
        }
        if (e instanceof AccessDeniedException || !Files.isWritable(directory)) {
            return "no permission in " + directory;
        }
        if (e instanceof FileSystemException fileSystem && fileSystem.getReason() != null) {
            return fileSystem.getReason();
        }
        return String.valueOf(e.getMessage());
    }
}
