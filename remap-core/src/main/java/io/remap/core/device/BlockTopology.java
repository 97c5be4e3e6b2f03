package io.remap.core.device;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * The block devices of this host as sysfs describes them: which is a part of which, who uses one, what it is called.
 *
 * <p>A snapshot is not taken: every question reads the files anew, since devices come and go. What cannot be read is
 * empty, never an error: sysfs informs, the kernel decides. Thread-safe; not for the data path.
 *
 * <p>Source: Documentation/ABI/stable/sysfs-block of the kernel, proc_pid_mountinfo(5).
 */
public final class BlockTopology {
    /** sysfs counts in these, whatever the device. */
    private static final int SYSFS_SECTOR_BYTES = 512;
    /** Deepest stack of devices (disk, partition, RAID, LVM, …) that is followed. */
    private static final int MAX_STACK_DEPTH = 8;

    /**
     * A block device.
     *
     * @param name as the kernel calls it: {@code sda1}
     * @param number major and minor: {@code 8:1}
     * @param directory its place in sysfs, resolved
     * @param disk name of the disk that it is a partition of; its own name if it is none
     * @param startBytes where it starts on the disk
     * @param sizeBytes size
     */
    public record Block(String name, String number, Path directory, String disk, long startBytes, long sizeBytes) {
        /** Whether it is a part of another one. */
        public boolean isPartition() {
            return !disk.equals(name);
        }

        /** The device node; sysfs writes a slash in a name as an exclamation mark. */
        public String node() {
            return "/dev/" + name.replace('!', '/');
        }
    }

    private final Path sysClassBlock;
    private final Path dev;
    private final MountTable mounts;

    /** Of this host. */
    public static BlockTopology ofThisHost() {
        return new BlockTopology(
                Path.of("/sys/class/block"),
                Path.of("/dev"),
                new MountTable(Path.of("/proc/self/mountinfo"), Path.of("/proc/swaps")));
    }

    /** Of these trees, which a test may have made. */
    public BlockTopology(Path sysClassBlock, Path dev, MountTable mounts) {
        this.sysClassBlock = sysClassBlock;
        this.dev = dev;
        this.mounts = mounts;
    }

    /** All block devices, by name. */
    public List<Block> all() {
        List<Block> found = new ArrayList<>();
        for (String name : names(sysClassBlock)) {
            find(name).ifPresent(found::add);
        }
        return found;
    }

