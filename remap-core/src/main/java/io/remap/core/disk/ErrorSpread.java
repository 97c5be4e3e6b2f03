package io.remap.core.disk;

import java.util.concurrent.TimeUnit;
import java.util.function.IntSupplier;

/**
 * Where and how often main fails lately. Errors in many regions within a minute, or half of all requests within seconds, look
 * more like a cable or a disk that goes than like bad sectors. That decides nothing: it is a reason to ask all canaries, and to
 * tell people what they said.
 *
 * <p>Invariants: tells of something once in {@link #WINDOW_NANOS}; remembers as many regions as make it tell. Thread-safe; takes a
 * lock, so it is told once for each recovery.
 */
final class ErrorSpread {
    static final int REGION_SHIFT = 27;
    static final long WINDOW_NANOS = TimeUnit.SECONDS.toNanos(60);

    private static final long RATE_WINDOW_NANOS = TimeUnit.SECONDS.toNanos(5);

    /** Fewer failed requests are no rate. */
    static final int MIN_FAILURES = 32;

    // Guarded by this.
    private long[] regions = {};
    private long[] lastNanos = {};
    private int known;
    private boolean toldBefore;
    private long toldNanos;
    private boolean counting;
    private long countingNanos;
    private long requestsThen;
    private long failures;

    private final IntSupplier mostRegions;

    /** @param mostRegions so many of 128 MiB are conspicuous; where that changes, what was remembered is forgotten */
    ErrorSpread(IntSupplier mostRegions) {
        this.mostRegions = mostRegions;
    }

    /**
     * Notes a request that failed on main.
     *
     * @param requests made so far, with the failed ones
     * @return what is conspicuous, empty if nothing is, or was told of already
     */
    synchronized String failed(long offsetBytes, long requests, long nowNanos) {
        boolean spread = isInManyRegions(offsetBytes >> REGION_SHIFT, nowNanos);
        boolean often = isOften(requests, nowNanos);
        if (!(spread || often) || (toldBefore && nowNanos - toldNanos < WINDOW_NANOS)) {
            return "";
        }
        toldBefore = true;
        toldNanos = nowNanos;
        return spread
                ? "errors in " + regions.length + " regions of 128 MiB within a minute"
                : "more than half of all requests failed for some seconds";
    }

    private boolean isInManyRegions(long region, long nowNanos) {
        int most = mostRegions.getAsInt();
        if (most != regions.length) {
            regions = new long[most];
            lastNanos = new long[most];
            known = 0;
        }
        int kept = 0;
        for (int i = 0; i < known; i++) {
            if (regions[i] != region && nowNanos - lastNanos[i] < WINDOW_NANOS) {
                regions[kept] = regions[i];
                lastNanos[kept] = lastNanos[i];
                kept++;
            }
        }
        if (kept == regions.length) {
            // The oldest makes room.
            System.arraycopy(regions, 1, regions, 0, --kept);
            System.arraycopy(lastNanos, 1, lastNanos, 0, kept);
        }
        regions[kept] = region;
        lastNanos[kept] = nowNanos;
        known = kept + 1;
        return known == regions.length;
    }

    private boolean isOften(long requests, long nowNanos) {
        if (!counting || nowNanos - countingNanos > RATE_WINDOW_NANOS) {
            counting = true;
            countingNanos = nowNanos;
            requestsThen = requests - 1;
            failures = 0;
        }
        failures++;
        return failures >= MIN_FAILURES && 2 * failures > requests - requestsThen;
    }
}
