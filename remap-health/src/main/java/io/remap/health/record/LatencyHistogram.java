package io.remap.health.record;

import java.util.Arrays;
import java.util.List;

/**
 * How long reads took, on a logarithmic scale: four buckets to each doubling, from 16 µs to over four minutes, so a quantile
 * is right within a fifth. Of a fixed size. Not thread-safe.
 */
public final class LatencyHistogram implements Remembered {
    private static final int STEPS = 4;
    private static final int FIRST_EXPONENT = 14;
    private static final int EXPONENTS = 24;
    private static final int BUCKETS = STEPS * EXPONENTS;

    private final String word;
    private final long[] counts = new long[BUCKETS];

    /**
     * An empty one.
     *
     * @param word under which it is remembered
     */
    public LatencyHistogram(String word) {
        this.word = word;
    }

    /** Counts a read. */
    public void add(long nanos) {
        counts[bucket(nanos)]++;
    }

    private static int bucket(long nanos) {
        int exponent = Long.SIZE - 1 - Long.numberOfLeadingZeros(Math.max(1, nanos));
        if (exponent < FIRST_EXPONENT) {
            return 0;
        }
        int step = (int) (nanos >>> (exponent - 2)) & (STEPS - 1);
        return Math.min(BUCKETS - 1, (exponent - FIRST_EXPONENT) * STEPS + step);
    }

    /** First duration beyond a bucket, in nanoseconds. */
    private static long end(int bucket) {
        long base = 1L << (FIRST_EXPONENT + bucket / STEPS);
        return base + base / STEPS * (bucket % STEPS + 1);
    }

    /** Reads counted. */
    public long count() {
        long sum = 0;
        for (long count : counts) {
            sum += count;
        }
        return sum;
    }

    /** The duration in nanoseconds that the part {@code quantile} (0 to 1) of the reads did not exceed; 0 without reads. */
    public long quantileNanos(double quantile) {
        long wanted = (long) Math.ceil(count() * quantile);
        long seen = 0;
        for (int bucket = 0; bucket < BUCKETS; bucket++) {
            seen += counts[bucket];
            if (seen >= wanted && seen > 0) {
                return end(bucket);
            }
        }
        return 0;
    }

    /** Reads that took longer than a duration, as far as the buckets tell: of those up to a quarter longer some are missing. */
    public long countBeyond(long nanos) {
        long sum = 0;
        for (int bucket = bucket(nanos) + 1; bucket < BUCKETS; bucket++) {
            sum += counts[bucket];
        }
        return sum;
    }

    /** Told of the buckets that hold something, the quickest first. */
    @FunctionalInterface
    public interface BucketVisitor {
        /**
         * Some reads.
         *
         * @param upToNanos the duration that they did not reach
         */
        void bucket(long upToNanos, long count);
    }

    /** Shows what it holds. */
    public void forEachBucket(BucketVisitor visitor) {
        for (int bucket = 0; bucket < BUCKETS; bucket++) {
            if (counts[bucket] > 0) {
                visitor.bucket(end(bucket), counts[bucket]);
            }
        }
    }

    /** Counts all reads of another one too. */
    public void addAll(LatencyHistogram other) {
        for (int bucket = 0; bucket < BUCKETS; bucket++) {
            counts[bucket] += other.counts[bucket];
        }
    }

    /** Forgets all. */
    public void clear() {
        Arrays.fill(counts, 0);
    }

    @Override
    public String word() {
        return word;
    }

    @Override
    public List<String> lines() {
        StringBuilder line = new StringBuilder();
        for (int bucket = 0; bucket < BUCKETS; bucket++) {
            if (counts[bucket] > 0) {
                line.append(line.length() == 0 ? "" : " ")
                        .append(bucket)
                        .append(':')
                        .append(counts[bucket]);
            }
        }
        return line.length() == 0 ? List.of() : List.of(line.toString());
    }

    @Override
    public void restore(String[] words) {
        for (String pair : words) {
            int colon = pair.indexOf(':');
            counts[Integer.parseInt(pair.substring(0, colon))] = Long.parseLong(pair.substring(colon + 1));
        }
    }
}
