package io.remap.health.record;

import io.remap.api.SectorRange;
import io.remap.api.spi.WatchedDisk.AvoidedArea;
import java.util.ArrayList;
import java.util.List;

/**
 * The areas in which a disk leaves main alone, as they are at one moment. What was found dead speaks against the disk; of what a
 * person named nothing is known.
 *
 * @param areas in order, apart from each other
 */
public record Avoidance(List<AvoidedArea> areas) {
    public Avoidance {
        areas = List.copyOf(areas);
    }

    /** Sectors in areas that were found dead, or in those that a person named. */
    public long sectors(boolean found) {
        return areas.stream()
                .filter(area -> area.found() == found)
                .mapToLong(area -> area.range().lengthSectors())
                .sum();
    }

    /** How many areas were found dead, or named by a person. */
    public long count(boolean found) {
        return areas.stream().filter(area -> area.found() == found).count();
    }

    /** Sectors of a range that were found dead. */
    public long foundIn(SectorRange range) {
        return areas.stream()
                .filter(AvoidedArea::found)
                .mapToLong(area -> Math.max(
                        0,
                        Math.min(area.range().endSector(), range.endSector())
                                - Math.max(area.range().firstSector(), range.firstSector())))
                .sum();
    }

    /** What of a range is not avoided, in order. */
    public List<SectorRange> outside(SectorRange range) {
        List<SectorRange> left = new ArrayList<>();
        long at = range.firstSector();
        for (AvoidedArea area : areas) {
            long until = Math.min(range.endSector(), area.range().firstSector());
            if (at < until) {
                left.add(new SectorRange(at, until - at));
            }
            at = Math.max(at, area.range().endSector());
        }
        if (at < range.endSector()) {
            left.add(new SectorRange(at, range.endSector() - at));
        }
        return left;
    }
}
