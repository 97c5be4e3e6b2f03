package io.remap.iopt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Attribute;
import io.remap.api.CachedReads;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIo;
import io.remap.api.DeviceIo.Operation;
import io.remap.api.Environment;
import io.remap.api.ErrorClass;
import io.remap.api.ListenAddress;
import io.remap.api.PagePipe;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.api.spi.IoEngine;
import io.remap.api.spi.Transport;
import io.remap.testkit.EchoClient;
import io.remap.testkit.EchoSession;
import io.remap.testkit.EngineTransfer;
import io.remap.testkit.GatedDevice;
import io.remap.testkit.IoEngineContract;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The engine as event loops use it. */
class FastIoEngineTest extends IoEngineContract {
    private static final int INLINE_BYTES = 128 << 10;

    private final LoopDouble loop = new LoopDouble();

    @Override
    protected IoEngine open(Environment environment) throws Refusal {
        return new FastIoEngineProvider()
                .open(
                        environment,
                        new Settings(Map.of(
                                FastIoEngineProvider.PAGES_MIN_BYTES.name(), "65536", "fast.direct", "workers")));
    }

    @Override
    protected Executor submitter() {
        return loop;
    }

    @AfterEach
    void closeLoop() {
        loop.close();
    }

    private Object attribute(String name) {
        return named(name).get().get();
    }

