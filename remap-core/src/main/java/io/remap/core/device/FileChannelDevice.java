package io.remap.core.device;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceTraits;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import io.remap.api.WitnessTag;
import io.remap.core.libc.Libc;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.util.Map;
import java.util.Optional;

/**
 * A regular file or a block device through the channels of the JDK, where the C library cannot be bound ({@link
 * Libc#unavailableBecause}).
 *
 * <p>Limits against {@link FileDevice}: a direct transfer needs whole blocks of the file system, 4096 bytes as a rule,
 * so that a bad 512-byte sector cannot be told from its neighbours; the error number is known only by its English
 * message, so that anything else is of class unknown; discard does nothing, and zeros are written; no O_EXCL, so that a
 * block device is guarded by a look at its users alone; an interrupt of a thread closes the channel for all.
 */
final class FileChannelDevice implements BlockDevice {
    /** Most zero bytes written at a time. */
    private static final int MAX_ZERO_BYTES = 256 << 10;

    private static final int PAGE_BYTES = 4096;

    /** strerror(3) in the C locale, for the numbers that storage produces (FAULTS table: {@link Errno#classify}). */
    private static final Map<String, Integer> NUMBERS = Map.ofEntries(
            Map.entry("Input/output error", Errno.EIO),
            Map.entry("No data available", Errno.ENODATA),
            Map.entry("Invalid or incomplete multibyte or wide character", Errno.EILSEQ),
            Map.entry("Remote I/O error", Errno.EREMOTEIO),
            Map.entry("Connection timed out", Errno.ETIMEDOUT),
            Map.entry("Timer expired", Errno.ETIME),
            Map.entry("Link has been severed", Errno.ENOLINK),
            Map.entry("No such device", Errno.ENODEV),
            Map.entry("No such device or address", Errno.ENXIO),
            Map.entry("Invalid exchange", Errno.EBADE),
            Map.entry("No space left on device", Errno.ENOSPC),
            Map.entry("Disk quota exceeded", Errno.EDQUOT),
            Map.entry("File too large", Errno.EFBIG),
            Map.entry("Cannot allocate memory", Errno.ENOMEM),
            Map.entry("Device or resource busy", Errno.EBUSY),
            Map.entry("Resource temporarily unavailable", Errno.EAGAIN),
            Map.entry("Read-only file system", Errno.EROFS),
            Map.entry("Operation not permitted", Errno.EPERM),
            Map.entry("Permission denied", Errno.EACCES),
            Map.entry("Too many open files", Errno.EMFILE),
            Map.entry("Invalid argument", Errno.EINVAL));

    private final FileChannel channel;
    private final String name;
    private final DeviceTraits traits;
    private final DeviceIdentity identity;
    private final WitnessTag witness;
    private final TransferErrors errors;

