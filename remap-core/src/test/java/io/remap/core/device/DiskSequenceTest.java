package io.remap.core.device;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceIdentity;
import io.remap.api.MediumSequence;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@link DiskSequence}. */
class DiskSequenceTest {
    @TempDir
    Path blocks;

    private static DeviceIdentity backedBy(String backing) {
        return DeviceIdentity.ofWhole("serial:1", backing, 4096, "");
    }

    @Test
    void followsTheNumberOfTheKernel() throws Exception {
        Path file = Files.createDirectory(blocks.resolve("8:16")).resolve("diskseq");
        Files.writeString(file, "41\n");
        MediumSequence sequence =
                DiskSequence.of(blocks, backedBy("block:8:16")).orElseThrow();
        assertEquals(OptionalLong.of(41), sequence.current());
        Files.writeString(file, "42\n");
        assertEquals(OptionalLong.of(42), sequence.current());
        Files.delete(file);
        assertTrue(sequence.current().isEmpty());
    }

    @Test
    void filesAndOldKernelsHaveNone() {
        assertTrue(DiskSequence.of(blocks, backedBy("file:1:2")).isEmpty());
        assertTrue(DiskSequence.of(blocks, backedBy("block:8:16")).isEmpty());
    }
}