    private Attribute named(String name) {
        return engine.attributes().stream()
                .filter(attribute -> attribute.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    /** A page cache that holds everything up to a place. */
    private CachedReads cacheUpTo(long endBytes, PagePipe pages) {
        return new CachedReads() {
            @Override
            public boolean tryRead(long offsetBytes, ByteBuffer target) {
                if (offsetBytes + target.remaining() > endBytes) {
                    return false;
                }
                memory.read(offsetBytes, target);
                return true;
            }

            @Override
            public boolean holds(long offsetBytes) {
                return offsetBytes < endBytes;
            }

            @Override
            public PagePipe tryPages(long offsetBytes, int lengthBytes) {
                return offsetBytes + lengthBytes > endBytes ? null : pages;
            }
        };
    }

    private static PagePipe pipe() {
        return new PagePipe() {
            @Override
            public int descriptor() {
                return -1;
            }

            @Override
            public int remainingBytes() {
                return 0;
            }

            @Override
            public void taken(int lengthBytes) {}

            @Override
            public void release() {}
        };
    }

    @Test
    void readsFromThePageCacheOnTheLoopAndNothingElse() throws Exception {
        GatedDevice device = GatedDevice.open(memory).cached(cacheUpTo(DEVICE_BYTES / 2, null));
        memory.write(4096, bytes(4096, 3));
        EngineTransfer cached = new EngineTransfer(Operation.READ, device, 4096, ByteBuffer.allocateDirect(4096));
        submit(cached);
        assertNull(cached.await());
        assertSame(loop.thread(), cached.completer());
        assertEquals(bytes(4096, 3), cached.data.flip());

        List<EngineTransfer> others = List.of(
                new EngineTransfer(Operation.READ, device, DEVICE_BYTES / 2, ByteBuffer.allocateDirect(4096)),
                new EngineTransfer(Operation.READ, device, 0, ByteBuffer.allocateDirect(INLINE_BYTES + 4096)),
                new EngineTransfer(Operation.WRITE, device, 0, ByteBuffer.allocateDirect(4096)),
                new EngineTransfer(Operation.FLUSH, device),
                new EngineTransfer(Operation.ZERO, device, 0, ByteBuffer.allocateDirect(4096)),
                new EngineTransfer(Operation.DISCARD, device, 0, ByteBuffer.allocateDirect(4096)));
        for (EngineTransfer other : others) {
            submit(other);
            assertNull(other.await());
            assertTrue(other.completer() instanceof WorkerThread, other.operation + ": " + other.completer());
        }
        assertEquals(1L, attribute("engine.reads-inline"));
        assertEquals(1L, attribute("engine.reads-missed"));
        assertEquals(2L, attribute("engine.reads-by-worker"));
        assertEquals(6L, attribute("engine.by-worker"));
        assertEquals(6L, attribute("engine.batches"));
        assertEquals(1.0, attribute("engine.batch-mean"));
    }

    @Test
    void executesOnOtherThreadsWhatTheySubmit() throws Exception {
        EngineTransfer transfer = new EngineTransfer(Operation.FLUSH, GatedDevice.open(memory));
        engine.submit(transfer);
        assertNull(transfer.await());
        assertSame(Thread.currentThread(), transfer.completer());
        assertEquals(1L, attribute("engine.by-caller"));
    }

    @Test
    void givesPagesWhereTheyAreWelcome() throws Exception {
        PagePipe pages = pipe();
        GatedDevice device = GatedDevice.open(memory).cached(cacheUpTo(1 << 20, pages));
        memory.write(0, bytes(256 << 10, 5));
        EngineTransfer byPages = new EngineTransfer(Operation.READ, device, 0, ByteBuffer.allocateDirect(256 << 10));
        byPages.pagesWelcome = true;
        submit(byPages);
        assertNull(byPages.await());
        assertSame(pages, byPages.pages);
        assertTrue(byPages.completer() instanceof WorkerThread);

        EngineTransfer unwelcome = new EngineTransfer(Operation.READ, device, 0, ByteBuffer.allocateDirect(256 << 10));
        submit(unwelcome);
        assertNull(unwelcome.await());
        assertNull(unwelcome.pages);
        assertEquals(bytes(256 << 10, 5), unwelcome.data.flip());

        EngineTransfer small = new EngineTransfer(Operation.READ, device, 0, ByteBuffer.allocateDirect(4096));
        small.pagesWelcome = true;
        submit(small);
        assertNull(small.await());
        assertNull(small.pages);

        EngineTransfer none = new EngineTransfer(Operation.READ, device, 1 << 20, ByteBuffer.allocateDirect(256 << 10));
        none.pagesWelcome = true;
        submit(none);
        assertNull(none.await());
        assertNull(none.pages);
        assertFalse(none.data.hasRemaining());
        assertEquals(1L, attribute("engine.reads-by-pages"));
    }

    @Test
    void handsOverTogetherAndEndsTheBatchOfAll() throws Exception {
        GatedDevice device = GatedDevice.open(memory);
        AtomicInteger ends = new AtomicInteger();
        CountDownLatch ended = new CountDownLatch(1);
        Runnable end = () -> {
            ends.incrementAndGet();
            ended.countDown();
        };
        assertFalse(BatchThread.atBatchEndOfThisThread(end), "this thread is no worker");
        List<EngineTransfer> all = new ArrayList<>();
        for (int i = 0; i < WorkerThread.MAX_BATCH; i++) {
            EngineTransfer transfer = new EngineTransfer(Operation.WRITE, device, 0, ByteBuffer.allocateDirect(512));
            all.add(transfer.then(() -> assertTrue(BatchThread.atBatchEndOfThisThread(end))));
        }
        loop.execute(() -> all.forEach(engine::submit));
        for (EngineTransfer transfer : all) {
            assertNull(transfer.await());
        }
        assertTrue(ended.await(PATIENCE_SECONDS, TimeUnit.SECONDS));
        // Once, but for the watch, which ends the batch of a worker that the machine gives no processor for a while.
        assertTrue(ends.get() <= WorkerThread.MAX_BATCH / 2, () -> ends.get() + " ends of one batch");
        assertEquals(1L, attribute("engine.batches"));
        assertEquals((double) WorkerThread.MAX_BATCH, attribute("engine.batch-mean"));
    }

    @Test
    void endsTheBatchOfAWorkerThatHangsAndServesOthers() throws Exception {
        GatedDevice healthy = GatedDevice.open(memory);
        GatedDevice hanging = GatedDevice.hanging(memory, 1);
        CountDownLatch replied = new CountDownLatch(1);
        EngineTransfer first = new EngineTransfer(Operation.WRITE, healthy, 0, ByteBuffer.allocateDirect(512));
        first.then(() -> assertTrue(BatchThread.atBatchEndOfThisThread(replied::countDown)));
        EngineTransfer stuck = new EngineTransfer(Operation.WRITE, hanging, 0, ByteBuffer.allocateDirect(512));
        EngineTransfer last = new EngineTransfer(Operation.WRITE, healthy, 512, ByteBuffer.allocateDirect(512));
        loop.execute(() -> {
            engine.submit(first);
            engine.submit(stuck);
            engine.submit(last);
        });
        assertTrue(replied.await(PATIENCE_SECONDS, TimeUnit.SECONDS));
        assertNull(last.await());
        assertEquals(0, stuck.completions());
        assertNotSame(null, attribute("engine.held-up"));
        hanging.goOn();
        assertNull(stuck.await());
    }

    @Test
    void anErrorInTheProgramFailsTheTransferAndNoOther() throws Exception {
        GatedDevice broken = GatedDevice.open(memory).broken(new IllegalArgumentException("seeded bug"));
        EngineTransfer failed = new EngineTransfer(Operation.WRITE, broken, 0, ByteBuffer.allocateDirect(512));
        submit(failed);
        DeviceException error = failed.await();
        assertEquals(ErrorClass.INTERNAL, error.errorClass());
        assertTrue(error.getMessage().contains("seeded bug"), error.getMessage());
        EngineTransfer next =
                new EngineTransfer(Operation.WRITE, GatedDevice.open(memory), 0, ByteBuffer.allocateDirect(512));
        submit(next);
        assertNull(next.await());
    }

    /** A write that hangs on the one loop that there is: requests of the same and of other clients go on. */
    @Test
    void anotherThreadTakesOverTheLoopOfOneThatHangs() throws Exception {
        GatedDevice healthy = GatedDevice.open(memory);
        GatedDevice hanging = GatedDevice.hanging(memory, 1);
        Thread[] hung = {null};
        EchoSession.Shared shared = new EchoSession.Shared();
        shared.pipes = content -> {
            throw new AssertionError("no pages were asked for");
        };
        shared.carrier = echo -> {
            GatedDevice device = echo.tag() == 1 ? hanging : healthy;
            if (device == hanging) {
                hung[0] = Thread.currentThread();
            }
            engine.submit(new EngineTransfer(Operation.WRITE, device, 0, ByteBuffer.allocateDirect(512))
                    .then(echo::complete));
        };
        Settings oneLoop = new Settings(Map.of(FastTransportProvider.LOOPS.name(), "1"));
        try (Transport transport = new FastTransportProvider().open(environment(), oneLoop);
                Transport.Listener listener = transport.listen(
                        new ListenAddress.Tcp("127.0.0.1", 0), (peer, events) -> new EchoSession(shared, events))) {
            listener.start();
            try (EchoClient client = new EchoClient(listener.address());
                    EchoClient idle = new EchoClient(listener.address())) {
                idle.send(9, EchoSession.Manner.HELD, 64);
                assertEquals(9, idle.receive());
                client.send(1, EchoSession.Manner.HELD, 64);
                hanging.awaitEntered();
                assertTrue(hung[0] instanceof LoopThread, "it hangs elsewhere: " + hung[0]);
                client.send(2, EchoSession.Manner.AT_ONCE, 100_000);
                assertEquals(2, client.receive());
                idle.send(3, EchoSession.Manner.HELD, 64);
                assertEquals(3, idle.receive());
                try (EchoClient newcomer = new EchoClient(listener.address())) {
                    newcomer.send(4, EchoSession.Manner.HELD, 64);
                    assertEquals(4, newcomer.receive());
                }
                hanging.goOn();
                assertEquals(1, client.receive());
                for (int tag = 5; tag < 200; tag++) {
                    client.send(tag, EchoSession.Manner.HELD, 64);
                    idle.send(tag, EchoSession.Manner.HELD, 64);
                    assertEquals(tag, client.receive());
                    assertEquals(tag, idle.receive());
                }
                assertEquals(1L, attribute("engine.loops-rescued"));
                assertTrue(((LoopThread) hung[0]).isLost());
            }
            assertTrue(transport.drain(TimeUnit.SECONDS.toMillis(PATIENCE_SECONDS)));
        }
        hung[0].join(TimeUnit.SECONDS.toMillis(PATIENCE_SECONDS));
        assertFalse(hung[0].isAlive(), "the thread that was given up ends");
        assertEquals(List.of(), List.copyOf(shared.violations));
    }

    /** A thread that took the loop over hangs in its turn: a third one serves, and neither of the two comes between. */
    @Test
    void aThreadThatTookOverMayHangToo() throws Exception {
        GatedDevice healthy = GatedDevice.open(memory);
        GatedDevice[] hanging = {GatedDevice.hanging(memory, 1), GatedDevice.hanging(memory, 1)};
        Queue<Thread> hung = new ConcurrentLinkedQueue<>();
        EchoSession.Shared shared = new EchoSession.Shared();
        shared.pipes = content -> {
            throw new AssertionError("no pages were asked for");
        };
        shared.carrier = echo -> {
            GatedDevice device = echo.tag() <= hanging.length ? hanging[(int) echo.tag() - 1] : healthy;
            if (device != healthy) {
                hung.add(Thread.currentThread());
            }
            engine.submit(new EngineTransfer(Operation.WRITE, device, 0, ByteBuffer.allocateDirect(512))
                    .then(echo::complete));
        };
        Settings oneLoop = new Settings(Map.of(FastTransportProvider.LOOPS.name(), "1"));
        try (Transport transport = new FastTransportProvider().open(environment(), oneLoop);
                Transport.Listener listener = transport.listen(
                        new ListenAddress.Tcp("127.0.0.1", 0), (peer, events) -> new EchoSession(shared, events))) {
            listener.start();
            List<EchoClient> others = new ArrayList<>();
            try (EchoClient client = new EchoClient(listener.address())) {
                for (int i = 0; i < 8; i++) {
                    others.add(new EchoClient(listener.address()));
                }
                int tag = hanging.length;
                exchange(others, ++tag);
                client.send(1, EchoSession.Manner.HELD, 64);
                client.send(2, EchoSession.Manner.HELD, 64);
                hanging[0].awaitEntered();
                hanging[1].awaitEntered();
                for (int i = 0; i < 50; i++) {
                    exchange(others, ++tag);
                }
                assertEquals(2L, attribute("engine.loops-rescued"));
                hanging[1].goOn();
                hanging[0].goOn();
                assertEquals(3L, client.receive() + client.receive());
                for (int i = 0; i < 200; i++) {
                    exchange(others, ++tag);
                }
                client.send(++tag, EchoSession.Manner.HELD, 64);
                assertEquals(tag, client.receive());
            } finally {
                for (EchoClient other : others) {
                    other.close();
                }
            }
            assertTrue(transport.drain(TimeUnit.SECONDS.toMillis(PATIENCE_SECONDS)));
        }
        assertEquals(2, hung.size());
        for (Thread thread : hung) {
            thread.join(TimeUnit.SECONDS.toMillis(PATIENCE_SECONDS));
            assertFalse(thread.isAlive(), "a thread that was given up ends");
        }
        assertEquals(List.of(), List.copyOf(shared.violations));
    }

    /** Every client has its answer. */
    private static void exchange(List<EchoClient> clients, int tag) throws Exception {
        for (EchoClient client : clients) {
            client.send(tag, EchoSession.Manner.HELD, 64);
        }
        for (EchoClient client : clients) {
            assertEquals(tag, client.receive());
        }
    }

    @Test
    void hasNoMoreWorkersThanItsLimit() throws Exception {
        int limit = 3;
        engine.close();
        engine = new FastIoEngineProvider()
                .open(
                        environment(),
                        new Settings(Map.of("fast.worker-limit", String.valueOf(limit), "fast.direct", "workers")));
        GatedDevice hanging = GatedDevice.hanging(memory, limit);
        List<EngineTransfer> all = new ArrayList<>();
        for (int i = 0; i < 2 * limit; i++) {
            EngineTransfer transfer = new EngineTransfer(Operation.FLUSH, hanging);
            all.add(transfer);
            submit(transfer);
        }
        hanging.awaitEntered();
        assertEquals((long) limit, attribute("engine.workers"));
        hanging.goOn();
        for (EngineTransfer transfer : all) {
            assertNull(transfer.await());
        }
        assertEquals((long) limit, attribute("engine.workers-most"));
    }

    @Test
    void countersAreSetBackByZeroAlone() throws Exception {
        engine.submit(new EngineTransfer(Operation.FLUSH, GatedDevice.open(memory)));
        Attribute counter = named("engine.by-caller");
        Attribute.Setter setter = counter.set().orElseThrow();
        assertThrows(Refusal.class, () -> setter.set("1"));
        assertEquals(1L, counter.get().get());
        setter.set("0");
        assertEquals(0L, counter.get().get());
    }

    /** A transfer that is submitted again and again. */
    private static final class Repeated extends DeviceIo {
        final Semaphore done;

        Repeated(Semaphore done) {
            this.done = done;
        }

        @Override
        public void completed(DeviceException error) {
            data.clear();
            done.release();
        }
    }

    @Test
    void allocatesNothingForATransfer() throws Exception {
        GatedDevice device = GatedDevice.open(memory).withoutContent().cached(cacheUpTo(DEVICE_BYTES, null));
        Semaphore done = new Semaphore(0);
        List<Repeated> transfers = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            Repeated transfer = new Repeated(done);
            transfer.device = device;
            transfer.operation = i % 4 == 0 ? Operation.READ : i % 4 == 1 ? Operation.FLUSH : Operation.WRITE;
            transfer.data = ByteBuffer.allocateDirect(4096);
            transfers.add(transfer);
        }
        Runnable rounds = () -> {
            for (int i = 0; i < 1000; i++) {
                for (int t = 0; t < transfers.size(); t++) {
                    engine.submit(transfers.get(t));
                }
                loop.thread().handOver();
                while (!done.tryAcquire(transfers.size())) {
                    Thread.onSpinWait();
                }
            }
        };
        long least = Long.MAX_VALUE;
        // What the compiler and the first calls allocate is gone after some tries; what a transfer allocates is not.
        for (int attempt = 0; attempt < 10 && least > 0; attempt++) {
            long before = allocatedBytes();
            CountDownLatch end = new CountDownLatch(1);
            loop.execute(() -> {
                rounds.run();
                end.countDown();
            });
            assertTrue(end.await(PATIENCE_SECONDS, TimeUnit.SECONDS));
            least = Math.min(least, allocatedBytes() - before);
        }
        assertTrue(least < 4000, least + " bytes were allocated for 16000 transfers");
    }

    /** By loops and workers, so far; by reflection, since the module under test does not read the one that counts. */
    private static long allocatedBytes() throws ReflectiveOperationException {
        Object threads = Class.forName("java.lang.management.ManagementFactory")
                .getMethod("getThreadMXBean")
                .invoke(null);
        Method count =
                Class.forName("com.sun.management.ThreadMXBean").getMethod("getThreadAllocatedBytes", long.class);
        long sum = 0;
        for (Thread thread : Thread.getAllStackTraces().keySet()) {
            if (thread instanceof LoopThread || thread instanceof WorkerThread) {
                sum += (Long) count.invoke(threads, thread.getId());
            }
        }
        return sum;
    }
}
