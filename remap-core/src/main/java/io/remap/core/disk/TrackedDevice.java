package io.remap.core.disk;

import io.remap.api.BlockDevice;
import io.remap.api.DescriptorTransfers;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceIo;
import io.remap.api.DeviceTraits;
import io.remap.api.ErrorClass;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A device of which we know whether acknowledged writes may still be in its volatile cache, and that never turns a failed
 * flush into success. Everybody who writes to a device of a virtual disk, the metadata store included, does so through
 * the same tracked device, so that a flush failure that one sees is a failure for all.
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>{@code clean} means that every write acknowledged so far was acknowledged before the beginning of a flush that
 *       succeeded. A device begins dirty: a process that died may have left its writes in the cache.
 *   <li>Once {@code doubt} is set it stays: which writes were lost is not known, and a later success of the device says
 *       nothing about them. Every flush fails from then on.
 * </ul>
 *
 * <p>The direct door shares the state of its device.
 */
public final class TrackedDevice implements BlockDevice {
    private final BlockDevice device;
    private final State state;
    private final TrackedDevice directDoor;
    private final Optional<DescriptorTransfers> descriptorTransfers;

    private static final class State {
        /** Writes acknowledged so far, and one for whoever had the device before. */
        private final AtomicLong written;
        /** Writes that a successful flush covered. */
        private final AtomicLong flushed = new AtomicLong();

        /** Device events so far: a write that one falls into may be lost although it succeeded. */
        private final AtomicLong events = new AtomicLong();

        private volatile DeviceException lastEvent;
        private volatile DeviceException doubt;

        private State(boolean dirty) {
            written = new AtomicLong(dirty ? 1 : 0);
        }
    }

    private TrackedDevice(BlockDevice device, State state) {
        this.device = device;
        this.state = state;
        BlockDevice direct = device.direct();
        this.directDoor = direct == device ? this : new TrackedDevice(direct, state);
        this.descriptorTransfers = device.capability(DescriptorTransfers.class).map(TrackedTransfers::new);
    }

    /** Transfers that somebody else executes count as those of {@link #read} and {@link #write}. */
    private final class TrackedTransfers implements DescriptorTransfers {
        private final DescriptorTransfers transfers;

        TrackedTransfers(DescriptorTransfers transfers) {
            this.transfers = transfers;
        }

        @Override
        public int begin(DeviceIo io) throws DeviceException {
            io.deviceNote = state.events.get();
            try {
                return transfers.begin(io);
            } catch (DeviceException e) {
                noteDeviceEvent(e);
                throw e;
            }
        }

        @Override
        public DeviceException ended(DeviceIo io, int result) {
            boolean whole = io.data.remaining() == result;
            DeviceException error = transfers.ended(io, result);
            if (error != null) {
                noteDeviceEvent(error);
            } else if (whole && io.operation == DeviceIo.Operation.WRITE) {
                noteWritten(io.deviceNote);
            }
            return error;
        }
    }

    /** The device itself if it is tracked already. */
    public static TrackedDevice of(BlockDevice device) {
        return device instanceof TrackedDevice tracked
                ? tracked
                : new TrackedDevice(device, new State(!device.traits().readOnly()));
    }

    /** Whether nothing acknowledged can be in a volatile cache. */
    boolean isClean() {
        return state.doubt == null && state.flushed.get() == state.written.get();
    }

    /** Why flushes fail for good, if they do. */
    public Optional<DeviceException> doubt() {
        return Optional.ofNullable(state.doubt);
    }

    /** The device answered as if it had gone: what was in its cache may be lost. */
    private void noteDeviceEvent(DeviceException error) {
        if (error.errorClass() == ErrorClass.GONE
                || error.errorClass() == ErrorClass.LINK
                || error.errorClass() == ErrorClass.UNKNOWN) {
            wentAway(error);
        }
    }

    /** The device is, or was, not there, as its canary or its errors say: what was in its cache may be lost. */
    void wentAway(DeviceException error) {
        state.lastEvent = error;
        state.events.incrementAndGet();
        if (state.flushed.get() != state.written.get()) {
            latch(error);
        }
    }

    /** A write has succeeded that began at this count of events. */
    private void noteWritten(long eventsBefore) {
        state.written.incrementAndGet();
        if (state.events.get() != eventsBefore) {
            latch(state.lastEvent);
        }
    }

    private void latch(DeviceException error) {
        synchronized (state) {
            if (state.doubt == null) {
                state.doubt = error;
            }
        }
    }

    @Override
    public void read(long offsetBytes, ByteBuffer target) throws DeviceException {
        try {
            device.read(offsetBytes, target);
        } catch (DeviceException e) {
            noteDeviceEvent(e);
            throw e;
        }
    }

    @Override
    public void write(long offsetBytes, ByteBuffer source) throws DeviceException {
        long eventsBefore = state.events.get();
        try {
            device.write(offsetBytes, source);
        } catch (DeviceException e) {
            noteDeviceEvent(e);
            throw e;
        }
        noteWritten(eventsBefore);
    }

    @Override
    public void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) throws DeviceException {
        long eventsBefore = state.events.get();
        try {
            device.zero(offsetBytes, lengthBytes, keepAllocated);
        } catch (DeviceException e) {
            noteDeviceEvent(e);
            throw e;
        }
        noteWritten(eventsBefore);
    }

    @Override
    public void discard(long offsetBytes, long lengthBytes) throws DeviceException {
        long eventsBefore = state.events.get();
        try {
            device.discard(offsetBytes, lengthBytes);
        } catch (DeviceException e) {
            noteDeviceEvent(e);
            throw e;
        }
        noteWritten(eventsBefore);
    }

    @Override
    public void flush() throws DeviceException {
        DeviceException doubt = state.doubt;
        if (doubt != null) {
            throw stillInDoubt(doubt);
        }
        long covered = state.written.get();
        try {
            device.flush();
        } catch (DeviceException e) {
            latch(e);
            throw e;
        }
        // A device event during the flush leaves open on which side of it the cache was emptied.
        doubt = state.doubt;
        if (doubt != null) {
            throw stillInDoubt(doubt);
        }
        state.flushed.accumulateAndGet(covered, Math::max);
    }

    private DeviceException stillInDoubt(DeviceException first) {
        return new DeviceException(
                device.name(),
                "flush",
                0,
                0,
                first.errno(),
                first.errorClass(),
                "acknowledged writes may have been lost by an earlier failure (" + first.getMessage()
                        + "); stop the server, check the file system, start again",
                first);
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
    public TrackedDevice direct() {
        return directDoor;
    }

    @Override
    public <C> Optional<C> capability(Class<C> type) {
        if (type == DescriptorTransfers.class) {
            // The same object each time: it is asked for with every transfer.
            @SuppressWarnings("unchecked")
            Optional<C> ability = (Optional<C>) descriptorTransfers;
            return ability;
        }
        return device.capability(type);
    }

    @Override
    public void close() {
        device.close();
    }
}
