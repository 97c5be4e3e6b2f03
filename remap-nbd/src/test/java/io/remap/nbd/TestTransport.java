package io.remap.nbd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Environment;
import io.remap.api.Export;
import io.remap.api.Exports;
import io.remap.api.Scheduler;
import io.remap.api.Session;
import io.remap.api.Settings;
import io.remap.api.spi.Frontend;
import io.remap.testkit.SimScheduler;
import io.remap.testkit.TrackingBufferPool;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.IntSupplier;

/**
 * A transport over byte arrays that drives one session as {@link Session} says, on the test's thread, and receives and
 * sends in pieces of any size.
 */
final class TestTransport implements Session.Events, AutoCloseable {
    private static final int MAX_ROUNDS = 10_000_000;

    final SimScheduler scheduler;
    final TrackingBufferPool pool;
    final Frontend frontend;
    final Session session;
    final ByteArrayOutputStream sent = new ByteArrayOutputStream();

    IntSupplier receiveBytes = () -> Integer.MAX_VALUE;
    IntSupplier sendBytes = () -> Integer.MAX_VALUE;
    /** Whether it sends pages; to be set before the handshake is over. */
    boolean takesPages;
    /** The client reads nothing. */
    boolean clientStalls;
    /** It reads so much while somebody asks, and the socket has no room for more all the same. */
    long readBytes;

    boolean finished;
    boolean abrupt;
    int finishedCalls;
    int repliesReady;
    int inputReady;
    int largestGather;

    /** Runs while the session looks for an export. */
    Runnable whenLookedFor = () -> {};

    private byte[] incoming = {};
    private int taken;
    private int read;

    TestTransport(FakeDisk disk) {
        this(64 << 20, new Export("disk", "A disk", disk));
    }

    TestTransport(long budgetBytes, Export... exports) {
        this(budgetBytes, Settings.defaults(), exports);
    }

    TestTransport(long budgetBytes, Settings settings, Export... exports) {
        this(budgetBytes, settings, new SimScheduler(new SplittableRandom(1)), null, exports);
    }

    /** {@code timers} take the place of those of the scheduler. */
    TestTransport(long budgetBytes, HeldTimers timers, Export... exports) {
        this(budgetBytes, Settings.defaults(), new SimScheduler(new SplittableRandom(1)), timers, exports);
    }

    private TestTransport(
            long budgetBytes, Settings settings, SimScheduler scheduler, Scheduler timers, Export... exports) {
        this.scheduler = scheduler;
        pool = new TrackingBufferPool(budgetBytes);
        Environment environment =
                new Environment(scheduler, timers == null ? scheduler : timers, new SplittableRandom(2));
        Exports served = exports(exports);
        Exports lookedFor = new Exports() {
            @Override
            public Optional<Export> find(String name) {
                whenLookedFor.run();
                return served.find(name);
            }

            @Override
            public List<Export> list() {
                return served.list();
            }
        };
        try {
            frontend = new NbdFrontendProvider().open(lookedFor, pool, environment, settings);
        } catch (io.remap.api.Refusal e) {
            throw new AssertionError(e);
        }
        session = frontend.sessions().create("test client", this);
    }

    private TestTransport(TestTransport first) {
        scheduler = first.scheduler;
        pool = first.pool;
        frontend = first.frontend;
        session = frontend.sessions().create("another client", this);
    }

    /** One more client of the same frontend; close its session before this. */
    TestTransport another() {
        return new TestTransport(this);
    }

    static Exports exports(Export... exports) {
        return new Exports() {
            @Override
            public Optional<Export> find(String name) {
                return name.isEmpty() && exports.length > 0
                        ? Optional.of(exports[0])
                        : Arrays.stream(exports)
                                .filter(export -> export.name().equals(name))
                                .findFirst();
            }

            @Override
            public List<Export> list() {
                return List.of(exports);
            }
        };
    }

