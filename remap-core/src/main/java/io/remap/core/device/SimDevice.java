package io.remap.core.device;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceTraits;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import io.remap.api.WitnessTag;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.function.LongConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A disk that fails where {@link SimFaults} says, in front of the image that holds its content.
 *
 * <p>Behaves like a disk: a read that touches a failing sector fails as a whole; a write that touches one has written the
 * sectors before it and none after, and fails. Errors come with their own request, so it counts as a direct device.
 */
final class SimDevice implements BlockDevice {
    private static final Logger LOG = LoggerFactory.getLogger(SimDevice.class);

    private final String name;
    private final BlockDevice image;
    private final SimFaults faults;
    private final LongConsumer pauseMillis;
    private final DeviceTraits traits;
    private volatile boolean closed;

    /**
     * Takes the image and the faults over.
     *
     * @param image through the page cache, so that any sector can be reached alone
     * @param pauseMillis lets the calling thread pass so much time
     */
    SimDevice(String name, BlockDevice image, SimFaults faults, LongConsumer pauseMillis) {
        this.name = name;
        this.image = image;
        this.faults = faults;
        this.pauseMillis = pauseMillis;
        DeviceTraits of = image.traits();
        this.traits = new DeviceTraits(
                of.sizeBytes(),
                of.logicalSectorBytes(),
                of.physicalSectorBytes(),
                of.logicalSectorBytes(),
                true,
                of.readOnly(),
                of.rotational(),
                of.losesContentOnPowerCut(),
                of.blockDevice());
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
        return image.identity();
    }

    /** The witness of the image; nothing that would lead past the faults. */
    @Override
    public <C> Optional<C> capability(Class<C> type) {
        return type == WitnessTag.class ? image.capability(type) : Optional.empty();
    }

    @Override
    public void read(long offsetBytes, ByteBuffer target) throws DeviceException {
        requireOpen();
        BlockRanges.checkRead(name, traits, offsetBytes, target);
        checkAddress(target);
        int length = target.remaining();
        long end = offsetBytes + length;
        enter("read", offsetBytes, length);
        if (faults.touches(offsetBytes, end)) {
            pauseMillis.accept(faults.delayMillis(offsetBytes, end));
            boolean fails;
            try {
                fails = faults.failsRead(offsetBytes, end);
            } catch (IOException e) {
                throw stateFailed("read", offsetBytes, length, e);
            }
            if (fails) {
                throw new DeviceException(name, "read", offsetBytes, length, Errno.EIO);
            }
        }
        image.read(offsetBytes, target);
    }

    @Override
    public void write(long offsetBytes, ByteBuffer source) throws DeviceException {
        requireOpen();
        BlockRanges.check(name, traits, "write", offsetBytes, source.remaining());
        checkAddress(source);
        int limit = source.limit();
        change("write", offsetBytes, source.remaining(), length -> {
            source.limit(source.position() + (int) length);
            try {
                image.write(offsetBytes, source);
            } finally {
                source.limit(limit);
            }
        });
    }

    @Override
    public void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) throws DeviceException {
        requireOpen();
        BlockRanges.check(name, traits, "zero", offsetBytes, lengthBytes);
        change("zero", offsetBytes, lengthBytes, length -> image.zero(offsetBytes, length, keepAllocated));
    }

    /** Writes the first bytes of a range. */
    @FunctionalInterface
    private interface Writer {
        void write(long lengthBytes) throws DeviceException;
    }

    private void change(String operation, long offset, long length, Writer writer) throws DeviceException {
        enter(operation, offset, length);
        long end = offset + length;
        if (!faults.touches(offset, end)) {
            writer.write(length);
            return;
        }
        pauseMillis.accept(faults.delayMillis(offset, end));
        long failing = faults.firstFailingWrite(offset, end);
        if (failing > offset) {
            writer.write(failing - offset);
            try {
                faults.written(offset, failing, image::flush);
            } catch (DeviceException e) {
                throw e;
            } catch (IOException e) {
                throw stateFailed(operation, offset, length, e);
            }
        }
        if (failing < end) {
            throw new DeviceException(name, operation, offset, length, Errno.EIO);
        }
    }

    /** A bad sector stays as bad as it was. */
    @Override
    public void discard(long offsetBytes, long lengthBytes) throws DeviceException {
        requireOpen();
        BlockRanges.check(name, traits, "discard", offsetBytes, lengthBytes);
        enter("discard", offsetBytes, lengthBytes);
        image.discard(offsetBytes, lengthBytes);
    }

    @Override
    public void flush() throws DeviceException {
        requireOpen();
        enter("flush", 0, 0);
        image.flush();
    }

    private void enter(String operation, long offset, long length) throws DeviceException {
        faults.refresh();
        if (faults.gone()) {
            throw new DeviceException(name, operation, offset, length, Errno.ENXIO);
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException(name + " is closed");
        }
    }

    /** A disk is strict about the memory of direct transfers, so we are too. */
    private void checkAddress(ByteBuffer buffer) {
        if (buffer.isDirect() && buffer.alignmentOffset(buffer.position(), traits.alignmentBytes()) != 0) {
            throw new IllegalArgumentException(
                    name + ": the buffer is not aligned in memory to " + traits.alignmentBytes());
        }
    }

    private DeviceException stateFailed(String operation, long offset, long length, IOException e) {
        return new DeviceException(
                name,
                operation,
                offset,
                length,
                Errno.NONE,
                ErrorClass.UNKNOWN,
                "the state of its faults cannot be written: " + e,
                e);
    }

    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            faults.close();
        } catch (IOException e) {
            LOG.warn("{}: the state of the faults cannot be closed: {}", name, e.toString());
        }
        image.close();
    }
}
