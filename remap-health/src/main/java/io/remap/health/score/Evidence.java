package io.remap.health.score;

import io.remap.health.smart.SmartReport;
import java.util.Optional;

/**
 * What is known about a disk at one moment: what score and alerts rest on.
 *
 * @param badUnits units of 4096 bytes found bad since it is watched: unreadable, or a write of them failed
 * @param newBadUnits of these those of the last 30 days
 * @param deadUnits units in areas of main that were found dead, and are avoided now
 * @param weakUnits units that were slow twice or needed retries
 * @param slowOfThousand of a thousand reads of scans those that were slow
 * @param unreadableSectors now
 * @param lostSectors now
 * @param deviceFaults errors of a device as a whole in the last 24 hours
 * @param failedFlushes in the last 24 hours
 * @param slots of the spare, 0 without one
 * @param usedSlots in use, or bad
 * @param redirects whether failing writes are redirected now, or there can be no write
 * @param smart what the drive says of itself
 */
public record Evidence(
        long badUnits,
        long newBadUnits,
        long deadUnits,
        long weakUnits,
        long slowOfThousand,
        long unreadableSectors,
        long lostSectors,
        long deviceFaults,
        long failedFlushes,
        long slots,
        long usedSlots,
        boolean redirects,
        Optional<SmartReport> smart) {
    /** Part of the spare in use, 0 to 100. */
    public long spareUsedPercent() {
        return slots == 0 ? 0 : 100 * usedSlots / slots;
    }
}
