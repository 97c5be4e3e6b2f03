package io.remap.core.device;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Finds the processes that keep a file or device from us, for the message of a refusal. Best effort: another user's
 * process, or one in another namespace, is not seen.
 */
final class FileOwners {
    private static final Path PROC = Path.of("/proc");
    /** Most processes that are looked at, and most that are named. */
    private static final int MAX_PROCESSES = 8192;

    private static final int MAX_NAMED = 3;

    /** The directory where services of remap have their sockets, and how the names of the files end that they lock. */
    private static final String RUN = "remap";

    private static final String SERVICE_LOCK = ".lock";

    /** In the command line of each remap. */
    private static final String MAIN = "io.remap.cli/io.remap.cli.Main";

    private static final Path SYSTEM_RUN = Path.of("/run", RUN);

    private FileOwners() {}

    /**
     * Who holds an flock(2) on the file, and what to do: {@code locked by process 12 (tar); stop that one first}; "another
     * process" if that cannot be told.
     */
    static String lockedBy(FileNode node) {
        String pid = lockHolder(node);
        if (pid.equals(Long.toString(ProcessHandle.current().pid()))) {
            return "locked by this process for another device; to use several parts of one file, name all of them as"
                    + " ?offset=&length= of that file";
        }
        return "locked by " + (pid.isEmpty() ? "another process; stop that one first" : processToStop(pid));
    }

    /** {@code process 12 (remap); stop that one first: remap stop NAME}; the command only where it is a service of remap. */
    static String processToStop(String pid) {
        Optional<Path> lock = serviceLock(PROC.resolve(pid).resolve("fd"));
        if (lock.isEmpty()) {
            return process(pid) + "; stop that one first";
        }
        Path directory = lock.get().getParent();
        String file = lock.get().getFileName().toString();
        String name = file.substring(0, file.length() - SERVICE_LOCK.length());
        String runtime = directory.getParent().toString();
        boolean here = runtime.equals(System.getenv("XDG_RUNTIME_DIR")) || directory.equals(SYSTEM_RUN);
        return "process " + pid + " (remap); stop that one first: "
                + (here ? "" : "XDG_RUNTIME_DIR='" + runtime.replace("'", "'\\''") + "' ") + "remap stop " + name;
    }

    /** As long as a service runs it has the lock of its name open, in its run directory. */
    private static Optional<Path> serviceLock(Path descriptors) {
        try (DirectoryStream<Path> open = Files.newDirectoryStream(descriptors)) {
            for (Path descriptor : open) {
                Path target = Files.readSymbolicLink(descriptor);
                if (target.toString().endsWith(SERVICE_LOCK)
                        && target.getNameCount() > 2
                        && target.getParent().endsWith(RUN)) {
                    return Optional.of(target);
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            // Not ours to look at, or just ended.
            return Optional.empty();
        }
        return Optional.empty();
    }

    private static String lockHolder(FileNode node) {
        String[] number = node.fileSystemNumber().split(":", -1);
        String file = String.format(
                Locale.ROOT, "%02x:%02x:%d", Integer.parseInt(number[0]), Integer.parseInt(number[1]), node.inode());
        try {
            // 1: FLOCK  ADVISORY  WRITE 1234 08:02:5678 0 EOF
            for (String line : Files.readAllLines(PROC.resolve("locks"), StandardCharsets.UTF_8)) {
                String[] words = line.trim().split("\\s+", -1);
                if (words.length > 5
                        && words[1].equals("FLOCK")
                        && words[5].equals(file)
                        && !words[4].startsWith("-")) {
                    return words[4];
                }
            }
        } catch (IOException e) {
            return "";
        }
        return "";
    }

    /** Who has the block device open: {@code process 12 (java), process 13 (mkfs.ext4)}. */
    static String openers(String blockNumber) {
        List<String> found = new ArrayList<>();
        int looked = 0;
        String self = Long.toString(ProcessHandle.current().pid());
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(PROC, "[0-9]*")) {
            for (Path process : processes) {
                String pid = process.getFileName().toString();
                if (++looked > MAX_PROCESSES || found.size() == MAX_NAMED) {
                    break;
                }
                if (!pid.equals(self) && hasOpen(process.resolve("fd"), blockNumber)) {
                    found.add(process(pid));
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            return "another program";
        }
        return found.isEmpty() ? "another program" : String.join(", ", found);
    }

    private static boolean hasOpen(Path descriptors, String blockNumber) {
        try (DirectoryStream<Path> open = Files.newDirectoryStream(descriptors)) {
            for (Path descriptor : open) {
                if (Files.readSymbolicLink(descriptor).startsWith("/dev")
                        && FileNode.of(descriptor).blockNumber().equals(blockNumber)) {
                    return true;
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            // Not ours to look at, or just ended.
            return false;
        }
        return false;
    }

    private static String process(String pid) {
        try {
            String name = isRemap(pid)
                    ? "remap"
                    : Files.readString(PROC.resolve(pid).resolve("comm")).trim();
            return "process " + pid + " (" + name + ")";
        } catch (IOException e) {
            return "process " + pid;
        }
    }

    /** Which is a java to the system. */
    private static boolean isRemap(String pid) throws IOException {
        String command = Files.readString(PROC.resolve(pid).resolve("cmdline"), StandardCharsets.ISO_8859_1);
        return List.of(command.split("\0", -1)).contains(MAIN);
    }
}
