package io.remap.health.score;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.health.record.History;
import io.remap.health.record.RegionRecord;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Scores are the sum of their reasons; forecasts say when they know nothing. */
class ScoreTest {
    private static Evidence evidence(long bad, long fresh, long weak, long usedSlots) {
        return evidence(bad, fresh, 0, weak, usedSlots);
    }

    private static Evidence evidence(long bad, long fresh, long dead, long weak, long usedSlots) {
        return evidence(bad, fresh, dead, weak, 0, usedSlots);
    }

    private static Evidence evidence(long bad, long fresh, long dead, long weak, long slowOfThousand, long usedSlots) {
        return new Evidence(bad, fresh, dead, weak, slowOfThousand, 0, 0, 0, 0, 100, usedSlots, true, Optional.empty());
    }

    @ParameterizedTest
    @CsvSource({"0, 100", "1, 95", "9, 95", "10, 90", "99, 90", "100, 80", "1000, 80"})
    void howOftenAScanIsSlowIsAReason(long slowOfThousand, int expected) {
        Score score = Score.of(evidence(0, 0, 0, 0, slowOfThousand, 0));
        assertEquals(expected, score.value());
        assertEquals(
                expected == 100
                        ? List.of()
                        : List.of(new Score.Reason(
                                "slow ones in a thousand reads of scans", slowOfThousand, 100 - expected)),
                score.reasons());
    }

    @ParameterizedTest
    @CsvSource({"0, 0, 100", "8, 0, 95", "0, 1, 98", "8, 3, 93", "8, 16, 90", "800, 256, 80"})
    void whatIsSlowInARegionIsAReasonOfIts(long slowSectors, long slowProbes, int expected) {
        RegionRecord region = new RegionRecord(3, 0, 0, 0, slowSectors, slowProbes, 0, 1, 1);
        Score score = Score.of(region, 0);
        assertEquals(expected, score.value());
        assertEquals(
                slowSectors + slowProbes,
                score.reasons().stream().mapToLong(Score.Reason::count).sum());
    }

    @ParameterizedTest
    @CsvSource({"8, 80", "49, 80", "50, 60", "200, 40", "500, 15"})
    void whatIsFoundDeadIsAReason(long units, int expected) {
        Score score = Score.of(evidence(0, 0, units, 0, 0));
        assertEquals(expected, score.value());
        assertEquals(units, score.reasons().get(0).count());
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0, 0, 0, 100, excellent",
        "1, 1, 0, 0, 85, good",
        "9, 0, 0, 0, 90, excellent",
        "50, 50, 0, 0, 50, fair",
        "200, 100, 0, 0, 10, critical",
        "500, 0, 0, 90, 0, critical",
        "0, 0, 100, 50, 80, good",
        "10, 0, 1, 80, 45, poor"
    })
    void isOneHundredLessItsReasons(long bad, long fresh, long weak, long used, int expected, String word) {
        Score score = Score.of(evidence(bad, fresh, weak, used));
        assertEquals(expected, score.value());
        assertEquals(word, score.word());
        int points = score.reasons().stream().mapToInt(Score.Reason::points).sum();
        assertEquals(expected, Math.max(0, 100 - points));
    }

    @Test
    void aReasonHasItsCount() {
        Score score = Score.of(evidence(12, 3, 0, 0));
        assertEquals(
                List.of(
                        new Score.Reason("bad units of 4096 bytes", 12, 20),
                        new Score.Reason("of these found in the last 30 days", 3, 5)),
                score.reasons());
    }

    private static List<History.Day> days(long... usedSlots) {
        List<History.Day> days = new ArrayList<>();
        for (int i = 0; i < usedSlots.length; i++) {
            days.add(new History.Day(20_000 + i, 0, 0, usedSlots[i], 0));
        }
        return days;
    }

    @Test
    void aSteadyGrowthIsExtrapolated() {
        Forecast forecast = Forecast.of(days(0, 10, 20, 30, 40, 50, 60, 70), 170);
        assertEquals("estimated", forecast.state());
        assertEquals(10, forecast.days());
        assertEquals(10, forecast.earliestDays());
        assertEquals(10, forecast.latestDays());
    }

    @Test
    void aSingleBurstDoesNotBendItButWidensIt() {
        Forecast forecast = Forecast.of(days(0, 1, 2, 3, 500, 501, 502, 503, 504, 505), 1000);
        assertEquals("estimated", forecast.state());
        assertTrue(forecast.earliestDays() < forecast.latestDays() / 10, forecast.toString());
    }

    @Test
    void whereLittleIsKnownNothingIsSaid() {
        assertEquals("unknown", Forecast.of(days(0, 10, 20), 100).state());
        assertEquals("unknown", Forecast.of(days(0, 1, 2, 3, 4, 5, 6, 7), 0).state());
        assertEquals("no-growth", Forecast.of(days(5, 5, 5, 5, 5, 5, 5, 5), 100).state());
        assertEquals(-1, Forecast.of(days(5, 5, 5, 5, 5, 5, 5, 5), 100).days());
    }
}
