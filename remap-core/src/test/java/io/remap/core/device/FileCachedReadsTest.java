package io.remap.core.device;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.CachedReads;
import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.Errno;
import io.remap.api.PagePipe;
import io.remap.api.spi.BlockDeviceProvider.Door;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Reads out of the page cache, on the file systems that are here and on a loop device. */
class FileCachedReadsTest {
    private static final int SECTOR = 512;
    private static final int PAGE = 4096;
    private static final int SIZE = 4 << 20;
    private static final Path SHARED_MEMORY = Path.of("/dev/shm");

    @TempDir
    private Path directory;

    private final byte[] content = new byte[SIZE];

    @BeforeEach
    void makeContent() {
        new Random(1).nextBytes(content);
    }

    private Path image() throws IOException {
        return Files.write(directory.resolve("disk.img"), content);
    }

    private static BlockDevice open(String uri, Door door) throws IOException {
        return new FileDeviceProvider()
                .open(DeviceUri.parse(uri), OpenOptions.serve(false, door, OptionalInt.of(SECTOR)));
    }

    private static CachedReads reads(BlockDevice device) {
        return device.capability(CachedReads.class).orElseThrow();
    }

    /** Aligned, for both doors. */
    private static ByteBuffer buffer(int lengthBytes) {
        return ByteBuffer.allocateDirect(lengthBytes + 2 * PAGE)
                .alignedSlice(PAGE)
                .slice(0, lengthBytes);
    }

    private static byte[] bytes(ByteBuffer buffer) {
        byte[] all = new byte[buffer.capacity()];
        buffer.get(0, all);
        return all;
    }

    private byte[] content(long offset, int length) {
        return Arrays.copyOfRange(content, (int) offset, (int) offset + length);
    }

    /** Takes so many bytes out of the pipe, as a socket would. */
    private static byte[] take(PagePipe pipe, int lengthBytes) throws IOException {
        try (InputStream in = Files.newInputStream(Path.of("/proc/self/fd/" + pipe.descriptor()))) {
            byte[] bytes = in.readNBytes(lengthBytes);
            pipe.taken(bytes.length);
            return bytes;
        }
    }

    private static boolean isOpen(int descriptor) {
        return Files.exists(Path.of("/proc/self/fd/" + descriptor), LinkOption.NOFOLLOW_LINKS);
    }

    private void givesPages(BlockDevice device, int... offsetsAndLengths) throws IOException {
        for (int i = 0; i < offsetsAndLengths.length; i += 2) {
            int offset = offsetsAndLengths[i];
            int length = offsetsAndLengths[i + 1];
            PagePipe pipe = reads(device).tryPages(offset, length);
            assertNotNull(pipe, length + " bytes at " + offset);
            assertEquals(length, pipe.remainingBytes());
            assertArrayEquals(content(offset, length), take(pipe, length), length + " bytes at " + offset);
            assertEquals(0, pipe.remainingBytes());
            pipe.release();
        }
    }

    @Test
    void pagesHoldTheContent() throws IOException {
        try (BlockDevice device = open(image().toString(), Door.BUFFERED)) {
            givesPages(device, 0, SECTOR, 0, PAGE, 0, 65536, 1 << 20, 1 << 20, SIZE - SECTOR, SECTOR);
            givesPages(device, SECTOR, PAGE, PAGE - SECTOR, 2 * SECTOR, 3 * SECTOR, 1 << 19);
            assertNull(reads(device).tryPages(0, 0));
        }
    }

    @Test
    void pagesOfFilesInMemory() throws IOException {
        Path image = Files.createTempFile(SHARED_MEMORY, "remap-test", ".img");
        try {
            Files.write(image, content);
            try (BlockDevice device = open(image.toString(), Door.AUTO)) {
                givesPages(device, 0, 1 << 20, SECTOR, 65536, SIZE - PAGE, PAGE);
                ByteBuffer target = buffer(PAGE);
                if (reads(device).tryRead(PAGE, target)) {
                    assertArrayEquals(content(PAGE, PAGE), bytes(target));
                }
            }
        } finally {
            Files.delete(image);
        }
    }

    @Test
    void pagesOfALoopDevice() throws IOException {
        LoopDevice.require();
        Path image = image();
        try (LoopDevice loop = LoopDevice.attach(image);
                BlockDevice device = open(loop.node, Door.BUFFERED)) {
            givesPages(device, 0, PAGE, 1 << 20, 1 << 20, SECTOR, 65536, SIZE - SECTOR, SECTOR);
            ByteBuffer target = buffer(PAGE);
            assertTrue(reads(device).tryRead(1 << 20, target));
            assertArrayEquals(content(1 << 20, PAGE), bytes(target));
        }
    }

