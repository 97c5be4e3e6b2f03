package io.remap.nbd.plain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Disk;
import io.remap.api.DiskRequest;
import io.remap.api.DiskTraits;
import io.remap.api.Environment;
import io.remap.api.Export;
import io.remap.api.Exports;
import io.remap.api.ListenAddress;
import io.remap.api.Settings;
import io.remap.api.spi.Frontend;
import io.remap.nbd.NbdFrontendProvider;
import io.remap.testkit.RealEnvironment;
import io.remap.testkit.TrackingBufferPool;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A client that breaks the protocol behind a whole request: nothing of what that holds is kept. */
@Timeout(120)
class BrokenOffTest {
    private static final int PAYLOAD_BYTES = 1 << 20;

    private final TrackingBufferPool pool = new TrackingBufferPool(64 << 20);
    private final AtomicInteger submitted = new AtomicInteger();

    private final Disk disk = new Disk() {
        private final DiskTraits traits = new DiskTraits(PAYLOAD_BYTES, 512, 4096, false, false);

        @Override
        public String name() {
            return "disk";
        }

        @Override
        public DiskTraits traits() {
            return traits;
        }

        @Override
        public void submit(DiskRequest request) {
            submitted.incrementAndGet();
        }
    };

    private final Exports exports = new Exports() {
        private final Export export = new Export("disk", "", disk);

        @Override
        public Optional<Export> find(String name) {
            return Optional.of(export);
        }

        @Override
        public List<Export> list() {
            return List.of(export);
        }
    };

    /** The handshake, a READ, and 28 bytes that are no request, in one segment. */
    private static byte[] readAndGarbage() {
        byte[] name = "disk".getBytes(StandardCharsets.US_ASCII);
        return ByteBuffer.allocate(4 + 16 + name.length + 28 + 28)
                .putInt(3)
                .putLong(0x49484156454F5054L)
                .putInt(1)
                .putInt(name.length)
                .put(name)
                .putInt(0x25609513)
                .putShort((short) 0)
                .putShort((short) 0)
                .putLong(1)
                .putLong(0)
                .putInt(PAYLOAD_BYTES)
                .array();
    }

    @Test
    void memoryOfARequestIsGivenBackWhenGarbageFollowsIt() throws Exception {
        ScheduledThreadPoolExecutor timers = new ScheduledThreadPoolExecutor(1);
        Environment environment = RealEnvironment.on(timers);
        PlainTransport transport = new PlainTransport(environment, 10, 8, 64, Thread::start);
        try (Frontend frontend = new NbdFrontendProvider().open(exports, pool, environment, Settings.defaults())) {
            for (int client = 0; client < 3; client++) {
                FakeWire wire = new FakeWire();
                wire.arrives(readAndGarbage());
                transport.admit(wire, new ListenAddress.Tcp("test", 0), frontend.sessions());
                long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
                while (transport.connections() > 0) {
                    assertTrue(System.nanoTime() < deadline, "the connection is gone");
                    LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
                }
                assertEquals(0, pool.bytesInUse(), "client " + client);
            }
            assertEquals(0, submitted.get());
        } finally {
            transport.close();
            timers.shutdownNow();
        }
    }
}
