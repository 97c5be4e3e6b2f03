package io.remap.health.impact;

import io.remap.api.spi.WatchedDisk;
import io.remap.api.spi.WatchedDisk.Damage;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;

/**
 * What is hit by damage, which includes what stands in avoided areas: which partitions, where in them, and which commands name the files.
 *
 * <p>Invariants: all of the damage is counted, however much it is; at most {@link #MAX_RANGES} of its ranges are listed, of each
 * partition at least {@link #MIN_RANGES} (or all), so that an answer stays bounded. Each list has its total beside it.
 */
public final class Impact {
    static final int MAX_RANGES = 10_000;

    /** More than any command takes. */
    static final int MIN_RANGES = 100;

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
    public Map<String, Object> of(Iterable<Damage> damage) {
        FileSystem whole = FileSystem.of(start(0, sizeBytes));
        // A file system on the whole disk may have what looks like a partition table in its first sector.
        List<Partition> partitions =
                whole.kind().isEmpty() ? PartitionTable.of(reader, sizeBytes, sectorBytes) : List.of();
        if (partitions.isEmpty()) {
            partitions = List.of(new Partition(0, 0, sizeBytes));
        }
        Ranges all = new Ranges();
        Ranges outside = new Ranges();
        List<Hits> hits = partitions.stream().map(Hits::new).toList();
        int[] left = {MAX_RANGES};
        for (Damage one : damage) {
            all.add(one, () -> describe(one), left(all.listed.size()));
            boolean isInside = false;
            for (Hits in : hits) {
                isInside |= in.add(one, left);
            }
            if (!isInside) {
                outside.add(one, () -> describe(one), left(outside.listed.size()));
            }
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("sectorBytes", sectorBytes);
        answer.put("rangesTotal", all.count);
        answer.put("sectorsTotal", all.sectors);
        answer.put("ranges", all.listed);
        answer.put(
                "partitions",
                hits.stream()
                        .filter(in -> in.ranges.count > 0)
                        .map(this::describe)
                        .toList());
        answer.put("outsideTotal", outside.count);
        answer.put("outside", outside.listed);
        return answer;
    }

    private static boolean left(int listed) {
        return listed < MAX_RANGES;
    }

    private java.util.Optional<java.nio.ByteBuffer> start(long offsetBytes, long lengthBytes) {
        return lengthBytes < FileSystem.PROBE_BYTES
                ? java.util.Optional.empty()
                : reader.read(offsetBytes, FileSystem.PROBE_BYTES);
    }

    /** Ranges that are counted, and the first of them. */
    private static final class Ranges {
        private final List<Map<String, Object>> listed = new ArrayList<>();
        private long count;
        private long sectors;

        private void add(Damage damage, Supplier<Map<String, Object>> described, boolean isListed) {
            count++;
            sectors += damage.range().lengthSectors();
            if (isListed) {
                listed.add(described.get());
            }
        }
    }

    /** Damage within a partition. */
    private final class Hits {
        private final Partition partition;
        private final Ranges ranges = new Ranges();
        private final List<FileSystem.Place> places = new ArrayList<>();

        private Hits(Partition partition) {
            this.partition = partition;
        }

        /**
         * Counts what lies in it.
         *
         * @param left how many ranges may be listed of all partitions
         * @return whether any of it does
         */
        private boolean add(Damage damage, int[] left) {
            long from = Math.max(damage.range().firstSector() * sectorBytes, partition.startBytes());
            long to = Math.min(damage.range().endSector() * sectorBytes, partition.endBytes());
            if (from >= to) {
                return false;
            }
            boolean isListed = places.size() < MIN_RANGES || left[0] > 0;
            FileSystem.Place place = new FileSystem.Place(from - partition.startBytes(), to - from);
            if (isListed) {
                left[0]--;
                places.add(place);
            }
            ranges.add(damage, () -> describe(place, damage.cause()), isListed);
            return true;
        }
    }

    private static Map<String, Object> describe(FileSystem.Place place, WatchedDisk.Cause cause) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("offsetBytes", place.startBytes());
        map.put("lengthBytes", place.lengthBytes());
        map.put("state", word(cause));
        return map;
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

    private Map<String, Object> describe(Hits hits) {
        Partition partition = hits.partition;
        FileSystem system = FileSystem.of(start(partition.startBytes(), partition.lengthBytes()));
        String name = partition.device(device);
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("number", partition.number());
        map.put("device", name);
        map.put("startBytes", partition.startBytes());
        map.put("lengthBytes", partition.lengthBytes());
        map.put("fileSystem", system.kind());
        map.put("blockBytes", system.blockBytes());
        map.put("rangesTotal", hits.ranges.count);
        map.put("ranges", hits.ranges.listed);
        map.put("commands", system.commands(name, hits.places, hits.ranges.count));
        return map;
    }
}
