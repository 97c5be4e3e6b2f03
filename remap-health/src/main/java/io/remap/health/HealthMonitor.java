package io.remap.health;

import io.remap.api.Attribute;
import io.remap.api.ByteSize;
import io.remap.api.Environment;
import io.remap.api.FeatureState;
import io.remap.api.FeatureStatus;
import io.remap.api.Scheduler;
import io.remap.api.SectorRange;
import io.remap.api.spi.Feature;
import io.remap.api.spi.FeatureCommand;
import io.remap.api.spi.WatchedDisk;
import io.remap.api.spi.WatchedDisk.Trouble;
import io.remap.health.alert.Alert;
import io.remap.health.alert.AlertBook;
import io.remap.health.alert.AlertRules;
import io.remap.health.alert.Hook;
import io.remap.health.record.History;
import io.remap.health.record.Notebook;
import io.remap.health.record.RegionRecords;
import io.remap.health.record.Remembered;
import io.remap.health.scan.ScanStatus;
import io.remap.health.scan.Scanner;
import io.remap.health.smart.SmartReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The health of one disk: its parts, their timers, what they remember together, and what they answer.
 *
 * <p>Invariant: nothing here runs on a thread of a client; a part that fails is named in the status, the others go on.
 * Thread-safe.
 */
final class HealthMonitor implements Feature {
    private static final Logger LOG = LoggerFactory.getLogger(HealthMonitor.class);

    /** How soon after trouble the disk is assessed: once for a burst. */
    private static final long ASSESS_MILLIS = 2_000;

    private final WatchedDisk disk;
    private final Scheduler scheduler;
    private final HealthSettings settings;
    private final Maintenance maintenance;
    private final RegionRecords records;
    private final Scanner scanner;
    private final SmartReader smart;
    private final AlertBook book;
    private final AlertRules rules;
    private final Hook hook;
    private final Assessment assessment;
    private final Troubles troubles;
    private final Notebook notebook;
    private final List<FeatureCommand> commands = new ArrayList<>();

    // Guarded by this.
    private byte[] remembered = {};
    private final Map<Runnable, Scheduler.Cancellable> timers = new HashMap<>();
    private boolean assessing;
    private boolean closed;

    HealthMonitor(WatchedDisk disk, Environment environment, HealthSettings settings) {
        this.disk = disk;
        this.scheduler = environment.scheduler();
        this.settings = settings;
        this.maintenance = new Maintenance(environment.time());
        this.records = new RegionRecords(disk.traits().sectorBytes());
        this.scanner = new Scanner(disk, environment, settings.scan(), records, () -> !maintenance.isOn());
        this.smart = new SmartReader(
                environment, settings.smartProgram(), smartDevice(disk, settings), settings.smartTimeoutMillis());
        this.hook = new Hook(environment, settings.hook(), settings.hookTimeoutMillis(), disk.name(), disk.mainName());
        this.book = new AlertBook(this::tell);
        this.rules = new AlertRules(book, settings.limits());
        this.troubles = new Troubles(scheduler, this::met);
        History history = new History();
        this.assessment = new Assessment(disk, environment, scanner, records, smart, history);
        List<Remembered> parts = new ArrayList<>(List.of(maintenance, book));
        parts.addAll(assessment.remembered());
        parts.addAll(scanner.remembered());
        parts.add(history);
        parts.addAll(records.remembered());
        this.notebook = new Notebook(disk.name(), WatchedDisk.MAX_MEMORY_BYTES, parts);
        commands.addAll(new ScanCommands(disk.name(), scanner, this::remember).all());
        commands.addAll(
                new HealthCommands(disk, environment, assessment, troubles, book, hook, maintenance, this::remember)
                        .all());
    }

    private static String smartDevice(WatchedDisk disk, HealthSettings settings) {
        boolean isDevice = disk.mainTraits().blockDevice() && disk.mainName().startsWith("/");
        return settings.smartDevice().isEmpty() && isDevice ? disk.mainName() : settings.smartDevice();
    }

