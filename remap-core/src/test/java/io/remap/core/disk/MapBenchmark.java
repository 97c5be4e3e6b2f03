package io.remap.core.disk;

import io.remap.api.Place;
import io.remap.api.RemapTable;
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

    @Param({"0", "1000", "1000000"})
    int mappings;

    private final SegmentCursor cursor = new SegmentCursor(SECTOR_BYTES, slot -> slot << Place.UNIT_SHIFT);
    private MapSnapshot snapshot;
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
