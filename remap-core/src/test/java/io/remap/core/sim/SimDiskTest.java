package io.remap.core.sim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.remap.api.BufferPool;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.IoBuffer;
import io.remap.api.Scheduler;
import io.remap.core.io.PlainBufferPoolProvider;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The disk that redirects nothing: any byte, and each error as it is. */
class SimDiskTest {
    private static final int BYTES = 64 * 1024;

    @TempDir
    Path folder;

    private SimFixture fixture;
    private SimDisk disk;
    private final BufferPool buffers = new PlainBufferPoolProvider().open(64 << 20);

    @BeforeEach
    void open() throws IOException {
        fixture = new SimFixture(folder).faults("").open("");
        disk = new SimDisk("disk", fixture.device, new Here());
    }

    @AfterEach
    void close() {
        fixture.close();
        buffers.close();
    }

    /** Runs everything at once. */
    private static final class Here implements Scheduler {
        @Override
        public void execute(Runnable task) {
            task.run();
        }

        @Override
        public Cancellable schedule(Runnable task, long delayMillis) {
            throw new UnsupportedOperationException();
        }
    }

    private DiskError submit(Operation operation, long offset, int length, byte[] payload) {
        DiskRequest request = new DiskRequest(done -> {});
        request.operation = operation;
        request.offsetBytes = offset;
        request.lengthBytes = length;
        request.error = DiskError.SHUTDOWN;
        if (payload == null) {
            disk.submit(request);
            return request.error;
        }
        IoBuffer buffer = buffers.acquire(length);
        request.buffer = buffer;
        buffer.data().put(0, payload, 0, length);
        disk.submit(request);
        buffer.data().get(0, payload, 0, length);
        buffer.release();
        return request.error;
    }

    @Test
    void anyByteCanBeReadWrittenAndZeroed() {
        long seed = Long.getLong("remap.seed", 3);
        Random random = new Random(seed);
        byte[] model = new byte[BYTES];
        for (int round = 0; round < 500; round++) {
            int length = 1 + random.nextInt(3000);
            int at = random.nextInt(BYTES - length);
            byte[] bytes = new byte[length];
            switch (random.nextInt(3)) {
                case 0 -> {
                    random.nextBytes(bytes);
                    System.arraycopy(bytes, 0, model, at, length);
                    assertEquals(DiskError.NONE, submit(Operation.WRITE, at, length, bytes));
                }
                case 1 -> {
                    Arrays.fill(model, at, at + length, (byte) 0);
                    assertEquals(DiskError.NONE, submit(Operation.WRITE_ZEROES, at, length, null));
                }
                default -> {
                    assertEquals(DiskError.NONE, submit(Operation.READ, at, length, bytes));
                    assertArrayEquals(Arrays.copyOfRange(model, at, at + length), bytes, "seed " + seed);
                }
            }
        }
    }

    @Test
    void errorsAreThoseOfTheDevice() throws IOException {
        fixture.faults("8s 1s read-and-write-bad");
        byte[] bytes = new byte[512];
        assertEquals(DiskError.IO, submit(Operation.READ, 4096, 512, bytes));
        assertEquals(DiskError.IO, submit(Operation.WRITE, 4196, 100, bytes));
        assertEquals(DiskError.IO, submit(Operation.WRITE_ZEROES, 4000, 300, null));
        assertEquals(DiskError.NONE, submit(Operation.TRIM, 4000, 3000, null));
        assertEquals(DiskError.NO_SPACE, submit(Operation.WRITE, 4 << 20, 512, bytes));
        assertEquals(DiskError.INVALID, submit(Operation.READ, 4 << 20, 512, bytes));
        for (String state : List.of("read-only", "read-only errno=EPERM", "read-only errno=EACCES")) {
            fixture.faults(state);
            assertEquals(DiskError.READ_ONLY, submit(Operation.WRITE, 0, 512, bytes), state);
        }
        fixture.faults("flush-fails");
        assertEquals(DiskError.IO, submit(Operation.FLUSH, 0, 0, null));
        fixture.device.close();
        assertEquals(DiskError.SHUTDOWN, submit(Operation.READ, 0, 512, bytes));
    }

    @Test
    void whoReadsBeforeHeWritesIsAlone() throws InterruptedException {
        SectorGate gate = new SectorGate();
        SectorGate.Pass whole = gate.enter(0, 512, false);
        gate.leave(gate.enter(0, 1024, false));
        gate.leave(gate.enter(512, 1024, true));
        Thread partial = new Thread(() -> gate.leave(gate.enter(0, 512, true)));
        partial.start();
        partial.join(50);
        assertEquals(true, partial.isAlive(), "it did not wait");
        gate.leave(whole);
        partial.join(30_000);
        assertEquals(false, partial.isAlive(), "it waits for ever");
    }
}
