package io.remap.api.spi;

import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.Settings;

/** Watches a disk: scans it, scores it, warns. */
public interface HealthProvider extends Provider {
    /** Starts watching; closing the result stops it. */
    Feature open(WatchedDisk disk, Environment environment, Settings settings) throws Refusal;
}
