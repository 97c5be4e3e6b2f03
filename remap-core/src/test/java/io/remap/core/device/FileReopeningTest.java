package io.remap.core.device;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceUri;
import io.remap.api.Refusal;
import io.remap.api.Reopening;
import io.remap.api.WitnessTag;
import io.remap.api.spi.BlockDeviceProvider.Door;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A device that is found again under another name, or is not: disks on loop devices, of which a sysfs made here says which
 * drive each is. Where loop devices are not to be had (no root), these are skipped.
 */
class FileReopeningTest {
    private static final int SIZE_BYTES = 1 << 20;
    private static final OpenOptions SERVE = OpenOptions.serve(false, Door.AUTO, OptionalInt.empty());
    private static final String DRIVE = "WD-1234";

    @TempDir
    Path root;

    private Path image(String name, int value) throws IOException {
        return image(name, value, SIZE_BYTES);
    }

    private Path image(String name, int value, int sizeBytes) throws IOException {
        byte[] bytes = new byte[sizeBytes];
        Arrays.fill(bytes, (byte) value);
        return Files.write(root.resolve(name), bytes);
    }

    private BlockTopology topology() {
        return new BlockTopology(
                root.resolve("class"), root, new MountTable(root.resolve("mountinfo"), root.resolve("swaps")));
    }

    /** The kernel knows a loop device as a drive. */
    private void plugIn(LoopDevice loop, String serial, int sizeBytes) throws IOException {
        Path directory =
                Files.createDirectories(root.resolve("devices").resolve(loop.node.substring("/dev/".length())));
        Files.writeString(
                directory.resolve("dev"), FileNode.of(Path.of(loop.node)).blockNumber());
        Files.writeString(directory.resolve("size"), Long.toString(sizeBytes / 512));
        Files.writeString(directory.resolve("serial"), serial);
        Files.createDirectories(root.resolve("class"));
        Files.createSymbolicLink(root.resolve("class").resolve(directory.getFileName()), directory);
    }

    private void pullOut(LoopDevice loop) throws IOException {
        Files.delete(root.resolve("class").resolve(loop.node.substring("/dev/".length())));
    }

    private BlockDevice open(String path) throws IOException {
        return new FileDeviceProvider(topology()).open(DeviceUri.parse(path), SERVE);
    }

    private static Optional<String> reopen(BlockDevice device) {
        return device.capability(Reopening.class).orElseThrow().reopen();
    }

    private static int firstByte(BlockDevice device) throws DeviceException {
        ByteBuffer sector =
                ByteBuffer.allocateDirect(8192).alignedSlice(4096).limit(512).slice();
        device.read(0, sector);
        return sector.get(0);
    }

    @Test
    void aDriveIsFoundUnderAnotherNameAndOnlyThat() throws IOException {
        LoopDevice.require();
        try (LoopDevice first = LoopDevice.attach(image("a", 1));
                LoopDevice second = LoopDevice.attach(image("b", 2));
                LoopDevice smaller = LoopDevice.attach(image("c", 3, SIZE_BYTES / 2))) {
            plugIn(first, DRIVE, SIZE_BYTES);
            try (BlockDevice device = open(first.node)) {
                assertEquals(Optional.empty(), reopen(device), "it is there, and in use by us");
                pullOut(first);
                assertEquals(Optional.empty(), reopen(device), "nothing is there");
                plugIn(second, "WD-9999", SIZE_BYTES);
                assertEquals(Optional.empty(), reopen(device), "another drive");
                plugIn(smaller, DRIVE, SIZE_BYTES / 2);
                assertEquals(Optional.empty(), reopen(device), "another size");
                pullOut(second);
                plugIn(second, DRIVE, SIZE_BYTES);
                try (BlockDevice other = open(second.node)) {
                    assertEquals(Optional.empty(), reopen(device), "somebody else has it");
                    assertEquals(2, firstByte(other));
                }
                assertEquals(1, firstByte(device));
                assertEquals(Optional.of(second.node), reopen(device));
                assertEquals(2, firstByte(device));
                assertEquals(2, firstByte(device.direct()));
                assertThrows(Refusal.class, () -> open(second.node).close(), "it is locked as the first one was");
            }
            open(second.node).close();
        }
    }

