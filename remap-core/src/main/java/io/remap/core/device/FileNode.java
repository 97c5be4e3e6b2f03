package io.remap.core.device;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Map;

/**
 * What a path leads to, links followed, as stat(2) tells it.
 *
 * @param kind regular file, block device, …
 * @param device number of the file system that holds it
 * @param inode number of the file there
 * @param blockNumber {@code MAJ:MIN} of a block device
 * @param sizeBytes size of a regular file
 */
record FileNode(Kind kind, long device, long inode, String blockNumber, long sizeBytes) {
    enum Kind {
        REGULAR,
        BLOCK,
        DIRECTORY,
        OTHER
    }

    private static final int TYPE_MASK = 0170000;
    private static final int TYPE_REGULAR = 0100000;
    private static final int TYPE_BLOCK = 0060000;
    private static final int TYPE_DIRECTORY = 0040000;

    static FileNode of(Path path) throws IOException {
        Map<String, Object> status = Files.readAttributes(path, "unix:mode,dev,ino,rdev,size", new LinkOption[0]);
        Kind kind = switch ((Integer) status.get("mode") & TYPE_MASK) {
            case TYPE_REGULAR -> Kind.REGULAR;
            case TYPE_BLOCK -> Kind.BLOCK;
            case TYPE_DIRECTORY -> Kind.DIRECTORY;
            default -> Kind.OTHER;
        };
        return new FileNode(
                kind, (Long) status.get("dev"), (Long) status.get("ino"), number((Long) status.get("rdev")), (Long)
                        status.get("size"));
    }

    /** Of an open descriptor of this process. */
    static FileNode of(int fd) throws IOException {
        return of(Path.of("/proc/self/fd/" + fd));
    }

    /** Whether both are the same file, by whatever name. */
    boolean isSameFile(FileNode other) {
        return device == other.device && inode == other.inode;
    }

    /** {@code MAJ:MIN} of the file system that holds it. */
    String fileSystemNumber() {
        return number(device);
    }

    /** See makedev(3). */
    private static String number(long device) {
        long major = ((device >>> 8) & 0xfff) | ((device >>> 32) & 0xfffff000L);
        long minor = (device & 0xff) | ((device >>> 12) & 0xffffff00L);
        return major + ":" + minor;
    }
}
