package io.remap.testkit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceTraits;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What every {@link BlockDevice} promises. A test class of a device extends this one and says how it is opened; the
 * contract closes it.
 */
public abstract class BlockDeviceContract {
    /** Smallest and largest device that {@link #open} may give. */
    protected static final int MIN_DEVICE_BYTES = 2 << 20;

    protected static final int MAX_DEVICE_BYTES = 64 << 20;

    private static final int PAGE_BYTES = 4096;
    private static final int LARGEST_TRANSFER_BYTES = 256 << 10;

    /** The device under test. */
    protected BlockDevice device;

    private int step;
    private long sizeBytes;

    /** Opens a healthy writable device of {@link #MIN_DEVICE_BYTES} to {@link #MAX_DEVICE_BYTES}; its content is of no matter. */
    protected abstract BlockDevice open() throws IOException;

    @BeforeEach
    void openDevice() throws IOException {
        device = open();
        step = device.traits().alignmentBytes();
        sizeBytes = device.traits().sizeBytes();
        assertTrue(sizeBytes >= MIN_DEVICE_BYTES && sizeBytes <= MAX_DEVICE_BYTES, "size of the fixture: " + sizeBytes);
    }

    @AfterEach
    void closeDevice() {
        if (device != null) {
            device.close();
        }
    }

    @Test
    void traitsAndIdentityAreFixed() {
        DeviceTraits traits = device.traits();
        assertSame(traits, device.traits());
        assertEquals(
                0, Math.max(PAGE_BYTES, traits.physicalSectorBytes()) % step, "alignment beyond a page: " + traits);
        assertFalse(traits.readOnly());
        assertFalse(device.name().isEmpty());
        assertFalse(device.identity().stableId().isEmpty());
        assertFalse(device.identity().backing().isEmpty());
        assertEquals(sizeBytes, device.identity().lengthBytes());
        assertTrue(device.identity().overlaps(device.identity()));
    }

    @Test
    void agreesWithAnArrayOfBytes() throws IOException {
        long seed = Long.getLong("remap.seed", 20260101);
        Random random = new Random(seed);
        byte[] model = new byte[(int) sizeBytes];
        random.nextBytes(model);
        for (int at = 0; at < model.length; at += LARGEST_TRANSFER_BYTES) {
            write(at, Arrays.copyOfRange(model, at, Math.min(model.length, at + LARGEST_TRANSFER_BYTES)));
        }
        for (int round = 0; round < 400; round++) {
            int length = randomLength(random);
            int at = randomMultiple(random, model.length - length);
            String where = "seed " + seed + ", round " + round + ", " + at + "+" + length;
            switch (random.nextInt(24)) {
                case 0, 1, 2, 3, 4, 5, 6, 7, 8 -> {
                    byte[] bytes = new byte[length];
                    random.nextBytes(bytes);
                    write(at, bytes);
                    System.arraycopy(bytes, 0, model, at, length);
                }
                case 9, 10 -> {
                    device.zero(at, length, random.nextBoolean());
                    Arrays.fill(model, at, at + length, (byte) 0);
                }
                case 11, 12 -> {
                    device.discard(at, length);
                    byte[] undefined = read(at, length);
                    System.arraycopy(undefined, 0, model, at, length);
                }
                case 13 -> device.flush();
                default -> assertArrayEquals(Arrays.copyOfRange(model, at, at + length), read(at, length), where);
            }
        }
        for (int at = 0; at < model.length; at += LARGEST_TRANSFER_BYTES) {
            int length = Math.min(model.length - at, LARGEST_TRANSFER_BYTES);
            assertArrayEquals(
                    Arrays.copyOfRange(model, at, at + length), read(at, length), "seed " + seed + ", at " + at);
        }
    }

