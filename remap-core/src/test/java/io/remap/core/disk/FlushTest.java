package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DescriptorTransfers;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIo;
import io.remap.api.DeviceUri;
import io.remap.api.Errno;
import io.remap.api.spi.BlockDeviceProvider.Door;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import io.remap.api.spi.IoEngine;
import io.remap.core.device.FileDeviceProvider;
import io.remap.testkit.FaultyDevice;
import io.remap.testkit.MemoryDevice;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.OptionalInt;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@link TrackedDevice} and {@link Syncer}: a flush is never answered with more than is known. */
class FlushTest {
    private final MemoryDevice medium = new MemoryDevice("disk", 1 << 16, 512);
    private final Interposed steps = new Interposed();
    private final FaultyDevice faulty = new FaultyDevice(medium, new SplittableRandom(1), steps);
    private final TrackedDevice device = TrackedDevice.of(faulty);

    /** Lets the test do something in the middle of an operation of the device. */
    private static final class Interposed implements FaultyDevice.Steps {
        private Runnable next = () -> {};

        @Override
        public void pause() {
            Runnable now = next;
            next = () -> {};
            now.run();
        }

        @Override
        public void sleep(long nanos) {}
    }

    private void write() throws DeviceException {
        device.write(0, ByteBuffer.allocate(512));
    }

    @Test
    void beginsDirtySinceAnotherProcessMayHaveWritten() throws Exception {
        assertFalse(device.isClean());
        device.flush();
        assertTrue(device.isClean());
    }

    @Test
    void everyDoorSharesWhatIsKnown() throws Exception {
        device.flush();
        device.direct().write(0, ByteBuffer.allocate(512));
        assertFalse(device.isClean());
        assertTrue(TrackedDevice.of(device) == device);
    }

    @Test
    void writeThatEndsDuringAFlushIsNotCovered() throws Exception {
        device.flush();
        write();
        steps.next = () -> {
            try {
                write();
            } catch (DeviceException e) {
                throw new AssertionError(e);
            }
        };
        device.flush();
        assertFalse(device.isClean());
        device.flush();
        assertTrue(device.isClean());
    }

    @Test
    void failedFlushIsNeverRetriedIntoSuccess() throws Exception {
        write();
        faulty.failFlushes(1, Errno.EIO);
        assertThrows(DeviceException.class, device::flush);
        DeviceException again = assertThrows(DeviceException.class, device::flush);
        assertTrue(again.getMessage().contains("may have been lost"), again.getMessage());
        assertFalse(device.isClean());
        assertTrue(device.direct().doubt().isPresent());
    }

    @ParameterizedTest
    @ValueSource(ints = {Errno.ENODEV, Errno.ENXIO, Errno.ENOLINK, 99})
    void deviceEventPutsUnflushedWritesInDoubt(int errno) throws Exception {
        device.flush();
        faulty.vanish(errno);
        assertThrows(DeviceException.class, () -> device.read(0, ByteBuffer.allocate(512)));
        assertTrue(device.doubt().isEmpty(), "nothing was in the cache");
        faulty.comeBack();
        write();
        faulty.vanish(errno);
        assertThrows(DeviceException.class, () -> device.read(0, ByteBuffer.allocate(512)));
        faulty.comeBack();
        assertThrows(DeviceException.class, device::flush);
    }

    @Test
    void errorOfASectorIsNoDeviceEvent() throws Exception {
        write();
        faulty.fault(1, 1, FaultyDevice.Fault.BAD);
        assertThrows(DeviceException.class, () -> device.read(512, ByteBuffer.allocate(512)));
        device.flush();
        assertTrue(device.isClean());
    }

    @Test
    void writeThatADeviceEventFallsIntoIsInDoubt() throws Exception {
        device.flush();
        steps.next = () -> device.wentAway(new DeviceException("disk", "read", 0, 512, Errno.EIO));
        write();
        assertThrows(DeviceException.class, device::flush);
    }

    /** Executes when told to. */
    private static final class HeldEngine implements IoEngine {
        private final Deque<DeviceIo> held = new ArrayDeque<>();

        @Override
        public void submit(DeviceIo io) {
            held.add(io);
        }

        @Override
        public void close() {}
    }

    @Test
    void flushJoinsOnlyALaterSync() throws Exception {
        HeldEngine engine = new HeldEngine();
        Syncer syncer = new Syncer(device, engine, Runnable::run);
        List<String> answers = new ArrayList<>();
        write();
        syncer.flush(error -> answers.add("first " + (error == null)));
        write();
        syncer.flush(error -> answers.add("second " + (error == null)));
        syncer.flush(error -> answers.add("third " + (error == null)));
        assertEquals(1, engine.held.size());
        engine.held.poll().run();
        assertEquals(List.of("first true"), answers);
        assertEquals(1, engine.held.size(), "the others wait for a sync of their own, together");
        faulty.failFlushes(1, Errno.EIO);
        engine.held.poll().run();
        assertEquals(List.of("first true", "second false", "third false"), answers);
    }

    @Test
    void cleanDeviceIsNotSynced() throws Exception {
        HeldEngine engine = new HeldEngine();
        Syncer syncer = new Syncer(device, engine, Runnable::run);
        device.flush();
        DeviceException[] answer = {new DeviceException("disk", "flush", 0, 0, Errno.EIO)};
        syncer.flush(error -> answer[0] = error);
        assertNull(answer[0]);
        assertNotNull(engine.held);
        assertTrue(engine.held.isEmpty());
    }

    @Test
    void transfersByDescriptorCountAsThoseOfTheDevice(@TempDir Path directory) throws Exception {
        Path image = Files.write(directory.resolve("disk.img"), new byte[1 << 16]);
        BlockDevice file = new FileDeviceProvider()
                .open(DeviceUri.parse(image.toString()), OpenOptions.serve(false, Door.BUFFERED, OptionalInt.of(512)));
        TrackedDevice tracked = TrackedDevice.of(file);
        DescriptorTransfers transfers =
                tracked.capability(DescriptorTransfers.class).orElseThrow();
        tracked.flush();
        DeviceIo io = new DeviceIo() {
            @Override
            public void completed(DeviceException error) {}
        };
        io.operation = DeviceIo.Operation.WRITE;
        io.data = ByteBuffer.allocateDirect(512);
        transfers.begin(io);
        assertNull(transfers.ended(io, 100));
        assertTrue(tracked.isClean(), "a short write was not acknowledged");
        transfers.begin(io);
        assertNull(transfers.ended(io, 512));
        assertFalse(tracked.isClean());
        tracked.flush();
        io.data.clear();
        transfers.begin(io);
        tracked.wentAway(new DeviceException("disk", "read", 0, 512, Errno.ENODEV));
        assertNull(transfers.ended(io, 512));
        assertTrue(tracked.doubt().isPresent(), "the device went away while the write was under way");
        file.close();
    }
}
