package io.remap.health.record;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.SectorRange;
import io.remap.health.record.RegionRecords.Finding;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** What is kept is bounded, and comes back as it was. */
class RecordsTest {
    private static void copy(Remembered from, Remembered to) {
        Notebook writer = new Notebook("disk", 1 << 20, List.of(from));
        new Notebook("disk", 1 << 20, List.of(to)).read(writer.write());
    }

    @Test
    void quantilesAreRightWithinAFifth() {
        LatencyHistogram histogram = new LatencyHistogram("latency");
        for (long millis = 1; millis <= 1000; millis++) {
            histogram.add(millis * 1_000_000);
        }
        for (double quantile : List.of(0.1, 0.5, 0.9, 0.99)) {
            double millis = histogram.quantileNanos(quantile) / 1e6;
            assertTrue(millis >= 1000 * quantile && millis <= 1250 * quantile, quantile + ": " + millis);
        }
        assertEquals(1000, histogram.countBeyond(0));
        assertEquals(0, histogram.countBeyond(1_200_000_000));
        for (long millis : List.of(100L, 500L, 800L)) {
            long beyond = histogram.countBeyond(millis * 1_000_000);
            assertTrue(beyond <= 1000 - millis && beyond >= 1000 - 1.25 * millis, millis + ": " + beyond);
        }
        LatencyHistogram restored = new LatencyHistogram("latency");
        copy(histogram, restored);
        assertEquals(histogram.lines(), restored.lines());
        assertEquals(1000, restored.count());
    }

    @Test
    void theWorstRegionsStayAndTheTotalsCountAll() {
        RegionRecords records = new RegionRecords(512);
        records.add(7, Finding.UNREADABLE, new SectorRange(0, 100), 1);
        for (long region = 1000; region < 3000; region++) {
            records.add(region, Finding.SLOW, new SectorRange(8 * region, 8), region);
        }
        assertEquals(7, records.worst(1).get(0).region());
        assertEquals(RegionRecords.MAX_REGIONS, records.worst(10_000).size());
        assertEquals(16_000, records.total().slow());
        RegionRecords restored = new RegionRecords(512);
        copy(records, restored);
        assertEquals(records.worst(10_000), restored.worst(10_000));
        assertEquals(records.total(), restored.total());
    }

    @Test
    void aSlowProbeCountsOnceAndWhatAnEarlierProgramSavedHasNone() {
        RegionRecords records = new RegionRecords(512);
        records.add(7, Finding.SLOW_PROBE, new SectorRange(0, 2048), 5);
        records.add(7, Finding.SLOW_PROBE, new SectorRange(0, 128), 6);
        assertEquals(List.of(new RegionRecord(7, 0, 0, 0, 0, 2, 0, 5, 6)), records.worst(10));
        assertEquals(0, records.weakUnits());
        RegionRecords restored = new RegionRecords(512);
        copy(records, restored);
        assertEquals(records.worst(10), restored.worst(10));
        RegionRecords old = new RegionRecords(512);
        byte[] saved = "remap-health 1\nregion 9 1 2 3 4 5 6 7\n".getBytes(StandardCharsets.US_ASCII);
        new Notebook("disk", 1 << 20, List.of(old)).read(saved);
        assertEquals(List.of(new RegionRecord(9, 1, 2, 3, 4, 0, 5, 6, 7)), old.worst(10));
    }

    @Test
    void growthIsThatOfTheLastDays() {
        History history = new History();
        for (long day = 0; day < 500; day++) {
            history.note(new History.Day(day, day < 480 ? 10 : 10 + (day - 479) * 5, 0, 0, 0));
        }
        assertEquals(History.MAX_DAYS, history.days().size());
        assertEquals(100, history.badUnitsWithin(30));
        assertEquals(50, history.badUnitsWithin(10));
        History restored = new History();
        copy(history, restored);
        assertEquals(history.days(), restored.days());
    }

