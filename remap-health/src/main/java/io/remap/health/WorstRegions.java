package io.remap.health;

import io.remap.api.SectorRange;
import io.remap.api.spi.WatchedDisk.AvoidedArea;
import io.remap.health.record.Avoidance;
import io.remap.health.record.RegionRecord;
import io.remap.health.scan.StaggeredOrder;
import io.remap.health.score.Score;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The regions of a disk that are in the worst state: by what was found there sector by sector, and by what of them is in areas that
 * were found dead, which may be regions in which no sector was ever blamed. Immutable.
 */
final class WorstRegions {
    private final StaggeredOrder order;
    private final Avoidance avoidance;

    WorstRegions(StaggeredOrder order, Avoidance avoidance) {
        this.order = order;
        this.avoidance = avoidance;
    }

    /**
     * One of them.
     *
     * @param range where on the disk
     * @param record what was found; the times include those of the areas
     * @param deadSectors of it that were found dead
     */
    record Region(SectorRange range, int sectorBytes, RegionRecord record, long deadSectors) {
        private long weight() {
            return record.weight() + 4 * deadSectors;
        }

        Map<String, Object> toMap() {
            Map<String, Object> map = new LinkedHashMap<>();
            map.put("offsetBytes", range.firstSector() * sectorBytes);
            map.put("lengthBytes", range.lengthSectors() * sectorBytes);
            map.putAll(Score.of(record, deadSectors).toMap());
            map.put("slowSectors", record.slow());
            map.put("slowProbes", record.slowProbes());
            map.put("movedSectors", record.relocated());
            map.put("deadSectors", deadSectors);
            map.put("firstMillis", record.firstMillis());
            map.put("lastMillis", record.lastMillis());
            return map;
        }
    }

    /** At most so many, the worst first. */
    List<Region> worst(List<RegionRecord> known, int limit) {
        Map<Long, RegionRecord> records = new HashMap<>();
        known.forEach(record -> records.put(record.region(), record));
        for (AvoidedArea area : avoidance.areas()) {
            if (area.found()) {
                addRegionsOf(area, limit, records);
            }
        }
        return records.values().stream()
                .map(this::region)
                .sorted(Comparator.comparingLong(Region::weight)
                        .reversed()
                        .thenComparingLong(region -> region.range().firstSector()))
                .limit(limit)
                .toList();
    }

    /** Those that an area has altogether are alike: the first so many of them are enough. */
    private void addRegionsOf(AvoidedArea area, int limit, Map<Long, RegionRecord> records) {
        long first = order.regionOf(area.range().firstSector());
        long last = Math.min(order.regionOf(area.range().endSector() - 1), first + limit);
        long since = area.sinceMillis();
        for (long number = first; number <= last; number++) {
            RegionRecord found = records.getOrDefault(number, new RegionRecord(number, 0, 0, 0, 0, 0, 0, since, since));
            records.put(number, found.during(since));
        }
    }

    private Region region(RegionRecord record) {
        SectorRange range = order.region(record.region());
        return new Region(range, order.sectorBytes(), record, avoidance.foundIn(range));
    }
}