    @Test
    void transfersTouchOnlyTheirWindowAndEndAtTheLimit() throws IOException {
        int window = unit();
        ByteBuffer buffer = aligned(3 * PAGE_BYTES);
        for (int i = 0; i < buffer.capacity(); i++) {
            buffer.put(i, (byte) 0x55);
        }
        write(0, filled(2 * PAGE_BYTES, 0x11));
        buffer.limit(PAGE_BYTES + window).position(PAGE_BYTES);
        device.read(0, buffer);
        assertEquals(PAGE_BYTES + window, buffer.position());
        assertEquals(PAGE_BYTES + window, buffer.limit());
        buffer.clear();
        for (int i = 0; i < buffer.capacity(); i++) {
            boolean inside = i >= PAGE_BYTES && i < PAGE_BYTES + window;
            assertEquals(inside ? 0x11 : 0x55, buffer.get(i), "byte " + i + " of the buffer");
        }
        buffer.limit(window);
        ByteBuffer source = buffer.asReadOnlyBuffer();
        device.write(window, source);
        assertEquals(window, source.position());
        assertArrayEquals(filled(window, 0x11), read(0, window));
        assertArrayEquals(filled(window, 0x55), read(window, window));
    }

    @Test
    void theLastByteIsReachedAndTheNextIsNot() throws IOException {
        int unit = unit();
        write(sizeBytes - unit, filled(unit, 0x2a));
        assertArrayEquals(filled(unit, 0x2a), read(sizeBytes - unit, unit));
        long[][] outside = {
            {sizeBytes, unit},
            {sizeBytes - unit, 2L * unit},
            {-unit, unit},
            {Long.MIN_VALUE, unit},
            {Long.MAX_VALUE - unit + 1, unit},
            {sizeBytes + unit, 0}
        };
        for (long[] range : outside) {
            String where = range[0] + "+" + range[1];
            ByteBuffer buffer = aligned((int) range[1]);
            assertThrows(IllegalArgumentException.class, () -> device.read(range[0], buffer), where);
            assertThrows(IllegalArgumentException.class, () -> device.write(range[0], buffer), where);
            assertThrows(IllegalArgumentException.class, () -> device.discard(range[0], range[1]), where);
            assertThrows(IllegalArgumentException.class, () -> device.zero(range[0], range[1], false), where);
            assertEquals(0, buffer.position(), where);
        }
        long whole = Long.MAX_VALUE / PAGE_BYTES * PAGE_BYTES;
        assertThrows(IllegalArgumentException.class, () -> device.discard(unit, whole));
        assertThrows(IllegalArgumentException.class, () -> device.zero(unit, whole, true));
        assertThrows(IllegalArgumentException.class, () -> device.discard(0, -unit));
        assertThrows(IllegalArgumentException.class, () -> device.zero(0, -unit, true));
        assertArrayEquals(filled(unit, 0x2a), read(sizeBytes - unit, unit));
    }

    @Test
    void emptyRangesDoNothing() throws IOException {
        write(0, filled(PAGE_BYTES, 0x33));
        device.read(0, aligned(0));
        device.write(sizeBytes, aligned(0));
        device.zero(0, 0, false);
        device.discard(sizeBytes, 0);
        assertArrayEquals(filled(PAGE_BYTES, 0x33), read(0, PAGE_BYTES));
    }

    @Test
    void whatIsNotAlignedIsAMistake() throws IOException {
        write(0, filled(2 * PAGE_BYTES, 0x44));
        ByteBuffer buffer = aligned(2 * PAGE_BYTES);
        if (step > 1) {
            int odd = step / 2;
            assertThrows(IllegalArgumentException.class, () -> device.read(odd, window(buffer, 0, step)));
            assertThrows(IllegalArgumentException.class, () -> device.write(odd, window(buffer, 0, step)));
            assertThrows(IllegalArgumentException.class, () -> device.read(0, window(buffer, 0, step + odd)));
            assertThrows(IllegalArgumentException.class, () -> device.write(0, window(buffer, 0, odd)));
            assertThrows(IllegalArgumentException.class, () -> device.zero(odd, step, false));
            assertThrows(IllegalArgumentException.class, () -> device.zero(0, odd, false));
            assertThrows(IllegalArgumentException.class, () -> device.discard(odd, step));
            assertThrows(IllegalArgumentException.class, () -> device.discard(0, odd));
        }
        if (step > 1 && device.traits().direct()) {
            assertThrows(IllegalArgumentException.class, () -> device.read(0, window(buffer, step / 2, step)));
            assertThrows(IllegalArgumentException.class, () -> device.write(0, window(buffer, step / 2, step)));
        }
        ByteBuffer readOnly = aligned(PAGE_BYTES).asReadOnlyBuffer();
        assertThrows(IllegalArgumentException.class, () -> device.read(0, readOnly));
        assertArrayEquals(filled(2 * PAGE_BYTES, 0x44), read(0, 2 * PAGE_BYTES));
    }

