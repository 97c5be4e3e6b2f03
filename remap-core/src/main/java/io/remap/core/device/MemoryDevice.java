package io.remap.core.device;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceTraits;
import io.remap.api.Errno;
import java.nio.ByteBuffer;

/** A device in memory: one opening of a {@link MemoryContent}. */
final class MemoryDevice implements BlockDevice {
    private final String name;
    private final DeviceTraits traits;
    private final DeviceIdentity identity;
    private final MemoryContent content;
    private final Runnable onClose;
    private volatile boolean closed;

    /**
     * Opens.
     *
     * @param onClose called once, when it is closed
     */
    MemoryDevice(String name, DeviceTraits traits, DeviceIdentity identity, MemoryContent content, Runnable onClose) {
        this.name = name;
        this.traits = traits;
        this.identity = identity;
        this.content = content;
        this.onClose = onClose;
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
    public void read(long offsetBytes, ByteBuffer target) {
        requireOpen();
        BlockRanges.checkRead(name, traits, offsetBytes, target);
        content.read(offsetBytes, target);
    }

    @Override
    public void write(long offsetBytes, ByteBuffer source) throws DeviceException {
        int length = source.remaining();
        checkChange("write", offsetBytes, length);
        try {
            content.write(offsetBytes, source);
        } catch (OutOfMemoryError e) {
            throw new DeviceException(name, "write", offsetBytes, length, Errno.ENOMEM);
        }
    }

    @Override
    public void flush() {
        requireOpen();
    }

    @Override
    public void discard(long offsetBytes, long lengthBytes) throws DeviceException {
        checkChange("discard", offsetBytes, lengthBytes);
        content.zero(offsetBytes, lengthBytes, false);
    }

    @Override
    public void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) throws DeviceException {
        checkChange("zero", offsetBytes, lengthBytes);
        content.zero(offsetBytes, lengthBytes, keepAllocated);
    }

    private void checkChange(String operation, long offsetBytes, long lengthBytes) throws DeviceException {
        requireOpen();
        BlockRanges.check(name, traits, operation, offsetBytes, lengthBytes);
        if (traits.readOnly()) {
            throw new DeviceException(name, operation, offsetBytes, lengthBytes, Errno.EROFS);
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException(name + " is closed");
        }
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            onClose.run();
        }
    }
}
