package io.remap.cli.control;

import io.remap.api.Refusal;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * The directory where the running services of one user are found: {@code $XDG_RUNTIME_DIR/remap}, or {@code /run/remap}
 * for root where that variable is not set.
 *
 * <p>Of a service NAME it holds {@code NAME.lock} (locked as long as the service runs), {@code NAME.control} (control
 * socket) and, unless the user asked for another place, {@code NAME.nbd} (socket of the disk).
 *
 * <p>Invariants of a directory that was {@link #prepare prepared} or {@link #check checked}:
 *
 * <ul>
 *   <li>it is a directory and no symbolic link, belongs to the user, and nobody else may enter it (mode 0700);
 *   <li>nobody else can replace it: each directory above belongs to root or the user, and is writable by others only if
 *       it is sticky; the one directly above is not writable by others at all.
 * </ul>
 */
public final class RunDirectory {
    /** Longest name of a service. */
    public static final int MAX_NAME_CHARS = 64;

    private static final String LOCK = ".lock";
    private static final String CONTROL = ".control";
    private static final String NBD = ".nbd";
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._-]{0," + (MAX_NAME_CHARS - 1) + "}");
    /** Its own name, below {@code XDG_RUNTIME_DIR} or {@code /run}. */
    public static final String DIRECTORY = "remap";

    private static final Path SYSTEM = Path.of("/run", DIRECTORY);
    private static final long ROOT_UID = 0;

    private RunDirectory() {}

    /** Where services of this user put their sockets. */
    public static Path locate(Map<String, String> environment) throws Refusal {
        String runtime = environment.getOrDefault("XDG_RUNTIME_DIR", "");
        if (!runtime.isEmpty()) {
            Path parent = Path.of(runtime);
            if (!parent.isAbsolute()) {
                throw environment("XDG_RUNTIME_DIR=" + runtime + " is no absolute path: correct or unset it");
            }
            return parent.resolve(DIRECTORY);
        }
        if (ownUid() == ROOT_UID) {
            return SYSTEM;
        }
        throw environment("XDG_RUNTIME_DIR is not set, so there is no private place for sockets: set it to a"
                + " directory of your own with mode 700, for example: export XDG_RUNTIME_DIR=$(mktemp -d)");
    }

    /** Where services of this user may be found: {@link #locate}, and for root the system's place as well. */
    public static List<Path> search(Map<String, String> environment) throws Refusal {
        Path own = locate(environment);
        return ownUid() == ROOT_UID && !own.equals(SYSTEM) ? List.of(own, SYSTEM) : List.of(own);
    }

    /** Makes the directory if it is missing, then checks it. */
    public static void prepare(Path directory) throws Refusal {
        Path parent = directory.toAbsolutePath().getParent();
        checkAncestors(parent);
        try {
            Files.createDirectory(directory, PosixFilePermissions.asFileAttribute(ownerOnly()));
        } catch (FileAlreadyExistsException e) {
            // Checked like a new one.
        } catch (IOException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT, "run directory " + directory + " cannot be created: " + reason(e), e);
        }
        check(directory);
    }

    /** Refuses a directory that somebody else could use or replace. */
    public static void check(Path directory) throws Refusal {
        checkAncestors(directory.toAbsolutePath().getParent());
        Map<String, Object> attributes;
        try {
            attributes = Files.readAttributes(directory, "unix:uid,mode,isDirectory", LinkOption.NOFOLLOW_LINKS);
        } catch (IOException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT, "run directory " + directory + " cannot be examined: " + reason(e), e);
        }
        if (!(Boolean) attributes.get("isDirectory")) {
            throw environment("run directory " + directory + " is no directory (perhaps a symbolic link): remove it");
        }
        long uid = uidOf(attributes);
        if (uid != ownUid()) {
            throw environment("run directory " + directory + " belongs to uid " + uid + ", expected your own, "
                    + ownUid() + ": remove it or set XDG_RUNTIME_DIR");
        }
        int mode = modeOf(attributes);
        if ((mode & 0777) != 0700) {
            throw environment("run directory " + directory + " has mode " + Integer.toOctalString(mode & 0777)
                    + ", expected 700: run chmod 700 " + directory);
        }
    }

    private static void checkAncestors(Path directParent) throws Refusal {
        Path real;
        try {
            real = directParent.toRealPath();
        } catch (IOException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "directory " + directParent + " cannot be used for sockets: " + reason(e)
                            + "; create it or set XDG_RUNTIME_DIR",
                    e);
        }
        long self = ownUid();
        for (Path directory = real; directory != null; directory = directory.getParent()) {
            Map<String, Object> attributes;
            try {
                attributes = Files.readAttributes(directory, "unix:uid,mode");
            } catch (IOException e) {
                throw new Refusal(
                        Refusal.Kind.ENVIRONMENT, "directory " + directory + " cannot be examined: " + reason(e), e);
            }
            long uid = uidOf(attributes);
            int mode = modeOf(attributes);
            boolean writableByOthers = (mode & 0022) != 0;
            boolean sticky = (mode & 01000) != 0;
            if (uid != self && uid != ROOT_UID) {
                throw environment("directory " + directory + " belongs to uid " + uid
                        + ", who could replace the sockets in it: set XDG_RUNTIME_DIR to a place of your own");
            }
            if (writableByOthers && (!sticky || directory.equals(real))) {
                throw environment("directory " + directory + " is writable by others (mode "
                        + Integer.toOctalString(mode & 07777)
                        + "), who could replace the sockets in it: set XDG_RUNTIME_DIR to a place of your own");
            }
        }
    }

    /** Refuses a name that does not fit in a file name or would be hidden. */
    public static void checkName(String name) throws Refusal {
        if (!NAME.matcher(name).matches()) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "'" + printable(name) + "' is no name for a disk: expected 1 to " + MAX_NAME_CHARS
                            + " letters, digits, '.', '_' or '-', not starting with '.' or '-'");
        }
    }

    /** A name that {@link #checkName} takes, made from a device name: its last part, other characters replaced. */
    public static String nameFor(String devicePath) {
        String last = devicePath.substring(devicePath.lastIndexOf('/') + 1).replaceAll("[^A-Za-z0-9._-]", "_");
        String name = last.replaceAll("^[.-]+", "");
        if (name.isEmpty()) {
            return "disk";
        }
        return name.length() <= MAX_NAME_CHARS ? name : name.substring(0, MAX_NAME_CHARS);
    }

    public static Path controlSocket(Path directory, String name) {
        return directory.resolve(name + CONTROL);
    }

    public static Path nbdSocket(Path directory, String name) {
        return directory.resolve(name + NBD);
    }

    static Path lockFile(Path directory, String name) {
        return directory.resolve(name + LOCK);
    }

    /** Names with a control socket in the directory, sorted; some may be left behind by a service that was killed. */
    public static List<String> names(Path directory) throws Refusal {
        Set<String> names = new TreeSet<>();
        try (var files = Files.newDirectoryStream(directory, "*" + CONTROL)) {
            for (Path file : files) {
                String fileName = file.getFileName().toString();
                names.add(fileName.substring(0, fileName.length() - CONTROL.length()));
            }
        } catch (NoSuchFileException e) {
            return List.of();
        } catch (IOException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT, "run directory " + directory + " cannot be read: " + reason(e), e);
        }
        return new ArrayList<>(names);
    }

    /** The effective user of this process. */
    static long ownUid() {
        try {
            return uidOf(Files.readAttributes(Path.of("/proc/self"), "unix:uid"));
        } catch (IOException e) {
            throw new IllegalStateException("the own uid is not known: /proc is not mounted", e);
        }
    }

    static Set<PosixFilePermission> ownerOnly() {
        return PosixFilePermissions.fromString("rwx------");
    }

    private static long uidOf(Map<String, Object> attributes) {
        return Integer.toUnsignedLong((Integer) attributes.get("uid"));
    }

    private static int modeOf(Map<String, Object> attributes) {
        return (Integer) attributes.get("mode");
    }

    private static Refusal environment(String message) {
        return new Refusal(Refusal.Kind.ENVIRONMENT, message);
    }

    private static String printable(String text) {
        String shown = text.length() > MAX_NAME_CHARS ? text.substring(0, MAX_NAME_CHARS) + "..." : text;
        return shown.replaceAll("\\p{Cntrl}", "?");
    }

    /** What an exception of the file system says, without the path that our message names already. */
    public static String reason(IOException e) {
        if (e instanceof NoSuchFileException) {
            return "no such file or directory";
        }
        if (e instanceof java.nio.file.AccessDeniedException) {
            return "permission denied";
        }
        if (e instanceof java.nio.file.FileSystemException fileSystem && fileSystem.getReason() != null) {
            return fileSystem.getReason();
        }
        return String.valueOf(e.getMessage());
    }
}
