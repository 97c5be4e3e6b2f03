package io.remap.core.io;

import io.remap.api.Refusal;
import io.remap.api.Setting;
import io.remap.api.Settings;
import io.remap.api.spi.FaultPolicy;
import io.remap.api.spi.FaultPolicyProvider;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The rules for errors that hold unless another policy is chosen. */
public final class StandardFaultPolicyProvider implements FaultPolicyProvider {
    static final Setting RETRY_BACKOFF = new Setting(
            "retry-backoff-ms",
            "10,50,250",
            "How long to wait before each further try, the last for all that follow; 1 to 16 numbers from 0 to 60000.");
    static final Setting READ_ATTEMPTS = new Setting(
            "read-attempts", "3", "How often a sector that does not read is tried before it is blamed; 1 to 100.");
    static final Setting WRITE_ATTEMPTS = new Setting(
            "write-attempts",
            "1",
            "How often a range that takes no write is tried before it is halved or redirected; 1 to 100.");
    static final Setting HOST_ATTEMPTS = new Setting(
            "host-attempts", "20", "How often a transfer is tried while the host is short of something; 1 to 100.");
    static final Setting HOLD_OFF = new Setting(
            "hold-off-ms",
            "60000",
            "How long an unreadable sector answers EIO at once before it is tried again, doubling with each failure; 0"
                    + " to 86400000.");
    static final Setting HOLD_OFF_MAX =
            new Setting("hold-off-max-ms", "86400000", "Longest hold-off; 0 to 31536000000.");

    static final Setting AUTO_REMAP = new Setting(
            "auto-remap",
            "writes+weak",
            "What goes to the spare without being asked for: writes+weak (writes that main refuses, and sectors that are weak while"
                    + " they can be read), writes (those only) or off (nothing: such writes answer EIO).");
    static final Setting ERROR_THRESHOLD = new Setting(
            "error-threshold",
            "3",
            "How many errors of a unit of 4096 bytes that was read in the end make it weak; 1 to 1000. A write that fails needs"
                    + " one.");
    static final Setting WATCH_DECAY = new Setting(
            "watch-decay-hours", "336", "After how long without an error the errors of a unit count half; 1 to 87600.");
    static final Setting CANARY_ROUNDS = new Setting(
            "canary-rounds-per-second",
            "10",
            "How many times a second all canaries of a device that is down are asked, at most; between that one is. 2 to 1000.");
    static final Setting SPREAD_REGIONS = new Setting(
            "spread-regions",
            "8",
            "In how many regions of 128 MiB errors within a minute have all canaries asked and told of; 2 to 1024.");
    static final Setting AVOID = new Setting(
            "avoid",
            "on",
            "Whether areas of main in which nothing reads are left alone by themselves (reads fail at once, writes go to the spare):"
                    + " on or off. Those that 'remap avoid add' names are so in any case.");
    static final Setting AVOID_UNITS = new Setting(
            "avoid-units",
            "8",
            "How many units of 4096 bytes side by side that all fail are such an area; 2 to 65536.");
    static final Setting AVOID_SLOW = new Setting(
            "avoid-slow-ms",
            "500",
            "How long each attempt there must take, so that it is worth avoiding; 0 to 600000.");
    static final Setting AVOID_RETRY = new Setting(
            "avoid-retry-minutes",
            "60",
            "After how long an area that is avoided by itself is tried again once somebody reads or scans it, doubling up to a day;"
                    + " 1 to 1440.");
    static final Setting AVOID_SPARE = new Setting(
            "avoid-spare-percent",
            "50",
            "How much of the slots of the spares writes to avoided areas may take, in percent, before they answer ENOSPC; 0 to"
                    + " 100.");
    static final Setting UNREADABLE_WRITES = new Setting(
            "unreadable-writes",
            "relocate",
            "Where a write to sectors that cannot be read goes: relocate (to the spare) or heal (to main, read back; to the spare"
                    + " if main fails, or if they become unreadable again).");
    static final Setting MAX_REMAPPED = new Setting(
            "max-remapped",
            "0",
            "How many units of 4096 bytes may be in the map before a write that main refuses answers ENOSPC although the spare"
                    + " has room; 0 (no limit) to 1000000000000.");

    private static final int MAX_AVOID_UNITS = 65_536;
    private static final long MAX_SLOW_MILLIS = 600_000;
    private static final int MAX_PERCENT = 100;
    private static final long MAX_UNITS = 1_000_000_000_000L;
    private static final int MAX_ATTEMPTS = 100;
    private static final int MAX_BACKOFF_STEPS = 16;
    private static final long MAX_BACKOFF_MILLIS = 60_000;
    private static final int MAX_REGIONS = 1024;
    private static final int MAX_ERRORS = 1000;
    private static final long MAX_DECAY_HOURS = 87_600;
    private static final long DAY_MILLIS = 86_400_000;

