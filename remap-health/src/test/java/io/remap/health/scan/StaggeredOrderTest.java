package io.remap.health.scan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.BitSet;
import java.util.SplittableRandom;
import java.util.function.LongUnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The order of a pass, and what it is good for. */
class StaggeredOrderTest {
    private static final long MIB = 1 << 20;

    @ParameterizedTest
    @ValueSource(longs = {512, MIB, 127 * MIB + 4096, 128 * MIB, 129 * MIB, 1000 * MIB + 512, 4096 * MIB})
    void everySegmentOnce(long sizeBytes) {
        StaggeredOrder order = new StaggeredOrder(sizeBytes, 512);
        BitSet seen = new BitSet();
        long bytes = 0;
        for (long position = 0; position < order.segments(); position++) {
            long segment = order.segmentAt(position);
            assertTrue(!seen.get((int) segment), "segment " + segment + " twice");
            seen.set((int) segment);
            bytes += order.segment(segment).lengthSectors() * 512;
        }
        assertEquals(sizeBytes, bytes);
        assertEquals(order.segments(), seen.cardinality());
    }

    @Test
    void theFirstSegmentOfEveryRegionComesFirst() {
        StaggeredOrder order = new StaggeredOrder(10 * 128 * MIB + 5 * MIB, 512);
        for (long region = 0; region < 11; region++) {
            assertEquals(region * 128, order.segmentAt(region));
        }
        assertEquals(1, order.segmentAt(11));
    }

    /**
     * Mean time from an error to its detection, in hours of passes of 14 days over 1 TiB, with bursts that spread over up to
     * 100 MB, and with the scan of the surroundings that every detection brings.
     */
    @Test
    void meanTimeToDetectionAgainstASequentialPass() {
        StaggeredOrder order = new StaggeredOrder(1L << 40, 512);
        double staggered = meanDetectionHours(order, order::segmentAt);
        double sequential = meanDetectionHours(order, position -> position);
        System.out.printf(
                "suite: mean time to detection, 1 TiB in 14 days: staggered %.1f h, sequential %.1f h (%.0f %% less)%n",
                staggered, sequential, 100 * (1 - staggered / sequential));
        assertTrue(staggered < sequential, "staggered " + staggered + " h, sequential " + sequential + " h");
    }

    private static double meanDetectionHours(StaggeredOrder order, LongUnaryOperator segmentAt) {
        long segments = order.segments();
        long[] positionOf = new long[(int) segments];
        for (long position = 0; position < segments; position++) {
            positionOf[(int) segmentAt.applyAsLong(position)] = position;
        }
        SplittableRandom random = new SplittableRandom(11);
        double sum = 0;
        long errors = 0;
        for (int burst = 0; burst < 2000; burst++) {
            long born = random.nextLong(segments);
            long spread = 1 + (long) Math.min(100, 5 * Math.pow(random.nextDouble(), -1 / 1.1));
            long first = random.nextLong(segments - spread);
            int count = 1 + random.nextInt(20);
            long[] hit = random.longs(count, first, first + spread).sorted().toArray();
            sum += detectionTimes(hit, born, positionOf, segments);
            errors += count;
        }
        return sum / errors * 14 * 24 / segments;
    }

    /** When the errors of one burst are found: by the pass, or near one that was found. */
    private static double detectionTimes(long[] hit, long born, long[] positionOf, long segments) {
        long[] byPass = new long[hit.length];
        for (int i = 0; i < hit.length; i++) {
            byPass[i] = Math.floorMod(positionOf[(int) hit[i]] - born, segments);
        }
        // Neighbours within reach are found with the earlier of the two: from both ends, until nothing changes.
        for (int i = 1; i < hit.length; i++) {
            if (hit[i] - hit[i - 1] <= LocalScans.REACH_SEGMENTS) {
                byPass[i] = Math.min(byPass[i], byPass[i - 1]);
            }
        }
        for (int i = hit.length - 2; i >= 0; i--) {
            if (hit[i + 1] - hit[i] <= LocalScans.REACH_SEGMENTS) {
                byPass[i] = Math.min(byPass[i], byPass[i + 1]);
            }
        }
        double sum = 0;
        for (long time : byPass) {
            sum += time;
        }
        return sum;
    }
}