    @Test
    void aDriveWithoutANumberIsNotBelieved() throws IOException {
        LoopDevice.require();
        try (LoopDevice first = LoopDevice.attach(image("a", 1));
                LoopDevice second = LoopDevice.attach(image("b", 2))) {
            plugIn(first, "", SIZE_BYTES);
            plugIn(second, "", SIZE_BYTES);
            Path link = Files.createSymbolicLink(root.resolve("link"), Path.of(first.node));
            try (BlockDevice device = open(link.toString())) {
                Files.delete(link);
                Files.createSymbolicLink(link, Path.of(second.node));
                assertEquals(Optional.empty(), reopen(device));
                assertEquals(1, firstByte(device));
            }
            Files.delete(link);
        }
    }

    @Test
    void aLinkThatLeadsElsewhereByNowIsFollowed() throws IOException {
        LoopDevice.require();
        try (LoopDevice first = LoopDevice.attach(image("a", 1));
                LoopDevice second = LoopDevice.attach(image("b", 2))) {
            plugIn(first, DRIVE, SIZE_BYTES);
            Path link = Files.createSymbolicLink(root.resolve("link"), Path.of(first.node));
            try (BlockDevice device = open(link.toString())) {
                pullOut(first);
                plugIn(second, DRIVE, SIZE_BYTES);
                Files.delete(link);
                Files.createSymbolicLink(link, Path.of(second.node));
                assertEquals(Optional.of(link.toString()), reopen(device));
                assertEquals(2, firstByte(device));
                Files.delete(link);
            }
        }
    }

    @Test
    void anotherFileInItsPlaceIsNotOpened() throws IOException {
        Path image = image("main.img", 1);
        byte[] witness = "of a pair".getBytes(StandardCharsets.UTF_8);
        try (BlockDevice device = open(image.toString())) {
            var tag = device.capability(WitnessTag.class);
            if (tag.isPresent()) {
                tag.get().writeTag(witness);
            }
            assertEquals(Optional.empty(), reopen(device), "it is there, and locked by us");
            Files.move(image, root.resolve("moved.img"));
            assertEquals(Optional.empty(), reopen(device), "nothing is there");
            Path copy = image("copy.img", 2);
            if (tag.isPresent()) {
                try (BlockDevice other = open(copy.toString())) {
                    other.capability(WitnessTag.class).orElseThrow().writeTag(witness);
                }
            }
            Files.move(copy, image, StandardCopyOption.REPLACE_EXISTING);
            assertEquals(Optional.empty(), reopen(device), "a copy has another inode");
            assertEquals(1, firstByte(device));
        }
    }

    @Test
    void theNumberOfAMediumIsThatWhichItHadAtFirst() throws IOException {
        Path blocks = root.resolve("blocks");
        Files.createDirectories(blocks.resolve("8:0"));
        Files.createDirectories(blocks.resolve("8:16"));
        Files.writeString(blocks.resolve("8:0/diskseq"), "5");
        Files.writeString(blocks.resolve("8:16/diskseq"), "9");
        DiskSequence first = DiskSequence.of(blocks, identity("8:0")).orElseThrow();
        first.goOnWith(DiskSequence.of(blocks, identity("8:16")).orElseThrow());
        assertEquals(5, first.current().orElseThrow());
        Files.writeString(blocks.resolve("8:16/diskseq"), "10");
        assertEquals(6, first.current().orElseThrow(), "another medium");
        first.goOnWith(DiskSequence.of(blocks, identity("8:16")).orElseThrow());
        assertEquals(5, first.current().orElseThrow());
    }

    private static DeviceIdentity identity(String number) {
        return DeviceIdentity.ofWhole("serial:" + DRIVE, "block:" + number, SIZE_BYTES, "");
    }
}