    @Test
    void zeroedRangesReadAsZerosAndNothingElseDoes() throws IOException {
        for (boolean keepAllocated : new boolean[] {false, true}) {
            int[] lengths = {unit(), PAGE_BYTES, 3 * PAGE_BYTES, 1 << 20};
            for (int length : lengths) {
                int before = unit();
                int whole = before + length + before;
                for (int at = 0; at < whole; at += LARGEST_TRANSFER_BYTES) {
                    write(at, filled(Math.min(LARGEST_TRANSFER_BYTES, whole - at), 0x66));
                }
                device.zero(before, length, keepAllocated);
                byte[] expected = filled(whole, 0x66);
                Arrays.fill(expected, before, before + length, (byte) 0);
                assertArrayEquals(expected, read(0, whole), length + " bytes, keep allocated " + keepAllocated);
            }
        }
    }

    @Test
    void discardTouchesOnlyItsRange() throws IOException {
        int unit = unit();
        write(0, filled(8 * PAGE_BYTES, 0x77));
        device.discard(unit, 8L * PAGE_BYTES - 2L * unit);
        assertArrayEquals(filled(unit, 0x77), read(0, unit));
        assertArrayEquals(filled(unit, 0x77), read(8L * PAGE_BYTES - unit, unit));
        write(unit, filled(PAGE_BYTES, 0x78));
        assertArrayEquals(filled(PAGE_BYTES, 0x78), read(unit, PAGE_BYTES));
    }

    @Test
    void theDirectDoorSeesWhatWasFlushed() throws IOException {
        BlockDevice direct = device.direct();
        assertSame(direct, device.direct());
        assertSame(direct, direct.direct());
        assertEquals(sizeBytes, direct.traits().sizeBytes());
        assertEquals(device.identity(), direct.identity());
        assertEquals(device.traits().logicalSectorBytes(), direct.traits().logicalSectorBytes());
        if (device.traits().direct()) {
            assertSame(device, direct);
        }
        write(PAGE_BYTES, filled(PAGE_BYTES, 0x19));
        device.flush();
        ByteBuffer buffer = aligned(PAGE_BYTES);
        direct.read(PAGE_BYTES, buffer);
        assertArrayEquals(filled(PAGE_BYTES, 0x19), bytes(buffer));
        direct.write(2 * PAGE_BYTES, aligned(filled(PAGE_BYTES, 0x20)));
        assertArrayEquals(filled(PAGE_BYTES, 0x20), read(2 * PAGE_BYTES, PAGE_BYTES));
    }

    @Test
    void aMissingAbilityIsEmpty() {
        assertTrue(device.capability(Thread.class).isEmpty());
    }

    @Test
    void threadsDoNotDisturbEachOther() throws Exception {
        int threads = 4;
        int stripe = (int) (sizeBytes / threads / PAGE_BYTES * PAGE_BYTES);
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        try {
            List<Future<?>> running = new ArrayList<>();
            for (int t = 0; t < threads; t++) {
                int id = t;
                running.add(pool.submit(() -> {
                    Random random = new Random(id);
                    for (int round = 0; round < 100; round++) {
                        int length = PAGE_BYTES * (1 + random.nextInt(4));
                        long at =
                                (long) id * stripe + (long) PAGE_BYTES * random.nextInt((stripe - length) / PAGE_BYTES);
                        byte[] bytes = new byte[length];
                        random.nextBytes(bytes);
                        write(at, bytes);
                        if (round % 25 == 0) {
                            device.flush();
                        }
                        assertArrayEquals(bytes, read(at, length), "thread " + id + ", round " + round);
                    }
                    return null;
                }));
            }
            for (Future<?> future : running) {
                future.get(60, TimeUnit.SECONDS);
            }
        } finally {
            pool.shutdown();
        }
    }

