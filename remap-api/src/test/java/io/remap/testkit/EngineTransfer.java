package io.remap.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIo;
import java.nio.ByteBuffer;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** A transfer that remembers how it ended. Submitted once. */
public final class EngineTransfer extends DeviceIo {
    private final CountDownLatch end = new CountDownLatch(1);
    private final AtomicInteger completions = new AtomicInteger();
    private volatile DeviceException error;
    private volatile Thread completer;
    private volatile Runnable then = () -> {};

    /** A transfer without data. */
    public EngineTransfer(Operation operation, BlockDevice device) {
        this.operation = operation;
        this.device = device;
    }

    /** A transfer of data. */
    public EngineTransfer(Operation operation, BlockDevice device, long offsetBytes, ByteBuffer data) {
        this(operation, device);
        this.offsetBytes = offsetBytes;
        this.lengthBytes = data.remaining();
        this.data = data;
    }

    /** This is done within the completion. */
    public EngineTransfer then(Runnable next) {
        then = next;
        return this;
    }

    @Override
    public void completed(DeviceException how) {
        completer = Thread.currentThread();
        error = how;
        completions.incrementAndGet();
        then.run();
        end.countDown();
    }

    /** Waits for the completion; returns the error, {@code null} if there was none. */
    public DeviceException await() throws InterruptedException {
        assertTrue(
                end.await(IoEngineContract.PATIENCE_SECONDS, TimeUnit.SECONDS),
                "not completed: " + operation + " at " + offsetBytes);
        assertEquals(1, completions.get(), "completions");
        return error;
    }

    /** How often it was completed. */
    public int completions() {
        return completions.get();
    }

    /** Who completed it, {@code null} so far. */
    public Thread completer() {
        return completer;
    }
}
