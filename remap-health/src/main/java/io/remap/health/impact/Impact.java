package io.remap.health.impact;

import io.remap.api.SectorRange;
import io.remap.api.spi.WatchedDisk;
import io.remap.api.spi.WatchedDisk.Damage;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What is hit by damage, which includes what stands in avoided areas: which partitions, where in them, and which commands name the files. */
public final class Impact {
    private static final int MAX_RANGES_SHOWN = 100;

    private final Reader reader;
    private final long sizeBytes;
    private final int sectorBytes;
    private final String device;

    /**
     * For a disk.
     *
     * @param device where clients have it attached, for the commands
     */
    public Impact(Reader reader, long sizeBytes, int sectorBytes, String device) {
        this.reader = reader;
        this.sizeBytes = sizeBytes;
        this.sectorBytes = sectorBytes;
        this.device = device;
    }

    /** What the damage hits; a place outside of every partition is told of as such. */
    public Map<String, Object> of(List<Damage> damage) {
        FileSystem whole = FileSystem.of(start(0, sizeBytes));
        // A file system on the whole disk may have what looks like a partition table in its first sector.
        List<Partition> partitions =
                whole.kind().isEmpty() ? PartitionTable.of(reader, sizeBytes, sectorBytes) : List.of();
        if (partitions.isEmpty()) {
            partitions = List.of(new Partition(0, 0, sizeBytes));
        }
        List<Map<String, Object>> hit = new ArrayList<>();
        for (Partition partition : partitions) {
            List<Hit> hits = hitsIn(partition, damage);
            if (!hits.isEmpty()) {
                hit.add(describe(partition, hits));
            }
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("sectorBytes", sectorBytes);
        answer.put(
                "ranges",
                damage.stream().limit(MAX_RANGES_SHOWN).map(this::describe).toList());
        answer.put("partitions", hit);
        List<Partition> all = partitions;
        answer.put(
                "outside",
                damage.stream()
                        .filter(one -> all.stream().noneMatch(partition -> overlaps(partition, one.range())))
                        .limit(MAX_RANGES_SHOWN)
                        .map(this::describe)
                        .toList());
        return answer;
    }

    private java.util.Optional<java.nio.ByteBuffer> start(long offsetBytes, long lengthBytes) {
        return lengthBytes < FileSystem.PROBE_BYTES
                ? java.util.Optional.empty()
                : reader.read(offsetBytes, FileSystem.PROBE_BYTES);
    }

    private boolean overlaps(Partition partition, SectorRange range) {
        return range.firstSector() * sectorBytes < partition.endBytes()
                && partition.startBytes() < range.endSector() * sectorBytes;
    }

    /** Damage within a partition. */
    private record Hit(FileSystem.Place place, WatchedDisk.Cause cause) {}

    private List<Hit> hitsIn(Partition partition, List<Damage> damage) {
        List<Hit> hits = new ArrayList<>();
        for (Damage one : damage) {
            if (overlaps(partition, one.range())) {
                long from = Math.max(one.range().firstSector() * sectorBytes, partition.startBytes());
                long to = Math.min(one.range().endSector() * sectorBytes, partition.endBytes());
                hits.add(new Hit(new FileSystem.Place(from - partition.startBytes(), to - from), one.cause()));
            }
        }
        return hits;
    }

    private Map<String, Object> describe(Damage damage) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("first", damage.range().firstSector());
        map.put("length", damage.range().lengthSectors());
        map.put("offsetBytes", damage.range().firstSector() * sectorBytes);
        map.put("lengthBytes", damage.range().lengthSectors() * sectorBytes);
        map.put("state", word(damage.cause()));
        return map;
    }

    private static String word(WatchedDisk.Cause cause) {
        return cause.name().toLowerCase(Locale.ROOT);
    }

    private Map<String, Object> describe(Partition partition, List<Hit> hits) {
        FileSystem system = FileSystem.of(start(partition.startBytes(), partition.lengthBytes()));
        String name = partition.device(device);
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("number", partition.number());
        map.put("device", name);
        map.put("startBytes", partition.startBytes());
        map.put("lengthBytes", partition.lengthBytes());
        map.put("fileSystem", system.kind());
        map.put("blockBytes", system.blockBytes());
        List<Map<String, Object>> ranges = new ArrayList<>();
        for (Hit hit : hits.subList(0, Math.min(MAX_RANGES_SHOWN, hits.size()))) {
            Map<String, Object> range = new LinkedHashMap<>();
            range.put("offsetBytes", hit.place().startBytes());
            range.put("lengthBytes", hit.place().lengthBytes());
            range.put("state", word(hit.cause()));
            ranges.add(range);
        }
        map.put("ranges", ranges);
        map.put("commands", system.commands(name, hits.stream().map(Hit::place).toList()));
        return map;
    }
}