    @Test
    void aPartReadsFromWhereItBegins() throws IOException {
        int offset = 1 << 20;
        DeviceUri uri = DeviceUri.parse(image() + "?offset=" + offset + "&length=" + 65536);
        try (BlockDevice device = BlockPart.of(open(uri.path(), Door.BUFFERED), uri)) {
            CachedReads part = reads(device);
            PagePipe pipe = part.tryPages(PAGE, 8 * SECTOR);
            assertArrayEquals(content(offset + PAGE, 8 * SECTOR), take(pipe, 8 * SECTOR));
            pipe.release();
            ByteBuffer target = buffer(SECTOR);
            assertTrue(part.tryRead(PAGE, target));
            assertArrayEquals(content(offset + PAGE, SECTOR), bytes(target));
            assertTrue(part.holds(PAGE));
            assertThrows(IllegalArgumentException.class, () -> part.holds(65536));
            assertThrows(IllegalArgumentException.class, () -> part.tryPages(65536, SECTOR));
            assertThrows(IllegalArgumentException.class, () -> part.tryRead(65536, buffer(SECTOR)));
        }
    }

    @Test
    void onlyWhatHasAPageCacheHasTheAbility() throws IOException {
        try (BlockDevice device = open(image().toString(), Door.BUFFERED)) {
            assertTrue(device.direct().traits().direct());
            assertTrue(device.direct().capability(CachedReads.class).isEmpty());
        }
        try (BlockDevice device = open(directory.resolve("disk.img").toString(), Door.DIRECT)) {
            assertTrue(device.capability(CachedReads.class).isEmpty());
        }
    }

    @Test
    void triesToReadWhatIsInMemoryAlone() throws IOException {
        try (BlockDevice device = open(image().toString(), Door.BUFFERED)) {
            CachedReads cached = reads(device);
            ByteBuffer target = buffer(2 * PAGE);
            // Written back first; then a direct write drops the cached page, and both hold the same.
            device.flush();
            device.direct().write(PAGE, buffer(PAGE).put(content, PAGE, PAGE).flip());
            target.position(SECTOR).limit(SECTOR + PAGE);
            assertFalse(cached.holds(PAGE));
            // The kernel reads ahead for whoever tries in vain, and may have it by the next look.
            if (!cached.tryRead(PAGE, target)) {
                assertEquals(SECTOR, target.position());
                assertEquals(SECTOR + PAGE, target.limit());
            } else {
                assertArrayEquals(content(PAGE, PAGE), Arrays.copyOfRange(bytes(target), SECTOR, SECTOR + PAGE));
            }
            // Both: the direct write may have dropped more than its page, as far as a folio reached.
            device.read(0, buffer(2 * PAGE));
            assertTrue(cached.holds(0) && cached.holds(PAGE + 1) && cached.holds(2 * PAGE - 1));
            target.clear();
            assertTrue(cached.tryRead(0, target));
            assertFalse(target.hasRemaining());
            assertArrayEquals(content(0, 2 * PAGE), bytes(target));
            assertFalse(cached.tryRead(0, ByteBuffer.allocate(SECTOR)), "memory that native calls do not reach");
        }
    }

    @Test
    void tellsMistakesAndCloses() throws IOException {
        BlockDevice device = open(image().toString(), Door.BUFFERED);
        CachedReads cached = reads(device);
        ByteBuffer readOnly = buffer(SECTOR).asReadOnlyBuffer();
        assertThrows(IllegalArgumentException.class, () -> cached.tryRead(0, readOnly));
        assertThrows(IllegalArgumentException.class, () -> cached.tryRead(SIZE, buffer(SECTOR)));
        assertThrows(IllegalArgumentException.class, () -> cached.holds(SIZE));
        assertThrows(IllegalArgumentException.class, () -> cached.tryPages(-SECTOR, SECTOR));
        assertThrows(IllegalArgumentException.class, () -> cached.tryPages(SIZE - SECTOR, PAGE));
        assertThrows(IllegalArgumentException.class, () -> cached.tryPages(0, PagePipe.MAX_BYTES + SECTOR));
        device.close();
        assertThrows(IllegalStateException.class, () -> cached.tryRead(0, buffer(SECTOR)));
        assertThrows(IllegalStateException.class, () -> cached.tryPages(0, SECTOR));
    }

    // --- pipes

