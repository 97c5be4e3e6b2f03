package io.remap.testkit;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceTraits;
import io.remap.api.Errno;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import java.util.random.RandomGenerator;

/**
 * A device behind a page cache, with a direct door beside it, as Linux has them. Writes go to pages and are written back
 * later: by a flush, by the kernel on its own, or before a direct transfer touches their range. A page that cannot be
 * written back is clean all the same: it goes on answering what the disk has not, until it is dropped. That it failed is
 * told once, by the next flush.
 *
 * <p>The pages outlive the process, and not the power. A page whose failure was not told yet is not dropped: nobody could
 * know of it in time. Not thread-safe, as {@link FaultyDevice}, which it is put over.
 */
public final class PageCacheDevice implements BlockDevice {
    private static final int PAGE_BYTES = 4096;

    /** Does something in which nobody else runs: a page is locked while it is read or written back. */
    @FunctionalInterface
    public interface PageLock {
        void run(Transfer transfer) throws DeviceException;
    }

    /** What is done under the lock. */
    @FunctionalInterface
    public interface Transfer {
        void run() throws DeviceException;
    }

    private final BlockDevice disk;
    private final PageLock lock;
    private final DeviceTraits traits;
    private final Direct direct = new Direct();
    private final TreeMap<Long, Page> pages = new TreeMap<>();
    private int untoldErrno = Errno.NONE;
    private long failedWriteBacks;

    private static final class Page {
        private final byte[] content = new byte[PAGE_BYTES];
        private boolean dirty;
        private boolean failedUntold;
    }

    public PageCacheDevice(BlockDevice disk, PageLock lock) {
        this.disk = disk;
        this.lock = lock;
        DeviceTraits of = disk.traits();
        this.traits = new DeviceTraits(
                of.sizeBytes(),
                of.logicalSectorBytes(),
                of.physicalSectorBytes(),
                1,
                false,
                false,
                of.rotational(),
                of.losesContentOnPowerCut(),
                of.blockDevice());
    }

    // --- what the kernel does on its own

    /** Writes some dirty pages back. */
    public void writeBackSome(RandomGenerator random) {
        for (long number : List.copyOf(pages.keySet())) {
            if (random.nextBoolean()) {
                writeBack(number);
            }
        }
    }

    /** Drops some clean pages. */
    public void dropSome(RandomGenerator random) {
        pages.values().removeIf(page -> !page.dirty && !page.failedUntold && random.nextInt(3) == 0);
    }

    /** Drops all clean pages, those whose failure nobody remembers too. */
    public void dropClean() {
        pages.values().removeIf(page -> !page.dirty);
    }

    /** Everything that was not written back is gone. */
    public void powerCut() {
        pages.clear();
        untoldErrno = Errno.NONE;
    }

    /** How many pages could not be written back. */
    public long failedWriteBacks() {
        return failedWriteBacks;
    }

    /** The error, {@code null} if it is clean now and the disk has it. */
    private DeviceException writeBack(long number) {
        Page page = pages.get(number);
        if (page == null || !page.dirty) {
            return null;
        }
        page.dirty = false;
        try {
            lock.run(() -> disk.write(number * PAGE_BYTES, ByteBuffer.wrap(page.content)));
            return null;
        } catch (DeviceException e) {
            page.failedUntold = true;
            untoldErrno = e.errno();
            failedWriteBacks++;
            return e;
        }
    }

    private void writeBack(long offsetBytes, long lengthBytes) throws DeviceException {
        DeviceException error = null;
        for (long number : pagesOf(offsetBytes, lengthBytes)) {
            DeviceException failed = writeBack(number);
            error = error == null ? failed : error;
        }
        if (error != null) {
            throw error;
        }
    }

    private List<Long> pagesOf(long offsetBytes, long lengthBytes) {
        long end = (offsetBytes + lengthBytes + PAGE_BYTES - 1) / PAGE_BYTES;
        return new ArrayList<>(pages.subMap(offsetBytes / PAGE_BYTES, end).keySet());
    }

    private void drop(long offsetBytes, long lengthBytes) {
        // A dirty page is busy.
        pages.keySet()
                .removeAll(pagesOf(offsetBytes, lengthBytes).stream()
                        .filter(number -> !pages.get(number).dirty)
                        .toList());
    }

