package io.remap.api;

import java.io.IOException;

/**
 * An operation on a device failed. Names the device, the operation, the byte range and the error.
 *
 * <p>{@link #errorClass()} drives every decision; {@link #errno()} is for people and logs and is {@link Errno#NONE}
 * where the platform did not tell it.
 */
public final class DeviceException extends IOException {
    private static final long serialVersionUID = 1L;

    private final String device;
    private final String operation;
    private final long offsetBytes;
    private final long lengthBytes;
    private final int errno;
    private final ErrorClass errorClass;

    /**
     * An error the operating system reported.
     *
     * @param device name of the device as the user knows it
     * @param operation verb: open, read, write, flush, discard, zero
     * @param offsetBytes first byte of the operation, 0 where it has no range
     * @param lengthBytes length of the operation, 0 where it has no range
     * @param errno the error number, see {@link Errno}
     */
    public DeviceException(String device, String operation, long offsetBytes, long lengthBytes, int errno) {
        this(device, operation, offsetBytes, lengthBytes, errno, Errno.classify(errno), Errno.name(errno), null);
    }

    /** An error with a class of its own (a short transfer, a message without errno). */
    public DeviceException(
            String device,
            String operation,
            long offsetBytes,
            long lengthBytes,
            int errno,
            ErrorClass errorClass,
            String detail,
            Throwable cause) {
        super(message(device, operation, offsetBytes, lengthBytes, detail), cause);
        this.device = device;
        this.operation = operation;
        this.offsetBytes = offsetBytes;
        this.lengthBytes = lengthBytes;
        this.errno = errno;
        this.errorClass = errorClass;
    }

    private static String message(String device, String operation, long offset, long length, String detail) {
        String range = length == 0 ? "" : " of bytes " + offset + "+" + length;
        return device + ": " + operation + range + " failed: " + detail;
    }

    public String device() {
        return device;
    }

    public String operation() {
        return operation;
    }

    public long offsetBytes() {
        return offsetBytes;
    }

    public long lengthBytes() {
        return lengthBytes;
    }

    public int errno() {
        return errno;
    }

    public ErrorClass errorClass() {
        return errorClass;
    }
}
