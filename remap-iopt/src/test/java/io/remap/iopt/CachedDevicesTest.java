package io.remap.iopt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.CachedReads;
import io.remap.api.PagePipe;
import io.remap.testkit.GatedDevice;
import io.remap.testkit.MemoryDevice;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Where a look at the page cache is needed, and where the last one still counts. */
class CachedDevicesTest {
    private static final int SIZE = 4 << 20;
    private static final int READ = 64 << 10;
    private static final int LOOK = CachedDevices.Entry.LOOK_BYTES;

    private final List<Long> looks = new ArrayList<>();
    private long inMemoryBytes = SIZE;
    private final CachedDevices.Entry entry = new CachedDevices()
            .of(GatedDevice.open(new MemoryDevice("main", SIZE, 512)).cached(new CachedReads() {
                @Override
                public boolean tryRead(long offsetBytes, ByteBuffer target) {
                    throw new AssertionError("nothing is read here");
                }

                @Override
                public boolean holds(long offsetBytes) {
                    looks.add(offsetBytes);
                    return offsetBytes < inMemoryBytes;
                }

                @Override
                public PagePipe tryPages(long offsetBytes, int lengthBytes) {
                    throw new AssertionError("nothing is read here");
                }
            }));

    @Test
    void readsThatFollowEachOtherAreLookedForAhead() {
        for (int at = 0; at < SIZE; at += READ) {
            assertTrue(entry.isInMemory(at, READ, 1));
        }
        assertEquals(SIZE / LOOK, looks.size());
        for (int i = 0; i < looks.size(); i++) {
            assertEquals((long) (i + 1) * LOOK - 1, looks.get(i));
        }
    }

    @Test
    void whatWasSeenCountsForAMoment() {
        assertTrue(entry.isInMemory(0, READ, 1));
        assertTrue(entry.isInMemory(READ, READ, 1));
        assertEquals(1, looks.size());
        inMemoryBytes = 2 * READ;
        assertFalse(entry.isInMemory(2 * READ, READ, 10_000_000));
        assertEquals(List.of((long) LOOK - 1, 2L * READ + LOOK - 1, 3L * READ - 1), looks);
    }

    @Test
    void whatIsNotThereAheadMayBeThereHere() {
        inMemoryBytes = 3 * READ;
        assertTrue(entry.isInMemory(0, READ, 1));
        assertTrue(entry.isInMemory(READ, READ, 1));
        assertTrue(entry.isInMemory(2 * READ, READ, 1));
        assertFalse(entry.isInMemory(3 * READ, READ, 1));
    }

    @Test
    void otherReadsAreLookedForOneByOne() {
        for (int at = SIZE - 2 * READ; at >= READ; at -= 2 * READ) {
            looks.clear();
            assertTrue(entry.isInMemory(at, READ, 1));
            assertEquals(List.of((long) at + READ - 1), looks);
        }
    }

    @Test
    void ofALongReadBothEndsAreLookedAt() {
        assertTrue(entry.isInMemory(READ, 2 * LOOK, 1));
        assertEquals(List.of((long) READ, READ + 2L * LOOK - 1), looks);
    }
}
