package io.remap.core.device;

import io.remap.api.Errno;
import io.remap.core.libc.Libc;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The descriptors of one open file or block device and the locks on it, given back when the last call that uses them has
 * ended. So a call under way never meets a descriptor number that meanwhile belongs to somebody else.
 *
 * <p>The numbers stay what they are for as long as it is open; what they lead to may be replaced ({@link #replaceBy}).
 *
 * <p>Pipes with pages of the file are no calls: who has one may keep it beyond the close.
 *
 * <p>Invariants: {@code users} counts the calls under way, and {@link #CLOSED} is added to it once; whoever brings it to
 * exactly {@code CLOSED} closes the descriptors, once. Thread-safe; a call costs two atomic additions.
 */
final class FileHandle {
    private static final int NONE = -1;
    private static final int CLOSED = Integer.MIN_VALUE;

    private final Libc libc;
    private final String name;
    /** The descriptor that was opened first: it holds the lock, and it alone is synced, so an error is told once. */
    final int fd;
    /** A second one that bypasses the page cache, or {@link #NONE}. */
    private final int directFd;
    /** They keep what a loop device stands on from others: devices by O_EXCL, the file at the bottom by a lock. */
    private final List<Integer> under;
    /** The one of these that leads to a file and carries its witness, or {@link #NONE}. */
    private final int backingFd;

    /** For pages of the file on their way to sockets. */
    final PipePool pipes;

    private final AtomicInteger users = new AtomicInteger();
    /** Whether the descriptors were given back. */
    private final AtomicBoolean given = new AtomicBoolean();

    /** Takes the descriptors over. */
    FileHandle(Libc libc, String name, int fd, int directFd, List<Integer> under, int backingFd) {
        this.libc = libc;
        this.name = name;
        this.fd = fd;
        this.directFd = directFd;
        this.under = List.copyOf(under);
        this.backingFd = backingFd;
        this.pipes = new PipePool(libc);
    }

    /** The descriptor for transfers past the page cache beside a buffered one. */
    int directFd() {
        return directFd;
    }

    /** The file at the bottom of a loop device. */
    int backingFd() {
        return backingFd;
    }

    /** Begins a call; {@link #leave} must follow. Throws if the device is closed. */
    void enter() {
        if (users.getAndIncrement() < 0) {
            leave();
            throw new IllegalStateException(name + " is closed");
        }
    }

    void leave() {
        if (users.decrementAndGet() == CLOSED) {
            closeDescriptors();
        }
    }

    /** No call begins after this one; idempotent; does not wait for those under way. */
    void close() {
        int before = users.getAndUpdate(count -> count < 0 ? count : count + CLOSED);
        if (before == 0) {
            closeDescriptors();
        }
    }

    /**
     * Has the numbers of the descriptors lead to what those of another handle do, and closes that. A call under way ends
     * with what it began with.
     *
     * @return {@code false} if the other one has not the same descriptors, or this one is closed; nothing has changed then
     */
    boolean replaceBy(FileHandle other) {
        if (isOpen(directFd) != isOpen(other.directFd)
                || isOpen(backingFd) != isOpen(other.backingFd)
                || under.size() != other.under.size()) {
            return false;
        }
        if (users.getAndIncrement() < 0) {
            leave();
            return false;
        }
        try {
            replace(fd, other.fd);
            replace(directFd, other.directFd);
            for (int i = 0; i < under.size(); i++) {
                replace(under.get(i), other.under.get(i));
            }
        } finally {
            leave();
        }
        other.close();
        return true;
    }

    private static boolean isOpen(int descriptor) {
        return descriptor != NONE;
    }

    private void replace(int descriptor, int by) {
        int result = isOpen(descriptor) ? libc.replace(by, descriptor) : 0;
        if (result < 0) {
            throw new IllegalStateException(name + ": dup3: " + Errno.name(-result));
        }
    }

    private void closeDescriptors() {
        // A call that came too late may be the one that brings the count back to CLOSED once more.
        if (!given.compareAndSet(false, true)) {
            return;
        }
        pipes.close();
        closeIfOpen(directFd);
        under.forEach(this::closeIfOpen);
        closeIfOpen(fd);
    }

    private void closeIfOpen(int descriptor) {
        if (descriptor != NONE) {
            libc.close(descriptor);
        }
    }
}
