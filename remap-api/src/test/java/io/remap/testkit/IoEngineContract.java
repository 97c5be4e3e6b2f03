package io.remap.testkit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceException;
import io.remap.api.DeviceIo.Operation;
import io.remap.api.Environment;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import io.remap.api.spi.IoEngine;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What every {@link IoEngine} promises. A test class of an engine extends this one, says how it is opened, and on which
 * threads transfers are submitted; the contract closes it.
 */
public abstract class IoEngineContract {
    /** How long anything may take. */
    protected static final int PATIENCE_SECONDS = 20;

    protected static final int DEVICE_BYTES = 4 << 20;
    private static final int SECTOR_BYTES = 512;
    private static final int STUCK = 24;

    private final ScheduledExecutorService threads = Executors.newScheduledThreadPool(4, IoEngineContract::daemon);
    protected final MemoryDevice memory = new MemoryDevice("memory", DEVICE_BYTES, SECTOR_BYTES);

    /** The engine under test. */
    protected IoEngine engine;

    protected abstract IoEngine open(Environment environment) throws Exception;

    /**
     * Where the next transfer is submitted: an engine whose submitters may block gets a thread for each that can hang, one
     * for event loops always the same.
     */
    protected abstract Executor submitter();

    @BeforeEach
    void openEngine() throws Exception {
        engine = open(environment());
    }

    @AfterEach
    void closeEngine() {
        engine.close();
        threads.shutdownNow();
    }

    /** Time and threads for an engine. */
    protected final Environment environment() {
        return RealEnvironment.on(threads);
    }

    /** Runs each task on a new thread. */
    protected static Executor newThreads() {
        return task -> daemon(task).start();
    }

    private static Thread daemon(Runnable task) {
        Thread thread = new Thread(task, "engine-test");
        thread.setDaemon(true);
        return thread;
    }

    /** Submits it there; what the submission throws is thrown. */
    protected final void submit(EngineTransfer transfer) throws Exception {
        submit(submitter(), transfer);
    }

    private void submit(Executor where, EngineTransfer transfer) {
        where.execute(() -> engine.submit(transfer));
    }

    private static <T> T callOn(Executor where, Callable<T> call) throws Exception {
        CompletableFuture<T> result = new CompletableFuture<>();
        where.execute(() -> {
            try {
                result.complete(call.call());
            } catch (Throwable e) {
                result.completeExceptionally(e);
            }
        });
        try {
            return result.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof Exception cause ? cause : e;
        }
    }

    protected static ByteBuffer bytes(int length, long seed) {
        byte[] content = new byte[length];
        new Random(seed).nextBytes(content);
        return ByteBuffer.allocateDirect(length).put(content).flip();
    }

    @Test
    void executesEachOperation() throws Exception {
        GatedDevice device = GatedDevice.open(memory);
        for (int length : new int[] {SECTOR_BYTES, 4096, 64 << 10, 1 << 20}) {
            ByteBuffer written = bytes(length, length);
            EngineTransfer write = new EngineTransfer(Operation.WRITE, device, 4096, written);
            submit(write);
            assertNull(write.await());
            EngineTransfer read = new EngineTransfer(Operation.READ, device, 4096, ByteBuffer.allocateDirect(length));
            submit(read);
            assertNull(read.await());
            assertEquals(written.flip(), read.data.flip());
        }
        EngineTransfer flush = new EngineTransfer(Operation.FLUSH, device);
        submit(flush);
        assertNull(flush.await());
        for (Operation operation : List.of(Operation.DISCARD, Operation.ZERO, Operation.ZERO_ALLOCATED)) {
            EngineTransfer transfer = new EngineTransfer(operation, device);
            transfer.offsetBytes = 4096;
            transfer.lengthBytes = 8192;
            submit(transfer);
            assertNull(transfer.await(), operation.toString());
        }
        ByteBuffer zeros = ByteBuffer.allocateDirect(8192);
        memory.read(4096, zeros);
        assertEquals(ByteBuffer.allocate(8192), zeros.flip());
    }

    @Test
    void passesTheErrorOfTheDevice() throws Exception {
        GatedDevice device = GatedDevice.open(memory).failing(Errno.EIO);
        for (Operation operation : Operation.values()) {
            EngineTransfer transfer = new EngineTransfer(operation, device, 0, bytes(4096, 1));
            submit(transfer);
            DeviceException error = transfer.await();
            assertEquals(Errno.EIO, error.errno(), operation.toString());
            assertEquals(ErrorClass.SECTOR_OR_DEVICE, error.errorClass());
        }
    }