    @Override
    public void repliesReady() {
        repliesReady++;
    }

    @Override
    public void inputReady() {
        inputReady++;
    }

    @Override
    public void finished(boolean isAbrupt) {
        finished = true;
        abrupt |= isAbrupt;
        finishedCalls++;
    }

    @Override
    public long readBytes() {
        return readBytes;
    }

    @Override
    public boolean takesPages() {
        return takesPages;
    }

    /** What the client sends; moves bytes until nothing moves any more. */
    TestTransport send(byte[] bytes) {
        byte[] rest = Arrays.copyOfRange(incoming, taken, incoming.length);
        incoming = Arrays.copyOf(rest, rest.length + bytes.length);
        System.arraycopy(bytes, 0, incoming, rest.length, bytes.length);
        taken = 0;
        pump();
        return this;
    }

    void pump() {
        for (int round = 0; !abrupt; round++) {
            assertTrue(round < MAX_ROUNDS, "the session never comes to rest");
            boolean moved = poll();
            moved |= !clientStalls && sendSome();
            moved |= receiveSome();
            if (!moved) {
                return;
            }
        }
    }

    private boolean poll() {
        boolean any = false;
        for (Session.Work work = session.poll(); work != null; work = session.poll()) {
            work.start();
            any = true;
        }
        return any;
    }

    private boolean receiveSome() {
        if (taken == incoming.length) {
            return false;
        }
        ByteBuffer into = session.wanted();
        if (into == null) {
            return false;
        }
        assertTrue(into.hasRemaining(), "wanted() gave a full buffer");
        int count = Math.min(Math.min(into.remaining(), incoming.length - taken), receiveBytes.getAsInt());
        into.put(incoming, taken, count);
        taken += count;
        session.received(count);
        return true;
    }

    private boolean sendSome() {
        ByteBuffer[] gather = new ByteBuffer[Session.MAX_GATHER];
        int buffers = session.replies(gather);
        FakePipe pages = takesPages ? (FakePipe) session.pages() : null;
        if (buffers == 0 && pages == null) {
            return false;
        }
        largestGather = Math.max(largestGather, buffers);
        int room = sendBytes.getAsInt();
        int count = 0;
        for (int i = 0; i < buffers && room > 0; i++) {
            byte[] bytes = new byte[Math.min(room, gather[i].remaining())];
            assertTrue(gather[i].hasRemaining(), "an empty buffer");
            gather[i].get(bytes);
            sent.writeBytes(bytes);
            room -= bytes.length;
            count += bytes.length;
        }
        if (pages != null && room > 0) {
            byte[] bytes = pages.next(Math.min(room, pages.remainingBytes()));
            assertTrue(bytes.length > 0, "an empty pipe");
            sent.writeBytes(bytes);
            count += bytes.length;
        }
        session.sent(count);
        return true;
    }

    /** Bytes that the session did not take. */
    int left() {
        return incoming.length - taken;
    }

    /** What the client received and did not look at yet. */
    ByteBuffer received() {
        ByteBuffer all = ByteBuffer.wrap(sent.toByteArray());
        all.position(read);
        read = all.limit();
        return all.slice();
    }

    /** Attribute of the frontend. */
    long count(String name) {
        return (Long) frontend.attributes().stream()
                .filter(attribute -> attribute.name().equals(name))
                .findFirst()
                .orElseThrow()
                .get()
                .get();
    }

    void assertEnds(boolean abruptly) {
        assertTrue(finished, "not finished");
        assertEquals(abruptly, abrupt, "abrupt");
        assertEquals(1, finishedCalls, "finished is told once");
    }

    void assertGoesOn() {
        assertFalse(finished, "finished");
    }

    /** The connection is gone; nothing may be kept but what the disk still works on. */
    @Override
    public void close() {
        session.close();
        session.close();
        scheduler.close();
        pool.checkNothingOut();
        assertEquals(0, count("nbd.sessions"));
    }
}
