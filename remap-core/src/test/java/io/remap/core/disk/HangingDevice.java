package io.remap.core.disk;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceTraits;
import io.remap.testkit.SimScheduler;
import java.nio.ByteBuffer;
import java.util.Optional;

/** A device of which the operation with a given number hangs, and is made then; or all from that one on, for a while. */
final class HangingDevice implements BlockDevice {
    private final BlockDevice device;
    private final SimScheduler scheduler;
    private final long hangNanos;
    private long first = Long.MAX_VALUE;
    private boolean onlyOne;
    private long wellAgainNanos;
    private long operations;
    private int hung;

    HangingDevice(BlockDevice device, SimScheduler scheduler, long hangNanos) {
        this.device = device;
        this.scheduler = scheduler;
        this.hangNanos = hangNanos;
    }

    /** Operations count from now on, the next one as 0. */
    void hang(long number, boolean alone) {
        operations = 0;
        first = number;
        onlyOne = alone;
    }

    long operations() {
        return operations;
    }

    /** How many hung. */
    int hung() {
        return hung;
    }

    private void pass() {
        long number = operations++;
        if (number == first) {
            wellAgainNanos = scheduler.nanoTime() + hangNanos;
        }
        if (number < first || (onlyOne && number > first) || scheduler.nanoTime() - wellAgainNanos >= 0) {
            return;
        }
        hung++;
        scheduler.sleep(wellAgainNanos - scheduler.nanoTime());
    }

    @Override
    public void read(long offsetBytes, ByteBuffer target) throws DeviceException {
        pass();
        device.read(offsetBytes, target);
    }

    @Override
    public void write(long offsetBytes, ByteBuffer source) throws DeviceException {
        pass();
        device.write(offsetBytes, source);
    }

    @Override
    public void flush() throws DeviceException {
        pass();
        device.flush();
    }

    @Override
    public void discard(long offsetBytes, long lengthBytes) throws DeviceException {
        pass();
        device.discard(offsetBytes, lengthBytes);
    }

    @Override
    public void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) throws DeviceException {
        pass();
        device.zero(offsetBytes, lengthBytes, keepAllocated);
    }

    @Override
    public <C> Optional<C> capability(Class<C> type) {
        return device.capability(type);
    }

    @Override
    public String name() {
        return device.name();
    }

    @Override
    public DeviceTraits traits() {
        return device.traits();
    }

    @Override
    public DeviceIdentity identity() {
        return device.identity();
    }

    @Override
    public void close() {
        device.close();
    }
}
