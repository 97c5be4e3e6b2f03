package io.remap.core.libc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.MemorySource.Block;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** Memory that the kernel gives, and has back at once. */
class MappedMemoryTest {
    private static final int LENGTH = 256 << 20;
    private static final int PAGE_BYTES = 4096;

    private final Libc libc = Libc.find().orElseThrow();
    private final MappedMemory memory = new MappedMemory(libc);

    private static long residentBytes() throws IOException {
        return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ", -1)[1]) * PAGE_BYTES;
    }

    @Test
    void isZeroesAndComesBackAtOnce() throws Exception {
        long before = residentBytes();
        Block block = memory.allocate(LENGTH);
        assertEquals(LENGTH, block.bytes().capacity());
        assertTrue(block.bytes().isDirect());
        assertEquals(0, libc.addressOf(block.bytes()) % PAGE_BYTES);
        for (int at = 0; at < LENGTH; at += PAGE_BYTES) {
            assertEquals(0, block.bytes().get(at));
            block.bytes().put(at, (byte) 1);
        }
        assertTrue(residentBytes() - before > LENGTH / 2, "touched");
        block.free();
        assertTrue(residentBytes() - before < LENGTH / 2, "freed");
    }

    @Test
    void tellsWhenThereIsNone() {
        assertThrows(OutOfMemoryError.class, () -> memory.allocate(0));
    }
}
