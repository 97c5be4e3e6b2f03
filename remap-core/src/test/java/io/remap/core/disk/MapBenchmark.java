package io.remap.core.disk;

import io.remap.api.Place;
import io.remap.api.RemapTable;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What one call of {@code map} costs: the cut of a range into segments, by the number of mappings in the table. Run with
 * {@code ./check bench jmh MapBenchmark}: the profiler shows the bytes allocated per call.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class MapBenchmark {
    private static final int SECTOR_BYTES = 512;

    /** Every third unit of the mapped half of the disk has an entry of its own, so that no two of them merge. */
    private static final long UNITS_PER_MAPPING = 3;

    /** A prime step walks over all mappings without a pattern that a cache would learn. */
    private static final long STEP = 7_919;

    /** What the table takes for an extent, and what a cache takes in at once, both in {@code int}. */
    private static final int INTS_PER_EXTENT = 4;

    private static final int INTS_PER_LINE = 16;
    private static final long SEED = 1;

    @Param({"0", "1000", "1000000"})
    int mappings;

    private final SegmentCursor cursor =
            new SegmentCursor(SECTOR_BYTES, place -> Place.slot(place) << Place.UNIT_SHIFT);
    private MapSnapshot snapshot;
    private int[] lines;
    private int line;
    private long next;

    /** Made by JMH. */
    public MapBenchmark() {}

    /** Builds the table. */
    @Setup
    public void build() {
        RemapTable.Builder builder = new RemapTable.Builder();
        int full = Place.fullMask(SECTOR_BYTES);
        for (long i = 0; i < mappings; i++) {
            builder.add(i * UNITS_PER_MAPPING, 1, Place.onSlot(0, i, full, 0));
        }
        snapshot = MapSnapshot.EMPTY.withTable(builder.build());
        lines = cycleOfLines(Math.max(1, mappings * INTS_PER_EXTENT / INTS_PER_LINE));
    }

    /** Each line names the next one; together they are one cycle in random order (Sattolo's algorithm). */
    private static int[] cycleOfLines(int count) {
        int[] cycle = new int[count * INTS_PER_LINE];
        Random random = new Random(SEED);
        for (int i = 0; i < count; i++) {
            cycle[i * INTS_PER_LINE] = i * INTS_PER_LINE;
        }
        for (int i = count - 1; i > 0; i--) {
            int other = random.nextInt(i) * INTS_PER_LINE;
            int mine = cycle[i * INTS_PER_LINE];
            cycle[i * INTS_PER_LINE] = cycle[other];
            cycle[other] = mine;
        }
        return cycle;
    }

    /**
     * What the machine takes to fetch one line of a memory as large as the table, where the line depends on the one before:
     * no look-up of an entry at random can be faster.
     */
    @Benchmark
    public int oneLineOfMemory() {
        line = lines[line];
        return line;
    }

    /** A range beyond every mapping: the disk that has bad sectors, but not here. */
    @Benchmark
    public long untouchedRange() {
        return firstSegment((mappings * UNITS_PER_MAPPING + 8) << Place.UNIT_SHIFT);
    }

    /** A range between mappings: the table has to be asked. */
    @Benchmark
    public long rangeBetweenMappings() {
        return firstSegment((nextMapping() * UNITS_PER_MAPPING + 1) << Place.UNIT_SHIFT);
    }

    /** A range that is mapped (with no mappings: the same range, untouched). */
    @Benchmark
    public long mappedRange() {
        return firstSegment((nextMapping() * UNITS_PER_MAPPING) << Place.UNIT_SHIFT);
    }

    private long nextMapping() {
        next += STEP;
        if (next >= mappings) {
            next = mappings == 0 ? 0 : next % mappings;
        }
        return next;
    }

    private long firstSegment(long offsetBytes) {
        cursor.reset(snapshot, offsetBytes, Place.UNIT_BYTES);
        cursor.next();
        return cursor.deviceOffsetBytes() + cursor.lengthBytes();
    }
}