    @Test
    void pipesAreReusedWhenTheyAreEmptyAlone() throws IOException {
        try (BlockDevice device = open(image().toString(), Door.BUFFERED)) {
            PagePipe first = reads(device).tryPages(0, 65536);
            int descriptor = first.descriptor();
            assertThrows(IllegalArgumentException.class, () -> first.taken(65537));
            take(first, 65536);
            first.release();
            assertThrows(IllegalStateException.class, first::release);
            PagePipe second = reads(device).tryPages(65536, 65536);
            assertEquals(descriptor, second.descriptor());
            assertArrayEquals(content(65536, 1000), take(second, 1000));
            assertEquals(64536, second.remainingBytes());
            second.release();
            assertFalse(isOpen(descriptor), "the rest of a reply stays in an open pipe");
            givesPages(device, 200 * SECTOR, PAGE);
        }
    }

    @Test
    void thereAreNoMorePipesThanTheLimit() throws IOException {
        try (BlockDevice device = open(image().toString(), Door.BUFFERED)) {
            List<PagePipe> out = new ArrayList<>();
            for (PagePipe pipe = reads(device).tryPages(0, SECTOR); pipe != null; ) {
                out.add(pipe);
                pipe = reads(device).tryPages((long) out.size() * SECTOR, SECTOR);
            }
            assertEquals(PipePool.MAX_PIPES, out.size());
            for (int i = 0; i < out.size(); i++) {
                assertArrayEquals(content((long) i * SECTOR, SECTOR), take(out.get(i), SECTOR));
            }
            out.get(7).release();
            PagePipe again = reads(device).tryPages(0, SECTOR);
            assertNotNull(again);
            assertNull(reads(device).tryPages(0, SECTOR));
            again.release();
            out.remove(7);
            out.forEach(PagePipe::release);
        }
    }

    @Test
    void pipesAreClosedWithTheDeviceAndThoseThatAreOutAtTheirRelease() throws IOException {
        BlockDevice device = open(image().toString(), Door.BUFFERED);
        PagePipe out = reads(device).tryPages(0, 65536);
        PagePipe back = reads(device).tryPages(0, SECTOR);
        int idle = back.descriptor();
        take(back, SECTOR);
        back.release();
        assertTrue(isOpen(idle));
        device.close();
        assertFalse(isOpen(idle));
        assertArrayEquals(content(0, 65536), take(out, 65536));
        int descriptor = out.descriptor();
        out.release();
        assertFalse(isOpen(descriptor));
    }

    // --- what cannot be read

    @Test
    void aRangeThatIsNoLongerThereGivesNothing() throws IOException {
        Path image = image();
        try (BlockDevice device = open(image.toString(), Door.BUFFERED)) {
            try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
                file.setLength((1 << 20) + SECTOR);
            }
            givesPages(device, 0, 1 << 20, 1 << 20, SECTOR);
            assertNull(reads(device).tryPages(1 << 20, PAGE));
            assertFalse(reads(device).tryRead(1 << 20, buffer(PAGE)));
            assertThrows(DeviceException.class, () -> device.read(1 << 20, buffer(PAGE)));
            assertNull(reads(device).tryPages(2 << 20, PAGE));
            givesPages(device, 0, 1 << 20);
        }
    }

    /** A loop device answers EIO for what its file does not have any more. */
    @Test
    void aFailingPageGivesNothingAndTheOrdinaryReadTheError() throws IOException {
        LoopDevice.require();
        Path image = image();
        int bad = (1 << 20) + 5 * SECTOR;
        try (LoopDevice loop = LoopDevice.attach(image);
                BlockDevice device = open(loop.node, Door.BUFFERED)) {
            try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
                file.setLength(bad);
            }
            int page = bad / PAGE * PAGE;
            CachedReads cached = reads(device);
            givesPages(device, page - 65536, 65536);
            assertNull(cached.tryPages(page - 65536, 65536 + PAGE));
            assertNull(cached.tryPages(bad, SECTOR));
            assertFalse(cached.tryRead(page, buffer(PAGE)));
            DeviceException error =
                    assertThrows(DeviceException.class, () -> device.read(page - 65536L, buffer(65536 + PAGE)));
            assertEquals(Errno.EIO, error.errno());
            for (int sector = page; sector < page + PAGE; sector += SECTOR) {
                int at = sector;
                ByteBuffer target = buffer(SECTOR);
                if (at < bad) {
                    device.direct().read(at, target);
                    assertArrayEquals(content(at, SECTOR), bytes(target));
                } else {
                    assertEquals(
                            Errno.EIO,
                            assertThrows(
                                            DeviceException.class,
                                            () -> device.direct().read(at, target))
                                    .errno());
                }
            }
            givesPages(device, page - 65536, 65536, 0, 1 << 20);
        }
    }
}
