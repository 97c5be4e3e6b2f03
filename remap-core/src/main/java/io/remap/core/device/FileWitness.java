package io.remap.core.device;

import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.WitnessTag;
import io.remap.core.libc.Libc;
import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * The witness of an image file in its extended attribute {@value #ATTRIBUTE}; durable by fsync, see xattr(7). A loop device
 * carries it on its file.
 */
final class FileWitness implements WitnessTag {
    static final String ATTRIBUTE = "user.remap.witness";

    private final Libc libc;
    private final FileHandle handle;
    private final int fd;
    private final String name;
    private final boolean readOnly;

    /** As it was read or written last; {@code null} if there was none. */
    private volatile byte[] known;

    /** @param fd the descriptor of the file, one of those of the handle */
    FileWitness(Libc libc, FileHandle handle, int fd, String name, boolean readOnly) {
        this.libc = libc;
        this.handle = handle;
        this.fd = fd;
        this.name = name;
        this.readOnly = readOnly;
    }

    /** Whether the file system keeps such attributes for this file. */
    static boolean isSupported(Libc libc, int fd) {
        int result = libc.fgetxattr(fd, ATTRIBUTE, ByteBuffer.allocateDirect(MAX_TAG_BYTES));
        return result >= 0 || result == -Errno.ENODATA;
    }

    /** The note as it was read or written last, without a look at it. */
    Optional<byte[]> known() {
        return Optional.ofNullable(known).map(byte[]::clone);
    }

    @Override
    public Optional<byte[]> readTag() throws DeviceException {
        ByteBuffer value = ByteBuffer.allocateDirect(MAX_TAG_BYTES);
        handle.enter();
        try {
            int length = libc.fgetxattr(fd, ATTRIBUTE, value);
            if (length == -Errno.ENODATA) {
                known = null;
                return Optional.empty();
            }
            check("read of the witness", length);
            byte[] tag = new byte[length];
            value.get(0, tag);
            known = tag.clone();
            return Optional.of(tag);
        } finally {
            handle.leave();
        }
    }

    @Override
    public void writeTag(byte[] tag) throws DeviceException {
        if (tag.length > MAX_TAG_BYTES) {
            throw new IllegalArgumentException(name + ": a witness of " + tag.length + " bytes is too long");
        }
        ByteBuffer value = ByteBuffer.allocateDirect(MAX_TAG_BYTES).put(0, tag);
        refuseIfReadOnly();
        handle.enter();
        try {
            check("write of the witness", libc.fsetxattr(fd, ATTRIBUTE, value, tag.length));
            known = tag.clone();
            sync();
        } finally {
            handle.leave();
        }
    }

    @Override
    public void removeTag() throws DeviceException {
        refuseIfReadOnly();
        handle.enter();
        try {
            int result = libc.fremovexattr(fd, ATTRIBUTE);
            if (result != -Errno.ENODATA) {
                check("removal of the witness", result);
                known = null;
                sync();
            }
        } finally {
            handle.leave();
        }
    }

    /**
     * On a descriptor of its own: the kernel tells a failed write-back of data once per descriptor, and that of the device
     * must keep it for the next flush.
     */
    private void sync() throws DeviceException {
        int ownFd = libc.open("/proc/self/fd/" + fd, Libc.O_RDONLY | Libc.O_CLOEXEC, 0);
        check("open for the witness", ownFd);
        int result = libc.fsync(ownFd);
        libc.close(ownFd);
        check("flush of the witness", result);
    }

    private void refuseIfReadOnly() throws DeviceException {
        if (readOnly) {
            throw new DeviceException(name, "write of the witness", 0, 0, Errno.EROFS);
        }
    }

    private void check(String operation, int result) throws DeviceException {
        if (result < 0) {
            throw new DeviceException(name, operation, 0, 0, -result);
        }
    }
}
