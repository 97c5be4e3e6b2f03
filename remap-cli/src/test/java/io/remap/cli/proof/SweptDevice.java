package io.remap.cli.proof;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceTraits;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;

/** A device of which the operation with a given number fails in a given way, once, or from then on. One thread. */
final class SweptDevice implements BlockDevice {
    private static final long HANG_NANOS = 60_000_000_000L;
    private static final byte GARBAGE = (byte) 0xa5;

    /** How an operation fails. */
    enum Fault {
        READ_EIO,
        WRITE_EIO,
        FLUSH_EIO,
        NO_SPACE,
        /** Half of it is transferred, then it ends. */
        SHORT,
        /** It is answered after a minute, rightly. */
        HANG,
        GONE;

        boolean fits(Operation operation) {
            return switch (this) {
                case READ_EIO -> operation == Operation.READ;
                case WRITE_EIO, NO_SPACE -> operation == Operation.WRITE || operation == Operation.ZERO;
                case FLUSH_EIO -> operation == Operation.FLUSH;
                case SHORT -> operation == Operation.READ || operation == Operation.WRITE;
                case HANG, GONE -> true;
            };
        }
    }

    /** How long. */
    enum Lasting {
        ONCE,
        /** All operations that the fault fits and that touch the same place. */
        THERE,
        /** All operations that the fault fits. */
        FROM_THEN_ON;

        boolean fits(Fault fault) {
            return this != THERE || (fault != Fault.FLUSH_EIO && fault != Fault.HANG && fault != Fault.GONE);
        }
    }

    /**
     * What is to happen.
     *
     * @param number of the operation, the first one after {@link #arm} is 0
     */
    record Plan(long number, Fault fault, Lasting lasting) {}

    /** Told of each operation that meets the fault, before it ends. */
    @FunctionalInterface
    interface Witness {
        void met(Operation operation, long offsetBytes, long lengthBytes);
    }

    private final CrashDevice device;
    private final LongConsumer sleep;
    private final Witness witness;
    /** The operations since {@link #arm}, in their order. */
    private final List<Operation> operations = new ArrayList<>();

    private boolean armed;
    private Plan plan;
    private long placeStart;
    private long placeEnd;

    /** @param sleep lets so many nanoseconds pass */
    SweptDevice(CrashDevice device, LongConsumer sleep, Witness witness) {
        this.device = device;
        this.sleep = sleep;
        this.witness = witness;
    }

    /** Whether what fails now speaks against sectors: a device that is gone, or does not answer, has lost none. */
    boolean blamesSectors() {
        return plan != null && (plan.fault == Fault.READ_EIO || plan.fault == Fault.SHORT);
    }

    /** Operations count from now on; {@code null}: nothing is to happen. */
    void arm(Plan what) {
        operations.clear();
        plan = what;
        armed = true;
    }

    /** From now on nothing fails. */
    void disarm() {
        armed = false;
    }

    /** What was asked since {@link #arm}. */
    List<Operation> operations() {
        return operations;
    }

    private boolean fails(Operation operation, long offset, long length) {
        if (!armed) {
            return false;
        }
        long number = operations.size();
        operations.add(operation);
        if (plan == null || number < plan.number || !plan.fault.fits(operation)) {
            return false;
        }
        if (number == plan.number) {
            placeStart = offset;
            placeEnd = offset + length;
        }
        boolean hit = switch (plan.lasting) {
            case ONCE -> number == plan.number;
            case THERE -> offset < placeEnd && placeStart < offset + length;
            case FROM_THEN_ON -> true;
        };
        if (hit) {
            witness.met(operation, offset, length);
        }
        return hit;
    }

    private DeviceException error(String operation, long offset, long length) {
        return switch (plan.fault) {
            case NO_SPACE -> new DeviceException(name(), operation, offset, length, Errno.ENOSPC);
            case GONE -> new DeviceException(name(), operation, offset, length, Errno.ENODEV);
            case SHORT ->
                new DeviceException(
                        name(), operation, offset, length, Errno.NONE, ErrorClass.UNKNOWN, "short: it ended", null);
            default -> new DeviceException(name(), operation, offset, length, Errno.EIO);
        };
    }

    private boolean hangs() {
        if (plan.fault == Fault.HANG) {
            sleep.accept(HANG_NANOS);
            return true;
        }
        return false;
    }

    @Override
    public void read(long offsetBytes, ByteBuffer target) throws DeviceException {
        int length = target.remaining();
        if (fails(Operation.READ, offsetBytes, length) && !hangs()) {
            if (plan.fault == Fault.SHORT) {
                int sector = traits().logicalSectorBytes();
                int half = length / 2 / sector * sector;
                device.read(offsetBytes, target.slice(target.position(), half));
                target.position(target.position() + half);
            }
            while (target.hasRemaining()) {
                target.put(GARBAGE);
            }
            throw error("read", offsetBytes, length);
        }
        device.read(offsetBytes, target);
    }

    /** Whether a write that fails lands follows from its number: both happen. */
    @Override
    public void write(long offsetBytes, ByteBuffer source) throws DeviceException {
        int length = source.remaining();
        if (fails(Operation.WRITE, offsetBytes, length) && !hangs()) {
            int sector = traits().logicalSectorBytes();
            int half = length / 2 / sector * sector;
            int landing = plan.fault == Fault.SHORT ? half : (plan.number & 1) == 0 ? 0 : length;
            device.write(offsetBytes, source.slice(source.position(), landing));
            throw error("write", offsetBytes, length);
        }
        device.write(offsetBytes, source);
    }

    @Override
    public void flush() throws DeviceException {
        if (fails(Operation.FLUSH, 0, 0) && !hangs()) {
            throw error("flush", 0, 0);
        }
        device.flush();
    }

    @Override
    public void discard(long offsetBytes, long lengthBytes) throws DeviceException {
        if (fails(Operation.DISCARD, offsetBytes, lengthBytes) && !hangs()) {
            throw error("discard", offsetBytes, lengthBytes);
        }
        device.discard(offsetBytes, lengthBytes);
    }

    @Override
    public void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) throws DeviceException {
        if (fails(Operation.ZERO, offsetBytes, lengthBytes) && !hangs()) {
            throw error("zero", offsetBytes, lengthBytes);
        }
        device.zero(offsetBytes, lengthBytes, keepAllocated);
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
