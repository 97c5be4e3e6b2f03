package io.remap.health.score;

import io.remap.health.record.RegionRecord;
import io.remap.health.smart.SmartReport;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A number from 0 to 100 that explains itself: 100 less the points of its reasons. It is a summary for people and for
 * thresholds, no probability; the counts beside the reasons are what was measured.
 *
 * @param value 0 to 100
 * @param reasons what it is less than 100 for
 */
public record Score(int value, List<Reason> reasons) {
    public Score {
        reasons = List.copyOf(reasons);
    }

    /**
     * Why a score is less.
     *
     * @param what is counted
     * @param count how much of it
     * @param points taken from 100
     */
    public record Reason(String what, long count, int points) {}

    /** From so many on, so many points. The last step that is reached counts. */
    private record Step(long from, int points) {}

    private static final List<Step> BAD =
            List.of(new Step(1, 10), new Step(10, 20), new Step(50, 40), new Step(200, 60), new Step(500, 85));
    private static final List<Step> NEW_BAD = List.of(new Step(1, 5), new Step(10, 10), new Step(100, 30));
    /** As bad units, but for a single one: an area that is found dead has several at least. */
    private static final List<Step> DEAD =
            List.of(new Step(1, 20), new Step(50, 40), new Step(200, 60), new Step(500, 85));

    private static final List<Step> WEAK = List.of(new Step(1, 5), new Step(100, 10), new Step(1000, 20));
    /** In thousandths: a drive that is well reads a megabyte in a hundredth of what counts as slow. */
    private static final List<Step> SLOW_READS = List.of(new Step(1, 5), new Step(10, 10), new Step(100, 20));

    private static final List<Step> SLOW_PROBES = List.of(new Step(1, 2), new Step(16, 5), new Step(256, 10));
    private static final List<Step> LOST = List.of(new Step(1, 10));
    private static final List<Step> FAULTS = List.of(new Step(1, 10), new Step(10, 20));
    private static final List<Step> FLUSHES = List.of(new Step(1, 30));
    private static final List<Step> SPARE =
            List.of(new Step(50, 10), new Step(80, 30), new Step(90, 40), new Step(100, 60));
    private static final List<Step> PENDING = List.of(new Step(1, 10), new Step(50, 20));
    /** Failures by reallocated sectors: over half beyond 40, 95 % at 500 (Ma et al., FAST 2015). */
    private static final List<Step> REALLOCATED =
            List.of(new Step(1, 5), new Step(41, 20), new Step(200, 40), new Step(500, 60));

    private static final List<Step> UNCORRECTED = List.of(new Step(1, 10), new Step(100, 20));
    private static final List<Step> WEAR = List.of(new Step(90, 10), new Step(100, 30));
    private static final List<Step> ONCE = List.of(new Step(1, 50));

    /** The score of a disk. */
    public static Score of(Evidence known) {
        List<Reason> reasons = new ArrayList<>();
        take(reasons, "bad units of 4096 bytes", known.badUnits(), BAD);
        take(reasons, "of these found in the last 30 days", known.newBadUnits(), NEW_BAD);
        take(reasons, "units of 4096 bytes in areas found dead", known.deadUnits(), DEAD);
        take(reasons, "weak units", known.weakUnits(), WEAK);
        take(reasons, "slow ones in a thousand reads of scans", known.slowOfThousand(), SLOW_READS);
        take(reasons, "sectors whose content is lost", known.lostSectors(), LOST);
        take(reasons, "errors of a whole device in 24 hours", known.deviceFaults(), FAULTS);
        take(reasons, "failed flushes in 24 hours", known.failedFlushes(), FLUSHES);
        take(reasons, "percent of the spare in use", known.spareUsedPercent(), SPARE);
        known.smart().ifPresent(smart -> takeSmart(reasons, smart));
        return of(reasons);
    }

    private static void takeSmart(List<Reason> reasons, SmartReport smart) {
        take(reasons, "SMART: the drive says that it fails", smart.passed() ? 0 : 1, ONCE);
        take(reasons, "SMART: pending sectors", smart.pending(), PENDING);
        take(reasons, "SMART: reallocated sectors", smart.reallocated(), REALLOCATED);
        take(reasons, "SMART: uncorrectable errors", smart.uncorrectable(), UNCORRECTED);
        take(reasons, "SMART: critical warning of the controller", smart.criticalWarning(), ONCE);
        take(reasons, "SMART: percent of the drive's life used", smart.percentUsed(), WEAR);
    }

    /**
     * The score of a region.
     *
     * @param deadSectors of it that were found dead, and are avoided now
     */
    public static Score of(RegionRecord region, long deadSectors) {
        List<Reason> reasons = new ArrayList<>();
        take(reasons, "unreadable sectors", region.unreadable(), BAD);
        take(reasons, "sectors of failed writes", region.redirected(), BAD);
        take(reasons, "sectors in areas found dead", deadSectors, DEAD);
        take(reasons, "sectors that needed retries", region.recovered(), WEAK);
        take(reasons, "slow sectors", region.slow(), WEAK);
        take(reasons, "probes that were slow while others were not", region.slowProbes(), SLOW_PROBES);
        return of(reasons);
    }

    private static Score of(List<Reason> reasons) {
        int points = reasons.stream().mapToInt(Reason::points).sum();
        return new Score(Math.max(0, 100 - points), reasons);
    }

    private static void take(List<Reason> reasons, String what, long count, List<Step> steps) {
        int points = 0;
        for (Step step : steps) {
            points = count >= step.from ? step.points : points;
        }
        if (points > 0) {
            reasons.add(new Reason(what, count, points));
        }
    }

    /** One word: excellent from 90 on, good from 75, fair from 50, poor from 25, else critical. */
    public String word() {
        if (value >= 90) {
            return "excellent";
        }
        if (value >= 75) {
            return "good";
        }
        if (value >= 50) {
            return "fair";
        }
        return value >= 25 ? "poor" : "critical";
    }

    /** As maps. */
    public Map<String, Object> toMap() {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("score", value);
        map.put("word", word());
        List<Map<String, Object>> shown = new ArrayList<>();
        for (Reason reason : reasons) {
            Map<String, Object> one = new LinkedHashMap<>();
            one.put("what", reason.what());
            one.put("count", reason.count());
            one.put("points", reason.points());
            shown.add(one);
        }
        map.put("reasons", shown);
        return map;
    }
}
