package io.remap.core.device;

import io.remap.api.ByteSize;
import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.Refusal;
import io.remap.core.libc.Libc;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes an image file with its space reserved, durably: after a crash or a power cut it is there with its size, or not at
 * all, since it gets its name last.
 *
 * <p>Reserved is what fallocate(2) promises. A file system that writes every block anew in another place (btrfs, ZFS,
 * bcachefs) promises nothing by it; there zeros are written, which is the best that can be done, and the log says so.
 */
final class FileCreation {
    private static final Logger LOG = LoggerFactory.getLogger(FileCreation.class);

    /** Magic numbers, statfs(2): btrfs, ZFS, bcachefs. */
    private static final List<Integer> COPY_ON_WRITE = List.of(0x9123683e, 0x2fc12fc1, 0xca451a4e);

    private static final int MODE = 0600;
    private static final int MAX_WRITE_BYTES = 1 << 20;

    private final Libc libc;
    private final String path;
    private final long sizeBytes;

    FileCreation(Libc libc, String path, long sizeBytes) {
        this.libc = libc;
        this.path = path;
        this.sizeBytes = sizeBytes;
    }

    /** Either the file is there, whole, or nothing is. */
    void create(int sectorBytes) throws Refusal, DeviceException {
        checkSize(path, sizeBytes, sectorBytes);
        if (Files.exists(Path.of(path), LinkOption.NOFOLLOW_LINKS)) {
            throw exists(path);
        }
        refuseMoreThanThereIs();
        String folder = folder().toString();
        try (FileDescriptors nameless = new FileDescriptors(libc, folder, false)) {
            int result = nameless.open(libc.temporaryFlag(), MODE);
            if (result == -Errno.EOPNOTSUPP || result == -Errno.EISDIR || result == -Errno.EINVAL) {
                createNamed();
                return;
            }
            if (result < 0) {
                throw refused(-result);
            }
            fill(nameless.fd());
            result = libc.link(nameless.fd(), path);
            if (result < 0) {
                throw refused(-result);
            }
            try {
                syncDirectory();
            } catch (Refusal | DeviceException | RuntimeException e) {
                remove(path);
                throw e;
            }
        }
    }

    /** The kernel would find out by taking all that is free, which no other program could write to meanwhile. */
    private void refuseMoreThanThereIs() throws Refusal, DeviceException {
        if (sizeBytes > freeBytes()) {
            check("create", -Errno.ENOSPC);
        }
    }

    private long freeBytes() {
        try {
            long free = Files.getFileStore(folder()).getUnallocatedSpace();
            // Some file systems tell nothing, which reads as 0.
            return free > 0 ? free : Long.MAX_VALUE;
        } catch (IOException e) {
            LOG.debug("{}: how much is free cannot be told: {}", path, e.toString());
            return Long.MAX_VALUE;
        }
    }

    /** For file systems that know no files without a name: a crash may leave one that is too short. */
    private void createNamed() throws Refusal, DeviceException {
        try (FileDescriptors descriptors = new FileDescriptors(libc, path, false)) {
            int result = descriptors.open(Libc.O_CREAT | Libc.O_EXCL, MODE);
            if (result < 0) {
                throw refused(-result);
            }
            try {
                fill(descriptors.fd());
                syncDirectory();
            } catch (Refusal | DeviceException | RuntimeException e) {
                remove(path);
                throw e;
            }
        }
    }

    private void fill(int fd) throws Refusal, DeviceException {
        check("create", reserve(fd));
        check("create", libc.fsync(fd));
    }

    private Path folder() {
        return Path.of(path).toAbsolutePath().getParent();
    }

    static void checkSize(String path, long sizeBytes, int sectorBytes) throws Refusal {
        if (sizeBytes <= 0 || sizeBytes % sectorBytes != 0) {
            throw FileRefusals.usage(path + " cannot be made with " + sizeBytes
                    + " bytes: expected a multiple of the sector size " + sectorBytes);
        }
    }

    /** Removes what {@link #create} made, when what follows failed. */
    static void remove(String path) {
        try {
            Files.deleteIfExists(Path.of(path));
        } catch (IOException e) {
            LOG.warn("{} was made and is not used, and cannot be removed: {}", path, e.toString());
        }
    }

    private int reserve(int fd) {
        boolean promises = !COPY_ON_WRITE.contains(libc.fileSystemType(fd));
        int result = libc.fallocate(fd, 0, 0, sizeBytes);
        if (promises && result != -Errno.EOPNOTSUPP && result != -Errno.ENOSYS) {
            return result;
        }
        if (!promises) {
            LOG.warn(
                    "{}: its file system cannot promise space for later writes; keep {} free there",
                    path,
                    ByteSize.format(sizeBytes));
        }
        ByteBuffer zeros = ByteBuffer.allocateDirect((int) Math.min(MAX_WRITE_BYTES, sizeBytes));
        for (long at = 0; at < sizeBytes; ) {
            long moved = libc.pwrite(fd, zeros, (int) Math.min(zeros.capacity(), sizeBytes - at), at);
            if (moved <= 0) {
                return moved == 0 ? -Errno.ENOSPC : (int) moved;
            }
            at += moved;
        }
        return 0;
    }

    /** The name of a new file is durable when its directory is. */
    private void syncDirectory() throws Refusal, DeviceException {
        Path parent = folder();
        int fd = libc.open(parent.toString(), Libc.O_RDONLY | Libc.O_CLOEXEC, 0);
        if (fd < 0) {
            throw FileRefusals.ofOpen(parent.toString(), true, -fd);
        }
        int result = libc.fsync(fd);
        libc.close(fd);
        // Some network file systems have no such thing as a directory to sync.
        if (result != -Errno.EINVAL) {
            check("create", result);
        }
    }

    private void check(String operation, int result) throws Refusal, DeviceException {
        switch (-result) {
            case Errno.ENOSPC, Errno.EDQUOT, Errno.EFBIG ->
                throw FileRefusals.environment(path + ": no room for " + ByteSize.format(sizeBytes) + " ("
                        + Errno.name(-result) + "); make room, or choose another place");
            default -> {
                if (result < 0) {
                    throw new DeviceException(path, operation, 0, sizeBytes, -result);
                }
            }
        }
    }

    private Refusal refused(int errno) throws DeviceException {
        return switch (errno) {
            case Errno.EEXIST -> exists(path);
            case Errno.ENOENT, Errno.ENOTDIR -> noFolder(path);
            case Errno.ENOSPC, Errno.EDQUOT -> FileRefusals.environment(path + ": no room for a new file");
            case Errno.EACCES, Errno.EPERM ->
                FileRefusals.environment(path + ": no permission to make a file there; choose another place");
            default -> FileRefusals.ofOpen(path, false, errno);
        };
    }

    static Refusal exists(String path) {
        return FileRefusals.usage(path + " exists already; remove it or choose another name");
    }

    static Refusal noFolder(String path) {
        return FileRefusals.environment(path + ": the folder for it does not exist");
    }
}