    /**
     * Takes the channel over.
     *
     * @param witness {@code null} if the file takes none
     */
    FileChannelDevice(
            FileChannel channel, String name, DeviceTraits traits, DeviceIdentity identity, WitnessTag witness) {
        this.channel = channel;
        this.name = name;
        this.traits = traits;
        this.identity = identity;
        this.witness = witness;
        this.errors = new TransferErrors(name, traits, this::sizeBytes);
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public DeviceTraits traits() {
        return traits;
    }

    @Override
    public DeviceIdentity identity() {
        return identity;
    }

    @Override
    public <C> Optional<C> capability(Class<C> type) {
        return type == WitnessTag.class && witness != null ? Optional.of(type.cast(witness)) : Optional.empty();
    }

    @Override
    public void read(long offsetBytes, ByteBuffer target) throws DeviceException {
        BlockRanges.checkRead(name, traits, offsetBytes, target);
        transfer("read", offsetBytes, target);
    }

    @Override
    public void write(long offsetBytes, ByteBuffer source) throws DeviceException {
        BlockRanges.check(name, traits, "write", offsetBytes, source.remaining());
        refuseIfReadOnly("write", offsetBytes, source.remaining());
        transfer("write", offsetBytes, source);
    }

    private void transfer(String operation, long offsetBytes, ByteBuffer data) throws DeviceException {
        if (traits.direct()) {
            if (!data.isDirect()) {
                throw new IllegalArgumentException(name + ": a direct device needs a direct buffer");
            }
            if (data.hasRemaining() && data.alignmentOffset(data.position(), traits.alignmentBytes()) != 0) {
                throw new IllegalArgumentException(
                        name + ": the address of the buffer is not aligned to " + traits.alignmentBytes());
            }
        }
        int start = data.position();
        int length = data.remaining();
        if (length == 0) {
            refuseIfClosed();
        }
        boolean write = operation.equals("write");
        while (data.hasRemaining()) {
            int moved;
            try {
                long at = offsetBytes + (data.position() - start);
                moved = write ? channel.write(data, at) : channel.read(data, at);
            } catch (IOException e) {
                data.position(start);
                throw failed(operation, offsetBytes, length, e);
            }
            if (moved <= 0) {
                int done = data.position() - start;
                data.position(start);
                throw errors.endedEarly(operation, offsetBytes, length, done);
            }
        }
    }

    @Override
    public void flush() throws DeviceException {
        try {
            channel.force(false);
        } catch (IOException e) {
            throw failed("flush", 0, 0, e);
        }
    }

    @Override
    public void discard(long offsetBytes, long lengthBytes) throws DeviceException {
        BlockRanges.check(name, traits, "discard", offsetBytes, lengthBytes);
        refuseIfReadOnly("discard", offsetBytes, lengthBytes);
        refuseIfClosed();
    }

    @Override
    public boolean discards() {
        return false;
    }

    @Override
    public void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) throws DeviceException {
        BlockRanges.check(name, traits, "zero", offsetBytes, lengthBytes);
        refuseIfReadOnly("zero", offsetBytes, lengthBytes);
        refuseIfClosed();
        int piece = (int) Math.min(MAX_ZERO_BYTES, lengthBytes);
        // An aligned slice ends at a page too.
        ByteBuffer zeros = ByteBuffer.allocateDirect(piece / PAGE_BYTES * PAGE_BYTES + 2 * PAGE_BYTES)
                .alignedSlice(PAGE_BYTES);
        for (long done = 0; done < lengthBytes; done += piece) {
            zeros.position(0).limit((int) Math.min(piece, lengthBytes - done));
            transfer("write", offsetBytes + done, zeros);
        }
    }

    private void refuseIfReadOnly(String operation, long offsetBytes, long lengthBytes) throws DeviceException {
        if (traits.readOnly()) {
            throw new DeviceException(name, operation, offsetBytes, lengthBytes, Errno.EROFS);
        }
    }

    private void refuseIfClosed() {
        if (!channel.isOpen()) {
            throw new IllegalStateException(name + " is closed");
        }
    }

    private DeviceException failed(String operation, long offsetBytes, long lengthBytes, IOException e) {
        if (e instanceof ClosedChannelException) {
            throw new IllegalStateException(name + " is closed", e);
        }
        DeviceException error = failed(name, operation, offsetBytes, lengthBytes, e);
        return errors.isGivenUp() ? errors.failed(operation, offsetBytes, lengthBytes, error.errno()) : error;
    }

    private long sizeBytes() {
        try {
            return channel.size();
        } catch (IOException e) {
            return -1;
        }
    }

    /** The error that this message of the platform stands for. */
    static DeviceException failed(String device, String operation, long offsetBytes, long lengthBytes, IOException e) {
        String message = e.getMessage() == null ? e.toString() : e.getMessage();
        // A FileSystemException puts the path before the message.
        String reason = message.substring(message.lastIndexOf(": ") < 0 ? 0 : message.lastIndexOf(": ") + 2);
        int errno = NUMBERS.getOrDefault(reason, Errno.NONE);
        ErrorClass errorClass = errno == Errno.NONE ? ErrorClass.UNKNOWN : Errno.classify(errno);
        return new DeviceException(device, operation, offsetBytes, lengthBytes, errno, errorClass, message, e);
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            // The descriptor is gone all the same, and what was not flushed was never promised.
            return;
        }
    }
}
