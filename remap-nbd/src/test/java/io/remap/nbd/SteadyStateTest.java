package io.remap.nbd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BufferPool;
import io.remap.api.Disk;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskTraits;
import io.remap.api.Environment;
import io.remap.api.Export;
import io.remap.api.IoBuffer;
import io.remap.api.Scheduler;
import io.remap.api.Session;
import io.remap.api.Settings;
import io.remap.api.TimeSource;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The data path at speed: it allocates nothing, and loses no wake-up when its sides run on threads of their own. */
class SteadyStateTest {
    private static final int PAYLOAD_BYTES = 4096;

    /** A pool of buffers of one size, within a budget; nothing is allocated once all of them are made. */
    private static final class OneSizePool implements BufferPool {
        private final ArrayDeque<IoBuffer> free = new ArrayDeque<>();
        private List<Runnable> waiting = new ArrayList<>();
        private int left;

        OneSizePool(int buffers) {
            left = buffers;
        }

        private final class Buffer implements IoBuffer {
            private final ByteBuffer whole = ByteBuffer.allocateDirect(HEADROOM_BYTES + PAYLOAD_BYTES);
            private final ByteBuffer data = whole.slice(HEADROOM_BYTES, PAYLOAD_BYTES);

            @Override
            public ByteBuffer data() {
                return data;
            }

            @Override
            public ByteBuffer withHeadroom() {
                return whole;
            }

            @Override
            public int lengthBytes() {
                return PAYLOAD_BYTES;
            }

            @Override
            public void retain() {
                throw new UnsupportedOperationException();
            }

            @Override
            public void release() {
                giveBack(this);
            }
        }

        @Override
        public synchronized IoBuffer acquire(int lengthBytes) {
            assertEquals(PAYLOAD_BYTES, lengthBytes);
            if (!free.isEmpty()) {
                return free.pop();
            }
            if (left == 0) {
                return null;
            }
            left--;
            return new Buffer();
        }

        private void giveBack(IoBuffer buffer) {
            List<Runnable> told;
            synchronized (this) {
                free.push(buffer);
                if (waiting.isEmpty()) {
                    return;
                }
                told = waiting;
                waiting = new ArrayList<>();
            }
            told.forEach(Runnable::run);
        }

        @Override
        public synchronized void whenReleased(Runnable callback) {
            waiting.add(callback);
        }

        @Override
        public long bytesInUse() {
            return 0;
        }

        @Override
        public void close() {}
    }

    private static final Environment NO_TIME = new Environment(
            new TimeSource() {
                @Override
                public long nanoTime() {
                    return 0;
                }

                @Override
                public long wallMillis() {
                    return 0;
                }
            },
            new Scheduler() {
                @Override
                public void execute(Runnable task) {
                    throw new UnsupportedOperationException();
                }

                @Override
                public Cancellable schedule(Runnable task, long delayMillis) {
                    return () -> {};
                }
            },
            new SplittableRandom(1));

    /** Wakes whoever sleeps on a side when there is something to do. */
    private static final class Wakes implements Session.Events {
        final Semaphore input = new Semaphore(0);
        final Semaphore output = new Semaphore(0);

        @Override
        public void repliesReady() {
            output.release();
        }

        @Override
        public void inputReady() {
            input.release();
        }

        @Override
        public void finished(boolean abrupt) {
            output.release();
        }
    }

    private static Session session(Disk disk, BufferPool pool, Session.Events events) throws Exception {
        return new NbdFrontendProvider()
                .open(TestTransport.exports(new Export("disk", "", disk)), pool, NO_TIME, Settings.defaults())
                .sessions()
                .create("test client", events);
    }

    private abstract static class AnyDisk implements Disk {
        private final DiskTraits traits = new DiskTraits(1 << 30, 512, 4096, false, false);

        @Override
        public String name() {
            return "any";
        }

        @Override
        public DiskTraits traits() {
            return traits;
        }
    }

    private static long drain(Session session, ByteBuffer[] gather) {
        long bytes = 0;
        for (int buffers = session.replies(gather); buffers > 0; buffers = session.replies(gather)) {
            long piece = 0;
            for (int i = 0; i < buffers; i++) {
                piece += gather[i].remaining();
                gather[i].position(gather[i].limit());
            }
            session.sent(piece);
            bytes += piece;
        }
        return bytes;
    }

    private static void put(Session session, ByteBuffer from) {
        ByteBuffer into = session.wanted();
        int count = Math.min(into.remaining(), from.remaining());
        into.put(into.position(), from, from.position(), count);
        into.position(into.position() + count);
        from.position(from.position() + count);
        session.received(count);
    }

    /** What this thread allocated so far; by reflection, as the module under test has no business with management. */
    private static long allocatedBytes() throws ReflectiveOperationException {
        Object threads = Class.forName("java.lang.management.ManagementFactory")
                .getMethod("getThreadMXBean")
                .invoke(null);
        Method method =
                Class.forName("com.sun.management.ThreadMXBean").getMethod("getThreadAllocatedBytes", long.class);
        return (Long) method.invoke(threads, Thread.currentThread().getId());
    }

