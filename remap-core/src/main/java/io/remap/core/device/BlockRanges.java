package io.remap.core.device;

import io.remap.api.DeviceTraits;
import java.nio.ByteBuffer;

/** The checks that every transfer passes before it touches a device. Allocates only to complain. */
public final class BlockRanges {
    private BlockRanges() {}

    /**
     * Checks the range of a transfer.
     *
     * @throws IllegalArgumentException if the range lies outside or is not aligned
     */
    public static void check(String device, DeviceTraits traits, String operation, long offsetBytes, long lengthBytes) {
        long size = traits.sizeBytes();
        if (offsetBytes < 0 || lengthBytes < 0 || offsetBytes > size || lengthBytes > size - offsetBytes) {
            throw new IllegalArgumentException(device + ": " + operation + " of " + lengthBytes + " bytes at "
                    + offsetBytes + " is outside of the device of " + size + " bytes");
        }
        if (((offsetBytes | lengthBytes) & (traits.alignmentBytes() - 1)) != 0) {
            throw new IllegalArgumentException(device + ": " + operation + " of " + lengthBytes + " bytes at "
                    + offsetBytes + " is not aligned to " + traits.alignmentBytes());
        }
    }

    /**
     * Checks the place of a byte.
     *
     * @throws IllegalArgumentException if there is no such byte
     */
    public static void checkByte(String device, DeviceTraits traits, long offsetBytes) {
        if (offsetBytes < 0 || offsetBytes >= traits.sizeBytes()) {
            throw new IllegalArgumentException(
                    device + ": no byte at " + offsetBytes + ", it has " + traits.sizeBytes());
        }
    }

    /**
     * Checks a read.
     *
     * @throws IllegalArgumentException as {@link #check}, and if nothing can be read into the buffer
     */
    public static void checkRead(String device, DeviceTraits traits, long offsetBytes, ByteBuffer target) {
        if (target.isReadOnly()) {
            throw new IllegalArgumentException(device + ": the buffer to read into is read-only");
        }
        check(device, traits, "read", offsetBytes, target.remaining());
    }
}