    /** The device of this name. */
    public Optional<Block> find(String name) {
        try {
            Path directory = sysClassBlock.resolve(name).toRealPath();
            String number = read(directory.resolve("dev"));
            if (number.isEmpty()) {
                return Optional.empty();
            }
            boolean partition = Files.exists(directory.resolve("partition"));
            Path parent = directory.getParent();
            String disk = partition && parent != null ? parent.getFileName().toString() : name;
            return Optional.of(new Block(
                    name,
                    number,
                    directory,
                    disk,
                    partition ? number(directory.resolve("start")) * SYSFS_SECTOR_BYTES : 0,
                    number(directory.resolve("size")) * SYSFS_SECTOR_BYTES));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** The device with this number, {@code MAJ:MIN}. */
    public Optional<Block> byNumber(String number) {
        return all().stream().filter(block -> block.number().equals(number)).findFirst();
    }

    /** The disk that it is a part of, or itself. */
    public Block disk(Block block) {
        return block.isPartition() ? find(block.disk()).orElse(block) : block;
    }

    /**
     * The physical disk at the bottom of a stack, as a device node; the last one that is known where a device lies on
     * several others.
     */
    public String physicalDisk(Block block) {
        Block at = disk(block);
        for (int depth = 0; depth < MAX_STACK_DEPTH; depth++) {
            List<String> below = names(at.directory().resolve("slaves"));
            Optional<Block> next = below.size() == 1 ? find(below.get(0)) : Optional.empty();
            if (next.isEmpty()) {
                break;
            }
            at = disk(next.get());
        }
        return at.node();
    }

    /** The disk under the file system that holds this file, empty if it has none or is not known. */
    public Optional<Block> diskOfFileSystem(String deviceNumber) {
        Optional<Block> known = byNumber(deviceNumber);
        if (known.isPresent()) {
            return known;
        }
        // btrfs and others number their file systems themselves; the mount still names a device.
        return mounts.sourceOf(deviceNumber).flatMap(source -> find(nodeName(source)));
    }

    /** Whether it spins, as far as known. */
    public boolean rotational(Block block) {
        return number(disk(block).directory().resolve("queue/rotational")) == 1;
    }

    /** Whether it is made of memory: RAM disks and compressed RAM disks. */
    public boolean memoryBacked(Block block) {
        return block.name().matches("(ram|zram)[0-9]+");
    }

    /** Whether the kernel refuses writes. */
    public boolean readOnly(Block block) {
        return number(block.directory().resolve("ro")) == 1;
    }

    /** Smallest unit of a transfer. */
    public int logicalSectorBytes(Block block) {
        return queueBytes(block, "queue/logical_block_size", SYSFS_SECTOR_BYTES);
    }

    /** Unit that the medium rewrites. */
    public int physicalSectorBytes(Block block) {
        return Math.max(logicalSectorBytes(block), queueBytes(block, "queue/physical_block_size", SYSFS_SECTOR_BYTES));
    }

    private int queueBytes(Block block, String file, int otherwise) {
        long bytes = number(disk(block).directory().resolve(file));
        return bytes > 0 && bytes <= Integer.MAX_VALUE ? (int) bytes : otherwise;
    }

    /** As the drive says, may be empty. */
    public String model(Block block) {
        Path directory = disk(block).directory();
        String model =
                (read(directory.resolve("device/vendor")) + " " + read(directory.resolve("device/model"))).trim();
        // virtio and others have a number for a vendor, and no model.
        return model.startsWith("0x") ? "" : model.replaceAll("\\s+", " ");
    }

    /** The file behind a loop device. */
    public Optional<String> loopFile(Block block) {
        String path = read(disk(block).directory().resolve("loop/backing_file"));
        return path.isEmpty() ? Optional.empty() : Optional.of(path);
    }

    /** Where in its file a loop device starts. */
    public long loopOffsetBytes(Block block) {
        return number(disk(block).directory().resolve("loop/offset"));
    }

    /** Who uses a file: a loop device or the swap; one phrase for people, empty if nobody does. */
    public Optional<String> userOfFile(Predicate<String> isTheFile) {
        if (mounts.isSwap(isTheFile)) {
            return Optional.of("the system swaps to it");
        }
        for (Block block : all()) {
            if (!block.isPartition() && loopFile(block).filter(isTheFile).isPresent()) {
                return Optional.of(attached(block));
            }
        }
        return Optional.empty();
    }

    /** Of what a loop device has: whose use of it that is, and the way out; one phrase for people. */
    String attached(Block loop) {
        List<String> users = usedBy(loop);
        return "attached to " + loop.node() + (users.isEmpty() ? "" : ", which is " + String.join(", ", users))
                + "; detach it with 'losetup -d " + loop.node() + "'";
    }

    /**
     * Who uses the device: mounts, swap and holders of it, of its partitions and of the disk that it is a part of; one
     * phrase each, for people.
     */
    public List<String> usedBy(Block block) {
        List<String> users = new ArrayList<>(usersOf(block, ""));
        Block disk = disk(block);
        if (block.isPartition()) {
            users.addAll(usersOf(disk, disk.node() + " "));
        }
        for (String name : names(block.directory())) {
            if (Files.exists(block.directory().resolve(name).resolve("partition"))) {
                find(name).ifPresent(part -> users.addAll(usersOf(part, part.node() + " ")));
            }
        }
        return users;
    }

    private List<String> usersOf(Block block, String prefix) {
        List<String> users = new ArrayList<>();
        for (String where :
                mounts.mountsOf(block.number(), source -> nodeName(source).equals(block.name()))) {
            users.add(prefix + "mounted at " + where);
        }
        if (mounts.isSwap(path -> nodeName(path).equals(block.name()))) {
            users.add(prefix + "used as swap");
        }
        for (String holder : names(block.directory().resolve("holders"))) {
            String title = find(holder)
                    .map(held -> read(held.directory().resolve("dm/name")))
                    .orElse("");
            users.add(prefix + "held by " + holder + (title.isEmpty() ? "" : " (" + title + ")"));
        }
        return users;
    }

    /**
     * A name of the device that survives a reboot: {@code wwn:}, {@code serial:}, {@code partuuid:}, or {@code path:}
     * with the device node where the device has nothing of its own.
     */
    public String stableId(Block block) {
        if (block.isPartition()) {
            String partUuid = property(block, "PARTUUID")
                    .or(() -> linkTo(block, "by-partuuid"))
                    .orElse("");
            if (!partUuid.isEmpty()) {
                return "partuuid:" + partUuid;
            }
            String disk = stableId(disk(block));
            return disk.startsWith("path:")
                    ? "path:" + block.node()
                    : disk + "-part" + number(block.directory().resolve("partition"));
        }
        String wwn = clean(firstOf(block, "wwid", "device/wwid"));
        if (!wwn.isEmpty()) {
            return "wwn:" + wwn;
        }
        String serial = clean(firstOf(block, "serial", "device/serial"));
        if (!serial.isEmpty()) {
            return "serial:" + serial;
        }
        Optional<String> link = linkTo(block, "by-id");
        if (link.isPresent()) {
            return (link.get().startsWith("wwn-") ? "wwn:" : "serial:") + link.get();
        }
        String mapped = read(block.directory().resolve("dm/name"));
        return "path:" + (mapped.isEmpty() ? block.node() : "/dev/mapper/" + mapped);
    }

    /** The first link, by name, in a folder of /dev/disk that leads to the device. */
    private Optional<String> linkTo(Block block, String folder) {
        Path links = dev.resolve("disk").resolve(folder);
        for (String link : names(links)) {
            try {
                if (Files.readSymbolicLink(links.resolve(link))
                        .getFileName()
                        .toString()
                        .equals(block.name())) {
                    return Optional.of(link);
                }
            } catch (IOException e) {
                // It went away between listing and reading.
            }
        }
        return Optional.empty();
    }

    private static Optional<String> property(Block block, String key) {
        return read(block.directory().resolve("uevent"))
                .lines()
                .filter(line -> line.startsWith(key + "="))
                .map(line -> line.substring(key.length() + 1))
                .findFirst();
    }

    private static String firstOf(Block block, String... files) {
        for (String file : files) {
            String text = read(block.directory().resolve(file));
            if (!text.isEmpty()) {
                return text;
            }
        }
        return "";
    }

    private static String clean(String id) {
        return id.trim().replaceAll("[^A-Za-z0-9._+:-]+", "_");
    }

    /** What the kernel calls the device of this node, through links as /dev/mapper has them. */
    private static String nodeName(String node) {
        if (!node.startsWith("/dev/")) {
            return "";
        }
        String path = node;
        try {
            path = Path.of(node).toRealPath().toString();
        } catch (IOException e) {
            // No such node here (another mount namespace, a test): the name itself is the best there is.
        }
        return path.startsWith("/dev/") ? path.substring("/dev/".length()).replace('/', '!') : "";
    }

    private static long number(Path file) {
        try {
            return Long.parseLong(read(file));
        } catch (NumberFormatException e) {
            return 0;
        }
    }

    private static String read(Path file) {
        try {
            // What drives say of themselves is not always UTF-8.
            return new String(Files.readAllBytes(file), StandardCharsets.UTF_8).trim();
        } catch (IOException e) {
            return "";
        }
    }

    private static List<String> names(Path directory) {
        List<String> names = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
            entries.forEach(entry -> names.add(entry.getFileName().toString()));
        } catch (IOException | DirectoryIteratorException e) {
            return List.of();
        }
        names.sort(null);
        return names;
    }
}