    /** Nothing was known before the first day, so what the first pass finds was found since then. */
    @Test
    void whatIsFoundOnTheFirstDayIsGrowthForThirtyDays() {
        History history = new History();
        history.note(new History.Day(20_000, 150, 0, 0, 0));
        assertEquals(150, history.badUnitsWithin(30));
        history.note(new History.Day(20_029, 151, 0, 0, 0));
        assertEquals(151, history.badUnitsWithin(30));
        history.note(new History.Day(20_030, 151, 0, 0, 0));
        assertEquals(1, history.badUnitsWithin(30));
    }

    /** The days are gone then, but not what was known in them. */
    @Test
    void aClockThatWasAheadFromTheFirstDayMakesNothingNew() {
        History history = new History();
        for (long day = 30_000; day < 30_100; day++) {
            history.note(new History.Day(day, day < 30_090 ? 150 : 157, 0, 0, 0));
        }
        for (long day = 20_000; day < 20_003; day++) {
            history.note(new History.Day(day, 158, 0, 0, 0));
        }
        assertEquals(
                List.of(20_002L), history.days().stream().map(History.Day::day).toList());
        assertEquals(8, history.badUnitsWithin(30), "what was new stays so");
        History restored = new History();
        copy(history, restored);
        assertEquals(8, restored.badUnitsWithin(30));
        history.note(new History.Day(20_032, 160, 0, 0, 0));
        assertEquals(2, history.badUnitsWithin(30));
    }

    @Test
    void aClockThatStartsInThePastWipesNothing() {
        History history = new History();
        for (long day = 20_000; day < 20_100; day++) {
            history.note(new History.Day(day, 10, 0, 0, 0));
        }
        history.note(new History.Day(0, 17, 0, 0, 0));
        history.note(new History.Day(1, 17, 0, 0, 0));
        assertEquals(100, history.days().size());
        assertEquals(7, history.badUnitsWithin(30), "what is found meanwhile counts");
        history.note(new History.Day(20_100, 20, 0, 0, 0));
        assertEquals(101, history.days().size());
        history.note(new History.Day(1, 20, 0, 0, 0));
        assertEquals(101, history.days().size(), "behind again, anew");
    }

    @Test
    void aClockThatWasAheadIsPutRightOnceItStaysSo() {
        History history = new History();
        history.note(new History.Day(20_000, 1, 0, 0, 0));
        history.note(new History.Day(30_000, 2, 0, 0, 0));
        for (long day = 20_001; day < 20_004; day++) {
            history.note(new History.Day(day, day, 0, 0, 0));
        }
        assertEquals(
                List.of(20_000L, 20_003L),
                history.days().stream().map(History.Day::day).toList());
    }

    @Test
    void noiseIsLeftOutAndTheRestIsTaken() {
        RegionRecords records = new RegionRecords(512);
        records.add(7, Finding.UNREADABLE, new SectorRange(5, 3), 1);
        Notebook writer = new Notebook("disk", 1 << 20, List.of(records));
        String whole = new String(writer.write(), StandardCharsets.US_ASCII);
        SplittableRandom random = new SplittableRandom(3);
        byte[] noise = new byte[500];
        for (int i = 0; i < 200; i++) {
            random.nextBytes(noise);
            byte[] saved = (whole + "region x y\nregion 5\n" + new String(noise, StandardCharsets.US_ASCII))
                    .getBytes(StandardCharsets.US_ASCII);
            RegionRecords restored = new RegionRecords(512);
            new Notebook("disk", 1 << 20, List.of(restored)).read(saved);
            assertEquals(records.worst(5), restored.worst(5));
        }
    }

    @Test
    void whereThereIsTooMuchTheLeastIsLeftOut() {
        RegionRecords records = new RegionRecords(512);
        for (long region = 0; region < 500; region++) {
            records.add(region, Finding.UNREADABLE, new SectorRange(0, region + 1), 1);
        }
        Notebook small = new Notebook("disk", 1000, List.of(records));
        assertTrue(small.write().length <= 1000);
        RegionRecords restored = new RegionRecords(512);
        new Notebook("disk", 1000, List.of(restored)).read(small.write());
        assertEquals(499, restored.worst(1).get(0).region());
        assertEquals(records.total(), restored.total());
    }
}
