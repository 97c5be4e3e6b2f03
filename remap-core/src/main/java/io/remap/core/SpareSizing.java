package io.remap.core;

import io.remap.api.Refusal;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.SparePlan;
import java.util.Optional;

/** How large a spare should be. Pure. */
public final class SpareSizing {
    public static final int DEFAULT_PERCENT = 2;
    public static final int MAX_PERCENT = 20;

    /**
     * What is asked.
     *
     * @param mainBytes size of main
     * @param sectorBytes its logical sector
     * @param percent share of sectors expected to go bad, 0 to 20
     * @param badSectors sectors known as bad already
     * @param strict the strict rule: 1.05 times main
     */
    public record Question(long mainBytes, int sectorBytes, int percent, long badSectors, boolean strict) {}

    /**
     * The answer.
     *
     * @param question what was asked
     * @param calculatedBytes what the calculator of dm-remap v4 demands
     * @param strictBytes what its strict rule demands
     * @param neededBytes the one of both that was asked for
     * @param ratioPercent {@code neededBytes} as a share of main
     * @param hint what that share means, for people
     * @param recommendedBytes what we recommend: 0.1 % of main, at least 64 MiB, and enough for {@code badSectors}
     * @param neededPlan what a spare of {@code neededBytes} offers, empty if no metadata module is there
     * @param recommendedPlan what a spare of {@code recommendedBytes} offers
     */
    public record Report(
            Question question,
            long calculatedBytes,
            long strictBytes,
            long neededBytes,
            double ratioPercent,
            String hint,
            long recommendedBytes,
            Optional<SparePlan> neededPlan,
            Optional<SparePlan> recommendedPlan) {}

    private SpareSizing() {}

    /**
     * Calculates.
     *
     * @throws Refusal {@link Refusal.Kind#USAGE} if a number is out of range
     */
    public static Report report(Question question, Optional<MetadataProvider> metadata) throws Refusal {
        return Unbuilt.value(SpareSizing.class);
    }

    /** Size of the sidecar {@code MAIN.spare} that {@code serve} makes for an image file, in bytes. */
    public static long sidecarBytes(long mainBytes) {
        return Unbuilt.value(SpareSizing.class);
    }
}
