package io.remap.api;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** A pool whose source has less memory than the budget allows. */
class SizedBufferPoolTest {
    private static final int PAGE = IoBuffer.ALIGNMENT_BYTES;
    /** Of headroom and alignment, with each block. */
    private static final int MORE_BYTES = IoBuffer.HEADROOM_BYTES + IoBuffer.ALIGNMENT_BYTES;

    /** Has so many bytes, and no more. */
    private static final class Scarce implements MemorySource {
        int leftBytes;

        Scarce(int bytes) {
            leftBytes = bytes;
        }

        @Override
        public Block allocate(int lengthBytes) {
            if (lengthBytes > leftBytes) {
                throw new OutOfMemoryError("scarce");
            }
            leftBytes -= lengthBytes;
            ByteBuffer memory = ByteBuffer.allocateDirect(lengthBytes);
            return new Block() {
                @Override
                public ByteBuffer bytes() {
                    return memory;
                }

                @Override
                public void free() {
                    leftBytes += lengthBytes;
                }
            };
        }
    }

    private final Scarce source = new Scarce(3 * (PAGE + MORE_BYTES));
    private final SizedBufferPool pool = new SizedBufferPool(100L * PAGE, source);
    private final AtomicInteger calls = new AtomicInteger();

    private List<IoBuffer> takeAll() {
        List<IoBuffer> out = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            out.add(had(pool.acquire(PAGE)));
        }
        return out;
    }

    private static IoBuffer had(IoBuffer buffer) {
        assertNotNull(buffer, "no memory");
        return buffer;
    }

    @Test
    void whoFindsNoMemoryWaitsForTheNextRelease() {
        List<IoBuffer> out = takeAll();
        assertNull(pool.acquire(PAGE));
        assertEquals(3L * PAGE, pool.bytesInUse());
        assertEquals(3L * PAGE, pool.allocatedBytes());
        pool.whenReleased(calls::incrementAndGet);
        assertEquals(0, calls.get(), "the budget is no reason to try again");
        // Another one who fails in the same way has nothing for the one who waits.
        assertNull(pool.acquire(PAGE));
        assertEquals(0, calls.get());

        IoBuffer back = out.remove(0);
        back.release();
        assertEquals(1, calls.get());
        assertSame(back, pool.acquire(PAGE));
    }

    @Test
    void aReleaseBetweenTheRefusalAndTheWaitIsNotMissed() {
        List<IoBuffer> out = takeAll();
        assertNull(pool.acquire(PAGE));
        out.remove(0).release();
        pool.whenReleased(calls::incrementAndGet);
        assertEquals(1, calls.get());
    }

    @Test
    void whatIsFreeIsGivenBackForABufferOfAnotherSize() {
        List<IoBuffer> out = takeAll();
        out.remove(0).release();
        out.remove(0).release();
        IoBuffer large = pool.acquire(2 * PAGE);
        assertEquals(2 * PAGE, had(large).lengthBytes());
        assertEquals(3L * PAGE, pool.allocatedBytes());
    }

    @Test
    void whoIsAloneIsTold() {
        assertThrows(OutOfMemoryError.class, () -> pool.acquire(50 * PAGE));
        assertEquals(0, pool.bytesInUse());
        assertEquals(0, pool.allocatedBytes());
        assertEquals(3, takeAll().size());
    }
}
