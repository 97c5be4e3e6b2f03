package io.remap.testkit;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceTraits;
import java.nio.ByteBuffer;
import java.util.List;

/** Devices one behind the other, for who wants one where there are several; a transfer lies within one of them. */
public final class JoinedDevice implements BlockDevice {
    private final List<BlockDevice> parts;
    private final DeviceTraits traits;

    /** Of devices that are alike but for their sizes. */
    public JoinedDevice(List<? extends BlockDevice> parts) {
        this.parts = List.copyOf(parts);
        DeviceTraits of = parts.get(0).traits();
        this.traits = new DeviceTraits(
                parts.stream().mapToLong(part -> part.traits().sizeBytes()).sum(),
                of.logicalSectorBytes(),
                of.physicalSectorBytes(),
                of.alignmentBytes(),
                of.direct(),
                of.readOnly(),
                of.rotational(),
                of.losesContentOnPowerCut(),
                of.blockDevice());
    }

    /** The parts of such a device in their order; another one has itself for its only part. */
    public static List<BlockDevice> partsOf(BlockDevice device) {
        return device instanceof JoinedDevice joined ? joined.parts : List.of(device);
    }

    @FunctionalInterface
    private interface Transfer {
        void at(BlockDevice part, long offsetBytes) throws DeviceException;
    }

    private void within(long offsetBytes, Transfer transfer) throws DeviceException {
        long offset = offsetBytes;
        for (BlockDevice part : parts) {
            if (offset < part.traits().sizeBytes()) {
                transfer.at(part, offset);
                return;
            }
            offset -= part.traits().sizeBytes();
        }
        throw new IllegalArgumentException(name() + ": " + offsetBytes + " is outside");
    }

    @Override
    public String name() {
        return parts.get(0).name() + " and others";
    }

    @Override
    public DeviceTraits traits() {
        return traits;
    }

    @Override
    public DeviceIdentity identity() {
        return parts.get(0).identity();
    }

    @Override
    public void read(long offsetBytes, ByteBuffer target) throws DeviceException {
        within(offsetBytes, (part, offset) -> part.read(offset, target));
    }

    @Override
    public void write(long offsetBytes, ByteBuffer source) throws DeviceException {
        within(offsetBytes, (part, offset) -> part.write(offset, source));
    }

    @Override
    public void flush() throws DeviceException {
        for (BlockDevice part : parts) {
            part.flush();
        }
    }

    @Override
    public void discard(long offsetBytes, long lengthBytes) throws DeviceException {
        within(offsetBytes, (part, offset) -> part.discard(offset, lengthBytes));
    }

    @Override
    public void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) throws DeviceException {
        within(offsetBytes, (part, offset) -> part.zero(offset, lengthBytes, keepAllocated));
    }

    @Override
    public void close() {}
}
