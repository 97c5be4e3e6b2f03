package io.remap.core;

import io.remap.api.DeviceTraits;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.RemapTable;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.SparePlan;
import java.util.Optional;

/**
 * How large a spare should be. Pure.
 *
 * <p>The rule of dm-remap v4, in sectors: {@code (4096 / sector + 1 + main * percent / 100 + bad * 64 / sector + 1)},
 * plus 20 %: its metadata, the expected share of main, an entry of 64 bytes for each known bad sector. Its strict rule:
 * 1.05 times main. Ours is smaller, because most disks with errors have fewer than fifty: 0.1 % of main, at least 64 MiB.
 */
public final class SpareSizing {
    public static final int DEFAULT_PERCENT = 2;
    public static final int MAX_PERCENT = 20;

    /** What we recommend at least. */
    static final long MIN_RECOMMENDED_BYTES = 64L << 20;

    /** The largest main that is served. */
    static final long MAX_MAIN_BYTES = RemapTable.MAX_UNITS << Place.UNIT_SHIFT;

    private static final long RECOMMENDED_SHARE = 1000;
    private static final long ROUNDING_BYTES = 1L << 20;

    private static final int ORIGINAL_METADATA_BYTES = 4096;
    private static final int ORIGINAL_ENTRY_BYTES = 64;
    private static final int ORIGINAL_MARGIN_PERCENT = 20;
    private static final int ORIGINAL_STRICT_PERCENT = 105;

    private static final double SMALL_RATIO_PERCENT = 10;
    private static final double MIRROR_RATIO_PERCENT = 50;

    /** Rounds of growing a spare until its metadata offers the slots that are wanted. */
    private static final int MAX_GROWTH_ROUNDS = 16;

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
     *     or it says that this is too small
     * @param recommendedPlan what a spare of {@code recommendedBytes} offers, empty likewise
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
        check(question);
        long calculated = calculatedBytes(question);
        long sectors = question.mainBytes / question.sectorBytes;
        long strict = divideRoundingUp(sectors * ORIGINAL_STRICT_PERCENT, 100) * question.sectorBytes;
        long needed = question.strict ? strict : calculated;
        double ratioPercent = 100.0 * needed / question.mainBytes;
        long recommended = recommendedBytes(question, metadata);
        return new Report(
                question,
                calculated,
                strict,
                needed,
                ratioPercent,
                hint(ratioPercent),
                recommended,
                plan(metadata, needed, question.sectorBytes),
                plan(metadata, recommended, question.sectorBytes));
    }

    /** Size of the sidecar {@code MAIN.spare} that {@code serve} makes for an image file, in bytes. */
    public static long sidecarBytes(long mainBytes) {
        return roundUp(Math.max(MIN_RECOMMENDED_BYTES, mainBytes / RECOMMENDED_SHARE), ROUNDING_BYTES);
    }

    private static void check(Question question) throws Refusal {
        int sectorBytes = question.sectorBytes;
        if (Integer.bitCount(sectorBytes) != 1
                || sectorBytes < DeviceTraits.MIN_SECTOR_BYTES
                || sectorBytes > DeviceTraits.MAX_SECTOR_BYTES) {
            throw usage("a sector has 512, 1024, 2048 or 4096 bytes, not " + sectorBytes);
        }
        if (question.mainBytes < sectorBytes
                || question.mainBytes > MAX_MAIN_BYTES
                || question.mainBytes % sectorBytes != 0) {
            throw usage("the size of main must be a multiple of its sector, " + sectorBytes + " to " + MAX_MAIN_BYTES
                    + " bytes; found " + question.mainBytes);
        }
        if (question.percent < 0 || question.percent > MAX_PERCENT) {
            throw usage(
                    "the expected share of bad sectors is 0 to " + MAX_PERCENT + " percent, not " + question.percent);
        }
        long sectors = question.mainBytes / sectorBytes;
        if (question.badSectors < 0 || question.badSectors > sectors) {
            throw usage("main has " + sectors + " sectors, so 0 to " + sectors + " of them can be bad, not "
                    + question.badSectors);
        }
        long wanted = Math.min(question.badSectors, units(question));
        if (wanted > Place.MAX_SLOT) {
            throw usage("no spare takes " + question.badSectors
                    + " bad sectors: each may need a slot of its own, and a spare has at most " + Place.MAX_SLOT
                    + " of them; copy what can be read of main to another disk");
        }
    }

    private static Refusal usage(String message) {
        return new Refusal(Refusal.Kind.USAGE, message);
    }

    private static long calculatedBytes(Question question) {
        int sectorBytes = question.sectorBytes;
        long sectors = ORIGINAL_METADATA_BYTES / sectorBytes
                + 1
                + question.mainBytes / sectorBytes * question.percent / 100
                + question.badSectors * ORIGINAL_ENTRY_BYTES / sectorBytes
                + 1;
        return divideRoundingUp(sectors * (100 + ORIGINAL_MARGIN_PERCENT), 100) * sectorBytes;
    }

    /** Room for twice the known bad sectors, each in a slot of its own, since bad sectors seldom stay alone. */
    private static long recommendedBytes(Question question, Optional<MetadataProvider> metadata) {
        long slots = Math.min(2 * question.badSectors, Math.min(units(question), Place.MAX_SLOT));
        long bytes = roundUp(Math.max(sidecarBytes(question.mainBytes), slots * Place.UNIT_BYTES), ROUNDING_BYTES);
        for (int round = 0; round < MAX_GROWTH_ROUNDS; round++) {
            Optional<SparePlan> offered = plan(metadata, bytes, question.sectorBytes);
            if (offered.isEmpty() || offered.get().slots() >= slots) {
                break;
            }
            bytes = roundUp(bytes + (slots - offered.get().slots()) * Place.UNIT_BYTES, ROUNDING_BYTES);
        }
        return bytes;
    }

    private static long units(Question question) {
        return divideRoundingUp(question.mainBytes, Place.UNIT_BYTES);
    }

    private static Optional<SparePlan> plan(Optional<MetadataProvider> metadata, long bytes, int sectorBytes) {
        if (metadata.isEmpty()) {
            return Optional.empty();
        }
        try {
            return Optional.of(metadata.get().plan(bytes, sectorBytes));
        } catch (Refusal e) {
            return Optional.empty();
        }
    }

    private static String hint(double ratioPercent) {
        if (ratioPercent < SMALL_RATIO_PERCENT) {
            return "a small share of main: a spare pays well";
        }
        if (ratioPercent < MIRROR_RATIO_PERCENT) {
            return "a fair share of main: a spare still pays";
        }
        return "so large a share of main that a mirror (RAID 1) protects more for the same space";
    }

    private static long divideRoundingUp(long value, long divisor) {
        return value / divisor + (value % divisor == 0 ? 0 : 1);
    }

    private static long roundUp(long value, long unit) {
        return divideRoundingUp(value, unit) * unit;
    }
}