    @Test
    void nothingIsAllocatedForARequest() throws Exception {
        Disk disk = new AnyDisk() {
            @Override
            public void submit(DiskRequest request) {
                request.complete(DiskError.NONE, -1);
            }
        };
        Session session = session(disk, new OneSizePool(100), new Wakes());
        byte[][] requests = new byte[32][];
        Arrays.setAll(
                requests,
                i -> i % 2 == 0
                        ? Client.write(i, 0, new byte[PAYLOAD_BYTES])
                        : Client.request(Client.READ, 0, i, 0, PAYLOAD_BYTES));
        ByteBuffer batch = ByteBuffer.wrap(Client.join(requests));
        ByteBuffer[] gather = new ByteBuffer[Session.MAX_GATHER];
        drain(session, gather);
        put(session, ByteBuffer.wrap(Client.join(Client.flags(3), Client.info(Client.GO, "disk"))));
        drain(session, gather);
        session.poll();
        drain(session, gather);
        long perRequest = Long.MAX_VALUE;
        for (int round = 0; round < 20; round++) {
            long before = allocatedBytes();
            for (int i = 0; i < 100; i++) {
                batch.rewind();
                long answered = 0;
                while (batch.hasRemaining()) {
                    put(session, batch);
                    for (Session.Work work = session.poll(); work != null; work = session.poll()) {
                        work.start();
                    }
                    answered += drain(session, gather);
                }
                assertEquals(32 * 16 + 16 * PAYLOAD_BYTES, answered);
            }
            long after = allocatedBytes();
            perRequest = Math.min(perRequest, (after - before) / (100L * requests.length));
        }
        assertEquals(0, perRequest, "bytes allocated for a request");
        session.close();
    }

    /** One thread receives, one sends, two complete; memory and slots are short, so each waits for the others. */
    @Test
    @Timeout(60)
    void sidesOnThreadsOfTheirOwnDoNotLoseWakeUps() throws Exception {
        int count = 60_000;
        LinkedBlockingQueue<DiskRequest> atDisk = new LinkedBlockingQueue<>();
        Disk disk = new AnyDisk() {
            @Override
            public void submit(DiskRequest request) {
                atDisk.add(request);
            }
        };
        Wakes wakes = new Wakes();
        Session session = session(disk, new OneSizePool(7), wakes);
        AtomicReference<Throwable> failure = new AtomicReference<>();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            threads.add(new Thread(caught(failure, () -> {
                while (true) {
                    DiskRequest request = atDisk.take();
                    if (request.lengthBytes < 0) {
                        return;
                    }
                    request.complete(DiskError.NONE, -1);
                }
            })));
        }
        threads.add(new Thread(caught(failure, () -> sendRequests(session, wakes, count))));
        threads.forEach(Thread::start);

        long expected = 18 + 20 + 12 + 20;
        for (int i = 0; i < count; i++) {
            expected += 16 + (isRead(i) ? PAYLOAD_BYTES : 0);
        }
        ByteBuffer[] gather = new ByteBuffer[Session.MAX_GATHER];
        long received = 0;
        while (received < expected && failure.get() == null) {
            received += drain(session, gather);
            if (received < expected) {
                assertTrue(wakes.output.tryAcquire(20, TimeUnit.SECONDS), "a wake-up of the output side was lost");
                wakes.output.drainPermits();
            }
        }
        DiskRequest end = new DiskRequest(request -> {});
        end.lengthBytes = -1;
        atDisk.add(end);
        atDisk.add(end);
        for (Thread thread : threads) {
            thread.join();
        }
        assertEquals(null, failure.get());
        assertEquals(expected, received);
        session.close();
    }

    private static boolean isRead(int i) {
        return i % 3 == 0;
    }

    private static void sendRequests(Session session, Wakes wakes, int count) throws Exception {
        Random random = new Random(3);
        int made = -1;
        ByteBuffer next = ByteBuffer.allocate(0);
        while (made < count || next.hasRemaining()) {
            for (Session.Work work = session.poll(); work != null; work = session.poll()) {
                work.start();
            }
            ByteBuffer into = session.wanted();
            if (into == null) {
                assertTrue(wakes.input.tryAcquire(20, TimeUnit.SECONDS), "a wake-up of the input side was lost");
                wakes.input.drainPermits();
                continue;
            }
            if (!next.hasRemaining()) {
                next = ByteBuffer.wrap(
                        made < 0 ? Client.join(Client.flags(3), Client.info(Client.GO, "disk")) : some(made));
                made++;
            }
            int bytes = Math.min(Math.min(into.remaining(), next.remaining()), 1 + random.nextInt(6000));
            into.put(next.slice(next.position(), bytes));
            next.position(next.position() + bytes);
            session.received(bytes);
        }
        for (Session.Work work = session.poll(); work != null; work = session.poll()) {
            work.start();
        }
    }

    private static byte[] some(int i) {
        if (isRead(i)) {
            return Client.request(Client.READ, 0, i, 0, PAYLOAD_BYTES);
        }
        return i % 3 == 1 ? Client.write(i, 0, new byte[PAYLOAD_BYTES]) : Client.request(Client.FLUSH, 0, i, 0, 0);
    }

    private interface Body {
        void run() throws Exception;
    }

    private static Runnable caught(AtomicReference<Throwable> failure, Body body) {
        return () -> {
            try {
                body.run();
            } catch (Throwable e) {
                failure.compareAndSet(null, e);
            }
        };
    }
}
