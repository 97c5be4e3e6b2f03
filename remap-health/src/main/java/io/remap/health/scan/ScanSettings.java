package io.remap.health.scan;

import io.remap.api.Refusal;
import io.remap.api.Setting;
import io.remap.api.Settings;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * How the scanner works, as the user chose it.
 *
 * @param enabled whether it reads the disk by itself
 * @param passMillis how long a pass should take that nobody asked for
 * @param elevatedMillis how long after the last error it goes at twice that pace
 * @param slowNanos a read that takes longer counts as slow, whoever made it
 * @param idleNanos how long clients must have been quiet before a read
 * @param busyWaitNanos how long a read that is due waits for that
 * @param startDelayNanos how long after the start the first pass begins or goes on
 * @param localDelayNanos how long after an error its surroundings are read
 * @param recheckNanos how long after it was slow a range is read again
 * @param movesPerHour most units moved in an hour
 * @param movesPerDay most units moved in a day
 * @param saveMillis how often the place of the scan is given to be saved
 */
public record ScanSettings(
        boolean enabled,
        long passMillis,
        long elevatedMillis,
        long slowNanos,
        long idleNanos,
        long busyWaitNanos,
        long startDelayNanos,
        long localDelayNanos,
        long recheckNanos,
        int movesPerHour,
        int movesPerDay,
        long saveMillis) {
    private static final long MAX_DAYS = 365;
    private static final long MAX_MILLIS = 60_000;
    private static final long MAX_SECONDS = 86_400;
    private static final int MAX_MOVES = 1_000_000;

    private static final Setting ENABLED = new Setting(
            "scan.enabled", "on", "Whether main is read from end to end all the time, a little now and then.");
    private static final Setting PASS_DAYS = new Setting(
            "scan.pass-days",
            "14",
            "How many days a pass over main takes that nobody asked for, if clients leave room for it; 1 to " + MAX_DAYS
                    + ".");
    private static final Setting ELEVATED = new Setting(
            "scan.elevated-days",
            "70",
            "How many days after the last sector that failed a pass goes on at twice that pace, as errors come in bursts; 0 to "
                    + MAX_DAYS + ".");
    private static final Setting SLOW = new Setting(
            "scan.slow-millis",
            "1000",
            "A read that takes longer counts as slow, a client's or the scanner's; what is slow at two probes while other places"
                    + " are not is weak. 1 to " + MAX_MILLIS + ".");
    private static final Setting IDLE = new Setting(
            "scan.idle-millis",
            "20",
            "How long clients must have been quiet before the scanner reads; 0 to " + MAX_MILLIS + ".");
    private static final Setting BUSY_WAIT = new Setting(
            "scan.busy-wait-millis",
            "1000",
            "How long a read that is due waits for clients to be quiet, before it is made all the same; 0 to "
                    + MAX_MILLIS + ".");
    private static final Setting START_DELAY = new Setting(
            "scan.start-delay-seconds",
            "600",
            "How long after the start of the disk the scanner begins to read by itself; 0 to " + MAX_SECONDS + ".");
    private static final Setting LOCAL_DELAY = new Setting(
            "scan.local-delay-seconds",
            "20",
            "How long after an error the 10 MB on both sides of it are read; 0 to 60.");
    private static final Setting RECHECK = new Setting(
            "scan.recheck-seconds",
            "60",
            "How long after it was slow a range is read again, when the drive has it in its cache no more; 0 to "
                    + MAX_SECONDS + ".");
    private static final Setting PER_HOUR = new Setting(
            "weak.moves-per-hour",
            "256",
            "Most units of 4096 bytes that are moved as weak in an hour, whoever found them; 0 to " + MAX_MOVES + ".");
    private static final Setting PER_DAY = new Setting(
            "weak.moves-per-day",
            "2048",
            "Most units of 4096 bytes that are moved as weak in a day, whoever found them; 0 to " + MAX_MOVES + ".");
    private static final Setting SAVE = new Setting(
            "scan.save-seconds",
            "60",
            "How often the place of the scan is noted, to go on from after a crash; 1 to " + MAX_SECONDS + ".");

    /** All of them. */
    public static final List<Setting> ALL = List.of(
            ENABLED,
            PASS_DAYS,
            ELEVATED,
            SLOW,
            IDLE,
            BUSY_WAIT,
            START_DELAY,
            LOCAL_DELAY,
            RECHECK,
            PER_HOUR,
            PER_DAY,
            SAVE);

    /** Reads them; refuses what does not fit. */
    public static ScanSettings read(Settings chosen) throws Refusal {
        return new ScanSettings(
                chosen.flag(ENABLED),
                TimeUnit.DAYS.toMillis(chosen.number(PASS_DAYS, 1, MAX_DAYS)),
                TimeUnit.DAYS.toMillis(chosen.number(ELEVATED, 0, MAX_DAYS)),
                TimeUnit.MILLISECONDS.toNanos(chosen.number(SLOW, 1, MAX_MILLIS)),
                TimeUnit.MILLISECONDS.toNanos(chosen.number(IDLE, 0, MAX_MILLIS)),
                TimeUnit.MILLISECONDS.toNanos(chosen.number(BUSY_WAIT, 0, MAX_MILLIS)),
                TimeUnit.SECONDS.toNanos(chosen.number(START_DELAY, 0, MAX_SECONDS)),
                TimeUnit.SECONDS.toNanos(chosen.number(LOCAL_DELAY, 0, 60)),
                TimeUnit.SECONDS.toNanos(chosen.number(RECHECK, 0, MAX_SECONDS)),
                (int) chosen.number(PER_HOUR, 0, MAX_MOVES),
                (int) chosen.number(PER_DAY, 0, MAX_MOVES),
                TimeUnit.SECONDS.toMillis(chosen.number(SAVE, 1, MAX_SECONDS)));
    }
}
