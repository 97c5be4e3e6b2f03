package io.remap.core;

import io.remap.api.BufferPool;
import io.remap.api.ByteSize;
import io.remap.api.Refusal;
import io.remap.api.Setting;
import io.remap.api.Settings;
import io.remap.core.disk.LedgerLimits;
import io.remap.core.disk.VirtualDisk;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;

/**
 * The settings of the service itself, read and checked once; those of the features belong to their providers.
 *
 * @param bufferPool provider of the memory of transfers, or {@link #AUTO}
 * @param bufferBudgetBytes most memory of transfers
 * @param ioEngine provider of the I/O engine, or {@link #AUTO}
 * @param policy provider of the rules for errors
 * @param frontend provider of the block protocol
 * @param health provider of the scanner, {@link #AUTO} or {@link #OFF}
 * @param control provider of the control, {@link #AUTO} or {@link #OFF}
 * @param healthDelayMillis how long after its disk health starts
 * @param ioOptDelayMillis how long after the service an I/O engine other than the plain one takes over, where the plain
 *     transport serves
 * @param cleanupDelayMillis how long after the last answer the disks are closed
 * @param returnPauseMillis how long what went to the spare only for lack of time stays there, 0: for good
 * @param verifySeconds how long after one reading of the copies of the metadata the next begins, 0: never
 * @param autosavePauseMillis how often events and counters are saved, 0: at the stop only
 * @param heartbeatMillis how often the spare gets a heartbeat for other hosts, 0: never
 * @param fingerprintMillis how long the reading of main for its fingerprint may take at a stop, 0: none is taken
 * @param checksumIdleMillis how long nobody has written to a part of a spare until it is sealed with checksums, 0: never
 * @param ledger of the writes that were not flushed, for each disk
 * @param deadlineMillis how long a request may take until it is answered
 * @param holdAwayMillis how long a request waits for a device that is away
 * @param drainTimeoutMillis how long requests under way may take when a disk leaves
 * @param saveTimeoutMillis how long flushing, saving and closing are waited for after that
 * @param featureTimeoutMillis how long the start or the stop of an optional feature is waited for
 */
