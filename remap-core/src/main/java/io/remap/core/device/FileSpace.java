package io.remap.core.device;

import io.remap.api.DeviceException;
import io.remap.api.DeviceTraits;
import io.remap.api.Errno;
import io.remap.core.libc.Libc;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Gives space back and makes zeros, by the cheapest means that the file system or the device has: it asks the kernel, and
 * writes zeros where the kernel has no way.
 *
 * <p>What the kernel is asked for are whole blocks; the edges are written as zeros through the door of the device. Else a
 * file system would zero the edges in the page cache, where an error shows up at the next sync and without its place.
 *
 * <p>Immutable but for the memory of what was refused; thread-safe. The caller keeps the descriptor open.
 */
final class FileSpace {
    /** Unit in which the kernel is asked; file systems with larger blocks zero the rest themselves. */
    private static final int BLOCK_BYTES = 4096;
    /** Most zero bytes written at a time. */
    private static final int MAX_ZERO_BYTES = 256 << 10;

    /** Zeros for {@code pwrite}, never written to. */
    private static final class Zeros {
        static final ByteBuffer BYTES = ByteBuffer.allocateDirect(MAX_ZERO_BYTES + BLOCK_BYTES)
                .alignedSlice(BLOCK_BYTES)
                .asReadOnlyBuffer();
    }

    /** The ways to ask the kernel; each is forgotten once it was refused as unknown. */
    private enum Way {
        /** BLKDISCARD or a hole: the content is undefined (device) or zero (file). */
        DISCARD,
        /** A hole, certain to read as zeros. */
        PUNCH,
        /** Zeros, the space stays. */
        ZERO_RANGE
    }

    private final Libc libc;
    private final int fd;
    private final TransferErrors errors;
    private final DeviceTraits traits;
    private final Set<Way> refused = ConcurrentHashMap.newKeySet();

    FileSpace(Libc libc, int fd, TransferErrors errors, DeviceTraits traits) {
        this.libc = libc;
        this.fd = fd;
        this.errors = errors;
        this.traits = traits;
    }

    /** As {@code BlockDevice.discard}, on a range that was checked. Parts of blocks at the edges stay as they are. */
    void discard(long offsetBytes, long lengthBytes) throws DeviceException {
        int block = traits.blockDevice() ? traits.logicalSectorBytes() : BLOCK_BYTES;
        long start = roundUp(offsetBytes, block);
        long end = roundDown(offsetBytes + lengthBytes, block);
        if (start < end) {
            ask(Way.DISCARD, "discard", start, end - start);
        }
    }

    /** As {@code BlockDevice.discards}. */
    boolean discards() {
        return !refused.contains(Way.DISCARD);
    }

    /** As {@code BlockDevice.zero}, on a range that was checked. */
    void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) throws DeviceException {
        long end = offsetBytes + lengthBytes;
        long innerStart = Math.min(roundUp(offsetBytes, BLOCK_BYTES), end);
        long innerEnd = Math.max(roundDown(end, BLOCK_BYTES), innerStart);
        boolean done = innerStart < innerEnd && zeroBlocks(innerStart, innerEnd - innerStart, keepAllocated);
        if (done) {
            writeZeros(offsetBytes, innerStart);
            writeZeros(innerEnd, end);
        } else {
            writeZeros(offsetBytes, end);
        }
    }

    private boolean zeroBlocks(long offsetBytes, long lengthBytes, boolean keepAllocated) throws DeviceException {
        if (!keepAllocated && ask(Way.PUNCH, "zero", offsetBytes, lengthBytes)) {
            return true;
        }
        return ask(Way.ZERO_RANGE, "zero", offsetBytes, lengthBytes);
    }

    /** Whether the kernel did it; an error that does not mean "cannot" is thrown. */
    private boolean ask(Way way, String operation, long offsetBytes, long lengthBytes) throws DeviceException {
        if (refused.contains(way)) {
            return false;
        }
        int result = traits.blockDevice()
                ? askDevice(way, offsetBytes, lengthBytes)
                : askFile(way, offsetBytes, lengthBytes);
        switch (-result) {
            case Errno.EOPNOTSUPP, Errno.ENOSYS, Errno.ENOTTY -> {
                refused.add(way);
                return false;
            }
            case Errno.EINVAL -> {
                // Also said about a single range (an alignment of the device's own): the next one may pass.
                return false;
            }
            default -> {
                if (result < 0) {
                    throw errors.failed(operation, offsetBytes, lengthBytes, -result);
                }
                return true;
            }
        }
    }

    private int askFile(Way way, long offsetBytes, long lengthBytes) {
        int mode = way == Way.ZERO_RANGE ? Libc.FALLOC_FL_ZERO_RANGE : Libc.FALLOC_FL_PUNCH_HOLE;
        return libc.fallocate(fd, mode | Libc.FALLOC_FL_KEEP_SIZE, offsetBytes, lengthBytes);
    }

    private int askDevice(Way way, long offsetBytes, long lengthBytes) {
        if (way == Way.PUNCH) {
            // Unmaps if the device promises zeros afterwards, and is refused otherwise.
            return askFile(way, offsetBytes, lengthBytes);
        }
        ByteBuffer range = ByteBuffer.allocateDirect(2 * Long.BYTES)
                .order(ByteOrder.nativeOrder())
                .putLong(0, offsetBytes)
                .putLong(Long.BYTES, lengthBytes);
        return libc.ioctl(fd, way == Way.DISCARD ? Libc.BLKDISCARD : Libc.BLKZEROOUT, range);
    }

    private void writeZeros(long startBytes, long endBytes) throws DeviceException {
        long address = libc.addressOf(Zeros.BYTES);
        long at = startBytes;
        while (at < endBytes) {
            long part = Math.min(MAX_ZERO_BYTES, endBytes - at);
            long moved = libc.pwrite(fd, address, part, at);
            if (moved < 0) {
                throw errors.failed("zero", at, part, (int) -moved);
            }
            long whole = moved & -traits.alignmentBytes();
            if (whole == 0) {
                throw errors.endedEarly("zero", at, part, moved);
            }
            at += whole;
        }
    }

    private static long roundDown(long bytes, int unit) {
        return bytes & -(long) unit;
    }

    private static long roundUp(long bytes, int unit) {
        return roundDown(bytes + unit - 1, unit);
    }
}
