package io.remap.health.record;

import io.remap.api.Place;
import io.remap.api.SectorRange;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The regions in which something was found: the hotspots. Errors cluster, so they are few; beyond {@link #MAX_REGIONS} the
 * least bad one is forgotten, its counts stay in the totals. Beside them, which units were bad or weak: a unit that needs
 * retries each time that it is read is one weak unit, in its region too.
 *
 * <p>Not thread-safe.
 */
public final class RegionRecords implements Remembered {
    /** Most regions that are remembered. */
    public static final int MAX_REGIONS = 512;

    private static final long NO_REGION = -1;
    private static final int FIELDS_BEFORE_SLOW_PROBES = 8;

    /** What is counted. */
    public enum Finding {
        UNREADABLE,
        REDIRECTED,
        RECOVERED,
        SLOW,
        /** One read, however many sectors. */
        SLOW_PROBE,
        RELOCATED
    }

    private final int sectorBytes;
    private final FoundUnits bad = new FoundUnits("bad-units");
    private final FoundUnits weak = new FoundUnits("weak-units");
    private final Map<Long, RegionRecord> regions = new HashMap<>();
    private RegionRecord total = new RegionRecord(NO_REGION, 0, 0, 0, 0, 0, 0, 0, 0);

    /** Of a disk with sectors of this size. */
    public RegionRecords(int sectorBytes) {
        this.sectorBytes = sectorBytes;
    }

    /** Counts a finding. */
    public void add(long region, Finding finding, SectorRange found, long nowMillis) {
        long sectors = found.lengthSectors();
        long firstUnit = found.firstSector() * sectorBytes / Place.UNIT_BYTES;
        long endUnit = units(found.endSector());
        boolean news = switch (finding) {
            // Told of sectors that were not known before.
            case UNREADABLE, REDIRECTED -> {
                bad.add(firstUnit, endUnit);
                yield true;
            }
            case RECOVERED, SLOW -> weak.add(firstUnit, endUnit) > 0;
            case SLOW_PROBE, RELOCATED -> true;
        };
        if (news) {
            add(region, finding, sectors, nowMillis);
        }
    }

    private long units(long sectors) {
        return (sectors * sectorBytes + Place.UNIT_BYTES - 1) / Place.UNIT_BYTES;
    }

    private void add(long region, Finding finding, long sectors, long nowMillis) {
        total = plus(total, finding, sectors, nowMillis);
        RegionRecord before = regions.getOrDefault(region, new RegionRecord(region, 0, 0, 0, 0, 0, 0, 0, 0));
        regions.put(region, plus(before, finding, sectors, nowMillis));
        if (regions.size() > MAX_REGIONS) {
            regions.values().stream()
                    .filter(record -> record.region() != region)
                    .min(Comparator.comparingLong(RegionRecord::weight).thenComparingLong(RegionRecord::lastMillis))
                    .ifPresent(least -> regions.remove(least.region()));
        }
    }

    private static RegionRecord plus(RegionRecord before, Finding finding, long sectors, long nowMillis) {
        return new RegionRecord(
                before.region(),
                before.unreadable() + (finding == Finding.UNREADABLE ? sectors : 0),
                before.redirected() + (finding == Finding.REDIRECTED ? sectors : 0),
                before.recovered() + (finding == Finding.RECOVERED ? sectors : 0),
                before.slow() + (finding == Finding.SLOW ? sectors : 0),
                before.slowProbes() + (finding == Finding.SLOW_PROBE ? 1 : 0),
                before.relocated() + (finding == Finding.RELOCATED ? sectors : 0),
                before.firstMillis() == 0 ? nowMillis : before.firstMillis(),
                nowMillis);
    }

    /** Over the whole disk. */
    public RegionRecord total() {
        return total;
    }

    /** Units that were unreadable, or refused a write. */
    public long badUnits() {
        return bad.count();
    }

    /** Units that were slow twice, or read only after retries. */
    public long weakUnits() {
        return weak.count();
    }

    /** The parts of it that are kept over restarts. */
    public List<Remembered> remembered() {
        return List.of(bad, weak, this);
    }

    /** After they were restored: of what an earlier program saved the units are known by their sectors only. */
    public void restored() {
        bad.startFrom(units(total.unreadable() + total.redirected()));
        weak.startFrom(units(total.recovered() + total.slow()));
    }

    /** The worst regions, the worst first. */
    public List<RegionRecord> worst(int limit) {
        List<RegionRecord> all = new ArrayList<>(regions.values());
        all.sort(Comparator.comparingLong(RegionRecord::weight).reversed().thenComparingLong(RegionRecord::region));
        return List.copyOf(all.subList(0, Math.min(limit, all.size())));
    }

    @Override
    public String word() {
        return "region";
    }

    @Override
    public List<String> lines() {
        List<String> lines = new ArrayList<>();
        lines.add(line(total));
        worst(MAX_REGIONS).forEach(record -> lines.add(line(record)));
        return lines;
    }

    private static String line(RegionRecord r) {
        return r.region() + " " + r.unreadable() + " " + r.redirected() + " " + r.recovered() + " " + r.slow() + " "
                + r.relocated() + " " + r.firstMillis() + " " + r.lastMillis() + " "
                + r.slowProbes();
    }

    @Override
    public void restore(String[] words) {
        long[] n = java.util.Arrays.stream(words).mapToLong(Long::parseLong).toArray();
        // An earlier program saved no slow probes.
        long slowProbes = n.length > FIELDS_BEFORE_SLOW_PROBES ? n[FIELDS_BEFORE_SLOW_PROBES] : 0;
        RegionRecord record = new RegionRecord(n[0], n[1], n[2], n[3], n[4], slowProbes, n[5], n[6], n[7]);
        if (record.region() == NO_REGION) {
            total = record;
        } else if (regions.size() < MAX_REGIONS) {
            regions.put(record.region(), record);
        }
    }
}