record ServiceSettings(
        String bufferPool,
        long bufferBudgetBytes,
        String ioEngine,
        String policy,
        String frontend,
        String health,
        String control,
        long healthDelayMillis,
        long ioOptDelayMillis,
        long cleanupDelayMillis,
        long returnPauseMillis,
        long verifySeconds,
        long autosavePauseMillis,
        long heartbeatMillis,
        long fingerprintMillis,
        long checksumIdleMillis,
        LedgerLimits ledger,
        long deadlineMillis,
        long holdAwayMillis,
        long drainTimeoutMillis,
        long saveTimeoutMillis,
        long featureTimeoutMillis) {
    /** The provider that fits: the first one that is found, or the one that goes with the transport. */
    static final String AUTO = "auto";

    static final String OFF = "off";

    static final String PLAIN_POOL = "plain";
    static final String PLAIN_ENGINE = "inline";

    private static final long MAX_DELAY_MILLIS = 60_000;
    private static final long MAX_RETURN_PAUSE_SECONDS = TimeUnit.DAYS.toSeconds(1);
    private static final long MAX_VERIFY_SECONDS = TimeUnit.DAYS.toSeconds(30);
    private static final long MAX_AUTOSAVE_SECONDS = TimeUnit.DAYS.toSeconds(1);
    private static final long MAX_HEARTBEAT_SECONDS = 3600;
    private static final long MAX_DRAIN_MILLIS = 600_000;
    private static final long MAX_BUDGET_BYTES = 64L << 30;

    private static final Setting BUFFER_POOL = new Setting(
            "buffer-pool",
            AUTO,
            "Which module provides the memory of transfers: a name, or auto for the one that goes with the transport.");
    private static final Setting BUFFER_BUDGET = new Setting(
            "buffer-budget-bytes",
            "64M",
            "Most memory of transfers under way, from " + ByteSize.format(BufferPool.MAX_BUFFER_BYTES) + " to "
                    + ByteSize.format(MAX_BUDGET_BYTES) + ".");
    private static final Setting IO_ENGINE = new Setting(
            "io-engine",
            AUTO,
            "Which module executes transfers: a name, or auto for the one that goes with the transport. One that would make"
                    + " the event loops of the fast transport wait brings the plain one with it.");
    private static final Setting POLICY =
            new Setting("policy", "standard", "Which module decides what follows from errors.");
    private static final Setting FRONTEND = new Setting("frontend", "nbd", "Which block protocol is served.");
    private static final Setting HEALTH =
            new Setting("health", AUTO, "Which module watches the disks: a name, auto for the first found, or off.");
    private static final Setting CONTROL = new Setting(
            "control", AUTO, "Which module makes the service steerable: a name, auto for the first found, or off.");
    private static final Setting HEALTH_DELAY = new Setting(
            "start-delay.health-millis",
            "0",
            "How long after its disk health starts; 0 to " + MAX_DELAY_MILLIS + ". Requests do not wait for it.");
    private static final Setting IO_OPT_DELAY = new Setting(
            "start-delay.io-opt-millis",
            "0",
            "How long the plain I/O engine serves the plain transport before the chosen one takes over; 0 to "
                    + MAX_DELAY_MILLIS
                    + ". Transport and memory, and what the fast transport needs, are decided before the first client.");
    private static final Setting CLEANUP_DELAY = new Setting(
            "stop-delay.cleanup-millis",
            "0",
            "How long after the last answer the disks are closed; 0 to " + MAX_DELAY_MILLIS + ".");
    private static final Setting RETURN_PAUSE = new Setting(
            "return-pause-seconds",
            "60",
            "How long sectors stay on the spare that went there only because main took too long, before they are brought"
                    + " back; 0 (they stay) to " + MAX_RETURN_PAUSE_SECONDS + ".");
    private static final Setting VERIFY = new Setting(
            "metadata.verify-seconds",
            "3600",
            "How long after one reading of all copies of the metadata the next begins; what is damaged is written anew then."
                    + " 0 (never) to " + MAX_VERIFY_SECONDS + ".");
    private static final Setting AUTOSAVE_PAUSE = new Setting(
            "autosave-seconds",
            "60",
            "How often events and counters are saved on the spare, if they have changed; 0 (at the stop only) to "
                    + MAX_AUTOSAVE_SECONDS + ".");
    private static final Setting HEARTBEAT = new Setting(
            "heartbeat-seconds",
            "0",
            "For devices that other hosts can reach too: how often a heartbeat is saved on the spare. A server that cannot"
                    + " save one for " + Lease.HELD_BEATS
                    + " times as long serves no more; 'serve --take-over' on another host"
                    + " waits for " + Lease.SILENT_BEATS + " times as long. 0 (none) to " + MAX_HEARTBEAT_SECONDS
                    + ".");
    private static final Setting MAIN_CHECK = new Setting(
            "main-check-millis",
            "500",
            "How long a start compares main with its fingerprint of the last clean stop, before anything is written; the rest"
                    + " is compared while it is served. 0 (all of it then) to " + MAX_DELAY_MILLIS + ".");
    private static final Setting FINGERPRINT = new Setting(
            "fingerprint-millis",
            "5000",
            "How long the fingerprint of main may take at a clean stop, by which the next start sees whether main was written"
                    + " without remap; 0 (none is taken) to " + MAX_DELAY_MILLIS + ".");
    private static final Setting CHECKSUM_IDLE = new Setting(
            "checksum-idle-seconds",
            "0",
            "How long nobody has written to 256 KiB of a spare until it is read back and sealed with checksums: what is not as it"
                    + " was sealed is then an error, and never data. The next write there costs a commit. 0 (nothing is"
                    + " sealed; what is sealed is compared all the same) to " + MAX_AUTOSAVE_SECONDS + ".");
    private static final long MIN_LEDGER_BYTES = 64 << 10;
    /** Looking into a full one takes about three times as much of the heap, and servers have 512 MiB of that. */
    static final long MAX_LEDGER_BYTES = 64 << 20;

    private static final Setting LEDGER = new Setting(
            "ledger-bytes",
            "8M",
            "Memory of each disk for the checksums of what was written and not flushed, from "
                    + ByteSize.format(MIN_LEDGER_BYTES) + " to " + ByteSize.format(MAX_LEDGER_BYTES)
                    + " (a power of two is used); 64 bytes for 4096 written. When half of it is full, remap flushes by itself.");
    private static final Setting FLUSH_DEADLINE = new Setting(
            "flush-deadline-millis",
            String.valueOf(LedgerLimits.USUAL.flushDeadlineMillis()),
            "How long a flush waits until what may be lost is verified, before it answers with an error; 1 to "
                    + MAX_DRAIN_MILLIS + ".");
    private static final long MIN_DEADLINE_MILLIS = VirtualDisk.MIN_DEADLINE_MILLIS;
    private static final Setting DEADLINE = new Setting(
            "request-deadline-millis",
            "20000",
            "How long a request may take until it is answered, with an error if a device has not answered by then; what main has"
                    + " not taken after a quarter of it is written to the spare. " + MIN_DEADLINE_MILLIS + " to "
                    + MAX_DRAIN_MILLIS + "; less than the client's own limit.");
    private static final Setting HOLD_AWAY = new Setting(
            "drop-off-hold-millis",
            "15000",
            "How long a request waits for a device that is away before it fails; 0 (not at all) to " + MAX_DRAIN_MILLIS
                    + ". Its deadline counts all the same.");
    private static final Setting DRAIN_TIMEOUT = new Setting(
            "drain-timeout-millis",
            "6000",
            "How long requests under way may take when a disk or the service stops, before they are answered with an error; 0 to "
                    + MAX_DRAIN_MILLIS + ".");
    private static final Setting SAVE_TIMEOUT = new Setting(
            "save-timeout-millis",
            "20000",
            "How long a stop waits after that: half of it for devices that have not answered, the rest for flushing, saving and"
                    + " closing; 1 to " + MAX_DRAIN_MILLIS + ".");
    private static final Setting FEATURE_TIMEOUT = new Setting(
            "feature-timeout-millis",
            "5000",
            "How long the start or the stop of an optional feature is waited for; 1 to " + MAX_DELAY_MILLIS + ".");

    static final List<Setting> OWN = List.of(
            BUFFER_POOL,
            BUFFER_BUDGET,
            IO_ENGINE,
            POLICY,
            FRONTEND,
            HEALTH,
            CONTROL,
            HEALTH_DELAY,
            IO_OPT_DELAY,
            CLEANUP_DELAY,
            RETURN_PAUSE,
            VERIFY,
            AUTOSAVE_PAUSE,
            HEARTBEAT,
            MAIN_CHECK,
            FINGERPRINT,
            CHECKSUM_IDLE,
            LEDGER,
            FLUSH_DEADLINE,
            DEADLINE,
            HOLD_AWAY,
            DRAIN_TIMEOUT,
            SAVE_TIMEOUT,
            FEATURE_TIMEOUT);

    /** The settings of the service and of all providers. */
    static List<Setting> all(Providers providers) {
        return providers.ownedSettings().stream()
                .map(Providers.OwnedSetting::setting)
                .toList();
    }

    /** Reads them; refuses a value that does not fit and a setting that nobody knows. */
    static ServiceSettings read(Settings chosen, Providers providers) throws Refusal {
        Set<String> known = new TreeSet<>();
        all(providers).forEach(setting -> known.add(setting.name()));
        chosen.refuseUnknown(known);
        providers.check(chosen);
        return new ServiceSettings(
                chosen.text(BUFFER_POOL),
                bytes(chosen, BUFFER_BUDGET, BufferPool.MAX_BUFFER_BYTES, MAX_BUDGET_BYTES),
                chosen.text(IO_ENGINE),
                chosen.text(POLICY),
                chosen.text(FRONTEND),
                chosen.text(HEALTH),
                chosen.text(CONTROL),
                chosen.number(HEALTH_DELAY, 0, MAX_DELAY_MILLIS),
                chosen.number(IO_OPT_DELAY, 0, MAX_DELAY_MILLIS),
                chosen.number(CLEANUP_DELAY, 0, MAX_DELAY_MILLIS),
                TimeUnit.SECONDS.toMillis(chosen.number(RETURN_PAUSE, 0, MAX_RETURN_PAUSE_SECONDS)),
                chosen.number(VERIFY, 0, MAX_VERIFY_SECONDS),
                TimeUnit.SECONDS.toMillis(chosen.number(AUTOSAVE_PAUSE, 0, MAX_AUTOSAVE_SECONDS)),
                TimeUnit.SECONDS.toMillis(chosen.number(HEARTBEAT, 0, MAX_HEARTBEAT_SECONDS)),
                chosen.number(FINGERPRINT, 0, MAX_DELAY_MILLIS),
                TimeUnit.SECONDS.toMillis(chosen.number(CHECKSUM_IDLE, 0, MAX_AUTOSAVE_SECONDS)),
                new LedgerLimits(
                        bytes(chosen, LEDGER, MIN_LEDGER_BYTES, MAX_LEDGER_BYTES),
                        chosen.number(FLUSH_DEADLINE, 1, MAX_DRAIN_MILLIS)),
                chosen.number(DEADLINE, MIN_DEADLINE_MILLIS, MAX_DRAIN_MILLIS),
                chosen.number(HOLD_AWAY, 0, MAX_DRAIN_MILLIS),
                chosen.number(DRAIN_TIMEOUT, 0, MAX_DRAIN_MILLIS),
                chosen.number(SAVE_TIMEOUT, 1, MAX_DRAIN_MILLIS),
                chosen.number(FEATURE_TIMEOUT, 1, MAX_DELAY_MILLIS));
    }

    /** How long a start may compare main with its fingerprint. */
    static long mainCheckMillis(Settings chosen) throws Refusal {
        return chosen.number(MAIN_CHECK, 0, MAX_DELAY_MILLIS);
    }

    private static long bytes(Settings chosen, Setting setting, long min, long max) throws Refusal {
        long bytes = ByteSize.parse(chosen.text(setting));
        if (bytes < min || bytes > max) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "setting " + setting.name() + ": expected " + ByteSize.format(min) + " to " + ByteSize.format(max)
                            + ", found '" + chosen.text(setting) + "'");
        }
        return bytes;
    }
}
