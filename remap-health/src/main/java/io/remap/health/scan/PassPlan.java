package io.remap.health.scan;

import io.remap.health.record.RegionRecord;
import java.util.List;
import java.util.OptionalLong;

/**
 * When the pass reads its next segment, and what it reads between.
 *
 * <p>A pass that nobody asked for spreads over its days: it reads at the rate that brings it to its end in time, and catches
 * up, within limits, after it stood still. For some weeks after an error it goes at twice that rate: most of a drive's errors
 * come soon after each other (Schroeder, Damouras and Gill), and a faster scrub while more are likely finds them sooner at little
 * cost (Mahdisoltani, Stefanovici and Schroeder, ATC 2017). A requested pass has a rate of its own, or rests after each read as long as it
 * took. Where the pass has all the time, every fifth read is an extra one: errors are more frequent in the lowest tenth of a
 * disk (Schroeder, Damouras and Gill), and where there were some before.
 *
 * <p>Not thread-safe.
 */
final class PassPlan {
    /** Regions that get extra visits. */
    static final int WORST_REGIONS = 16;

    private static final int EXTRA_EVERY = 5;
    private static final int MAX_CATCH_UP = 8;
    private static final int ELEVATED_SPEED = 2;
    private static final double SMOOTHING = 0.05;
    private static final int MIN_SAMPLES = 8;

    private final StaggeredOrder order;
    private final ScanSettings settings;
    private final ScanProgress progress;
    private long dueNanos;
    private long lastFinishedNanos;
    private double segmentNanos;
    private int samples;
    private int sinceExtra;

    PassPlan(StaggeredOrder order, ScanSettings settings, ScanProgress progress) {
        this.order = order;
        this.settings = settings;
        this.progress = progress;
    }

    /** The pass goes on from this moment, after it stood still. */
    void resume(long atNanos) {
        dueNanos = atNanos;
        lastFinishedNanos = atNanos;
        samples = 0;
    }

    long dueNanos() {
        return dueNanos;
    }

    /** A job was done: sets the time of the next. Whether it had a place in the plan. */
    boolean finished(ScanJob job, long nowNanos, long nowMillis) {
        if (job.kind() == ScanJob.Kind.PASS) {
            double took = nowNanos - lastFinishedNanos;
            segmentNanos = samples == 0 ? took : segmentNanos + SMOOTHING * (took - segmentNanos);
            samples++;
            lastFinishedNanos = nowNanos;
        }
        boolean paced = job.kind() == ScanJob.Kind.PASS || job.kind() == ScanJob.Kind.EXTRA;
        if (paced) {
            long interval = intervalNanos(nowMillis);
            // From when it was due, so that waiting for clients costs nothing; but never several at once.
            dueNanos = progress.requested && progress.rateBytesPerSecond == 0
                    ? nowNanos + job.takenNanos()
                    : Math.max(dueNanos + interval, nowNanos);
        }
        return paced;
    }

    /** Between the beginnings of two reads, where the pass has a rate. */
    private long intervalNanos(long nowMillis) {
        if (progress.requested) {
            return progress.rateBytesPerSecond == 0
                    ? 0
                    : (long) (1e9 * StaggeredOrder.SEGMENT_BYTES / progress.rateBytesPerSecond);
        }
        double reads = (order.segments() - progress.position) * (1 + 1.0 / EXTRA_EVERY);
        double nominal = 1e6 * settings.passMillis() / (order.segments() * (1 + 1.0 / EXTRA_EVERY));
        double leftMillis = progress.startedMillis + settings.passMillis() - nowMillis;
        double wanted = 1e6 * Math.max(1, leftMillis) / Math.max(1, reads);
        int speed = elevatedUntilMillis(nowMillis) > 0 ? ELEVATED_SPEED : 1;
        return (long) Math.max(nominal / MAX_CATCH_UP, Math.min(nominal, wanted) / speed);
    }

    /** Until when passes go at twice the pace; 0 if they do not. */
    long elevatedUntilMillis(long nowMillis) {
        return progress.elevatedUntilMillis(nowMillis, settings.elevatedMillis());
    }

    /** The segment of an extra visit, if it is time for one. */
    OptionalLong takeExtra(List<RegionRecord> worst) {
        if (progress.requested || ++sinceExtra < EXTRA_EVERY) {
            return OptionalLong.empty();
        }
        sinceExtra = 0;
        boolean low = worst.isEmpty() || progress.lowCursor <= progress.worstCursor;
        if (low) {
            return OptionalLong.of(progress.lowCursor++ % Math.max(1, order.segments() / 10));
        }
        long perRegion = StaggeredOrder.REGION_BYTES / StaggeredOrder.SEGMENT_BYTES;
        long cursor = progress.worstCursor++;
        long region = worst.get((int) (cursor % worst.size())).region();
        long segment = region * perRegion + cursor / worst.size() % perRegion;
        return OptionalLong.of(Math.min(order.segments() - 1, segment));
    }

    /** How long the rest of the pass takes, in milliseconds; -1 if that cannot be told. */
    long restMillis(long nowMillis) {
        double perSegment = samples >= MIN_SAMPLES
                ? segmentNanos
                : intervalNanos(nowMillis) * (progress.requested ? 1 : 1 + 1.0 / EXTRA_EVERY);
        return perSegment == 0 ? -1 : (long) (perSegment * (order.segments() - progress.position) / 1e6);
    }

    /** Bytes in a second of late; 0 if that cannot be told. */
    long rateBytesPerSecond() {
        return samples < MIN_SAMPLES ? 0 : (long) (1e9 * StaggeredOrder.SEGMENT_BYTES / Math.max(1, segmentNanos));
    }
}
