package io.remap.core.device;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.ErrorClass;
import io.remap.api.Refusal;
import io.remap.api.WitnessTag;
import io.remap.api.spi.BlockDeviceProvider.Door;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import io.remap.testkit.BlockDeviceContract;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** Block devices, on loop devices of the kernel. Where these are not to be had (no root), nearly all of it is skipped. */
class BlockLoopTest {
    private static final long SIZE_BYTES = 4 << 20;
    private static final OpenOptions SERVE = OpenOptions.serve(false, Door.AUTO, OptionalInt.empty());
    private static final OpenOptions FORCED =
            new OpenOptions(false, true, Door.AUTO, OptionalInt.empty(), OptionalLong.empty(), true);

    private static Path image(Path directory) throws IOException {
        Path image = directory.resolve("disk.img");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(SIZE_BYTES);
        }
        return image;
    }

    private static BlockDevice open(String path, OpenOptions options) throws IOException {
        return new FileDeviceProvider().open(DeviceUri.parse(path), options);
    }

    private static Refusal busy(String path, OpenOptions options) {
        Refusal refusal = assertThrows(Refusal.class, () -> open(path, options).close());
        assertEquals(Refusal.Kind.BUSY, refusal.kind(), refusal.getMessage());
        assertTrue(refusal.getMessage().contains(path), refusal.getMessage());
        return refusal;
    }

    /** All that can be asked for without loop devices. */
    @Test
    void aDeviceThatMayNotBeOpenedIsRefused() {
        Optional<BlockTopology.Block> some = LoopDevice.available()
                ? Optional.empty()
                : BlockTopology.ofThisHost().all().stream()
                        .filter(block -> block.sizeBytes() > 0)
                        .findFirst();
        String path = some.map(BlockTopology.Block::node).orElse("/dev/no-such-disk");
        Refusal refusal = assertThrows(Refusal.class, () -> open(path, SERVE).close());
        assertTrue(refusal.getMessage().contains(path), refusal.getMessage());
        assertNotEquals(Refusal.Kind.USAGE, refusal.kind(), refusal.getMessage());
    }

    /** The contract over one loop device. */
    abstract static class Contract extends BlockDeviceContract {
        @TempDir
        Path directory;

        private LoopDevice loop;

        BlockDevice openLoop(Door door, int sectorBytes) throws IOException {
            LoopDevice.require();
            loop = LoopDevice.attach(image(directory), "--sector-size", Integer.toString(sectorBytes));
            return BlockLoopTest.open(loop.node, OpenOptions.serve(false, door, OptionalInt.of(sectorBytes)));
        }

        @AfterEach
        void detach() throws IOException {
            if (device != null) {
                device.close();
            }
            if (loop != null) {
                loop.close();
            }
        }
    }

    @Nested
    class Direct extends Contract {
        @Override
        protected BlockDevice open() throws IOException {
            BlockDevice opened = openLoop(Door.DIRECT, 512);
            assertEquals(512, opened.traits().alignmentBytes());
            return opened;
        }
    }

    @Nested
    class DirectLargeSectors extends Contract {
        @Override
        protected BlockDevice open() throws IOException {
            BlockDevice opened = openLoop(Door.AUTO, 4096);
            assertEquals(4096, opened.traits().logicalSectorBytes());
            return opened;
        }
    }

    @Nested
    class Buffered extends Contract {
        @Override
        protected BlockDevice open() throws IOException {
            BlockDevice opened = openLoop(Door.BUFFERED, 512);
            assertFalse(opened.traits().direct());
            assertTrue(opened.direct().traits().direct());
            return opened;
        }
    }

    @Test
    void aLoopDeviceIsItsFile(@TempDir Path directory) throws IOException {
        LoopDevice.require();
        Path image = image(directory);
        try (LoopDevice loop = LoopDevice.attach(image, "--offset", "1048576");
                BlockDevice device = open(loop.node, OpenOptions.inspect());
                BlockDevice file = open(image.toString(), OpenOptions.inspect())) {
            assertTrue(device.traits().blockDevice());
            assertEquals(SIZE_BYTES - (1 << 20), device.traits().sizeBytes());
            assertEquals(file.identity().backing(), device.identity().backing());
            assertEquals(1 << 20, device.identity().startBytes());
            assertTrue(device.identity().overlaps(file.identity()));
            assertEquals(
                    file.identity().stableId() + "@1048576", device.identity().stableId());
        }
    }

    @Test
    void aLoopDeviceCarriesTheWitnessOfItsFile(@TempDir Path directory) throws IOException {
        LoopDevice.require();
        Path image = image(directory);
        byte[] tag = "pair 7".getBytes(StandardCharsets.US_ASCII);
        try (LoopDevice loop = LoopDevice.attach(image);
                BlockDevice device = open(loop.node, SERVE)) {
            WitnessTag witness = device.capability(WitnessTag.class).orElseThrow();
            assertTrue(witness.isOwn());
            assertTrue(witness.readTag().isEmpty());
            witness.writeTag(tag);
        }
        try (BlockDevice file = open(image.toString(), SERVE)) {
            assertArrayEquals(
                    tag,
                    file.capability(WitnessTag.class).orElseThrow().readTag().orElseThrow());
        }
        for (String part : List.of("--offset=1048576", "--sizelimit=1048576")) {
            try (LoopDevice loop = LoopDevice.attach(image, part);
                    BlockDevice device = open(loop.node, SERVE)) {
                WitnessTag witness = device.capability(WitnessTag.class).orElseThrow();
                assertFalse(witness.isOwn());
                assertArrayEquals(tag, witness.readTag().orElseThrow());
                assertThrows(DeviceException.class, () -> witness.writeTag(tag));
            }
        }
        try (LoopDevice loop = LoopDevice.attach(image);
                BlockDevice device = open(loop.node, SERVE)) {
            device.capability(WitnessTag.class).orElseThrow().removeTag();
        }
        try (BlockDevice file = open(image.toString(), SERVE)) {
            assertTrue(file.capability(WitnessTag.class).orElseThrow().readTag().isEmpty());
        }
    }

    @Test
    void aServedDeviceIsNobodyElses(@TempDir Path directory) throws IOException {
        LoopDevice.require();
        Path image = image(directory);
        try (LoopDevice loop = LoopDevice.attach(image)) {
            try (BlockDevice first = open(loop.node, SERVE)) {
                assertTrue(busy(loop.node, SERVE).getMessage().contains("in use"));
                busy(loop.node, FORCED);
                busy(image.toString(), SERVE);
                assertTrue(busy(image.toString(), FORCED).getMessage().contains("locked by this process"));
                open(loop.node, OpenOptions.inspect()).close();
                first.flush();
            }
            assertTrue(busy(image.toString(), SERVE).getMessage().contains(loop.node), "a loop device has the image");
            try (BlockDevice file = open(image.toString(), FORCED)) {
                busy(loop.node, SERVE);
                file.flush();
            }
            open(loop.node, SERVE).close();
        }
        open(image.toString(), SERVE).close();
    }

    /** As a disk that is unplugged is to those who have it open: a write would meet the end of it, a read give nothing. */
    @Test
    void aDeviceThatTheKernelHasGivenUpIsGoneAndNotFull(@TempDir Path directory) throws IOException {
        LoopDevice.require();
        Path image = image(directory);
        ByteBuffer sector = ByteBuffer.allocateDirect(8192).alignedSlice(4096).limit(4096);
        try (LoopDevice loop = LoopDevice.attach(image);
                BlockDevice device = open(loop.node, SERVE);
                FileChannel channel =
                        FileChannel.open(Path.of(loop.node), StandardOpenOption.READ, StandardOpenOption.WRITE);
                BlockDevice byChannel =
                        new FileChannelDevice(channel, loop.node, device.traits(), device.identity(), null)) {
            device.write(0, sector.clear().limit(4096));
            resize(image, loop, 0);
            for (BlockDevice each : List.of(device, byChannel)) {
                assertGone(() -> each.write(4096, sector.clear().limit(4096)));
                assertGone(() -> each.read(4096, sector.clear().limit(4096)));
                assertGone(() -> each.zero(8192, 8192, true));
            }
            resize(image, loop, SIZE_BYTES);
            device.write(4096, sector.clear().limit(4096));
            resize(image, loop, SIZE_BYTES / 2);
            DeviceException shrunk = assertThrows(
                    DeviceException.class,
                    () -> device.write(SIZE_BYTES - 4096, sector.clear().limit(4096)));
            assertEquals(ErrorClass.NO_SPACE, shrunk.errorClass(), shrunk.getMessage());
        }
    }

    private static void resize(Path image, LoopDevice loop, long sizeBytes) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(sizeBytes);
        }
        LoopDevice.run("losetup", "--set-capacity", loop.node);
    }

    private static void assertGone(Executable transfer) {
        DeviceException error = assertThrows(DeviceException.class, transfer);
        assertEquals(ErrorClass.GONE, error.errorClass(), error.getMessage());
        assertTrue(error.getMessage().contains("given the device up"), error.getMessage());
    }

    @Test
    void aMountedDeviceIsRefusedAndTheMountNamed(@TempDir Path directory) throws IOException {
        LoopDevice.require();
        Path image = image(directory);
        Path mount = Files.createDirectory(directory.resolve("mount"));
        try (LoopDevice loop = LoopDevice.attach(image)) {
            LoopDevice.run("mkfs.ext4", "-q", "-F", loop.node);
            LoopDevice.run("mount", loop.node, mount.toString());
            try {
                assertTrue(busy(loop.node, SERVE).getMessage().contains("mounted at " + mount));
                assertTrue(busy(image.toString(), SERVE).getMessage().contains("mounted at " + mount));
                OpenOptions reader = OpenOptions.serve(true, Door.AUTO, OptionalInt.empty());
                busy(loop.node, reader);
                try (BlockDevice forced = open(loop.node, FORCED)) {
                    assertEquals(SIZE_BYTES, forced.traits().sizeBytes());
                    busy(loop.node, FORCED);
                }
            } finally {
                LoopDevice.run("umount", mount.toString());
            }
            open(loop.node, SERVE).close();
        }
    }

    @Test
    void aLoopDeviceOverADeviceIsNoWayAroundIt(@TempDir Path directory) throws IOException {
        LoopDevice.require();
        Path image = image(directory);
        Path mount = Files.createDirectory(directory.resolve("mount"));
        try (LoopDevice lower = LoopDevice.attach(image)) {
            try (LoopDevice upper = LoopDevice.attach(Path.of(lower.node))) {
                assertTrue(busy(lower.node, SERVE).getMessage().contains("attached to " + upper.node));
                LoopDevice.run("mkfs.ext4", "-q", "-F", upper.node);
                LoopDevice.run("mount", upper.node, mount.toString());
                try {
                    assertTrue(busy(lower.node, SERVE).getMessage().contains("mounted at " + mount));
                    open(lower.node, FORCED).close();
                } finally {
                    LoopDevice.run("umount", mount.toString());
                }
                try (BlockDevice served = open(upper.node, SERVE)) {
                    assertTrue(busy(lower.node, SERVE).getMessage().contains("in use"));
                    busy(lower.node, FORCED);
                    busy(image.toString(), FORCED);
                    WitnessTag witness = served.capability(WitnessTag.class).orElseThrow();
                    assertTrue(witness.isOwn(), "it stands for all of the file at the bottom");
                }
                try (BlockDevice served = open(lower.node, FORCED)) {
                    String message = busy(upper.node, SERVE).getMessage();
                    assertTrue(message.contains("stands on " + lower.node), message);
                    served.flush();
                }
            }
            open(lower.node, SERVE).close();
        }
    }

    /** Two loop devices over one file: the one is mounted, the other one would write beneath it. */
    @Test
    void aMountOfTheSameBytesByAnotherWayIsNoticed(@TempDir Path directory) throws IOException {
        LoopDevice.require();
        Path image = image(directory);
        Path mount = Files.createDirectory(directory.resolve("mount"));
        try (LoopDevice one = LoopDevice.attach(image, "--sizelimit", "2097152");
                LoopDevice same = LoopDevice.attach(image, "--offset", "1048576");
                LoopDevice behind = LoopDevice.attach(image, "--offset", "2097152")) {
            LoopDevice.run("mkfs.ext4", "-q", "-F", one.node);
            LoopDevice.run("mount", one.node, mount.toString());
            try {
                assertTrue(busy(same.node, SERVE).getMessage().contains("mounted at " + mount));
                open(behind.node, SERVE).close();
            } finally {
                LoopDevice.run("umount", mount.toString());
            }
            open(same.node, SERVE).close();
        }
    }

    @Test
    void aWriteProtectedDeviceIsOpenedForReading(@TempDir Path directory) throws IOException {
        LoopDevice.require();
        try (LoopDevice loop = LoopDevice.attach(image(directory), "--read-only");
                BlockDevice device = open(loop.node, SERVE)) {
            assertTrue(device.traits().readOnly());
        }
    }

    @Test
    void aDeviceIsNotMade(@TempDir Path directory) throws IOException {
        LoopDevice.require();
        try (LoopDevice loop = LoopDevice.attach(image(directory))) {
            OpenOptions creation =
                    new OpenOptions(false, true, Door.AUTO, OptionalInt.empty(), OptionalLong.of(SIZE_BYTES), false);
            Refusal refusal =
                    assertThrows(Refusal.class, () -> open(loop.node, creation).close());
            assertEquals(Refusal.Kind.USAGE, refusal.kind());
            assertTrue(Files.exists(Path.of(loop.node)));
        }
    }
}
