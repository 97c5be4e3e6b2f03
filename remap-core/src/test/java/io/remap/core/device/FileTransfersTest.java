package io.remap.core.device;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DescriptorTransfers;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIo;
import io.remap.api.DeviceUri;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import io.remap.api.spi.BlockDeviceProvider.Door;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalInt;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a file promises to an engine that has its transfers executed by the kernel. */
class FileTransfersTest {
    private static final int SIZE = 1 << 20;
    private static final int LENGTH = 4096;

    @TempDir
    private Path directory;

    private BlockDevice device;
    private DescriptorTransfers transfers;

    @BeforeEach
    void open() throws Exception {
        Path image = Files.write(directory.resolve("disk.img"), new byte[SIZE]);
        device = new FileDeviceProvider()
                .open(DeviceUri.parse(image.toString()), OpenOptions.serve(false, Door.BUFFERED, OptionalInt.of(512)));
        transfers = device.capability(DescriptorTransfers.class).orElseThrow();
    }

    @AfterEach
    void close() {
        device.close();
    }

    private static DeviceIo io(DeviceIo.Operation operation, long offsetBytes) {
        DeviceIo io = new DeviceIo() {
            @Override
            public void completed(DeviceException error) {
                throw new AssertionError("completing is the engine's business");
            }
        };
        io.operation = operation;
        io.offsetBytes = offsetBytes;
        io.data = ByteBuffer.allocateDirect(2 * LENGTH).alignedSlice(LENGTH).limit(LENGTH);
        return io;
    }

    @Test
    void aWholeTransferMovesThePosition() throws Exception {
        DeviceIo io = io(DeviceIo.Operation.READ, 8192);
        assertTrue(transfers.begin(io) >= 0);
        assertNull(transfers.ended(io, LENGTH));
        assertEquals(0, io.data.remaining());
    }

    @Test
    void aShortOneSaysNothingAndLeavesThePosition() throws Exception {
        DeviceIo io = io(DeviceIo.Operation.WRITE, 0);
        transfers.begin(io);
        assertNull(transfers.ended(io, 512));
        assertEquals(LENGTH, io.data.remaining());
    }

    @Test
    void anErrorNumberBecomesAnErrorThatNamesTheRange() throws Exception {
        DeviceIo io = io(DeviceIo.Operation.WRITE, 4096);
        transfers.begin(io);
        DeviceException error = transfers.ended(io, -Errno.EIO);
        assertEquals(Errno.EIO, error.errno());
        assertEquals(ErrorClass.SECTOR_OR_DEVICE, error.errorClass());
        assertTrue(error.getMessage().contains("4096"), error.getMessage());
        assertEquals(LENGTH, io.data.remaining());
    }

    @Test
    void whatDoesNotFitIsAMistakeOfTheCaller() {
        assertThrows(IllegalArgumentException.class, () -> transfers.begin(io(DeviceIo.Operation.READ, SIZE)));
        assertThrows(IllegalArgumentException.class, () -> transfers.begin(io(DeviceIo.Operation.WRITE, -1)));
    }

    @Test
    void theDescriptorStaysOpenUntilTheLastTransferEnded() throws Exception {
        DeviceIo io = io(DeviceIo.Operation.READ, 0);
        int descriptor = transfers.begin(io);
        device.close();
        assertTrue(Files.exists(Path.of("/proc/self/fd/" + descriptor)));
        assertThrows(IllegalStateException.class, () -> transfers.begin(io(DeviceIo.Operation.READ, 0)));
        transfers.ended(io, LENGTH);
        assertTrue(!Files.exists(Path.of("/proc/self/fd/" + descriptor))
                || !Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor))
                        .endsWith("disk.img"));
    }
}
