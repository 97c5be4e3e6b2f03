package io.remap.core.disk;

import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.SectorRange;
import io.remap.api.spi.WatchedDisk;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * Areas of main that are left alone, over restarts: a dead head, a scratch, or what a person says. No client's request touches
 * main there. What stands on a spare is served from it, a read of anything else fails at once, and a write goes to the spare
 * within a budget.
 *
 * <p>Where sectors stand is said by the table alone, before, while and after an area is avoided: so adding or ending one never
 * changes what a read returns, only whether main is asked for it.
 *
 * <p>Invariants: whole units, by place, apart from each other if of one origin; at most {@link #MAX_REGIONS}; the published map has
 * the same ones. Thread-safe; takes a lock, so it is asked about areas and not about requests.
 */
public final class AvoidedRegions implements Saved {
    static final int MAX_REGIONS = WatchedDisk.MAX_AVOIDED;

    private static final int FIELDS = 6;
    private static final String FOUND = "found";
    private static final int PERCENT = 100;

    private final VirtualDisk disk;

    /** Replaced as a whole, by the holder of the lock of this. */
    private volatile List<Region> regions = List.of();

    /**
     * One area.
     *
     * @param firstUnit of 4096 bytes
     * @param endUnit behind the last
     * @param found by errors; otherwise a person asked for it, and only a person ends it
     * @param sinceMillis when it began, milliseconds since 1970
     * @param retryMillis from when on a found one is tried again once somebody asks for it
     * @param retries how often that was in vain
     */
    public record Region(long firstUnit, long endUnit, boolean found, long sinceMillis, long retryMillis, int retries) {
        long units() {
            return endUnit - firstUnit;
        }

        private boolean meets(long first, long end) {
            return firstUnit <= end && first <= endUnit;
        }

        private Region in(long first, long end) {
            return new Region(first, end, found, sinceMillis, retryMillis, retries);
        }
    }

    AvoidedRegions(VirtualDisk disk) {
        this.disk = disk;
    }

    /** In order. */
    public List<Region> regions() {
        return regions;
    }

    /** The sectors of a region, as far as the disk has them. */
    public SectorRange sectors(Region region) {
        return sectors(region.firstUnit, region.endUnit);
    }

    private SectorRange sectors(long firstUnit, long endUnit) {
        int sectorBytes = disk.traits().sectorBytes();
        long first = (firstUnit << Place.UNIT_SHIFT) / sectorBytes;
        long end = Math.min(disk.traits().sizeBytes(), endUnit << Place.UNIT_SHIFT) / sectorBytes;
        return new SectorRange(first, end - first);
    }

    /** One that has some of these sectors. */
    public Optional<Region> meeting(SectorRange range) {
        long first = firstUnitOf(range);
        long end = endUnitOf(range);
        return regions.stream()
                .filter(region -> region.firstUnit < end && first < region.endUnit)
                .findFirst();
    }

    private long firstUnitOf(SectorRange range) {
        return (range.firstSector() * disk.traits().sectorBytes()) >> Place.UNIT_SHIFT;
    }

    private long endUnitOf(SectorRange range) {
        return SegmentCursor.endUnit(range.endSector() * disk.traits().sectorBytes());
    }

    /**
     * Avoids the units that have these sectors, until a person ends it.
     *
     * @return what is avoided there now; empty: there are too many regions
     */
    public Optional<Region> add(SectorRange range) {
        long first = firstUnitOf(range);
        return add(first, endUnitOf(range), false, Optional.empty(), "somebody asked for it")
                ? regions.stream()
                        .filter(region -> region.firstUnit <= first && first < region.endUnit)
                        .findFirst()
                : Optional.empty();
    }

    /** As the other, of whole units that somebody or the probes found dead: what a person asked for stays a person's. */
    synchronized boolean add(long first, long end, boolean found, Optional<DiskEvent.Cause> cause, String why) {
        long now = disk.environment.time().wallMillis();
        List<Region> next = new ArrayList<>();
        Region added = new Region(first, end, found, now, now + (found ? disk.policy.avoidRetryMillis() : 0), 0);
        for (Region region : regions) {
            if (region.found == found && region.meets(added.firstUnit, added.endUnit)) {
                added = added.in(Math.min(region.firstUnit, added.firstUnit), Math.max(region.endUnit, added.endUnit));
            } else if (found) {
                next.add(region);
            } else {
                next.addAll(without(region, first, end));
            }
        }
        List<Region> pieces = List.of(added);
        for (Region asked : found ? next : List.<Region>of()) {
            pieces = asked.found
                    ? pieces
                    : pieces.stream()
                            .flatMap(piece -> without(piece, asked.firstUnit, asked.endUnit).stream())
                            .toList();
        }
        next.addAll(pieces);
        if (next.size() > MAX_REGIONS) {
            return false;
        }
        publish(next);
        disk.log.avoided(sectors(first, end), cause, why);
        return true;
    }

    /**
     * Ends avoiding the units that have these sectors, whoever began it.
     *
     * @return how many units were avoided of them
     */
    public long remove(SectorRange range) {
        return remove(firstUnitOf(range), endUnitOf(range), "somebody asked for it");
    }

    synchronized long remove(long first, long end, String why) {
        List<Region> next = new ArrayList<>();
        long units = 0;
        for (Region region : regions) {
            List<Region> left = without(region, first, end);
            // In two pieces it may be one too many: then none of it is avoided, which only costs attempts.
            boolean room = left.size() < 2 || regions.size() < MAX_REGIONS;
            next.addAll(room ? left : List.of());
            long leftUnits = room ? left.stream().mapToLong(Region::units).sum() : 0;
            units += region.units() - leftUnits;
        }
        if (units > 0) {
            publish(next);
            disk.holdOffs.end(first, end);
            disk.log.avoidedNoMore(sectors(first, end), why);
        }
        return units;
    }

    private static List<Region> without(Region region, long first, long end) {
        List<Region> left = new ArrayList<>(2);
        if (region.firstUnit < Math.min(first, region.endUnit)) {
            left.add(region.in(region.firstUnit, Math.min(first, region.endUnit)));
        }
        if (Math.max(end, region.firstUnit) < region.endUnit) {
            left.add(region.in(Math.max(end, region.firstUnit), region.endUnit));
        }
        return left;
    }

    /** The lock is held. */
    private void publish(List<Region> next) {
        regions = next.stream()
                .sorted(Comparator.comparingLong(Region::firstUnit))
                .toList();
        long[] ranges = new long[2 * regions.size()];
        for (int i = 0; i < regions.size(); i++) {
            ranges[2 * i] = regions.get(i).firstUnit;
            ranges[2 * i + 1] = regions.get(i).endUnit;
        }
        disk.state.publish(s -> s.withAvoided(ranges));
    }

    /** A found region there that is to be tried again. */
    Optional<Region> due(long firstUnit, long endUnit) {
        long now = disk.environment.time().wallMillis();
        return regions.stream()
                .filter(region -> region.found
                        && region.firstUnit < endUnit
                        && firstUnit < region.endUnit
                        && isOver(region.retryMillis, now))
                .findFirst();
    }

    /** Also one that is further away than any is set: the clock was ahead then, and was put right. */
    private boolean isOver(long retryMillis, long now) {
        long furthest = Math.max(DeadAreas.MAX_RETRY_MILLIS, disk.policy.avoidRetryMillis());
        return retryMillis <= now || retryMillis - now > furthest;
    }

    /**
     * It was tried again.
     *
     * @param inVain whether that is known; otherwise nothing was decided
     */
    synchronized void retried(Region tried, boolean inVain) {
        long now = disk.environment.time().wallMillis();
        int retries = tried.retries + (inVain ? 1 : 0);
        long millis = Math.min(DeadAreas.MAX_RETRY_MILLIS, disk.policy.avoidRetryMillis() << Math.min(retries, 16));
        publish(regions.stream()
                .map(region -> region.equals(tried)
                        ? new Region(region.firstUnit, region.endUnit, true, region.sinceMillis, now + millis, retries)
                        : region)
                .toList());
    }

    /** Units that are avoided since errors say so. */
    long foundUnits() {
        return regions.stream().filter(Region::found).mapToLong(Region::units).sum();
    }

    /** Sectors in the regions, on main or on a spare. */
    long sectors() {
        return regions.stream()
                .mapToLong(region -> sectors(region).lengthSectors())
                .sum();
    }

    /** Units in the regions that have a slot. */
    public long usedUnits() {
        RemapTable table = disk.state.current().table;
        long used = 0;
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        for (Region region : regions) {
            for (boolean there = cursor.seek(table, region.firstUnit);
                    there && cursor.firstUnit() < region.endUnit;
                    there = cursor.next()) {
                long first = Math.max(cursor.firstUnit(), region.firstUnit);
                long end = Math.min(cursor.endUnit(), region.endUnit);
                used += Place.hasSlot(cursor.place()) ? end - first : 0;
            }
        }
        return used;
    }

    /** How many units may have one. */
    public long budgetUnits() {
        return disk.slots() / PERCENT * disk.policy.avoidSparePercent()
                + disk.slots() % PERCENT * disk.policy.avoidSparePercent() / PERCENT;
    }

    /** Whether so many more may. */
    boolean mayTake(long moreUnits) {
        long budget = budgetUnits();
        return disk.state.current().table.mappedUnits() + moreUnits <= budget || usedUnits() + moreUnits <= budget;
    }

    @Override
    public String section() {
        return "avoid";
    }

    @Override
    public byte[] save() {
        StringBuilder text = new StringBuilder();
        for (Region region : regions) {
            text.append(region.firstUnit)
                    .append(' ')
                    .append(region.endUnit)
                    .append(' ')
                    .append(region.found ? FOUND : "asked")
                    .append(' ')
                    .append(region.sinceMillis)
                    .append(' ')
                    .append(region.retryMillis)
                    .append(' ')
                    .append(region.retries)
                    .append('\n');
        }
        return text.toString().getBytes(StandardCharsets.US_ASCII);
    }

    @Override
    public synchronized void restore(byte[] saved) {
        long units = SegmentCursor.endUnit(disk.traits().sizeBytes());
        long free = 0;
        List<Region> next = new ArrayList<>();
        for (String line : new String(saved, StandardCharsets.US_ASCII).split("\n", -1)) {
            String[] fields = line.split(" ", -1);
            if (fields.length < FIELDS || next.size() == MAX_REGIONS) {
                continue;
            }
            long first = Long.parseLong(fields[0]);
            long end = Long.parseLong(fields[1]);
            if (first >= free && first < end && end <= units) {
                next.add(new Region(
                        first,
                        end,
                        fields[2].equals(FOUND),
                        Long.parseLong(fields[3]),
                        Long.parseLong(fields[4]),
                        Math.max(0, Integer.parseInt(fields[5]))));
                free = end;
            }
        }
        publish(next);
    }
}
