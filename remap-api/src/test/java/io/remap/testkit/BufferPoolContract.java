package io.remap.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BufferPool;
import io.remap.api.IoBuffer;
import io.remap.api.SizedBufferPool;
import io.remap.api.spi.BufferPoolProvider;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What every buffer pool of a provider must do. Subclassed once for each provider. */
public abstract class BufferPoolContract {
    private static final int PAGE = IoBuffer.ALIGNMENT_BYTES;

    private final BufferPoolProvider provider;

    protected BufferPoolContract(BufferPoolProvider provider) {
        this.provider = provider;
    }

    private SizedBufferPool pool(long budgetBytes) {
        return (SizedBufferPool) provider.open(budgetBytes);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 511, 512, 4095, 4096, 4097, 65536, 65537, 1 << 20, BufferPool.MAX_BUFFER_BYTES})
    void aBufferIsAlignedAndAsLongAsAskedFor(int length) {
        try (SizedBufferPool pool = pool(BufferPool.MAX_BUFFER_BYTES)) {
            IoBuffer buffer = pool.acquire(length);
            ByteBuffer data = buffer.data();
            assertEquals(length, buffer.lengthBytes());
            assertEquals(0, data.position());
            assertEquals(length, data.limit());
            assertTrue(data.isDirect());
            assertEquals(0, data.alignmentOffset(0, PAGE));
            assertSame(data, buffer.data());
            ByteBuffer whole = buffer.withHeadroom();
            assertEquals(IoBuffer.HEADROOM_BYTES + length, whole.remaining());
            whole.put(IoBuffer.HEADROOM_BYTES + length - 1, (byte) 9);
            assertEquals(9, data.get(length - 1));
            assertEquals(9, buffer.slice(length - 1, 1).get(0));
            buffer.release();
        }
    }

    @Test
    void viewsAreFreshForTheNextHolder() {
        try (SizedBufferPool pool = pool(1 << 20)) {
            IoBuffer first = pool.acquire(8192);
            first.data().order(ByteOrder.LITTLE_ENDIAN).position(100).limit(200);
            first.withHeadroom().position(7);
            first.release();
            IoBuffer second = pool.acquire(5000);
            assertSame(first, second);
            assertEquals(5000, second.data().remaining());
            assertEquals(ByteOrder.BIG_ENDIAN, second.data().order());
            assertEquals(5000 + IoBuffer.HEADROOM_BYTES, second.withHeadroom().remaining());
        }
    }

    @Test
    void theBudgetIsExact() {
        try (SizedBufferPool pool = pool(10 * PAGE)) {
            List<IoBuffer> out = new ArrayList<>();
            for (int i = 0; i < 10; i++) {
                out.add(assertNotNull(pool.acquire(PAGE)));
            }
            assertEquals(10L * PAGE, pool.bytesInUse());
            assertNull(pool.acquire(1));
            out.remove(9).release();
            assertNull(pool.acquire(PAGE + 1));
            out.add(assertNotNull(pool.acquire(1)));
            out.forEach(IoBuffer::release);
            assertEquals(0, pool.bytesInUse());
            // All of it in one piece, although it stands free in ten.
            IoBuffer whole = assertNotNull(pool.acquire(10 * PAGE));
            assertEquals(10L * PAGE, pool.allocatedBytes());
            whole.release();
            assertThrows(IllegalArgumentException.class, () -> pool.acquire(10 * PAGE + 1));
        }
    }

    private static IoBuffer assertNotNull(IoBuffer buffer) {
        org.junit.jupiter.api.Assertions.assertNotNull(buffer);
        return buffer;
    }

    @Test
    void refusesLengthsOutOfRange() {
        try (SizedBufferPool pool = pool(64L << 20)) {
            assertThrows(IllegalArgumentException.class, () -> pool.acquire(0));
            assertThrows(IllegalArgumentException.class, () -> pool.acquire(-1));
            assertThrows(IllegalArgumentException.class, () -> pool.acquire(BufferPool.MAX_BUFFER_BYTES + 1));
        }
        assertThrows(IllegalArgumentException.class, () -> pool(PAGE - 1));
    }

    @Test
    void theLastHolderGivesItBackAndNobodyAfterIt() {
        try (SizedBufferPool pool = pool(1 << 20)) {
            IoBuffer buffer = pool.acquire(100);
            buffer.retain();
            buffer.release();
            assertEquals(PAGE, pool.bytesInUse());
            buffer.release();
            assertEquals(0, pool.bytesInUse());
            assertThrows(IllegalStateException.class, buffer::release);
            assertThrows(IllegalStateException.class, buffer::retain);
            assertThrows(IllegalStateException.class, buffer::data);
            assertThrows(IllegalStateException.class, buffer::withHeadroom);
            assertEquals(0, pool.bytesInUse());
        }
    }

    @Test
    void whoWaitsIsCalledOnceAfterTheNextRelease() {
        try (SizedBufferPool pool = pool(2 * PAGE)) {
            IoBuffer first = pool.acquire(PAGE);
            IoBuffer second = pool.acquire(PAGE);
            assertNull(pool.acquire(PAGE));
            AtomicInteger calls = new AtomicInteger();
            pool.whenReleased(calls::incrementAndGet);
            assertEquals(0, calls.get());
            first.release();
            assertEquals(1, calls.get());
            second.release();
            assertEquals(1, calls.get());
            pool.whenReleased(calls::incrementAndGet);
            assertEquals(2, calls.get(), "the budget is free, so at once");
        }
    }

    @Test
    void aReleaseBetweenRefusalAndWaitingIsNotMissed() {
        try (SizedBufferPool pool = pool(2 * PAGE)) {
            IoBuffer stuck = pool.acquire(PAGE);
            IoBuffer other = pool.acquire(PAGE);
            assertNull(pool.acquire(PAGE));
            other.release();
            AtomicInteger calls = new AtomicInteger();
            pool.whenReleased(calls::incrementAndGet);
            assertEquals(1, calls.get());
            stuck.release();
        }
    }

    @Test
    void aFailingCallbackDoesNotKeepTheOthersAsleep() {
        try (SizedBufferPool pool = pool(PAGE)) {
            IoBuffer buffer = pool.acquire(PAGE);
            AtomicInteger calls = new AtomicInteger();
            pool.whenReleased(() -> {
                throw new IllegalStateException("on purpose");
            });
            pool.whenReleased(calls::incrementAndGet);
            buffer.release();
            assertEquals(1, calls.get());
        }
    }

    @Test
    void countsWhatWasThereWhatWasMadeAndWhatWasRefused() {
        try (SizedBufferPool pool = pool(4 * PAGE)) {
            IoBuffer first = pool.acquire(PAGE);
            IoBuffer second = pool.acquire(PAGE);
            first.release();
            IoBuffer again = pool.acquire(1);
            assertNull(pool.acquire(4 * PAGE));
            again.release();
            second.release();
            assertEquals(1L, attribute(pool, "buffers.hits"));
            assertEquals(2L, attribute(pool, "buffers.misses"));
            assertEquals(1L, attribute(pool, "buffers.refusals"));
            assertEquals(2L * PAGE, attribute(pool, "buffers.allocated-bytes"));
        }
    }

    private static Object attribute(SizedBufferPool pool, String name) {
        return pool.attributes().stream()
                .filter(attribute -> attribute.name().equals(name))
                .findFirst()
                .orElseThrow()
                .get()
                .get();
    }

    @Test
    void closingFreesWhatIsPooledNowAndWhatIsOutLater() {
        SizedBufferPool pool = pool(1 << 20);
        IoBuffer out = pool.acquire(PAGE);
        pool.acquire(3 * PAGE).release();
        assertEquals(5L * PAGE, pool.allocatedBytes());
        pool.close();
        assertEquals(PAGE, pool.allocatedBytes());
        assertThrows(IllegalStateException.class, () -> pool.acquire(1));
        out.data().put(0, (byte) 1);
        out.release();
        assertEquals(0, pool.allocatedBytes());
        assertEquals(0, pool.bytesInUse());
        pool.close();
    }

    @Test
    void inSteadyStateNothingIsAllocated() throws Exception {
        try (SizedBufferPool pool = pool(64L << 20)) {
            long least = Long.MAX_VALUE;
            for (int round = 0; round < 20; round++) {
                long before = allocatedByThisThread();
                for (int i = 0; i < 1000; i++) {
                    IoBuffer small = pool.acquire(PAGE);
                    IoBuffer large = pool.acquire(100_000);
                    small.release();
                    large.release();
                }
                least = Math.min(least, allocatedByThisThread() - before);
            }
            assertTrue(least < 10_000, "2000 buffers cost " + least + " bytes of heap");
        }
    }

    /** By reflection, since the module under test does not read the one that counts. */
    private static long allocatedByThisThread() throws ReflectiveOperationException {
        Object threads = Class.forName("java.lang.management.ManagementFactory")
                .getMethod("getThreadMXBean")
                .invoke(null);
        Method count = Class.forName("com.sun.management.ThreadMXBean").getMethod("getCurrentThreadAllocatedBytes");
        return (long) count.invoke(threads);
    }

    @Test
    void threadsNeverShareABufferNorExceedTheBudget() throws Exception {
        int threads = 4;
        long budget = 40 * PAGE;
        SizedBufferPool pool = pool(budget);
        ExecutorService workers = Executors.newFixedThreadPool(threads);
        CountDownLatch begun = new CountDownLatch(threads);
        List<Future<Integer>> running = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
            int id = t + 1;
            running.add(workers.submit(() -> {
                Random random = new Random(id);
                begun.countDown();
                begun.await();
                List<IoBuffer> held = new ArrayList<>();
                int acquired = 0;
                for (int round = 0; round < 30_000; round++) {
                    if (held.size() < 6 && random.nextBoolean()) {
                        IoBuffer buffer = pool.acquire(1 + random.nextInt(9 * PAGE));
                        if (buffer != null) {
                            acquired++;
                            mark(buffer, id);
                            held.add(buffer);
                        }
                    } else if (!held.isEmpty()) {
                        IoBuffer buffer = held.remove(random.nextInt(held.size()));
                        requireMarked(buffer, id);
                        buffer.release();
                    }
                    long inUse = pool.bytesInUse();
                    long allocated = pool.allocatedBytes();
                    if (inUse > budget || allocated > budget) {
                        throw new AssertionError("in use " + inUse + ", allocated " + allocated + " of " + budget);
                    }
                }
                held.forEach(IoBuffer::release);
                return acquired;
            }));
        }
        int acquired = 0;
        for (Future<Integer> future : running) {
            acquired += future.get(60, TimeUnit.SECONDS);
        }
        // One of them may find everything taken by others that do not run just then.
        assertTrue(acquired > 100 * running.size(), acquired + " buffers");
        workers.shutdown();
        assertEquals(0, pool.bytesInUse());
        pool.close();
        assertEquals(0, pool.allocatedBytes());
    }

    /** Every waiter gets its memory in the end, whoever takes and gives what in between. */
    @Test
    void nobodySleepsForEver() throws Exception {
        int threads = 4;
        int wanted = 2000;
        SizedBufferPool pool = pool(8 * PAGE);
        ExecutorService workers = Executors.newFixedThreadPool(threads);
        List<Future<?>> running = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
            int id = t;
            running.add(workers.submit(() -> {
                Random random = new Random(id);
                for (int i = 0; i < wanted; i++) {
                    int length = 1 + random.nextInt(8 * PAGE);
                    IoBuffer buffer = pool.acquire(length);
                    while (buffer == null) {
                        CountDownLatch woken = new CountDownLatch(1);
                        pool.whenReleased(woken::countDown);
                        if (!woken.await(20, TimeUnit.SECONDS)) {
                            throw new AssertionError("seed " + id + ": nobody called after " + i + " buffers");
                        }
                        buffer = pool.acquire(length);
                    }
                    buffer.release();
                }
                return null;
            }));
        }
        for (Future<?> future : running) {
            future.get(60, TimeUnit.SECONDS);
        }
        workers.shutdown();
        pool.close();
    }

    private static void mark(IoBuffer buffer, int id) {
        ByteBuffer data = buffer.data();
        data.put(0, (byte) id);
        data.put(data.limit() - 1, (byte) id);
    }

    private static void requireMarked(IoBuffer buffer, int id) {
        ByteBuffer data = buffer.data();
        if (data.get(0) != id || data.get(data.limit() - 1) != id) {
            throw new AssertionError("somebody else wrote into a buffer of thread " + id);
        }
    }
}
