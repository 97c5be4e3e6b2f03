package io.remap.health;

import io.remap.api.Attribute;
import io.remap.api.Environment;
import io.remap.api.FeatureState;
import io.remap.api.FeatureStatus;
import io.remap.api.Scheduler;
import io.remap.api.SectorRange;
import io.remap.api.spi.Feature;
import io.remap.api.spi.FeatureCommand;
import io.remap.api.spi.WatchedDisk;
import io.remap.api.spi.WatchedDisk.Trouble;
import io.remap.health.record.Notebook;
import io.remap.health.record.RegionRecords;
import io.remap.health.record.Remembered;
import io.remap.health.scan.ScanSettings;
import io.remap.health.scan.ScanStatus;
import io.remap.health.scan.Scanner;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * The health of one disk: its parts, what they remember together, and what they answer.
 *
 * <p>Invariant: nothing here runs on a thread of a client; a part that fails is named in the status, the others go on.
 * Thread-safe.
 */
final class HealthMonitor implements Feature {
    private final WatchedDisk disk;
    private final Environment environment;
    private final ScanSettings settings;
    private final RegionRecords records = new RegionRecords();
    private final Scanner scanner;
    private final Notebook notebook;
    private final List<FeatureCommand> commands = new ArrayList<>();

    // Guarded by this.
    private byte[] remembered = {};
    private Scheduler.Cancellable timer;
    private boolean closed;

    HealthMonitor(WatchedDisk disk, Environment environment, ScanSettings settings) {
        this.disk = disk;
        this.environment = environment;
        this.settings = settings;
        this.scanner = new Scanner(disk, environment, settings, records, () -> true);
        List<Remembered> parts = new ArrayList<>(scanner.remembered());
        parts.add(records);
        this.notebook = new Notebook(disk.name(), WatchedDisk.MAX_MEMORY_BYTES, parts);
        commands.addAll(new ScanCommands(disk.name(), scanner, this::remember).all());
    }

    void start() {
        scanner.consistently(() -> {
            notebook.read(disk.memory());
            return null;
        });
        disk.listen(new Troubles(environment.scheduler(), this::met));
        scanner.start();
        later();
    }

    private void met(Trouble trouble, SectorRange sectors) {
        scanner.met(trouble, sectors);
    }

    private synchronized void later() {
        if (!closed) {
            timer = environment.scheduler().schedule(this::saveInTime, settings.saveMillis());
        }
    }

    private void saveInTime() {
        remember();
        later();
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
        } else if (scan.state().equals("idle") && !settings.enabled()) {
            state = FeatureState.ABSENT;
            detail = "turned off";
        } else if (!scan.trouble().isEmpty()) {
            detail = "waits: " + scan.trouble();
        } else if (scan.state().equals("running")) {
            detail = String.format(Locale.ROOT, "pass %d, %.1f %%", scan.pass(), scan.percent());
        }
        return FeatureStatus.of("health", FeatureState.STARTED, "", FeatureStatus.of("scanner", state, detail));
    }

    @Override
    public List<Attribute> attributes() {
        return List.of(
                Attribute.readOnly(
                        "scan.state",
                        "text",
                        "What the scanner does",
                        () -> scanner.status().state()),
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
        disk.listen(null);
        scanner.close();
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            if (timer != null) {
                timer.cancel();
            }
        }
        remember();
    }
}