    /** Drops whole pages, and zeroes parts of those that are not whole. */
    private void truncate(long offsetBytes, long lengthBytes) {
        for (long number : pagesOf(offsetBytes, lengthBytes)) {
            int from = (int) Math.max(0, offsetBytes - number * PAGE_BYTES);
            int to = (int) Math.min(PAGE_BYTES, offsetBytes + lengthBytes - number * PAGE_BYTES);
            if (to - from == PAGE_BYTES) {
                pages.remove(number);
            } else {
                Arrays.fill(pages.get(number).content, from, to, (byte) 0);
            }
        }
    }

    // --- the buffered door

    private Page page(long number) throws DeviceException {
        Page page = pages.get(number);
        if (page == null) {
            ByteBuffer content = ByteBuffer.allocate(PAGE_BYTES);
            lock.run(() -> disk.read(number * PAGE_BYTES, content));
            page = new Page();
            content.flip().get(page.content);
            pages.put(number, page);
        }
        return page;
    }

    @Override
    public void read(long offsetBytes, ByteBuffer target) throws DeviceException {
        for (long at = offsetBytes; target.hasRemaining(); ) {
            int from = (int) (at % PAGE_BYTES);
            int length = Math.min(target.remaining(), PAGE_BYTES - from);
            target.put(page(at / PAGE_BYTES).content, from, length);
            at += length;
        }
    }

    @Override
    public void write(long offsetBytes, ByteBuffer source) throws DeviceException {
        for (long at = offsetBytes; source.hasRemaining(); ) {
            int from = (int) (at % PAGE_BYTES);
            int length = Math.min(source.remaining(), PAGE_BYTES - from);
            long number = at / PAGE_BYTES;
            Page page = length == PAGE_BYTES ? pages.computeIfAbsent(number, n -> new Page()) : page(number);
            source.get(page.content, from, length);
            page.dirty = true;
            at += length;
        }
    }

    @Override
    public void flush() throws DeviceException {
        for (long number : List.copyOf(pages.keySet())) {
            writeBack(number);
        }
        DeviceException failed = null;
        try {
            disk.flush();
        } catch (DeviceException e) {
            failed = e;
        }
        int errno = untoldErrno;
        untoldErrno = Errno.NONE;
        pages.values().forEach(page -> page.failedUntold = false);
        if (errno != Errno.NONE) {
            throw new DeviceException(name(), "flush", 0, 0, errno);
        }
        if (failed != null) {
            throw failed;
        }
    }

    @Override
    public void discard(long offsetBytes, long lengthBytes) throws DeviceException {
        direct.discard(offsetBytes, lengthBytes);
    }

    @Override
    public void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) throws DeviceException {
        direct.zero(offsetBytes, lengthBytes, keepAllocated);
    }

    @Override
    public String name() {
        return disk.name();
    }

    @Override
    public DeviceTraits traits() {
        return traits;
    }

    @Override
    public DeviceIdentity identity() {
        return disk.identity();
    }

    @Override
    public BlockDevice direct() {
        return direct;
    }

    @Override
    public void close() {
        disk.close();
    }

    /** Past the pages, which are written back before, and dropped by what writes. */
    private final class Direct implements BlockDevice {
        @Override
        public void read(long offsetBytes, ByteBuffer target) throws DeviceException {
            writeBack(offsetBytes, target.remaining());
            disk.read(offsetBytes, target);
        }

        @Override
        public void write(long offsetBytes, ByteBuffer source) throws DeviceException {
            int length = source.remaining();
            writeBack(offsetBytes, length);
            // Before it as well as after it, as the kernel does.
            drop(offsetBytes, length);
            disk.write(offsetBytes, source);
            drop(offsetBytes, length);
        }

        @Override
        public void discard(long offsetBytes, long lengthBytes) throws DeviceException {
            cut(offsetBytes, lengthBytes, () -> disk.discard(offsetBytes, lengthBytes));
        }

        @Override
        public void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) throws DeviceException {
            cut(offsetBytes, lengthBytes, () -> disk.zero(offsetBytes, lengthBytes, keepAllocated));
        }

        /** No page comes into being meanwhile. */
        private void cut(long offsetBytes, long lengthBytes, Transfer transfer) throws DeviceException {
            writeBack(offsetBytes, lengthBytes);
            lock.run(() -> {
                truncate(offsetBytes, lengthBytes);
                transfer.run();
            });
        }

        @Override
        public void flush() throws DeviceException {
            PageCacheDevice.this.flush();
        }

        @Override
        public String name() {
            return disk.name();
        }

        @Override
        public DeviceTraits traits() {
            return disk.traits();
        }

        @Override
        public DeviceIdentity identity() {
            return disk.identity();
        }

        @Override
        public void close() {
            disk.close();
        }
    }
}
