package io.remap.core.device;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * What is mounted, and what is swapped to, in the namespace of this process. Read anew for every question; what cannot be
 * read is empty. Thread-safe.
 *
 * <p>Source: proc_pid_mountinfo(5), proc_swaps(5).
 */
public final class MountTable {
    private final Path mountInfo;
    private final Path swaps;

    private record Mount(String number, String where, String source) {}

    /** From {@code /proc/self/mountinfo} and {@code /proc/swaps}, or files like them. */
    public MountTable(Path mountInfo, Path swaps) {
        this.mountInfo = mountInfo;
        this.swaps = swaps;
    }

    /** Mount points of file systems on the device with this number or with a source of this kind, each once. */
    List<String> mountsOf(String number, Predicate<String> source) {
        return mounts().stream()
                .filter(mount -> mount.number.equals(number) || source.test(mount.source))
                .map(Mount::where)
                .distinct()
                .toList();
    }

    /** What the file system with this number is mounted from. */
    Optional<String> sourceOf(String number) {
        return mounts().stream()
                .filter(mount -> mount.number.equals(number))
                .map(Mount::source)
                .findFirst();
    }

    /** Whether a device or file of this kind is swapped to. */
    boolean isSwap(Predicate<String> path) {
        return lines(swaps).stream()
                .filter(line -> line.startsWith("/"))
                .map(line -> unescape(line.split("\\s+", 2)[0]))
                .anyMatch(path);
    }

    private List<Mount> mounts() {
        List<Mount> found = new ArrayList<>();
        for (String line : lines(mountInfo)) {
            // 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
            int separator = line.indexOf(" - ");
            String[] before = line.split(" ", -1);
            String[] after = separator < 0
                    ? new String[0]
                    : line.substring(separator + 3).split(" ", -1);
            if (before.length > 5 && after.length > 1) {
                found.add(new Mount(before[2], unescape(before[4]), unescape(after[1])));
            }
        }
        return found;
    }

    private static List<String> lines(Path file) {
        try {
            // Names are bytes; one that is no UTF-8 must not hide the others.
            return new String(Files.readAllBytes(file), StandardCharsets.UTF_8)
                    .lines()
                    .toList();
        } catch (IOException e) {
            return List.of();
        }
    }

    /** Undoes the octal escapes of space, tab, newline and backslash. */
    private static String unescape(String text) {
        return text.replace("\\040", " ")
                .replace("\\011", "\t")
                .replace("\\012", "\n")
                .replace("\\134", "\\");
    }
}
