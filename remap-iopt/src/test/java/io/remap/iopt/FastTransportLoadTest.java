package io.remap.iopt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Attribute;
import io.remap.api.Environment;
import io.remap.api.ListenAddress;
import io.remap.api.Refusal;
import io.remap.api.Scheduler;
import io.remap.api.Session;
import io.remap.api.SessionFactory;
import io.remap.api.Settings;
import io.remap.api.TimeSource;
import io.remap.api.spi.Transport;
import java.io.IOException;
import java.lang.reflect.Method;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The fast transport with one loop under load: it allocates nothing, and serves everybody. */
@Timeout(60)
final class FastTransportLoadTest {
    private static final int SLOTS = 32;
    private static final int REQUESTS_AT_ONCE = 50;
    private static final int ROUNDS = 300;
    private static final int WARM_UP_ROUNDS = 1_000;

    @TempDir
    Path directory;

    private Transport transport;

    @BeforeEach
    void open() throws Refusal {
        transport = open(Map.of(FastTransportProvider.LOOPS.name(), "1"));
    }

    @AfterEach
    void close() {
        transport.close();
    }

    private static Transport open(Map<String, String> settings) throws Refusal {
        TimeSource time = new TimeSource() {
            @Override
            public long nanoTime() {
                return System.nanoTime();
            }

            @Override
            public long wallMillis() {
                return System.currentTimeMillis();
            }
        };
        Scheduler none = new Scheduler() {
            @Override
            public void execute(Runnable task) {
                throw new UnsupportedOperationException();
            }

            @Override
            public Cancellable schedule(Runnable task, long delayMillis) {
                throw new UnsupportedOperationException();
            }
        };
        return new FastTransportProvider().open(new Environment(time, none, new Random()), new Settings(settings));
    }

    private SocketChannel connect(String name, SessionFactory sessions) throws IOException {
        Path path = directory.resolve(name);
        transport.listen(new ListenAddress.Unix(path), sessions).start();
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        channel.connect(UnixDomainSocketAddress.of(path));
        return channel;
    }

    private static void exchange(SocketChannel channel, ByteBuffer requests, ByteBuffer replies) throws IOException {
        requests.clear();
        while (requests.hasRemaining()) {
            channel.write(requests);
        }
        replies.clear();
        while (replies.hasRemaining()) {
            assertTrue(channel.read(replies) > 0, "the server hung up");
        }
    }

    private static long allocatedBytes(Thread... threads) throws ReflectiveOperationException {
        // By reflection, as the module under test does not read java.management.
        Object bean = Class.forName("java.lang.management.ManagementFactory")
                .getMethod("getThreadMXBean")
                .invoke(null);
        Method count =
                Class.forName("com.sun.management.ThreadMXBean").getMethod("getThreadAllocatedBytes", long.class);
        long sum = 0;
        for (Thread thread : threads) {
            sum += (Long) count.invoke(bean, thread.getId());
        }
        return sum;
    }

    /** More requests at once than there are slots: input is held back and goes on all the time, too. */
    private void allocatesNothing(SocketChannel client, AtomicReference<Thread> loop, Thread... others)
            throws Exception {
        ByteBuffer requests = ByteBuffer.allocateDirect(REQUESTS_AT_ONCE * SlotSession.REQUEST_BYTES);
        ByteBuffer replies = ByteBuffer.allocateDirect(REQUESTS_AT_ONCE * SlotSession.REPLY_BYTES);
        for (int i = 0; i < WARM_UP_ROUNDS; i++) {
            exchange(client, requests, replies);
        }
        long before = allocatedBytes(loop.get()) + allocatedBytes(others);
        for (int i = 0; i < ROUNDS; i++) {
            exchange(client, requests, replies);
        }
        long allocated = allocatedBytes(loop.get()) + allocatedBytes(others) - before;
        int count = ROUNDS * REQUESTS_AT_ONCE;
        assertTrue(allocated < count, allocated + " bytes for " + count + " requests");
    }

    @Test
    void allocatesNothingWhereTheLoopCompletes() throws Exception {
        AtomicReference<Thread> loop = new AtomicReference<>();
        try (SocketChannel client = connect(
                "s",
                (peer, events) -> new SlotSession(events, SLOTS, slot -> {
                    loop.setPlain(Thread.currentThread());
                    slot.complete();
                }))) {
            allocatesNothing(client, loop);
        }
    }

