package io.remap.health.scan;

import io.remap.api.Place;
import io.remap.api.SectorRange;
import java.util.function.Predicate;

/**
 * Units to read beside a slow one, to tell a slow sector from a slow device: spread over the whole disk, each time others, so that
 * no drive has them in its cache, and none near the slow one, as weak sectors come in bursts. Not thread-safe.
 */
final class ControlPlaces {
    /** The parts of a disk at its multiples are spread evenly, however many there are. */
    private static final double GOLDEN_RATIO = 0.618_033_988_749_894_8;

    private static final long NEAR_UNITS = LocalScans.REACH_SEGMENTS * StaggeredOrder.SEGMENT_BYTES / Place.UNIT_BYTES;
    private static final int MAX_TRIES = 32;

    private final long units;
    private final long unitSectors;
    private long asked;

    ControlPlaces(StaggeredOrder order) {
        this.units = order.sizeBytes() / Place.UNIT_BYTES;
        this.unitSectors = Place.UNIT_BYTES / order.sectorBytes();
    }

    /** The next one; {@code null} if none is found that may be read. */
    SectorRange next(SectorRange slow, Predicate<SectorRange> mayBeRead) {
        long nearUnits = Math.max(1, Math.min(NEAR_UNITS, units / 4));
        for (int i = 0; i < MAX_TRIES; i++) {
            asked++;
            long unit = (long) (asked * GOLDEN_RATIO % 1.0 * units);
            SectorRange place = new SectorRange(unit * unitSectors, unitSectors);
            long before = slow.firstSector() - place.firstSector();
            long behind = place.endSector() - slow.endSector();
            if (Math.max(before, behind) >= nearUnits * unitSectors && mayBeRead.test(place)) {
                return place;
            }
        }
        return null;
    }
}
