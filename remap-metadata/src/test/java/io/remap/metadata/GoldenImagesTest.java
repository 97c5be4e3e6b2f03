package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Spares of every version of the format say what they said when they were written. */
class GoldenImagesTest {
    static Stream<Arguments> images() {
        return GoldenImages.VERSIONS.stream()
                .flatMap(version -> GoldenImages.NAMES.stream().map(name -> Arguments.of(version, name)));
    }

    @ParameterizedTest
    @MethodSource("images")
    void readingChangesNothing(String version, String name) throws Exception {
        CrashDevice spare = GoldenImages.load(version, name);
        long writes = spare.operations(CrashDevice.Operation.WRITE);
        try (Opened opened = Bench.open(new LogMetadataProvider(), spare, true, 7)) {
            assertEquals(GoldenImages.expected(version, name), GoldenImages.text(opened.store()));
        }
        assertEquals(writes, spare.operations(CrashDevice.Operation.WRITE));
    }

    @ParameterizedTest
    @MethodSource("images")
    void writingGoesOn(String version, String name) throws Exception {
        CrashDevice spare = GoldenImages.load(version, name);
        String expected = GoldenImages.expected(version, name);
        try (Opened opened = Bench.open(spare)) {
            assertEquals(expected, GoldenImages.text(opened.store()));
            assertEquals(Outcome.DURABLE, opened.commit(Bench.map(1000, 300)));
        }
        try (Opened opened = Bench.open(spare)) {
            assertEquals(Outcome.DURABLE, opened.commit(Bench.unmap(1000)));
            assertEquals(expected, GoldenImages.text(opened.store()));
        }
    }
}