    @Test
    void completesEachOnceFromManySubmitters() throws Exception {
        int submitters = 4;
        int each = 2000;
        GatedDevice device = GatedDevice.open(memory);
        CountDownLatch begin = new CountDownLatch(1);
        List<List<EngineTransfer>> all = new ArrayList<>();
        for (int s = 0; s < submitters; s++) {
            List<EngineTransfer> own = new ArrayList<>();
            for (int i = 0; i < each; i++) {
                long offset = ((long) s * each + i) % (DEVICE_BYTES / SECTOR_BYTES) * SECTOR_BYTES;
                Operation operation = i % 7 == 0 ? Operation.FLUSH : i % 2 == 0 ? Operation.READ : Operation.WRITE;
                own.add(new EngineTransfer(operation, device, offset, ByteBuffer.allocateDirect(SECTOR_BYTES)));
            }
            all.add(own);
            Executor where = submitter();
            daemon(() -> {
                        try {
                            begin.await();
                        } catch (InterruptedException e) {
                            throw new AssertionError(e);
                        }
                        own.forEach(transfer -> submit(where, transfer));
                    })
                    .start();
        }
        begin.countDown();
        for (List<EngineTransfer> own : all) {
            for (EngineTransfer transfer : own) {
                assertNull(transfer.await());
            }
        }
    }

    @Test
    void submitsFromACompletion() throws Exception {
        GatedDevice device = GatedDevice.open(memory);
        EngineTransfer second = new EngineTransfer(Operation.FLUSH, device);
        EngineTransfer first = new EngineTransfer(Operation.WRITE, device, 0, bytes(4096, 1));
        submit(first.then(() -> engine.submit(second)));
        assertNull(first.await());
        assertNull(second.await());
    }

    @Test
    void whatHangsDelaysNothingElse() throws Exception {
        for (Operation operation : List.of(Operation.READ, Operation.WRITE, Operation.FLUSH)) {
            GatedDevice hanging = GatedDevice.hanging(memory, STUCK);
            GatedDevice healthy = GatedDevice.open(memory);
            List<EngineTransfer> stuck = new ArrayList<>();
            for (int i = 0; i < STUCK; i++) {
                EngineTransfer transfer = new EngineTransfer(operation, hanging, i * 4096L, bytes(4096, i));
                stuck.add(transfer);
                submit(transfer);
            }
            // Not before all hang at once.
            hanging.awaitEntered();
            for (Operation other : List.of(Operation.WRITE, Operation.READ, Operation.FLUSH)) {
                EngineTransfer quick = new EngineTransfer(other, healthy, 1 << 20, bytes(4096, 1));
                submit(quick);
                assertNull(quick.await());
            }
            stuck.forEach(transfer -> assertEquals(0, transfer.completions()));
            hanging.goOn();
            for (EngineTransfer transfer : stuck) {
                assertNull(transfer.await());
            }
        }
    }

    @Test
    void closeWaitsForWhatIsUnderWayAndTakesNothingMore() throws Exception {
        GatedDevice hanging = GatedDevice.hanging(memory, 1);
        ByteBuffer content = bytes(4096, 7);
        EngineTransfer slow = new EngineTransfer(Operation.WRITE, hanging, 0, content);
        submit(slow);
        hanging.awaitEntered();
        AtomicInteger completionsAtClose = new AtomicInteger(-1);
        Thread closer = daemon(() -> {
            engine.close();
            completionsAtClose.set(slow.completions());
        });
        closer.start();
        awaitWaiting(closer);
        assertEquals(-1, completionsAtClose.get());
        EngineTransfer late = new EngineTransfer(Operation.FLUSH, hanging);
        assertThrows(
                IllegalStateException.class,
                () -> callOn(submitter(), () -> {
                    engine.submit(late);
                    return null;
                }));
        assertEquals(0, late.completions());
        hanging.goOn();
        closer.join(TimeUnit.SECONDS.toMillis(PATIENCE_SECONDS));
        assertEquals(1, completionsAtClose.get());
        byte[] onDevice = new byte[4096];
        memory.read(0, ByteBuffer.wrap(onDevice));
        byte[] expected = new byte[4096];
        content.flip().get(expected);
        assertArrayEquals(expected, onDevice);
        engine.close();
    }

    private static void awaitWaiting(Thread thread) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (thread.getState() != Thread.State.WAITING && thread.getState() != Thread.State.TIMED_WAITING) {
            assertTrue(System.nanoTime() - deadline < 0, "the close does not wait: " + thread.getState());
            Thread.onSpinWait();
        }
    }
}
