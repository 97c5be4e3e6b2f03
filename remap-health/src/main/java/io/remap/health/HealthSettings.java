package io.remap.health;

import io.remap.api.Refusal;
import io.remap.api.Setting;
import io.remap.api.Settings;
import io.remap.health.alert.AlertLimits;
import io.remap.health.scan.ScanSettings;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * What the user chose about health.
 *
 * @param scan how the scanner works
 * @param smartProgram that asks drives; empty: none
 * @param smartDevice the drive to ask; empty: main, if it is a block device
 * @param smartPauseMillis between two questions
 * @param smartTimeoutMillis for an answer
 * @param hook program that is run for alerts; empty: none
 * @param hookTimeoutMillis for one run
 * @param limits of alerts
 */
record HealthSettings(
        ScanSettings scan,
        String smartProgram,
        String smartDevice,
        long smartPauseMillis,
        long smartTimeoutMillis,
        String hook,
        long hookTimeoutMillis,
        AlertLimits limits) {
    private static final long MAX_SECONDS = 86_400;
    private static final Setting SMART_PROGRAM = new Setting(
            "smart.program",
            "smartctl",
            "Program that asks the drive of main, as smartctl of smartmontools; off: none.");
    private static final Setting SMART_DEVICE = new Setting(
            "smart.device", "auto", "The drive to ask, for example /dev/sda; auto: main, if it is a block device.");
    private static final Setting SMART_PAUSE = new Setting(
            "smart.pause-seconds",
            "3600",
            "How long after one answer the drive is asked again; 10 to " + MAX_SECONDS + ".");
    private static final Setting SMART_TIMEOUT =
            new Setting("smart.timeout-seconds", "30", "How long an answer is waited for; 1 to " + MAX_SECONDS + ".");
    private static final Setting HOOK = new Setting(
            "alert.hook",
            "off",
            "Program that is run for each alert, with variables as smartd gives them; a full path, or off.");
    private static final Setting HOOK_TIMEOUT =
            new Setting("alert.hook-timeout-seconds", "30", "How long that program may run; 1 to " + MAX_SECONDS + ".");
    private static final String OFF = "off";

    static List<Setting> all() {
        List<Setting> all = new ArrayList<>(ScanSettings.ALL);
        all.addAll(List.of(SMART_PROGRAM, SMART_DEVICE, SMART_PAUSE, SMART_TIMEOUT, HOOK, HOOK_TIMEOUT));
        all.addAll(AlertLimits.ALL);
        return List.copyOf(all);
    }

    static HealthSettings read(Settings chosen) throws Refusal {
        String hook = chosen.text(HOOK);
        if (!hook.equals(OFF) && !hook.startsWith("/")) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "setting " + HOOK.name() + ": expected a full path, or off, found '" + hook + "'");
        }
        String program = chosen.text(SMART_PROGRAM);
        String device = chosen.text(SMART_DEVICE);
        return new HealthSettings(
                ScanSettings.read(chosen),
                program.equals(OFF) ? "" : program,
                device.equals("auto") ? "" : device,
                TimeUnit.SECONDS.toMillis(chosen.number(SMART_PAUSE, 10, MAX_SECONDS)),
                TimeUnit.SECONDS.toMillis(chosen.number(SMART_TIMEOUT, 1, MAX_SECONDS)),
                hook.equals(OFF) ? "" : hook,
                TimeUnit.SECONDS.toMillis(chosen.number(HOOK_TIMEOUT, 1, MAX_SECONDS)),
                AlertLimits.read(chosen));
    }
}
