package io.remap.health.alert;

import io.remap.health.score.Evidence;
import io.remap.health.smart.SmartReport;
import java.util.List;

/**
 * From which values on something is an alert, and what to do then. The limits of bad units and of reallocated sectors are
 * those at which studies of large populations saw disks fail (Ma et al., FAST 2015; Bairavasundaram et al., SIGMETRICS 2007).
 */
public final class AlertRules {
    /** From so much on, so bad. */
    private record Limit(long from, Severity severity) {}

    /** Degrees by which a temperature has to fall below a limit before that is over: it goes up and down all the time. */
    private static final long HEAT_SLACK = 3;

    /** Points by which the use of a spare has to fall: with checksums each seal takes a slot, and each opening frees one. */
    private static final long SPARE_SLACK = 2;

    private static final long FULL_PERCENT = 100;

    private static final List<Limit> BAD_UNITS = List.of(
            new Limit(1, Severity.WARNING),
            new Limit(10, Severity.WARNING),
            new Limit(50, Severity.DEGRADED),
            new Limit(100, Severity.DEGRADED),
            new Limit(200, Severity.REPLACE),
            new Limit(500, Severity.CRITICAL));
    private static final List<Limit> DEAD_UNITS = List.of(
            new Limit(1, Severity.DEGRADED), new Limit(200, Severity.REPLACE), new Limit(500, Severity.CRITICAL));
    private static final List<Limit> LOST = List.of(new Limit(1, Severity.CRITICAL), new Limit(10, Severity.CRITICAL));
    private static final List<Limit> FAULTS = List.of(new Limit(1, Severity.WARNING), new Limit(10, Severity.DEGRADED));
    private static final List<Limit> WEAK =
            List.of(new Limit(100, Severity.WARNING), new Limit(1000, Severity.DEGRADED));
    private static final List<Limit> ONCE = List.of(new Limit(1, Severity.CRITICAL));
    private static final List<Limit> PENDING =
            List.of(new Limit(1, Severity.WARNING), new Limit(50, Severity.DEGRADED));
    private static final List<Limit> REALLOCATED = List.of(
            new Limit(1, Severity.INFO),
            new Limit(41, Severity.DEGRADED),
            new Limit(200, Severity.REPLACE),
            new Limit(500, Severity.CRITICAL));
    private static final List<Limit> CRC = List.of(new Limit(1, Severity.INFO), new Limit(100, Severity.WARNING));
    private static final List<Limit> WEAR = List.of(new Limit(90, Severity.WARNING), new Limit(100, Severity.REPLACE));

    private final AlertBook book;
    private final AlertLimits chosen;
    private final List<Limit> growth;
    private final List<Limit> spare;

    /** Writes into this book. */
    public AlertRules(AlertBook book, AlertLimits chosen) {
        this.book = book;
        this.chosen = chosen;
        this.growth = List.of(new Limit(chosen.growthUnits(), Severity.REPLACE));
        this.spare = List.of(
                new Limit(chosen.spareWarningPercent(), Severity.WARNING),
                new Limit(chosen.spareCriticalPercent(), Severity.CRITICAL),
                new Limit(chosen.spareLastPercent(), Severity.CRITICAL),
                new Limit(FULL_PERCENT, Severity.CRITICAL));
    }

    private List<Limit> heat(boolean nvme) {
        return List.of(
                new Limit(chosen.warmCelsius(nvme), Severity.WARNING),
                new Limit(chosen.hotCelsius(nvme), Severity.CRITICAL));
    }

    /** Takes what is known now. */
    public void apply(Evidence known, long nowMillis) {
        measure(
                "bad-units",
                known.badUnits(),
                BAD_UNITS,
                "bad units of 4096 bytes on main: copy what matters," + " see 'remap health' and 'remap impact'",
                nowMillis);
        measure(
                "bad-units-growth",
                known.newBadUnits(),
                growth,
                "bad units found within 30 days: replace main now",
                nowMillis);
        measure(
                "dead-units",
                known.deadUnits(),
                DEAD_UNITS,
                "units of 4096 bytes in areas of main found dead, which are avoided: see 'remap impact' for the files, and"
                        + " 'remap avoid list'",
                nowMillis);
        measure("weak-units", known.weakUnits(), WEAK, "units are slow or need retries: main gets worse", nowMillis);
        measure(
                "lost-sectors",
                known.lostSectors(),
                LOST,
                "sectors have lost their content: see 'remap impact' for the files",
                nowMillis);
        measure(
                "spare-used",
                known.spareUsedPercent(),
                spare,
                // Above that there is nothing, so nothing more would ever be told.
                known.spareUsedPercent() >= FULL_PERCENT ? 0 : SPARE_SLACK,
                "percent of the spare in use: add a spare or replace main",
                nowMillis);
        measure(
                "device-faults",
                known.deviceFaults(),
                FAULTS,
                "errors of a whole device in 24 hours: check cable and power",
                nowMillis);
        measure(
                "flush-failed",
                known.failedFlushes(),
                ONCE,
                "flushes failed in 24 hours: acknowledged writes may be lost," + " see 'remap status'",
                nowMillis);
        measure(
                "no-redirection",
                known.slots() > 0 && !known.redirects() ? 1 : 0,
                ONCE,
                "failing writes are not redirected: see 'remap status' for the metadata",
                nowMillis);
        known.smart().ifPresent(smart -> applySmart(smart, nowMillis));
    }

    private void applySmart(SmartReport smart, long nowMillis) {
        measure(
                "smart-failed",
                smart.passed() ? 0 : 1,
                ONCE,
                "the drive says that it fails: replace it now",
                nowMillis);
        measure("smart-pending", smart.pending(), PENDING, "sectors are pending in the drive", nowMillis);
        measure(
                "smart-reallocated",
                smart.reallocated(),
                REALLOCATED,
                "sectors were reallocated by the drive",
                nowMillis);
        measure(
                "smart-uncorrectable",
                smart.uncorrectable(),
                PENDING,
                "errors that the drive could not correct",
                nowMillis);
        measure("smart-crc", smart.crcErrors(), CRC, "errors of the link to the drive: change the cable", nowMillis);
        measure(
                "smart-warning",
                smart.criticalWarning() > 0 ? 1 : 0,
                ONCE,
                "the controller of the drive gives a critical warning",
                nowMillis);
        measure("smart-wear", smart.percentUsed(), WEAR, "percent of the drive's life used", nowMillis);
        measure(
                "temperature",
                smart.temperature(),
                heat(smart.isNvme()),
                HEAT_SLACK,
                "degrees Celsius: cool the drive",
                nowMillis);
    }

    private void measure(String key, long value, List<Limit> limits, String text, long nowMillis) {
        measure(key, value, limits, 0, text, nowMillis);
    }

    /** @param slack a limit that was reached is left with a value that is so much less, or with 0 */
    private void measure(String key, long value, List<Limit> limits, long slack, String text, long nowMillis) {
        int reached = book.step(key);
        Severity severity = null;
        int step = 0;
        for (int i = 0; i < limits.size(); i++) {
            Limit limit = limits.get(i);
            if (value >= limit.from || (i < reached && value > Math.max(0, limit.from - slack))) {
                severity = limit.severity;
                step = i + 1;
            }
        }
        book.measure(key, severity, value, step, slack, value + " " + text, nowMillis);
    }
}
