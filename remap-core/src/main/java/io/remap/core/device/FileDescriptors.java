package io.remap.core.device;

import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.Refusal;
import io.remap.core.libc.Libc;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * The descriptors of one attempt to open a device: collects them, locks them, and closes them if the attempt fails.
 * Confined to the opening thread.
 *
 * <p>Locks are those of flock(2): they belong to the open file, so that further descriptors of the process do not drop
 * them when they are closed (as those of fcntl would), and end with the process however it ends.
 */
final class FileDescriptors implements AutoCloseable {
    private static final int NONE = -1;
    private static final int ENOLCK = 37;
    /** Sectors that direct transfers are tried with where the kernel does not tell their alignment. */
    private static final int MAX_ALIGNMENT_BYTES = 4096;

    private final Libc libc;
    private final String path;
    private final boolean readOnly;
    private int fd = NONE;
    private int directFd = NONE;
    /** Of what a loop device stands on, the next one first. */
    private final List<Integer> under = new ArrayList<>();
    /** The last one of them, if it is a file. */
    private int backingFd = NONE;

    FileDescriptors(Libc libc, String path, boolean readOnly) {
        this.libc = libc;
        this.path = path;
        this.readOnly = readOnly;
    }

    /** Opens the first one: 0, or the negated error number. */
    int open(int moreFlags, int mode) {
        int result = libc.open(path, (readOnly ? Libc.O_RDONLY : Libc.O_RDWR) | Libc.O_CLOEXEC | moreFlags, mode);
        if (result >= 0) {
            fd = result;
        }
        return Math.min(result, 0);
    }

    int fd() {
        return fd;
    }

    boolean hasDirect() {
        return directFd != NONE;
    }

    boolean hasBacking() {
        return backingFd != NONE;
    }

    FileNode node() throws DeviceException {
        return node(fd);
    }

    /** The file behind a loop device. */
    FileNode backingNode() throws DeviceException {
        return node(backingFd);
    }

    private FileNode node(int descriptor) throws DeviceException {
        try {
            return FileNode.of(descriptor);
        } catch (IOException e) {
            throw new DeviceException(path, "open", 0, 0, Errno.NONE);
        }
    }

    /**
     * Opens the same file once more, past the page cache.
     *
     * @return alignment that its transfers need, 0 if there is no direct way
     */
    int openDirect(boolean blockDevice, int logicalSectorBytes) throws DeviceException {
        int flags = (readOnly ? Libc.O_RDONLY : Libc.O_RDWR) | Libc.O_CLOEXEC | libc.directFlag();
        int result = libc.open("/proc/self/fd/" + fd, flags, 0);
        if (result < 0) {
            if (result == -Errno.EINVAL || result == -Errno.EOPNOTSUPP || result == -Errno.ENOENT) {
                return 0;
            }
            throw new DeviceException(path, "open for direct transfers", 0, 0, -result);
        }
        directFd = result;
        // The block layer promises the logical sector; about files the file system decides.
        int alignment = blockDevice ? logicalSectorBytes : libc.directAlignmentBytes(directFd);
        if (alignment < 0) {
            alignment = probeAlignment();
        }
        if (alignment == 0 || alignment > MAX_ALIGNMENT_BYTES) {
            dropDirect();
            return 0;
        }
        return Integer.highestOneBit(2 * alignment - 1);
    }

    /** The smallest read that is not called misaligned; an error of the medium means that the request got there. */
    private int probeAlignment() {
        ByteBuffer pages = ByteBuffer.allocateDirect(3 * MAX_ALIGNMENT_BYTES).alignedSlice(MAX_ALIGNMENT_BYTES);
        for (int sector = 512; sector <= MAX_ALIGNMENT_BYTES; sector *= 2) {
            // An odd multiple in memory, so that a coarser alignment of addresses shows too.
            long result = libc.pread(directFd, pages.slice(sector, sector), sector, sector);
            if (result != -Errno.EINVAL) {
                return sector;
            }
        }
        return 0;
    }

    /** Gives the direct descriptor up. */
    void dropDirect() {
        close(directFd);
        directFd = NONE;
    }

    /**
     * Locks the file, for sharing if it was opened read-only.
     *
     * @throws Refusal {@link Refusal.Kind#BUSY} if somebody else holds a lock
     */
    void lock() throws Refusal, DeviceException {
        lock(fd, path, node());
    }

    /** Locks the file at the bottom of a loop device too, if it is within reach. */
    void lockBacking(String backingPath) throws Refusal, DeviceException {
        int result = libc.open(backingPath, Libc.O_RDONLY | Libc.O_CLOEXEC, 0);
        if (result < 0) {
            return;
        }
        backingFd = result;
        under.add(result);
        lock(backingFd, path + " (its file " + backingPath + ")", backingNode());
    }

    /** Keeps the block device under a loop device from others, by O_EXCL: 0, or the negated error number. */
    int keep(String devicePath) {
        int result = libc.open(devicePath, Libc.O_RDONLY | Libc.O_EXCL | Libc.O_CLOEXEC, 0);
        if (result >= 0) {
            under.add(result);
        }
        return Math.min(result, 0);
    }

    private void lock(int descriptor, String name, FileNode node) throws Refusal, DeviceException {
        int result = libc.flock(descriptor, (readOnly ? Libc.LOCK_SH : Libc.LOCK_EX) | Libc.LOCK_NB);
        switch (-result) {
            case Errno.NONE -> {}
            case Errno.EAGAIN -> throw FileRefusals.busy(name + " is in use: " + FileOwners.lockedBy(node));
            case Errno.EOPNOTSUPP, Errno.ENOSYS, Errno.EINVAL, ENOLCK ->
                throw FileRefusals.environment(name
                        + ": its file system keeps no locks (" + Errno.name(-result)
                        + "), so another server could write to it; move it to a local file system");
            default -> throw new DeviceException(name, "lock", 0, 0, -result);
        }
    }

    /** Hands all descriptors over; nothing is left to close here. */
    FileHandle handOver() {
        FileHandle handle = new FileHandle(libc, path, fd, directFd, under, backingFd);
        fd = NONE;
        directFd = NONE;
        backingFd = NONE;
        under.clear();
        return handle;
    }

    @Override
    public void close() {
        close(directFd);
        under.forEach(this::close);
        close(fd);
        handOver();
    }

    private void close(int descriptor) {
        if (descriptor != NONE) {
            libc.close(descriptor);
        }
    }
}
