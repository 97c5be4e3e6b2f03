package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Spares of every version of the format say what they said when they were written. */
class GoldenImagesTest {
    static Stream<Arguments> images() {
        return GoldenImages.NAMES.keySet().stream().sorted().flatMap(GoldenImagesTest::imagesOf);
    }

    static Stream<Arguments> imagesOf(String version) {
        return GoldenImages.NAMES.get(version).stream().map(name -> Arguments.of(version, name));
    }

    /** Of versions that an opening lifts to the present one. */
    static Stream<Arguments> older() {
        return images().filter(image -> !image.get()[0].equals(GoldenImages.PRESENT));
    }

    private static int read;
    private static int written;

    @AfterAll
    static void tell() {
        System.out.println("suite: G19 golden images: " + images().count() + " of versions "
                + GoldenImages.NAMES.keySet().stream().sorted().toList() + ", read=" + read + " written=" + written);
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
        read++;
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
        written++;
    }
}
