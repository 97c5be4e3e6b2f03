package io.remap.core.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIo;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import io.remap.api.spi.IoEngine;
import java.lang.reflect.Proxy;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

class InlineIoEngineTest {
    /** A transfer that remembers how it ended. */
    private static final class RememberedIo extends DeviceIo {
        Thread completer;
        DeviceException error;
        int completions;

        RememberedIo(BlockDevice device) {
            this.device = device;
            this.operation = Operation.FLUSH;
        }

        @Override
        public void completed(DeviceException how) {
            completer = Thread.currentThread();
            error = how;
            completions++;
        }
    }

    @FunctionalInterface
    private interface Flush {
        void run() throws Exception;
    }

    /** A device of which only the flush works. */
    private static BlockDevice device(Flush flush) {
        return (BlockDevice) Proxy.newProxyInstance(
                InlineIoEngineTest.class.getClassLoader(), new Class<?>[] {BlockDevice.class}, (p, method, a) -> {
                    assertEquals("flush", method.getName());
                    flush.run();
                    return null;
                });
    }

    @Test
    void runsOnTheCallersThreadAndReportsWhatTheDeviceSaid() {
        try (IoEngine engine = new InlineIoEngine()) {
            RememberedIo good = new RememberedIo(device(() -> {}));
            engine.submit(good);
            assertSame(Thread.currentThread(), good.completer);
            assertNull(good.error);
            assertEquals(1, good.completions);

            RememberedIo bad = new RememberedIo(device(() -> {
                throw new DeviceException("d", "flush", 0, 0, Errno.EIO);
            }));
            engine.submit(bad);
            assertEquals(ErrorClass.SECTOR_OR_DEVICE, bad.error.errorClass());
            assertEquals(1, bad.completions);
        }
    }

    @Test
    void closeWaitsForWhatIsUnderWayAndTakesNothingMore() throws Exception {
        IoEngine engine = new InlineIoEngine();
        CountDownLatch started = new CountDownLatch(1);
        CountDownLatch answer = new CountDownLatch(1);
        RememberedIo slow = new RememberedIo(device(() -> {
            started.countDown();
            answer.await();
        }));
        Thread submitter = new Thread(() -> engine.submit(slow));
        submitter.start();
        assertTrue(started.await(10, TimeUnit.SECONDS));

        AtomicBoolean closed = new AtomicBoolean();
        Thread closer = new Thread(() -> {
            engine.close();
            closed.set(true);
        });
        closer.start();
        while (closer.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
        assertEquals(false, closed.get());
        RememberedIo late = new RememberedIo(device(() -> {}));
        assertThrows(IllegalStateException.class, () -> engine.submit(late));
        assertEquals(0, late.completions);
        answer.countDown();
        closer.join(10_000);
        assertTrue(closed.get());
        submitter.join(10_000);
        assertEquals(1, slow.completions);
        engine.close();
    }
}
