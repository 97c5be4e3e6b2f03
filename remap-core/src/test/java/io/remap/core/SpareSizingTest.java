package io.remap.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.Environment;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.api.spi.Lineage;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareContent;
import io.remap.api.spi.SparePlan;
import io.remap.core.SpareSizing.Question;
import io.remap.core.SpareSizing.Report;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SpareSizingTest {
    private static final long MIB = 1L << 20;
    private static final long TIB = 1L << 40;

    private static Report report(long mainBytes, int sectorBytes, int percent, long bad, boolean strict)
            throws Refusal {
        return SpareSizing.report(new Question(mainBytes, sectorBytes, percent, bad, strict), Optional.empty());
    }

    /** By hand: (8 + 1 + 2147483648 * 2 / 100 + 0 + 1) * 1.2 sectors. */
    @Test
    void calculatesAsTheOriginalDoes() throws Refusal {
        Report report = report(TIB, 512, 2, 0, false);
        assertEquals(51_539_619L * 512, report.calculatedBytes());
        assertEquals(report.calculatedBytes(), report.neededBytes());
        assertEquals(2.4, report.ratioPercent(), 0.001);
        // 300 entries of 64 bytes are 37 sectors, with the margin 44 more.
        assertEquals(51_539_663L * 512, report(TIB, 512, 2, 300, false).calculatedBytes());
        assertEquals(
                (1 + 1 + 1 + 1) * 4096L + 4096,
                report(100 * 4096L, 4096, 1, 10, false).calculatedBytes());
    }

    @Test
    void theStrictRuleIsALittleMoreThanMain() throws Refusal {
        Report report = report(100 * MIB, 512, 2, 0, true);
        assertEquals(105 * MIB, report.strictBytes());
        assertEquals(report.strictBytes(), report.neededBytes());
        assertTrue(report.hint().contains("mirror"), report.hint());
        assertEquals(report.strictBytes(), report(100 * MIB, 512, 2, 0, false).strictBytes());
    }

    @ParameterizedTest
    @CsvSource({"2, small", "10, fair", "20, fair"})
    void hintsAtTheRatio(int percent, String word) throws Refusal {
        Report report = report(TIB, 512, percent, 0, false);
        assertTrue(report.hint().contains(word), report.hint());
    }

    @Test
    void recommendsLessButEnoughForTheKnownBadSectors() throws Refusal {
        assertEquals(64 * MIB, report(MIB, 512, 2, 0, false).recommendedBytes());
        assertEquals(1049 * MIB, report(TIB, 512, 2, 0, false).recommendedBytes());
        assertEquals(1049 * MIB, SpareSizing.sidecarBytes(TIB));
        assertEquals(64 * MIB, SpareSizing.sidecarBytes(1));
        assertEquals(8192L * MIB, report(TIB, 512, 2, MIB, false).recommendedBytes());
    }

    @ParameterizedTest
    @CsvSource({
        "0, 512, 2, 0",
        "1000, 512, 2, 0",
        "4503599627371008, 512, 2, 0",
        "1048576, 500, 2, 0",
        "1048576, 8192, 2, 0",
        "1048576, 512, -1, 0",
        "1048576, 512, 21, 0",
        "1048576, 512, 2, -1",
        "1048576, 512, 2, 2049"
    })
    void refusesWhatIsOutOfRange(long mainBytes, int sectorBytes, int percent, long bad) {
        Refusal refusal = assertThrows(Refusal.class, () -> report(mainBytes, sectorBytes, percent, bad, false));
        assertEquals(Refusal.Kind.USAGE, refusal.kind());
    }

    @Test
    void theLargestMainDoesNotOverflow() throws Refusal {
        long main = SpareSizing.MAX_MAIN_BYTES;
        Report report = report(main, 512, 20, Place.MAX_SLOT, true);
        assertTrue(report.calculatedBytes() > main / 5);
        assertTrue(report.strictBytes() > main);
        assertTrue(report.recommendedBytes() >= Place.MAX_SLOT * Place.UNIT_BYTES);
    }

    /** A slot has a number of 32 bits. */
    @Test
    void moreBadSectorsThanASpareHasSlotsCannotBeHelped() throws Refusal {
        for (long bad : new long[] {Place.MAX_SLOT + 1, 20_000_000_000L, SpareSizing.MAX_MAIN_BYTES / 512}) {
            Refusal refusal = assertThrows(Refusal.class, () -> report(SpareSizing.MAX_MAIN_BYTES, 512, 2, bad, false));
            assertEquals(Refusal.Kind.USAGE, refusal.kind());
            assertTrue(refusal.getMessage().startsWith("no spare takes " + bad + " bad sectors"), refusal.getMessage());
        }
        // Twice as many are wanted only where there are so many.
        long most = Place.MAX_SLOT * Place.UNIT_BYTES;
        assertEquals(
                most + Place.UNIT_BYTES,
                report(100 * TIB, 512, 2, 3_000_000_000L, false).recommendedBytes());
        // All sectors of the largest main whose units all have a slot.
        assertTrue(report(8 * TIB, 512, 2, 8 * TIB / 512, false).recommendedBytes() >= 8 * TIB);
    }

    @Test
    void asksTheMetadataWhatItOffersAndGrowsUntilItIsEnough() throws Refusal {
        MetadataProvider half = new HalfMetadata();
        Report report = SpareSizing.report(new Question(TIB, 512, 0, MIB, false), Optional.of(half));
        assertTrue(report.recommendedPlan().orElseThrow().slots() >= 2 * MIB);
        assertTrue(report.recommendedBytes() < 3 * 8192 * MIB);
        assertEquals(
                report.neededBytes() / 8192, report.neededPlan().orElseThrow().slots());
        Report tooSmall = SpareSizing.report(new Question(MIB, 512, 0, 0, false), Optional.of(half));
        assertTrue(tooSmall.neededPlan().isEmpty());
    }

    /** Takes half of the spare for itself. */
    private static final class HalfMetadata implements MetadataProvider {
        @Override
        public SparePlan plan(long spareSizeBytes, int spareSectorBytes) throws Refusal {
            if (spareSizeBytes < MIB) {
                throw new Refusal(Refusal.Kind.USAGE, "too small");
            }
            return new SparePlan(spareSizeBytes / 8192, spareSizeBytes / 8192, spareSizeBytes / 2);
        }

        @Override
        public String name() {
            return "half";
        }

        @Override
        public String description() {
            return "takes half";
        }

        @Override
        public SpareContent inspect(BlockDevice spare) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Optional<PairIdentity> pairOnSpare(BlockDevice device) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void format(BlockDevice spare, PairIdentity pair, Environment environment) {
            throw new UnsupportedOperationException();
        }

        @Override
        public MetadataStore open(
                BlockDevice spare, Optional<Lineage> writing, Environment environment, Settings settings) {
            throw new UnsupportedOperationException();
        }
    }
}
