package io.remap.testkit;

import io.remap.api.BlockDevice;
import io.remap.api.CachedReads;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceTraits;
import io.remap.api.Errno;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * A buffered device of memory that fails, hangs until it is told to go on, or has a page cache, as a test says. Content is
 * shared by those made from one memory.
 */
public final class GatedDevice implements BlockDevice {
    private final MemoryDevice memory;
    private final DeviceTraits traits;
    private final CountDownLatch gate = new CountDownLatch(1);
    private final CountDownLatch entered;
    private volatile int errno = Errno.NONE;
    private volatile RuntimeException bug;
    private volatile CachedReads cache;
    private volatile boolean keepsContent = true;

    private GatedDevice(MemoryDevice memory, int hangs) {
        this.memory = memory;
        DeviceTraits direct = memory.traits();
        this.traits = new DeviceTraits(
                direct.sizeBytes(),
                direct.logicalSectorBytes(),
                direct.physicalSectorBytes(),
                1,
                false,
                false,
                false,
                false,
                false);
        this.entered = new CountDownLatch(hangs);
        if (hangs == 0) {
            gate.countDown();
        }
    }

    /** A device that answers. */
    public static GatedDevice open(MemoryDevice memory) {
        return new GatedDevice(memory, 0);
    }

    /** A device that answers nothing before {@link #goOn}. */
    public static GatedDevice hanging(MemoryDevice memory, int expectedTransfers) {
        return new GatedDevice(memory, expectedTransfers);
    }

    /** Fails whatever comes from now on. */
    public GatedDevice failing(int with) {
        errno = with;
        return this;
    }

    /** Throws what only an error in the program throws. */
    public GatedDevice broken(RuntimeException with) {
        bug = with;
        return this;
    }

    /** Has this page cache. */
    public GatedDevice cached(CachedReads by) {
        cache = by;
        return this;
    }

    /** Only moves the positions of buffers, which allocates nothing. */
    public GatedDevice withoutContent() {
        keepsContent = false;
        return this;
    }

    /** Waits until as many transfers hang as are expected. */
    public void awaitEntered() throws InterruptedException {
        if (!entered.await(IoEngineContract.PATIENCE_SECONDS, TimeUnit.SECONDS)) {
            throw new AssertionError(entered.getCount() + " more transfers should have reached " + name());
        }
    }

    /** Answers. */
    public void goOn() {
        gate.countDown();
    }

    private void pass(String operation, long offsetBytes, long lengthBytes) throws DeviceException {
        entered.countDown();
        try {
            gate.await();
        } catch (InterruptedException e) {
            throw new AssertionError("a thread that does I/O was interrupted", e);
        }
        if (bug != null) {
            throw bug;
        }
        if (errno != Errno.NONE) {
            throw new DeviceException(name(), operation, offsetBytes, lengthBytes, errno);
        }
    }

    @Override
    public String name() {
        return memory.name();
    }

    @Override
    public DeviceTraits traits() {
        return traits;
    }

    @Override
    public DeviceIdentity identity() {
        return memory.identity();
    }

    @Override
    public void read(long offsetBytes, ByteBuffer target) throws DeviceException {
        pass("read", offsetBytes, target.remaining());
        if (keepsContent) {
            memory.read(offsetBytes, target);
        } else {
            target.position(target.limit());
        }
    }

    @Override
    public void write(long offsetBytes, ByteBuffer source) throws DeviceException {
        pass("write", offsetBytes, source.remaining());
        if (keepsContent) {
            memory.write(offsetBytes, source);
        } else {
            source.position(source.limit());
        }
    }

    @Override
    public void flush() throws DeviceException {
        pass("flush", 0, 0);
        memory.flush();
    }

    @Override
    public void discard(long offsetBytes, long lengthBytes) throws DeviceException {
        pass("discard", offsetBytes, lengthBytes);
        memory.discard(offsetBytes, lengthBytes);
    }

    @Override
    public void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) throws DeviceException {
        pass("zero", offsetBytes, lengthBytes);
        memory.zero(offsetBytes, lengthBytes, keepAllocated);
    }

    @Override
    public <C> Optional<C> capability(Class<C> type) {
        return type == CachedReads.class && cache != null ? Optional.of(type.cast(cache)) : Optional.empty();
    }

    @Override
    public void close() {
        memory.close();
    }
}
