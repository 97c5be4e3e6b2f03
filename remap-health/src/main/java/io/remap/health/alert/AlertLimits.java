package io.remap.health.alert;

import io.remap.api.Refusal;
import io.remap.api.Setting;
import io.remap.api.Settings;
import java.util.List;

/**
 * From which values on the user wants to be told, where that is a matter of taste: of what a spare is for, where a drive stands, and
 * how soon it is replaced. The other limits are those of studies, and fixed ({@link AlertRules}).
 *
 * @param spareWarningPercent of the spare in use
 * @param spareCriticalPercent the same, more than the one before
 * @param spareLastPercent the same, more than the one before
 * @param growthUnits bad units found within 30 days
 * @param warmCelsius a warning; {@link #AUTO}: as is right for the kind of drive
 * @param hotCelsius critical, more than the one before; {@link #AUTO} as well
 */
public record AlertLimits(
        long spareWarningPercent,
        long spareCriticalPercent,
        long spareLastPercent,
        long growthUnits,
        long warmCelsius,
        long hotCelsius) {
    /** As is right for the kind of drive. */
    public static final long AUTO = -1;

    private static final String AUTO_WORD = "auto";
    private static final long MIN_CELSIUS = 20;
    private static final long MAX_CELSIUS = 120;
    private static final long CELSIUS_APART = 10;
    private static final long MAX_GROWTH_UNITS = 1_000_000;

    private static final Setting SPARE_WARNING = new Setting(
            "alert.spare-warning-percent",
            "50",
            "Part of the spare in use from which on there is an alert, a warning; 1 to 100, less than"
                    + " alert.spare-critical-percent.");
    private static final Setting SPARE_CRITICAL = new Setting(
            "alert.spare-critical-percent",
            "80",
            "Part of the spare in use from which on the alert is critical; 1 to 100, less than alert.spare-last-percent.");
    private static final Setting SPARE_LAST = new Setting(
            "alert.spare-last-percent",
            "90",
            "Part of the spare in use from which on the alert is raised for the last time; 1 to 100.");
    private static final Setting GROWTH = new Setting(
            "alert.growth-units",
            "100",
            "Units of 4096 bytes found bad within 30 days from which on there is an alert, to replace main; 1 to "
                    + MAX_GROWTH_UNITS + ".");
    private static final Setting WARM = new Setting(
            "alert.temperature-warning-celsius",
            AUTO_WORD,
            "Temperature of the drive from which on there is an alert, a warning; " + MIN_CELSIUS + " to " + MAX_CELSIUS
                    + ", or auto: 55, of NVMe drives 70, and ten below what is chosen as critical at most.");
    private static final Setting HOT = new Setting(
            "alert.temperature-critical-celsius",
            AUTO_WORD,
            "Temperature of the drive from which on the alert is critical; " + MIN_CELSIUS + " to " + MAX_CELSIUS
                    + ", or auto: 65, of NVMe drives 80, and ten above what is chosen as a warning at least.");

    /** All of them. */
    public static final List<Setting> ALL = List.of(SPARE_WARNING, SPARE_CRITICAL, SPARE_LAST, GROWTH, WARM, HOT);

    /** What holds if nobody chooses. */
    public static final AlertLimits USUAL = new AlertLimits(50, 80, 90, 100, AUTO, AUTO);

    /** Reads them; refuses what does not fit, each by itself or together. */
    public static AlertLimits read(Settings chosen) throws Refusal {
        AlertLimits limits = new AlertLimits(
                chosen.number(SPARE_WARNING, 1, 100),
                chosen.number(SPARE_CRITICAL, 1, 100),
                chosen.number(SPARE_LAST, 1, 100),
                chosen.number(GROWTH, 1, MAX_GROWTH_UNITS),
                celsius(chosen, WARM),
                celsius(chosen, HOT));
        requireLess(SPARE_WARNING, limits.spareWarningPercent, SPARE_CRITICAL, limits.spareCriticalPercent);
        requireLess(SPARE_CRITICAL, limits.spareCriticalPercent, SPARE_LAST, limits.spareLastPercent);
        if (limits.warmCelsius != AUTO && limits.hotCelsius != AUTO) {
            requireLess(WARM, limits.warmCelsius, HOT, limits.hotCelsius);
        }
        return limits;
    }

    private static long celsius(Settings chosen, Setting setting) throws Refusal {
        return chosen.text(setting).equals(AUTO_WORD) ? AUTO : chosen.number(setting, MIN_CELSIUS, MAX_CELSIUS);
    }

    private static void requireLess(Setting lower, long less, Setting higher, long more) throws Refusal {
        if (less >= more) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "setting " + lower.name() + ": expected less than " + higher.name() + ", which is " + more
                            + ", found " + less);
        }
    }

    /**
     * Of disks that spin and of SATA SSDs 55; NVMe drives are built for more, and often reach that when they work. Not within
     * ten degrees of what was chosen as hot.
     */
    long warmCelsius(boolean nvme) {
        long usual = nvme ? 70 : 55;
        long mostOfAuto = hotCelsius == AUTO ? usual : Math.min(usual, hotCelsius - CELSIUS_APART);
        return warmCelsius == AUTO ? mostOfAuto : warmCelsius;
    }

    /** As {@link #warmCelsius(boolean)}, ten more. */
    long hotCelsius(boolean nvme) {
        long usual = nvme ? 80 : 65;
        long leastOfAuto = warmCelsius == AUTO ? usual : Math.max(usual, warmCelsius + CELSIUS_APART);
        return hotCelsius == AUTO ? leastOfAuto : hotCelsius;
    }
}
