package io.remap.core.device;

import io.remap.api.DeviceException;
import io.remap.api.DeviceTraits;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import io.remap.core.libc.Libc;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The errors of transfers of a file or a block device, and the one thing that their numbers do not tell: that the kernel has given a block
 * device up.
 *
 * <p>The size of a disk that is unplugged is 0 from then on, for whoever has it open: a write meets its end, which is ENOSPC, and
 * a read gives nothing (Linux: {@code del_gendisk}, {@code blkdev_write_iter}). Neither says that the device is gone, and a client that
 * is told of a full disk gives up where it would have waited. So the size is asked for behind every error.
 *
 * <p>Immutable, thread-safe; called between {@code enter} and {@code leave}, or by whoever keeps the descriptor open otherwise.
 */
final class TransferErrors {
    private static final String GIVEN_UP = "the kernel has given the device up: its size is 0 now";

    private final String name;
    private final DeviceTraits traits;
    private final Size size;

    /** How large the device is now. */
    @FunctionalInterface
    interface Size {
        /** In bytes; negative if that cannot be told. Never waits for the device. */
        long nowBytes();
    }

    TransferErrors(String name, DeviceTraits traits, Size size) {
        this.name = name;
        this.traits = traits;
        this.size = size;
    }

    /** Of a descriptor, as the kernel says. */
    static TransferErrors of(Libc libc, int fd, String name, DeviceTraits traits) {
        return new TransferErrors(name, traits, () -> {
            ByteBuffer answer = ByteBuffer.allocateDirect(Long.BYTES).order(ByteOrder.nativeOrder());
            int result = libc.ioctl(fd, Libc.BLKGETSIZE64, answer);
            return result < 0 ? result : answer.getLong(0);
        });
    }

    /** The kernel answered with an error number. */
    DeviceException failed(String operation, long offsetBytes, long lengthBytes, int errno) {
        return isGivenUp()
                ? new DeviceException(
                        name,
                        operation,
                        offsetBytes,
                        lengthBytes,
                        errno,
                        ErrorClass.GONE,
                        Errno.name(errno) + "; " + GIVEN_UP,
                        null)
                : new DeviceException(name, operation, offsetBytes, lengthBytes, errno);
    }

    /** The kernel moved less than was asked for. */
    DeviceException endedEarly(String operation, long offsetBytes, long lengthBytes, long doneBytes) {
        boolean givenUp = isGivenUp();
        return new DeviceException(
                name,
                operation,
                offsetBytes,
                lengthBytes,
                Errno.NONE,
                givenUp ? ErrorClass.GONE : ErrorClass.UNKNOWN,
                "short: it ended after " + doneBytes + " bytes; "
                        + (givenUp
                                ? GIVEN_UP
                                : "the device became smaller than " + traits.sizeBytes() + " bytes, or takes no more"),
                null);
    }

    /** Whether the kernel has nothing behind the descriptor any more. */
    boolean isGivenUp() {
        return traits.blockDevice() && size.nowBytes() == 0;
    }
}
