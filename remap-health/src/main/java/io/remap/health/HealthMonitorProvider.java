package io.remap.health;

import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.Setting;
import io.remap.api.Settings;
import io.remap.api.spi.Feature;
import io.remap.api.spi.HealthProvider;
import io.remap.api.spi.WatchedDisk;
import java.util.List;

/** {@code monitor}: scans the disk, scores it, and warns. */
public final class HealthMonitorProvider implements HealthProvider {
    /** Made by {@code ServiceLoader}. */
    public HealthMonitorProvider() {}

    @Override
    public String name() {
        return "monitor";
    }

    @Override
    public String description() {
        return "scans main for sectors that go bad, moves weak ones, scores the disk and warns";
    }

    @Override
    public List<Setting> settings() {
        return HealthSettings.all();
    }

    @Override
    public void check(Settings settings) throws Refusal {
        HealthSettings.read(settings);
    }

    @Override
    public Feature open(WatchedDisk disk, Environment environment, Settings settings) throws Refusal {
        HealthMonitor monitor = new HealthMonitor(disk, environment, HealthSettings.read(settings));
        monitor.start();
        return monitor;
    }
}
