package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;

import io.remap.api.DeviceException;
import io.remap.api.DeviceIo;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.Errno;
import io.remap.api.IoBuffer;
import io.remap.api.PagePipe;
import io.remap.api.Place;
import io.remap.testkit.FaultyDevice.Fault;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which reads may come as pages: whole requests that stand plainly on main, and nothing that a slot has a part in. */
class PagesTest {
    private static final int SECTOR = DiskRig.SECTOR;
    private static final int UNIT = Place.UNIT_BYTES;
    /** The only sector on the spare; its unit is number 4. */
    private static final long REMAPPED = 4 * UNIT + 3 * SECTOR;

    private final List<Pages> given = new ArrayList<>();
    private DiskRig rig;

    /** What stands for a pipe. */
    private static final class Pages implements PagePipe {
        private final int lengthBytes;
        private int releases;

        Pages(int lengthBytes) {
            this.lengthBytes = lengthBytes;
        }

        @Override
        public int descriptor() {
            throw new AssertionError();
        }

        @Override
        public int remainingBytes() {
            return lengthBytes;
        }

        @Override
        public void taken(int takenBytes) {
            throw new AssertionError("the disk passes it on");
        }

        @Override
        public void release() {
            releases++;
        }
    }

    @BeforeEach
    void start() throws Exception {
        rig = new DiskRig(8);
        rig.main.fault(REMAPPED / SECTOR, 1, Fault.BAD);
        assertEquals(DiskError.NONE, rig.write(REMAPPED, SECTOR, 0x22));
        rig.executes = this::givesPagesWhereTheyAreWelcome;
    }

    @AfterEach
    void stop() {
        given.forEach(pages -> assertEquals(0, pages.releases, "the disk passes it on"));
        rig.close();
    }

    private void givesPagesWhereTheyAreWelcome(DeviceIo io) {
        if (io.operation == DeviceIo.Operation.READ && io.pagesWelcome) {
            assertSame(rig.disk.main, io.device, "pages of another device");
            try {
                // An engine finds an unreadable sector before it gives pages.
                io.device.read(io.offsetBytes, io.data);
            } catch (DeviceException e) {
                io.completed(e);
                return;
            }
            Pages pages = new Pages((int) io.lengthBytes);
            given.add(pages);
            io.pages = pages;
            io.completed(null);
        } else {
            io.run();
        }
    }

    private DiskRequest read(long offset, int length) {
        return read(new DiskRequest(r -> {}), offset, length, true);
    }

    private DiskRequest read(DiskRequest request, long offset, int length, boolean welcome) {
        IoBuffer buffer = rig.buffers.acquire(length);
        request.operation = Operation.READ;
        request.offsetBytes = offset;
        request.lengthBytes = length;
        request.buffer = buffer;
        request.pagesWelcome = welcome;
        rig.scheduler.execute(() -> rig.disk.submit(request));
        rig.scheduler.runUntilIdle();
        if (request.error == DiskError.NONE && request.pages == null) {
            byte[] expected = new byte[length];
            Arrays.fill(expected, DiskRig.OLD);
            for (long at = Math.max(offset, REMAPPED); at < Math.min(offset + length, REMAPPED + SECTOR); at++) {
                expected[(int) (at - offset)] = 0x22;
            }
            byte[] bytes = new byte[length];
            buffer.data().clear().get(bytes);
            assertArrayEquals(expected, bytes);
        }
        buffer.release();
        return request;
    }

    @ParameterizedTest
    @CsvSource({"0, 512", "0, 16384", "512, 1024", "20480, 241664"})
    void aWholeRequestOnMainIsGivenPages(long offset, int length) {
        DiskRequest request = read(offset, length);
        assertEquals(DiskError.NONE, request.error);
        assertSame(given.get(0), request.pages);
        assertEquals(length, request.pages.remainingBytes());
    }

    /** The sector on the spare; its neighbours on main, in the same unit; ranges that reach into it; unaligned ones. */
    @ParameterizedTest
    @CsvSource({
        "17920, 512",
        "16384, 512",
        "18432, 2048",
        "16384, 4096",
        "0, 262144",
        "12288, 8192",
        "16384, 65536",
        "100, 512",
        "0, 511",
        "4097, 4095",
        "17921, 20"
    })
    void whatTouchesASlotOrIsUnalignedIsRead(long offset, int length) {
        DiskRequest request = read(offset, length);
        assertEquals(DiskError.NONE, request.error);
        assertNull(request.pages);
        assertEquals(List.of(), given);
    }

    @Test
    void aFailedReadIsRepairedWithoutPages() {
        rig.main.fault(5, 1, Fault.UNREADABLE);
        DiskRequest request = read(0, UNIT);
        assertEquals(DiskError.IO, request.error);
        assertEquals(5 * SECTOR, request.errorOffsetBytes);
        assertNull(request.pages);
        // And what reads at the second try.
        boolean[] failed = {false};
        rig.executes = io -> {
            if (io.pagesWelcome && !failed[0]) {
                failed[0] = true;
                io.completed(new DeviceException("main", "read", io.offsetBytes, io.lengthBytes, Errno.EIO));
            } else {
                givesPagesWhereTheyAreWelcome(io);
            }
        };
        DiskRequest second = read(8 * UNIT, UNIT);
        assertEquals(DiskError.NONE, second.error);
        assertNull(second.pages);
        assertEquals(List.of(), given);
    }

    @Test
    void aRequestThatIsUsedAgainBeginsWithoutPages() {
        DiskRequest request = read(0, UNIT);
        assertNotNull(request.pages);
        read(request, REMAPPED, SECTOR, true);
        assertNull(request.pages);
        read(request, 0, UNIT, false);
        assertNull(request.pages);
        assertEquals(1, given.size());
        read(request, 0, UNIT, true);
        assertSame(given.get(1), request.pages);
    }

    @Test
    void writesThatFollowHaveNone() {
        DiskRequest request = read(0, UNIT);
        IoBuffer buffer = rig.buffers.acquire(UNIT);
        buffer.data().clear().put(new byte[UNIT]);
        request.operation = Operation.WRITE;
        request.buffer = buffer;
        request.pagesWelcome = false;
        rig.scheduler.execute(() -> rig.disk.submit(request));
        rig.scheduler.runUntilIdle();
        buffer.release();
        assertEquals(DiskError.NONE, request.error);
        assertNull(request.pages);
        assertEquals(1, given.size());
    }
}
