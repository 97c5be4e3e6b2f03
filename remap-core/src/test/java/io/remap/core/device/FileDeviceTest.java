package io.remap.core.device;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceUri;
import io.remap.api.spi.BlockDeviceProvider.Door;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import io.remap.core.libc.Libc;
import io.remap.testkit.BlockDeviceContract;
import java.io.IOException;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The contract, over every way in which a regular file is opened. */
class FileDeviceTest {
    private static final long SIZE_BYTES = 4 << 20;

    static OpenOptions create(Door door, int sectorBytes) {
        return new OpenOptions(false, true, door, OptionalInt.of(sectorBytes), OptionalLong.of(SIZE_BYTES), false);
    }

    static BlockDevice file(Path directory, Door door, int sectorBytes, String query) throws IOException {
        DeviceUri uri = DeviceUri.parse(directory.resolve("disk.img") + query);
        return new FileDeviceProvider().open(uri, create(door, sectorBytes));
    }

    @Test
    void nativeCallsAreToBeHadHere() {
        assertEquals("", Libc.unavailableBecause());
        assertTrue(Libc.find().isPresent());
    }

    @Nested
    class Auto extends BlockDeviceContract {
        @TempDir
        Path directory;

        @Override
        protected BlockDevice open() throws IOException {
            return file(directory, Door.AUTO, 512, "");
        }
    }

    @Nested
    class LargeSectors extends BlockDeviceContract {
        @TempDir
        Path directory;

        @Override
        protected BlockDevice open() throws IOException {
            BlockDevice device = file(directory, Door.AUTO, 4096, "");
            assertEquals(4096, device.traits().logicalSectorBytes());
            return device;
        }
    }

    @Nested
    class Buffered extends BlockDeviceContract {
        @TempDir
        Path directory;

        @Override
        protected BlockDevice open() throws IOException {
            BlockDevice device = file(directory, Door.BUFFERED, 512, "");
            assertEquals(1, device.traits().alignmentBytes());
            return device;
        }
    }

    @Nested
    class Part extends BlockDeviceContract {
        @TempDir
        Path directory;

        @Override
        protected BlockDevice open() throws IOException {
            DeviceUri uri = DeviceUri.parse(directory.resolve("disk.img") + "?offset=512&length=3145728");
            return BlockPart.of(new FileDeviceProvider().open(uri, create(Door.AUTO, 512)), uri);
        }
    }

    @Nested
    class BufferedPart extends BlockDeviceContract {
        @TempDir
        Path directory;

        @Override
        protected BlockDevice open() throws IOException {
            DeviceUri uri = DeviceUri.parse(directory.resolve("disk.img") + "?offset=1M");
            return BlockPart.of(new FileDeviceProvider().open(uri, create(Door.BUFFERED, 512)), uri);
        }
    }

    @Nested
    class ChannelBuffered extends BlockDeviceContract {
        @TempDir
        Path directory;

        @Override
        protected BlockDevice open() throws IOException {
            return channel(directory, Door.BUFFERED, 512);
        }
    }

    @Nested
    class ChannelDirect extends BlockDeviceContract {
        @TempDir
        Path directory;

        @Override
        protected BlockDevice open() throws IOException {
            return channel(directory, Door.AUTO, 4096);
        }
    }

    private static BlockDevice channel(Path directory, Door door, int sectorBytes) throws IOException {
        return new FileChannelOpener(BlockTopology.ofThisHost())
                .open(DeviceUri.parse(directory.resolve("disk.img").toString()), create(door, sectorBytes));
    }
}
