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
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The file of a listening Unix socket, whatever library the socket is of.
 *
 * <p>Thread-safe. Invariants: under its name it never shows with another mode than 0600 (it is bound under a passing name,
 * and gets its own when it is private), and until then nobody else reaches it: the passing name is in a directory of the
 * owner's, since who binds may listen at once, with what mode the umask leaves; it takes a name that is free, and frees that of a socket that nobody listens on,
 * and no other; of several that want a name at the same time one gets it, and the others are refused; and it removes only
 * the very file that it made.
 */
public final class UnixSocketFile {
    /** Longest path of a Unix socket on Linux: {@code sun_path} of unix(7) without its final zero. */
    public static final int MAX_PATH_BYTES = 107;

    private static final int FILE_TYPE_MASK = 0170000;
    private static final int FILE_TYPE_SOCKET = 0140000;
    private static final int MAX_PASSING_NAME_CHARS = 10;
    private static final int PASSING_NAME_TRIES = 16;

    /** What the name of a socket in a directory of its own adds to that of the directory. */
    private static final String IN_DIRECTORY = "/s";

    private static final FileAttribute<?> OWNER_ONLY =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));

    /** Somebody else who comes and goes between two steps of ours does so only so often. */
    private static final int PUBLISH_TRIES = 16;

    private static final int RADIX = 36;
    private static final Logger LOG = LoggerFactory.getLogger(UnixSocketFile.class);

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

    private static int lengthBytes(Path path) {
        return path.toString().getBytes(StandardCharsets.UTF_8).length;
    }

    /**
     * Makes a socket listen at the path, or refuses.
     *
     * @param binder the caller's, who closes its socket after a refusal
     */
    public static UnixSocketFile bind(Path path, RandomGenerator random, Binder binder) throws Refusal {
        if (lengthBytes(path) > MAX_PATH_BYTES) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "the path of the socket " + path + " has " + lengthBytes(path) + " bytes: choose one of at most "
                            + MAX_PATH_BYTES);
        }
        if (path.getFileName() == null) {
            throw new Refusal(Refusal.Kind.USAGE, "'" + path + "' is no path for a socket: name a file");
        }
        // Before anything is made; it is looked at again when there is a socket that can take the name.
        var unused = isLeftBehind(path);
        Passing passing = null;
        try {
            passing = bindUnderPassingName(binder, path, random);
            Files.setPosixFilePermissions(passing.socket(), PosixFilePermissions.fromString("rw-------"));
            publish(passing.socket(), path, random);
            return new UnixSocketFile(path);
        } catch (Refusal e) {
            throw e;
        } catch (IOException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT, "the socket " + path + " cannot be made: " + reason(e, path), e);
        } finally {
            abandon(passing);
        }
    }

    /**
     * Gives a socket that listens its name. A link fails where something is: whoever had the name in mind at the same time
     * and was quicker has it, and is found by the next look.
     */
    private static void publish(Path passing, Path path, RandomGenerator random) throws IOException, Refusal {
        for (int tries = 1; ; tries++) {
            if (isLeftBehind(path)) {
                takeAway(path, random);
            }
            try {
                name(passing, path);
                return;
            } catch (FileAlreadyExistsException e) {
                if (tries == PUBLISH_TRIES) {
                    throw e;
                }
            }
        }
    }

    private static void name(Path passing, Path path) throws IOException {
        try {
            Files.createLink(path, passing);
        } catch (FileAlreadyExistsException e) {
            throw e;
        } catch (FileSystemException | UnsupportedOperationException e) {
            // A file system without hard links, where two that come at the same moment are not told apart.
            Files.move(passing, path);
        }
    }

    /**
     * Frees the name of a socket that nobody listens on. What is there by now may be another's: it is looked at once more
     * under a name where nobody replaces it, and gets its own back if somebody does listen, for the next look to find.
     */
    private static void takeAway(Path path, RandomGenerator random) throws IOException {
        Path aside = unusedName(path, random);
        try {
            Files.move(path, aside, StandardCopyOption.ATOMIC_MOVE);
        } catch (NoSuchFileException e) {
            return;
        }
        try {
            if (isLeftBehind(aside)) {
                LOG.info("replacing the socket {}, which was left behind: nobody listens on it", path);
                Files.delete(aside);
            }
        } catch (Refusal e) {
            giveBack(aside, path);
        }
    }

    private static void giveBack(Path aside, Path path) {
        try {
            name(aside, path);
            Files.deleteIfExists(aside);
        } catch (IOException e) {
            LOG.warn("the socket of another server at {} is {} now: {}", path, aside.getFileName(), e.toString());
        }
    }

    private static Path unusedName(Path path, RandomGenerator random) throws IOException {
        for (int tries = 0; tries < PASSING_NAME_TRIES; tries++) {
            Path candidate = path.resolveSibling(passingName(path, random, 0));
            if (!Files.exists(candidate, LinkOption.NOFOLLOW_LINKS)) {
                return candidate;
            }
        }
        throw new FileAlreadyExistsException(path.toString(), null, "no free name beside it");
    }

    /** Where a socket is before it has its name; {@code directory} is {@code null} where the path has no room for one. */
    private record Passing(Path socket, Path directory) {
        static Passing of(Path path, RandomGenerator random) {
            if (room(path) > IN_DIRECTORY.length()) {
                Path directory = path.resolveSibling(passingName(path, random, IN_DIRECTORY.length()));
                return new Passing(Path.of(directory + IN_DIRECTORY), directory);
            }
            return new Passing(path.resolveSibling(passingName(path, random, 0)), null);
        }

        Path first() {
            return directory == null ? socket : directory;
        }
    }

    private static Passing bindUnderPassingName(Binder binder, Path path, RandomGenerator random) throws IOException {
        for (int tries = 1; ; tries++) {
            Passing passing = Passing.of(path, random);
            try {
                bind(binder, passing);
                return passing;
            } catch (BindException | FileAlreadyExistsException e) {
                if (tries == PASSING_NAME_TRIES || !Files.exists(passing.first(), LinkOption.NOFOLLOW_LINKS)) {
                    throw e;
                }
            }
        }
    }

    private static void bind(Binder binder, Passing passing) throws IOException {
        if (passing.directory() == null) {
            binder.bind(passing.socket());
            return;
        }
        Files.createDirectory(passing.directory(), OWNER_ONLY);
        boolean bound = false;
        try {
            binder.bind(passing.socket());
            bound = true;
        } finally {
            if (!bound) {
                abandon(passing);
            }
        }
    }

    /** For what a name beside it may have, in bytes, so that the path is no longer than one may be. */
    private static int room(Path path) {
        return MAX_PATH_BYTES
                - lengthBytes(path)
                + path.getFileName().toString().length();
    }

    /** For the same directory, and with what follows never longer than a path may be, so that one of full length works. */
    private static String passingName(Path path, RandomGenerator random, int followingChars) {
        int chars = Math.min(room(path), MAX_PASSING_NAME_CHARS) - followingChars;
        StringBuilder name = new StringBuilder(chars > 2 ? "." : "");
        while (name.length() < chars) {
            name.append(Character.forDigit(random.nextInt(RADIX), RADIX));
        }
        return name.toString();
    }

    /**
     * Whether there is a socket that nobody listens on; {@code false} if there is nothing.
     *
     * @throws Refusal if there is anything else
     */
    private static boolean isLeftBehind(Path path) throws Refusal {
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
            throw inUse(path);
        } catch (NoSuchFileException e) {
            return false;
        } catch (ConnectException e) {
            return true;
        } catch (Refusal e) {
            throw e;
        } catch (IOException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "it cannot be found out whether somebody listens on the socket " + path + ": " + reason(e, path),
                    e);
        }
    }

    private static Refusal inUse(Path path) {
        return new Refusal(
                Refusal.Kind.BUSY,
                "somebody listens on the socket " + path + ": stop that server, or choose another path");
    }

    /** Removes the file if it is still the one that was made here. Does not throw. */
    public void remove() {
        try {
            if (fileKey(path).equals(ownKey)) {
                Files.delete(path);
            }
        } catch (NoSuchFileException e) {
            LOG.debug("the socket {} was removed by somebody else", path);
        } catch (IOException e) {
            LOG.warn("the socket {} cannot be removed: {}", path, reason(e, path));
        }
    }

    private static void abandon(Passing passing) {
        if (passing == null) {
            return;
        }
        try {
            Files.deleteIfExists(passing.socket());
            if (passing.directory() != null) {
                Files.deleteIfExists(passing.directory());
            }
        } catch (IOException e) {
            LOG.warn("cannot tidy up {}: {}", passing.first(), e.toString());
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
