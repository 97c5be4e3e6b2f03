package io.remap.health.record;

/**
 * What was found in one region of the disk since it is watched. Counts are of sectors, but for those of probes.
 *
 * @param region its number
 * @param unreadable found unreadable by scans or clients
 * @param redirected of writes that failed
 * @param recovered read only after retries
 * @param slow slow twice
 * @param slowProbes reads of suspected ranges that were slow while other places were not
 * @param relocated moved while they could still be read
 * @param firstMillis when the first of it was found, since 1970
 * @param lastMillis when the last
 */
public record RegionRecord(
        long region,
        long unreadable,
        long redirected,
        long recovered,
        long slow,
        long slowProbes,
        long relocated,
        long firstMillis,
        long lastMillis) {
    /** The same, if something was there at that time as well. */
    public RegionRecord during(long millis) {
        return new RegionRecord(
                region,
                unreadable,
                redirected,
                recovered,
                slow,
                slowProbes,
                relocated,
                Math.min(firstMillis, millis),
                Math.max(lastMillis, millis));
    }

    /** All that speaks against the region; the worst have most of it. */
    public long weight() {
        return 4 * (unreadable + redirected) + 2 * recovered + slow + slowProbes;
    }
}
