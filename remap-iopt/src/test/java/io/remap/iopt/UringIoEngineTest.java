package io.remap.iopt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceIo.Operation;
import io.remap.api.Environment;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.api.spi.IoEngine;
import io.remap.testkit.EngineTransfer;
import io.remap.testkit.IoEngineContract;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The contract is met by way of the other engine, as its devices have no descriptor; the rest goes through the ring. */
class UringIoEngineTest extends IoEngineContract {
    private static final int FILE_BYTES = 1 << 20;
    private static final int LENGTH = 4096;

    @TempDir
    private Path directory;

    private final LoopDouble loop = new LoopDouble();
    private DescriptorDevice device;

    @Override
    protected IoEngine open(Environment environment) throws Refusal {
        return new FastIoEngineProvider().open(environment, new Settings(Map.of("fast.direct", "uring")));
    }

    @Override
    protected Executor submitter() {
        return loop;
    }

    @BeforeEach
    void openDevice() throws Exception {
        Path file = Files.write(directory.resolve("disk.img"), new byte[FILE_BYTES]);
        device = new DescriptorDevice(file, FILE_BYTES, true);
    }

    @AfterEach
    void closeDevice() {
        device.close();
        loop.close();
    }

    private EngineTransfer submitted(Operation operation, long offsetBytes, ByteBuffer data) {
        EngineTransfer transfer = new EngineTransfer(operation, device, offsetBytes, data);
        loop.execute(() -> engine.submit(transfer));
        return transfer;
    }

    private static ByteBuffer filled(long mark) {
        ByteBuffer data = ByteBuffer.allocateDirect(LENGTH);
        while (data.hasRemaining()) {
            data.putLong(mark);
        }
        return data.flip();
    }

    @Test
    void everyTransferGoesToItsPlaceThroughTheRing() throws Exception {
        List<EngineTransfer> writes = new ArrayList<>();
        for (int i = 0; i < FILE_BYTES / LENGTH; i++) {
            writes.add(submitted(Operation.WRITE, (long) i * LENGTH, filled(i + 1)));
        }
        for (EngineTransfer write : writes) {
            assertNull(write.await());
            assertEquals(0, write.data.remaining());
        }
        List<EngineTransfer> reads = new ArrayList<>();
        for (int i = 0; i < FILE_BYTES / LENGTH; i++) {
            // Into the second half of its buffer: the address counts from the position.
            ByteBuffer data = ByteBuffer.allocateDirect(2 * LENGTH).position(LENGTH);
            reads.add(submitted(Operation.READ, (long) i * LENGTH, data));
        }
        for (int i = 0; i < reads.size(); i++) {
            assertNull(reads.get(i).await());
            assertEquals(filled(i + 1), reads.get(i).data.flip().position(LENGTH));
        }
        assertEquals(0, device.byHand.get());
        assertEquals(0, device.underWay.get());
    }

    @Test
    void anErrorOfTheKernelIsTheErrorOfTheTransfer() throws Exception {
        device.close();
        EngineTransfer read = submitted(Operation.READ, 0, filled(0));
        assertNotNull(read.await());
        assertEquals(Errno.EBADF, read.await().errno());
        device = new DescriptorDevice(directory.resolve("disk.img"), FILE_BYTES, true);
    }

    @Test
    void whatComesBackShortIsExecutedByTheOtherEngine() throws Exception {
        EngineTransfer read = submitted(Operation.READ, FILE_BYTES - 512, filled(0));
        assertNull(read.await());
        assertEquals(1, device.byHand.get());
        assertEquals(0, device.underWay.get());
    }

    /** Then it is executed by the other engine, as what comes back short. */
    @Test
    void whatTheHostCannotBeginNowIsNoErrorOfTheDevice() {
        for (int errno : new int[] {Errno.ECANCELED, Errno.EAGAIN, Errno.EINTR}) {
            assertEquals(0, UringIoEngine.bytesOrError(-errno));
            assertEquals(ErrorClass.HOST, Errno.classify(errno));
        }
        assertEquals(-Errno.EIO, UringIoEngine.bytesOrError(-Errno.EIO));
        assertEquals(Errno.ECANCELED, UringIoEngine.bytesOrError(Errno.ECANCELED), "so many bytes");
    }

    @Test
    void whatTheRingCannotDoIsExecutedByTheOtherEngine() throws Exception {
        for (Operation operation : List.of(Operation.FLUSH, Operation.ZERO, Operation.DISCARD)) {
            assertNull(submitted(operation, 0, filled(0)).await());
        }
        assertEquals(3, device.byHand.get());
    }

    @Test
    void aTransferThatFollowsFromACompletionGoesOn() throws Exception {
        EngineTransfer second = new EngineTransfer(Operation.READ, device, 0, filled(1));
        EngineTransfer first = new EngineTransfer(Operation.READ, device, 0, filled(1));
        first.then(() -> engine.submit(second));
        loop.execute(() -> engine.submit(first));
        assertNull(first.await());
        assertNull(second.await());
        assertTrue(first.completer() == second.completer(), "the thread of the ring");
        assertEquals(0, device.byHand.get());
    }

    @Test
    void writesToARegularFileAreLeftToWorkers() throws Exception {
        device.close();
        device = new DescriptorDevice(directory.resolve("disk.img"), FILE_BYTES, false);
        assertNull(submitted(Operation.WRITE, 0, filled(1)).await());
        assertEquals(1, device.byHand.get(), "the kernel may let them wait for each other");
        assertNull(submitted(Operation.READ, 0, filled(1)).await());
        assertEquals(1, device.byHand.get());
    }

    @Test
    void anErrorInTheProgramEndsItsOwnTransferAndNoOther() throws Exception {
        EngineTransfer wrong = submitted(Operation.READ, FILE_BYTES, filled(1));
        assertEquals(ErrorClass.INTERNAL, wrong.await().errorClass());
        EngineTransfer broken = new EngineTransfer(Operation.READ, device, 0, filled(1)).then(() -> {
            throw new IllegalStateException("on purpose");
        });
        EngineTransfer after = new EngineTransfer(Operation.READ, device, LENGTH, filled(1));
        loop.execute(() -> {
            engine.submit(broken);
            engine.submit(after);
        });
        assertNull(after.await());
        assertNull(submitted(Operation.READ, 0, filled(1)).await());
        assertEquals(1, broken.completions());
        assertEquals(0, device.underWay.get());
    }
}