    @Test
    void closedMeansClosed() throws IOException {
        BlockDevice direct = device.direct();
        device.close();
        device.close();
        for (BlockDevice closed : List.of(device, direct)) {
            assertThrows(IllegalStateException.class, () -> closed.read(0, aligned(PAGE_BYTES)));
            assertThrows(IllegalStateException.class, () -> closed.write(0, aligned(PAGE_BYTES)));
            assertThrows(IllegalStateException.class, closed::flush);
            assertThrows(IllegalStateException.class, () -> closed.discard(0, PAGE_BYTES));
            assertThrows(IllegalStateException.class, () -> closed.zero(0, PAGE_BYTES, false));
        }
        assertDoesNotThrow(() -> device.traits().toString() + device.name() + device.identity());
    }

    @Test
    void closingUnderLoadEndsEveryThreadWithTheSameWord() throws Exception {
        int threads = 3;
        CountDownLatch reading = new CountDownLatch(threads);
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        try {
            List<Future<DeviceException>> running = new ArrayList<>();
            for (int t = 0; t < threads; t++) {
                int id = t;
                running.add(pool.submit(() -> {
                    ByteBuffer buffer = aligned(PAGE_BYTES);
                    try {
                        for (int round = 0; ; round++) {
                            device.read((long) id * PAGE_BYTES, buffer.clear());
                            if (round == 10) {
                                reading.countDown();
                            }
                        }
                    } catch (IllegalStateException closed) {
                        return null;
                    } catch (DeviceException e) {
                        return e;
                    } finally {
                        reading.countDown();
                    }
                }));
            }
            assertTrue(reading.await(30, TimeUnit.SECONDS));
            device.close();
            for (Future<DeviceException> future : running) {
                assertNull(future.get(30, TimeUnit.SECONDS), "a close must not look like a failing device");
            }
        } finally {
            pool.shutdown();
        }
    }

    /** A buffer that every device takes: direct, at a page boundary, position 0, limit and capacity as asked. */
    protected static ByteBuffer aligned(int lengthBytes) {
        // One page for the start, one for the end: alignedSlice() rounds both inwards.
        return ByteBuffer.allocateDirect(lengthBytes + 2 * PAGE_BYTES)
                .alignedSlice(PAGE_BYTES)
                .slice(0, lengthBytes);
    }

    /** The same with this content. */
    protected static ByteBuffer aligned(byte[] content) {
        return aligned(content.length).put(content).flip();
    }

    /** So many equal bytes. */
    protected static byte[] filled(int lengthBytes, int value) {
        byte[] bytes = new byte[lengthBytes];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    /** Writes through an aligned buffer. */
    protected final void write(long offsetBytes, byte[] content) throws DeviceException {
        ByteBuffer buffer = aligned(content);
        device.write(offsetBytes, buffer);
        assertEquals(buffer.limit(), buffer.position());
    }

    /** Reads through an aligned buffer that was full of something else. */
    protected final byte[] read(long offsetBytes, int lengthBytes) throws DeviceException {
        ByteBuffer buffer = aligned(filled(lengthBytes, 0x5a));
        device.read(offsetBytes, buffer);
        assertEquals(buffer.limit(), buffer.position());
        return bytes(buffer);
    }

    private static byte[] bytes(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.limit()];
        buffer.get(0, bytes);
        return bytes;
    }

    private static ByteBuffer window(ByteBuffer buffer, int from, int length) {
        return buffer.clear().limit(from + length).position(from);
    }

    private int randomLength(Random random) {
        int most = 1 << random.nextInt(19);
        int length = 1 + random.nextInt(most);
        int rounded = (length + step - 1) / step * step;
        return Math.min(rounded, LARGEST_TRANSFER_BYTES);
    }

    private int randomMultiple(Random random, int most) {
        return random.nextInt(most / step + 1) * step;
    }

    /** The smallest length that is a multiple of the alignment and of a sector. */
    private int unit() {
        return Math.max(step, DeviceTraits.MIN_SECTOR_BYTES);
    }
}
