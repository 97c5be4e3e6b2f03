package io.remap.core.device;

import io.remap.api.CachedReads;
import io.remap.api.DeviceTraits;
import io.remap.api.Errno;
import io.remap.api.PagePipe;
import io.remap.core.libc.Libc;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;

/**
 * Reads of a buffered door out of the page cache. Allocates nothing per call, once a pipe of the pool was made.
 *
 * <p>What a kernel, a C library or a file system cannot do it says at the first call; after that it is not asked again.
 */
final class FileCachedReads implements CachedReads {
    private final Libc libc;
    private final FileHandle handle;
    private final int fd;
    private final String name;
    private final DeviceTraits traits;
    private volatile boolean cannotRead;
    private volatile boolean cannotSplice;

    FileCachedReads(Libc libc, FileHandle handle, int fd, String name, DeviceTraits traits) {
        this.libc = libc;
        this.handle = handle;
        this.fd = fd;
        this.name = name;
        this.traits = traits;
    }

    @Override
    public boolean tryRead(long offsetBytes, ByteBuffer target) {
        BlockRanges.checkRead(name, traits, offsetBytes, target);
        // A buffer on the heap would have to be copied, which is the ordinary way's.
        if (cannotRead || !target.isDirect()) {
            return false;
        }
        int length = target.remaining();
        long result;
        handle.enter();
        try {
            result = libc.preadNoWait(fd, libc.addressOf(target) + target.position(), length, offsetBytes);
        } finally {
            handle.leave();
            Reference.reachabilityFence(target);
        }
        if (result == length) {
            target.position(target.limit());
            return true;
        }
        if (isMissing(result)) {
            cannotRead = true;
        }
        return false;
    }

    @Override
    public boolean holds(long offsetBytes) {
        BlockRanges.checkByte(name, traits, offsetBytes);
        if (cannotRead) {
            return false;
        }
        handle.enter();
        try {
            long result = libc.preadByteNoWait(fd, offsetBytes);
            if (isMissing(result)) {
                cannotRead = true;
            }
            return result == 1;
        } finally {
            handle.leave();
        }
    }

    @Override
    public PagePipe tryPages(long offsetBytes, int lengthBytes) {
        BlockRanges.check(name, traits, "read", offsetBytes, lengthBytes);
        if (lengthBytes > PagePipe.MAX_BYTES) {
            throw new IllegalArgumentException(
                    name + ": " + lengthBytes + " bytes do not fit into a pipe, the limit is " + PagePipe.MAX_BYTES);
        }
        if (cannotSplice || lengthBytes == 0) {
            return null;
        }
        handle.enter();
        try {
            PipePool.Pipe pipe = handle.pipes.take(offsetBytes, lengthBytes);
            return pipe == null ? null : filled(pipe, offsetBytes, lengthBytes);
        } finally {
            handle.leave();
        }
    }

    /** The pipe with all of the range; otherwise it is given back. A page that the device cannot give ends it too. */
    private PagePipe filled(PipePool.Pipe pipe, long offsetBytes, int lengthBytes) {
        for (int done = 0; done < lengthBytes; ) {
            long moved = libc.splice(fd, offsetBytes + done, pipe.inlet(), lengthBytes - done);
            if (moved <= 0) {
                if (isMissing(moved) || moved == -Errno.EINVAL) {
                    cannotSplice = true;
                }
                pipe.release();
                return null;
            }
            done += (int) moved;
            pipe.filled((int) moved);
        }
        return pipe;
    }

    /** EPERM is the answer of a sandbox that does not know the call. */
    private static boolean isMissing(long result) {
        return result == -Errno.ENOSYS || result == -Errno.EOPNOTSUPP || result == -Errno.EPERM;
    }
}
