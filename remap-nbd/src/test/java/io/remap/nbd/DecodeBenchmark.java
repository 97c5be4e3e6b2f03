package io.remap.nbd;

import io.remap.api.BufferPool;
import io.remap.api.Disk;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskTraits;
import io.remap.api.Environment;
import io.remap.api.Export;
import io.remap.api.IoBuffer;
import io.remap.api.Refusal;
import io.remap.api.Scheduler;
import io.remap.api.Session;
import io.remap.api.Settings;
import io.remap.api.TimeSource;
import java.nio.ByteBuffer;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What one request costs in the session: a batch of READ headers is received in one piece, decoded, started at a disk that
 * completes at once without touching the payload, and the replies are taken and told as sent. No socket, no device; the
 * buffers come from a stack.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class DecodeBenchmark {
    private static final int BATCH = 32;
    private static final int READ_BYTES = 4096;
    private static final long DISK_BYTES = 1L << 30;

    private final ByteBuffer[] gather = new ByteBuffer[Session.MAX_GATHER];
    private ByteBuffer requests;
    private Session session;

    /** Made by JMH. */
    public DecodeBenchmark() {}

    /** Brings a session to its transmission. */
    @Setup
    public void open() throws Refusal {
        Environment environment = new Environment(new Clock(), new NoTimers(), new Random(1));
        session = new NbdFrontendProvider()
                .open(
                        TestTransport.exports(new Export("disk", "", new InstantDisk())),
                        new Stack(),
                        environment,
                        Settings.defaults())
                .sessions()
                .create("benchmark", new NoEvents());
        send();
        receive(ByteBuffer.wrap(Client.join(Client.flags(3), Client.info(Client.GO, "disk"))));
        send();
        ByteBuffer batch = ByteBuffer.allocateDirect(BATCH * Protocol.REQUEST_BYTES);
        for (int i = 0; i < BATCH; i++) {
            batch.put(Client.request(Client.READ, 0, i, (long) i * READ_BYTES, READ_BYTES));
        }
        requests = batch.flip();
    }

    /** The time of one request of a batch. */
    @Benchmark
    @OperationsPerInvocation(BATCH)
    public long readHeaders() {
        receive(requests.rewind());
        for (Session.Work work = session.poll(); work != null; work = session.poll()) {
            work.start();
        }
        long sent = send();
        if (sent != BATCH * (long) (Protocol.SIMPLE_REPLY_BYTES + READ_BYTES)) {
            throw new IllegalStateException(sent + " bytes of replies");
        }
        return sent;
    }

    private void receive(ByteBuffer bytes) {
        while (bytes.hasRemaining()) {
            ByteBuffer into = session.wanted();
            int count = Math.min(into.remaining(), bytes.remaining());
            into.put(into.position(), bytes, bytes.position(), count).position(into.position() + count);
            bytes.position(bytes.position() + count);
            session.received(count);
        }
    }

    private long send() {
        long all = 0;
        for (int count = session.replies(gather); count > 0; count = session.replies(gather)) {
            long bytes = 0;
            for (int i = 0; i < count; i++) {
                bytes += gather[i].remaining();
                gather[i].position(gather[i].limit());
            }
            session.sent(bytes);
            all += bytes;
        }
        return all;
    }

    /** Completes each request within its submission. */
    private static final class InstantDisk implements Disk {
        private final DiskTraits traits = new DiskTraits(DISK_BYTES, 512, 4096, false, false);

        @Override
        public String name() {
            return "instant";
        }

        @Override
        public DiskTraits traits() {
            return traits;
        }

        @Override
        public void submit(DiskRequest request) {
            request.complete(DiskError.NONE, -1);
        }
    }

    /** As many buffers as a batch has requests, for one thread. */
    private static final class Stack implements BufferPool {
        private final IoBuffer[] free = new IoBuffer[BATCH];
        private int count;

        Stack() {
            while (count < BATCH) {
                free[count++] = new Buffer(this);
            }
        }

        @Override
        public IoBuffer acquire(int lengthBytes) {
            return free[--count];
        }

        @Override
        public void whenReleased(Runnable callback) {
            throw new IllegalStateException("more requests than a batch");
        }

        @Override
        public long bytesInUse() {
            return 0;
        }

        @Override
        public void close() {}
    }

    private static final class Buffer implements IoBuffer {
        private final Stack stack;
        private final ByteBuffer all = ByteBuffer.allocateDirect(HEADROOM_BYTES + READ_BYTES);
        private final ByteBuffer data = all.slice(HEADROOM_BYTES, READ_BYTES);

        Buffer(Stack stack) {
            this.stack = stack;
        }

        @Override
        public ByteBuffer data() {
            return data;
        }

        @Override
        public ByteBuffer withHeadroom() {
            return all;
        }

        @Override
        public int lengthBytes() {
            return READ_BYTES;
        }

        @Override
        public void retain() {
            throw new IllegalStateException("nobody shares it");
        }

        @Override
        public void release() {
            stack.free[stack.count++] = this;
        }
    }

    private static final class NoEvents implements Session.Events {
        @Override
        public void repliesReady() {}

        @Override
        public void inputReady() {}

        @Override
        public void finished(boolean abrupt) {
            throw new IllegalStateException("the session ended");
        }
    }

    private static final class Clock implements TimeSource {
        @Override
        public long nanoTime() {
            return System.nanoTime();
        }

        @Override
        public long wallMillis() {
            return System.currentTimeMillis();
        }
    }

    private static final class NoTimers implements Scheduler {
        @Override
        public void execute(Runnable task) {
            throw new IllegalStateException("nothing is handed over");
        }

        @Override
        public Cancellable schedule(Runnable task, long delayMillis) {
            return () -> {};
        }
    }
}
