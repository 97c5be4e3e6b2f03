package io.remap.testkit;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceTraits;
import java.nio.ByteBuffer;

/**
 * A part of a device as a device of its own, as partitions are: what happens to the one happens to all its parts. Closing it
 * does nothing.
 */
public final class DevicePart implements BlockDevice {
    private final BlockDevice whole;
    private final String name;
    private final long firstByte;
    private final DeviceTraits traits;

    public DevicePart(BlockDevice whole, String name, long firstByte, long lengthBytes) {
        this.whole = whole;
        this.name = name;
        this.firstByte = firstByte;
        DeviceTraits of = whole.traits();
        this.traits = new DeviceTraits(
                lengthBytes,
                of.logicalSectorBytes(),
                of.physicalSectorBytes(),
                of.alignmentBytes(),
                of.direct(),
                of.readOnly(),
                of.rotational(),
                of.losesContentOnPowerCut(),
                true);
    }

    private void check(long offsetBytes, long lengthBytes) {
        if (offsetBytes < 0 || lengthBytes < 0 || offsetBytes > traits.sizeBytes() - lengthBytes) {
            throw new IllegalArgumentException(name + ": " + offsetBytes + "+" + lengthBytes + " is outside");
        }
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
        DeviceIdentity of = whole.identity();
        return new DeviceIdentity(
                of.stableId() + "#" + name,
                of.backing(),
                of.startBytes() + firstByte,
                traits.sizeBytes(),
                whole.name());
    }

    @Override
    public void read(long offsetBytes, ByteBuffer target) throws DeviceException {
        check(offsetBytes, target.remaining());
        whole.read(firstByte + offsetBytes, target);
    }

    @Override
    public void write(long offsetBytes, ByteBuffer source) throws DeviceException {
        check(offsetBytes, source.remaining());
        whole.write(firstByte + offsetBytes, source);
    }

    @Override
    public void flush() throws DeviceException {
        whole.flush();
    }

    @Override
    public void discard(long offsetBytes, long lengthBytes) throws DeviceException {
        check(offsetBytes, lengthBytes);
        whole.discard(firstByte + offsetBytes, lengthBytes);
    }

    @Override
    public void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) throws DeviceException {
        check(offsetBytes, lengthBytes);
        whole.zero(firstByte + offsetBytes, lengthBytes, keepAllocated);
    }

    @Override
    public void close() {}
}