    void start() {
        scanner.consistently(() -> {
            notebook.read(disk.memory());
            records.restored();
            return null;
        });
        disk.listen(troubles);
        disk.whenSaving(this::remember);
        disk.noticeSlowReads(settings.scan().slowNanos());
        scanner.start();
        every(settings.scan().saveMillis(), this::lookAround);
        assessSoon();
        if (!settings.smartProgram().isEmpty()) {
            scheduler.execute(this::askDrive);
            every(settings.smartPauseMillis(), this::askDrive);
        }
    }

    private synchronized void every(long millis, Runnable task) {
        if (!closed) {
            timers.put(
                    task,
                    scheduler.schedule(
                            () -> {
                                try {
                                    task.run();
                                } catch (RuntimeException e) {
                                    LOG.error("{}: a task of its health failed, and is tried again", disk.name(), e);
                                } finally {
                                    every(millis, task);
                                }
                            },
                            millis));
        }
    }

    private void met(Trouble trouble, SectorRange sectors) {
        assessment.met(trouble);
        scanner.met(trouble, sectors);
        assessSoon();
    }

    private synchronized void assessSoon() {
        if (!assessing && !closed) {
            assessing = true;
            scheduler.schedule(this::assess, ASSESS_MILLIS);
        }
    }

    private void assess() {
        synchronized (this) {
            assessing = false;
            if (closed) {
                return;
            }
        }
        try {
            if (!maintenance.isOn()) {
                assessment.assess(rules);
            }
        } catch (RuntimeException e) {
            LOG.error("{}: the assessment of its health fails", disk.name(), e);
        }
    }

    private void lookAround() {
        assess();
        remember();
    }

    private void askDrive() {
        smart.ask();
        assessSoon();
    }

    private void tell(Alert alert) {
        String what = alert.severity().word() + " " + alert.state().word() + ": " + alert.text();
        disk.note(what);
        LOG.warn("{}: alert {}, {}", disk.name(), alert.id(), what);
        CompletableFuture<String> unused = hook.tell(alert);
    }

    /** Gives the disk what is to be kept, if it has changed. */
    private synchronized void remember() {
        byte[] now = scanner.consistently(notebook::write);
        if (!Arrays.equals(now, remembered)) {
            disk.remember(now);
            remembered = now;
        }
    }

    @Override
    public FeatureStatus status() {
        ScanStatus scan = scanner.status();
        FeatureState state = FeatureState.STARTED;
        String detail = scan.state();
        if (scan.state().equals("failed")) {
            state = FeatureState.FAILED;
            detail = scan.trouble();
        } else if (scan.state().equals("idle") && !settings.scan().enabled()) {
            state = FeatureState.ABSENT;
            detail = "turned off";
        } else if (!scan.trouble().isEmpty()) {
            detail = "waits: " + scan.trouble();
        } else if (scan.state().equals("running")) {
            detail = String.format(Locale.ROOT, "pass %d, %.1f %%", scan.pass(), scan.percent());
        }
        if (state == FeatureState.STARTED && scan.avoidedBytes() > 0) {
            detail += ", leaves " + ByteSize.format(scan.avoidedBytes()) + " alone";
        }
        return FeatureStatus.of("health", FeatureState.STARTED, "", FeatureStatus.of("scanner", state, detail));
    }

    @Override
    public List<Attribute> attributes() {
        return List.of(
                Attribute.readOnly("health.score", "points", "Health of the disk, 0 to 100", () ->
                        (long) assessment.score().value()),
                Attribute.readOnly("health.open-alerts", "count", "Alerts that nobody has acknowledged", book::open),
                Attribute.readOnly(
                        "scan.state",
                        "text",
                        "What the scanner does",
                        () -> scanner.status().state()),
                Attribute.readOnly(
                        "scan.avoided-bytes",
                        "bytes",
                        "In avoided areas, which no scan reads",
                        () -> scanner.status().avoidedBytes()),
                Attribute.readOnly(
                        "scan.percent",
                        "percent",
                        "Part of the pass that is done",
                        () -> scanner.status().percent()));
    }

    @Override
    public List<FeatureCommand> commands() {
        return List.copyOf(commands);
    }

    @Override
    public void close() {
        disk.noticeSlowReads(WatchedDisk.NO_READ_IS_SLOW);
        disk.listen(null);
        disk.whenSaving(() -> {});
        scanner.close();
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            timers.values().forEach(Scheduler.Cancellable::cancel);
        }
        remember();
    }
}
