package io.remap.health;

import io.remap.api.Environment;
import io.remap.api.Place;
import io.remap.api.spi.WatchedDisk;
import io.remap.api.spi.WatchedDisk.Figures;
import io.remap.api.spi.WatchedDisk.Trouble;
import io.remap.health.alert.AlertRules;
import io.remap.health.record.Avoidance;
import io.remap.health.record.History;
import io.remap.health.record.LatencyHistogram;
import io.remap.health.record.RegionRecord;
import io.remap.health.record.RegionRecords;
import io.remap.health.record.Remembered;
import io.remap.health.scan.Scanner;
import io.remap.health.scan.StaggeredOrder;
import io.remap.health.score.Evidence;
import io.remap.health.score.Forecast;
import io.remap.health.score.Score;
import io.remap.health.smart.SmartReader;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Puts together what is known of a disk, as it is now and as it was, and judges it. Thread-safe; runs on no thread of a
 * client.
 */
final class Assessment {
    private static final int WORST_SHOWN = 10;
    private static final int GROWTH_DAYS = 30;
    private static final int DAYS_SHOWN = 30;
    /** Fewer reads count as so many, so that a single slow one says little. */
    private static final int LEAST_READS = 1000;

    private final WatchedDisk disk;
    private final Environment environment;
    private final Scanner scanner;
    private final RegionRecords records;
    private final SmartReader smart;
    private final History history;
    private final DayCounter faults = new DayCounter("faults");
    private final DayCounter failedFlushes = new DayCounter("failed-flushes");

    Assessment(
            WatchedDisk disk,
            Environment environment,
            Scanner scanner,
            RegionRecords records,
            SmartReader smart,
            History history) {
        this.disk = disk;
        this.environment = environment;
        this.scanner = scanner;
        this.records = records;
        this.smart = smart;
        this.history = history;
    }

    /** What of it is kept over restarts. */
    List<Remembered> remembered() {
        return List.of(faults, failedFlushes);
    }

    private long now() {
        return environment.time().wallMillis();
    }

    /** Trouble that has no place. */
    void met(Trouble trouble) {
        if (trouble == Trouble.DEVICE_FAULT) {
            faults.add(now());
        } else if (trouble == Trouble.FLUSH_FAILED) {
            failedFlushes.add(now());
        }
    }

    private long units(long sectors) {
        return (sectors * disk.traits().sectorBytes() + Place.UNIT_BYTES - 1) / Place.UNIT_BYTES;
    }

    /** Takes stock, notes it for this day, and has the rules applied. */
    void assess(AlertRules rules) {
        rules.apply(evidence(), now());
    }

    private Evidence evidence() {
        Figures figures = disk.figures();
        LatencyHistogram reads = scanner.latency();
        long slowest = reads.quantileNanos(0.99);
        long bad = scanner.consistently(records::badUnits);
        long weak = scanner.consistently(records::weakUnits);
        long used = figures.slots() - figures.freeSlots();
        history.note(new History.Day(History.dayOf(now()), bad, weak, used, slowest));
        return new Evidence(
                bad,
                history.badUnitsWithin(GROWTH_DAYS),
                units(avoidance().sectors(true)),
                weak,
                1000 * scanner.slowReads(reads) / Math.max(LEAST_READS, reads.count()),
                figures.unreadableSectors(),
                figures.lostSectors(),
                faults.sum(now()),
                failedFlushes.sum(now()),
                figures.slots(),
                used,
                figures.redirects() || disk.traits().readOnly(),
                smart.last().report());
    }

    private Avoidance avoidance() {
        return new Avoidance(disk.avoided());
    }

    /** The score now. */
    Score score() {
        return Score.of(evidence());
    }

    /** Everything, for people and programs. */
    Map<String, Object> report() {
        Evidence known = evidence();
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("disk", disk.name());
        map.put("main", disk.mainName());
        map.putAll(Score.of(known).toMap());
        map.put("badUnits", known.badUnits());
        map.put("newBadUnits30Days", known.newBadUnits());
        map.put("weakUnits", known.weakUnits());
        map.put("movedUnits", units(scanner.consistently(records::total).relocated()));
        map.put("unreadableSectors", known.unreadableSectors());
        map.put("lostSectors", known.lostSectors());
        map.put("avoided", avoided());
        map.put("deviceFaults24Hours", known.deviceFaults());
        map.put("spare", spare(known));
        LatencyHistogram reads = scanner.latency();
        map.put("latency", latency(reads, scanner.slowReads(reads)));
        map.put("worstRegions", worst());
        map.put("days", days());
        map.put("smart", smartReport());
        map.put("scan", scanner.status().toMap());
        return map;
    }

    private Map<String, Object> avoided() {
        Avoidance avoidance = avoidance();
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("foundAreas", avoidance.count(true));
        map.put("foundSectors", avoidance.sectors(true));
        map.put("namedAreas", avoidance.count(false));
        map.put("namedSectors", avoidance.sectors(false));
        return map;
    }

    private Map<String, Object> spare(Evidence known) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("slots", known.slots());
        map.put("usedSlots", known.usedSlots());
        map.put("usedPercent", known.spareUsedPercent());
        map.put("redirects", known.redirects());
        map.put("full", Forecast.of(history.days(), known.slots()).toMap());
        return map;
    }

    private static Map<String, Object> latency(LatencyHistogram histogram, long slowReads) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("reads", histogram.count());
        map.put("medianMicros", histogram.quantileNanos(0.5) / 1000);
        map.put("p99Micros", histogram.quantileNanos(0.99) / 1000);
        map.put("maxMicros", histogram.quantileNanos(1) / 1000);
        map.put("slowReads", slowReads);
        List<Map<String, Object>> buckets = new ArrayList<>();
        histogram.forEachBucket((upTo, count) -> {
            Map<String, Object> bucket = new LinkedHashMap<>();
            bucket.put("upToMicros", upTo / 1000);
            bucket.put("count", count);
            buckets.add(bucket);
        });
        map.put("buckets", buckets);
        return map;
    }

    private List<Map<String, Object>> worst() {
        WorstRegions regions = new WorstRegions(
                new StaggeredOrder(disk.traits().sizeBytes(), disk.traits().sectorBytes()), avoidance());
        List<RegionRecord> known = scanner.consistently(() -> records.worst(RegionRecords.MAX_REGIONS));
        return regions.worst(known, WORST_SHOWN).stream()
                .map(WorstRegions.Region::toMap)
                .toList();
    }

    private List<Map<String, Object>> days() {
        List<History.Day> all = history.days();
        List<Map<String, Object>> shown = new ArrayList<>();
        for (History.Day day : all.subList(Math.max(0, all.size() - DAYS_SHOWN), all.size())) {
            Map<String, Object> one = new LinkedHashMap<>();
            one.put("day", day.day());
            one.put("badUnits", day.badUnits());
            one.put("weakUnits", day.weakUnits());
            one.put("usedSlots", day.usedSlots());
            one.put("p99Micros", day.slowestNanos() / 1000);
            shown.add(one);
        }
        return shown;
    }

    private Map<String, Object> smartReport() {
        SmartReader.Answer answer = smart.last();
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("device", smart.device());
        map.put("readMillis", answer.readMillis());
        map.put("reportMillis", answer.reportMillis());
        map.put("why", answer.why());
        Optional<Map<String, Object>> told = answer.report().map(report -> report.toMap(smart.device()));
        map.put("report", told.orElse(null));
        return map;
    }
}
