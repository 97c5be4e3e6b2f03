package io.remap.core.libc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Errno;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The bound calls do what their man pages say, with the error number of the calling thread. */
class LibcTest {
    private static final int BAD_DESCRIPTOR = 1 << 20;

    @TempDir
    Path directory;

    private final Libc libc = Libc.find().orElseThrow();
    private final ByteBuffer page = ByteBuffer.allocateDirect(8192).order(ByteOrder.nativeOrder());
    private int fd;

    @BeforeEach
    void openFile() {
        fd = libc.open(
                directory.resolve("ä b").toString(), Libc.O_RDWR | Libc.O_CREAT | Libc.O_EXCL | Libc.O_CLOEXEC, 0600);
        assertTrue(fd > 2, "descriptor " + fd);
    }

    @AfterEach
    void closeFile() {
        assertEquals(0, libc.close(fd));
        assertEquals(-Errno.EBADF, libc.close(fd));
    }

    @Test
    void namesAreUtf8() throws IOException {
        assertEquals(
                "ä b", Path.of("/proc/self/fd/" + fd).toRealPath().getFileName().toString());
    }

    @Test
    void failuresCarryTheirNumber() {
        String name = directory.resolve("missing").toString();
        assertEquals(-Errno.ENOENT, libc.open(name, Libc.O_RDONLY, 0));
        assertEquals(-Errno.EISDIR, libc.open(directory.toString(), Libc.O_RDWR, 0));
        assertEquals(-Errno.EBADF, libc.pread(BAD_DESCRIPTOR, libc.addressOf(page), 512, 0));
        assertEquals(-Errno.EINVAL, libc.pread(fd, libc.addressOf(page), 512, -1));
        assertEquals(-Errno.ENOTTY, libc.ioctl(fd, Libc.BLKSSZGET, page));
        assertEquals(-Errno.EBADF, libc.fdatasync(BAD_DESCRIPTOR));
        assertEquals(-Errno.ENODATA, libc.fgetxattr(fd, "user.none", page));
        assertEquals(0, libc.pread(fd, libc.addressOf(page), 512, 0), "the end is no failure, whatever failed before");
    }

    @Test
    void offsetsAreOf64Bits() throws IOException {
        long offset = 5L << 30;
        page.putLong(8, 0x1122334455667788L);
        assertEquals(16, libc.pwrite(fd, libc.addressOf(page), 16, offset));
        page.putLong(8, 0);
        assertEquals(16, libc.pread(fd, libc.addressOf(page), 100, offset));
        assertEquals(0x1122334455667788L, page.getLong(8));
        assertEquals(offset + 16, Files.size(directory.resolve("ä b")));
        assertEquals(0, libc.fdatasync(fd));
        assertEquals(
                0, libc.fallocate(fd, Libc.FALLOC_FL_PUNCH_HOLE | Libc.FALLOC_FL_KEEP_SIZE, offset - 4096, 4096 + 16));
        assertEquals(16, libc.pread(fd, libc.addressOf(page), 16, offset));
        assertEquals(0, page.getLong(8));
    }

    @Test
    void addressesAreThoseOfTheFirstByte() {
        ByteBuffer slice = page.slice(100, 50).position(7);
        assertEquals(libc.addressOf(page) + 100, libc.addressOf(slice));
        assertEquals(libc.addressOf(slice), libc.addressOf(slice.asReadOnlyBuffer()));
    }

    @Test
    void attributesAndLocks() {
        page.put(0, new byte[] {1, 2, 3});
        assertEquals(0, libc.fsetxattr(fd, "user.remap.test", page, 3));
        page.put(0, new byte[3]);
        assertEquals(3, libc.fgetxattr(fd, "user.remap.test", page));
        assertEquals(2, page.get(1));
        assertEquals(0, libc.fremovexattr(fd, "user.remap.test"));
        assertEquals(0, libc.flock(fd, Libc.LOCK_EX | Libc.LOCK_NB));
        int other = libc.open("/proc/self/fd/" + fd, Libc.O_RDWR | Libc.O_CLOEXEC, 0);
        assertEquals(-Errno.EAGAIN, libc.flock(other, Libc.LOCK_SH | Libc.LOCK_NB));
        assertEquals(0, libc.close(other));
    }

    @Test
    void directTransfersTakeASector() {
        assertEquals(4096, libc.pwrite(fd, libc.addressOf(page), 4096, 0));
        int alignment = libc.directAlignmentBytes(fd);
        assertTrue(alignment >= -1 && alignment <= 65536, "alignment " + alignment);
        assertTrue(libc.fileSystemType(fd) != 0);
    }

    @Test
    void whatIsInMemoryIsReadWithoutWaiting() {
        page.putLong(0, 0x1122334455667788L);
        assertEquals(4096, libc.pwrite(fd, libc.addressOf(page), 4096, 0));
        page.putLong(4096, 0);
        long read = libc.preadNoWait(fd, libc.addressOf(page) + 4096, 4096, 0);
        if (read != -Errno.EOPNOTSUPP && read != -Errno.ENOSYS) {
            assertEquals(4096, read);
            assertEquals(0x1122334455667788L, page.getLong(4096));
            assertEquals(0, libc.preadNoWait(fd, libc.addressOf(page), 4096, 4096), "the end");
        }
        assertEquals(-Errno.EBADF, libc.preadNoWait(BAD_DESCRIPTOR, libc.addressOf(page), 512, 0));
    }

    @Test
    void pagesGoIntoAPipeUntilItIsFull() {
        long length = 5L << 20;
        assertEquals(4096, libc.pwrite(fd, libc.addressOf(page), 4096, length - 4096));
        int[] ends = new int[2];
        assertEquals(0, libc.pipe(ends, Libc.O_NONBLOCK | Libc.O_CLOEXEC));
        int capacity = libc.setPipeBytes(ends[1], 128 << 10);
        assertEquals(128 << 10, capacity);
        assertEquals(0, libc.splice(fd, length, ends[1], 4096), "the end");
        long moved = 0;
        long result;
        while ((result = libc.splice(fd, moved, ends[1], length - moved)) > 0) {
            moved += result;
        }
        assertEquals(-Errno.EAGAIN, result);
        assertEquals(capacity, moved);
        assertEquals(-Errno.EBADF, libc.splice(BAD_DESCRIPTOR, 0, ends[1], 4096));
        assertEquals(-Errno.EBADF, libc.setPipeBytes(fd, 4096));
        assertEquals(0, libc.close(ends[0]));
        assertEquals(0, libc.close(ends[1]));
    }

    @Test
    void theNumberBelongsToTheThread() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        try {
            List<Future<?>> running = new ArrayList<>();
            for (int t = 0; t < 4; t++) {
                boolean bad = t % 2 == 0;
                running.add(pool.submit(() -> {
                    for (int round = 0; round < 2000; round++) {
                        long result =
                                bad ? libc.fdatasync(BAD_DESCRIPTOR) : libc.pread(fd, libc.addressOf(page), 512, -1);
                        assertEquals(bad ? -Errno.EBADF : -Errno.EINVAL, result);
                    }
                }));
            }
            for (Future<?> future : running) {
                future.get(30, TimeUnit.SECONDS);
            }
        } finally {
            pool.shutdown();
        }
    }
}