    @Override
    public String name() {
        return "standard";
    }

    @Override
    public String description() {
        return "a few retries, then the sector; never a sector of a device that is down";
    }

    @Override
    public List<Setting> settings() {
        return List.of(
                RETRY_BACKOFF,
                READ_ATTEMPTS,
                WRITE_ATTEMPTS,
                HOST_ATTEMPTS,
                HOLD_OFF,
                HOLD_OFF_MAX,
                AUTO_REMAP,
                ERROR_THRESHOLD,
                WATCH_DECAY,
                CANARY_ROUNDS,
                SPREAD_REGIONS,
                AVOID,
                AVOID_UNITS,
                AVOID_SLOW,
                AVOID_RETRY,
                AVOID_SPARE,
                UNREADABLE_WRITES,
                MAX_REMAPPED);
    }

    @Override
    public void check(Settings settings) throws Refusal {
        open(settings);
    }

    @Override
    public FaultPolicy open(Settings settings) throws Refusal {
        return new StandardFaultPolicy(
                backoff(settings),
                (int) settings.number(READ_ATTEMPTS, 1, MAX_ATTEMPTS),
                (int) settings.number(WRITE_ATTEMPTS, 1, MAX_ATTEMPTS),
                (int) settings.number(HOST_ATTEMPTS, 1, MAX_ATTEMPTS),
                settings.number(HOLD_OFF, 0, DAY_MILLIS),
                settings.number(HOLD_OFF_MAX, 0, 365 * DAY_MILLIS),
                redirection(settings),
                new StandardFaultPolicy.Watching(
                        (int) settings.number(ERROR_THRESHOLD, 1, MAX_ERRORS),
                        TimeUnit.HOURS.toMillis(settings.number(WATCH_DECAY, 1, MAX_DECAY_HOURS))),
                new StandardFaultPolicy.Asking((int) settings.number(CANARY_ROUNDS, 2, MAX_ERRORS), (int)
                        settings.number(SPREAD_REGIONS, 2, MAX_REGIONS)),
                avoiding(settings));
    }

    private static StandardFaultPolicy.Avoiding avoiding(Settings settings) throws Refusal {
        int units = (int) settings.number(AVOID_UNITS, 2, MAX_AVOID_UNITS);
        return new StandardFaultPolicy.Avoiding(
                oneOf(settings, AVOID, "on", "off").equals("on") ? units : 0,
                settings.number(AVOID_SLOW, 0, MAX_SLOW_MILLIS),
                TimeUnit.MINUTES.toMillis(settings.number(AVOID_RETRY, 1, TimeUnit.DAYS.toMinutes(1))),
                (int) settings.number(AVOID_SPARE, 0, MAX_PERCENT));
    }

    private static StandardFaultPolicy.Redirection redirection(Settings settings) throws Refusal {
        long most = settings.number(MAX_REMAPPED, 0, MAX_UNITS);
        String moves = oneOf(settings, AUTO_REMAP, "off", "writes", "writes+weak");
        return new StandardFaultPolicy.Redirection(
                !moves.equals("off"),
                moves.equals("writes+weak"),
                oneOf(settings, UNREADABLE_WRITES, "relocate", "heal").equals("heal"),
                most == 0 ? Long.MAX_VALUE : most);
    }

    private static String oneOf(Settings settings, Setting setting, String... words) throws Refusal {
        String text = settings.text(setting);
        if (!List.of(words).contains(text)) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "setting " + setting.name() + ": expected " + String.join(" or ", words) + ", found '" + text
                            + "'");
        }
        return text;
    }

    private static long[] backoff(Settings settings) throws Refusal {
        String text = settings.text(RETRY_BACKOFF);
        String[] parts = text.split(",", -1);
        if (parts.length > MAX_BACKOFF_STEPS) {
            throw refusal(text);
        }
        long[] millis = new long[parts.length];
        for (int i = 0; i < parts.length; i++) {
            try {
                millis[i] = Long.parseLong(parts[i].trim());
            } catch (NumberFormatException e) {
                throw refusal(text);
            }
            if (millis[i] < 0 || millis[i] > MAX_BACKOFF_MILLIS) {
                throw refusal(text);
            }
        }
        return millis;
    }

    private static Refusal refusal(String text) {
        return new Refusal(
                Refusal.Kind.USAGE,
                "setting " + RETRY_BACKOFF.name() + ": expected 1 to " + MAX_BACKOFF_STEPS + " numbers from 0 to "
                        + MAX_BACKOFF_MILLIS + ", separated by commas; found '" + text + "'");
    }
}