    @Test
    void allocatesNothingWhereAnotherThreadCompletes() throws Exception {
        AtomicReference<Thread> loop = new AtomicReference<>();
        // Guarded by itself: the queues of the JDK allocate where they wait.
        Deque<SlotSession.Slot> started = new ArrayDeque<>();
        Thread worker = new Thread(() -> {
            try {
                while (true) {
                    SlotSession.Slot slot;
                    synchronized (started) {
                        while (started.isEmpty()) {
                            started.wait();
                        }
                        slot = started.remove();
                    }
                    slot.complete();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        worker.start();
        try (SocketChannel client = connect(
                "s",
                (peer, events) -> new SlotSession(events, SLOTS, slot -> {
                    loop.set(Thread.currentThread());
                    synchronized (started) {
                        started.add(slot);
                        started.notifyAll();
                    }
                }))) {
            allocatesNothing(client, loop, worker);
        } finally {
            worker.interrupt();
            worker.join();
        }
    }

    /** A session that always has work, and answers none of it. */
    private static final class EndlessSession implements Session {
        private final ByteBuffer sink = ByteBuffer.allocateDirect(4096);
        private volatile boolean closed;

        @Override
        public ByteBuffer wanted() {
            return sink.clear();
        }

        @Override
        public void received(int lengthBytes) {
            // What it is does not matter.
        }

        @Override
        public void inputEnded() {
            throw new AssertionError("its client sends without end");
        }

        @Override
        public Work poll() {
            return closed ? null : () -> {};
        }

        @Override
        public int replies(ByteBuffer[] into) {
            return 0;
        }

        @Override
        public void sent(long lengthBytes) {
            throw new AssertionError("there is nothing to send");
        }

        @Override
        public void shutdown() {
            // It never ends by itself.
        }

        @Override
        public boolean busy() {
            return true;
        }

        @Override
        public void close() {
            closed = true;
        }
    }

    @Test
    void endlessWorkOfOneConnectionHoldsUpNobody() throws Exception {
        ByteBuffer requests = ByteBuffer.allocateDirect(SlotSession.REQUEST_BYTES);
        ByteBuffer replies = ByteBuffer.allocateDirect(SlotSession.REPLY_BYTES);
        EndlessSession endless = new EndlessSession();
        try (SocketChannel busy = connect("busy", (peer, events) -> endless);
                SocketChannel other =
                        connect("s", (peer, events) -> new SlotSession(events, 1, SlotSession.Slot::complete))) {
            busy.write(ByteBuffer.allocate(1));
            for (int i = 0; i < 100; i++) {
                exchange(other, requests, replies);
            }
            assertTrue(value("transport.turns-cut") > 0);
        }
    }

    @Test
    void aRequestMayComeByteByByte() throws Exception {
        ByteBuffer replies = ByteBuffer.allocateDirect(SlotSession.REPLY_BYTES);
        try (SocketChannel client =
                connect("s", (peer, events) -> new SlotSession(events, 1, SlotSession.Slot::complete))) {
            for (int i = 0; i < 3 * SlotSession.REQUEST_BYTES; i++) {
                client.write(ByteBuffer.allocate(1));
                if ((i + 1) % SlotSession.REQUEST_BYTES == 0) {
                    exchange(client, ByteBuffer.allocateDirect(0), replies);
                }
            }
        }
    }

    private Attribute attribute(String name) {
        return transport.attributes().stream()
                .filter(attribute -> attribute.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    private long value(String name) {
        return (Long) attribute(name).get().get();
    }

    @Test
    void countsWhatItDidAndBeginsAgainAtZero() throws Exception {
        ByteBuffer requests = ByteBuffer.allocateDirect(10 * SlotSession.REQUEST_BYTES);
        ByteBuffer replies = ByteBuffer.allocateDirect(10 * SlotSession.REPLY_BYTES);
        try (SocketChannel client =
                connect("s", (peer, events) -> new SlotSession(events, SLOTS, SlotSession.Slot::complete))) {
            exchange(client, requests, replies);
            // Counted at the end of a turn, which may come after the reply.
            exchange(client, requests, replies);
            assertTrue(value("transport.requests-started") >= 10);
            assertTrue(value("transport.receives") > 0);
            assertTrue(value("transport.sent-bytes") >= 10 * SlotSession.REPLY_BYTES);
        }
        for (Attribute attribute : transport.attributes()) {
            if (attribute.set().isPresent()) {
                assertEquals(
                        Refusal.Kind.USAGE,
                        assertThrows(Refusal.class, () -> attribute.set().get().set("7"))
                                .kind());
            }
        }
    }

    @Test
    void settingsOutOfRangeAreRefused() {
        for (String value : new String[] {"0", "65", "some"}) {
            Refusal refusal =
                    assertThrows(Refusal.class, () -> open(Map.of(FastTransportProvider.LOOPS.name(), value)));
            assertEquals(Refusal.Kind.USAGE, refusal.kind());
            assertTrue(refusal.getMessage().contains("fast.loops"), refusal.getMessage());
        }
    }
}
