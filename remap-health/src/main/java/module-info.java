/**
 * The health of the devices: scanner (scrub), scores, prediction and alerts.
 *
 * @provides io.remap.api.spi.HealthProvider {@code monitor}
 */
module io.remap.health {
    requires io.remap.api;

    provides io.remap.api.spi.HealthProvider with
            io.remap.health.HealthMonitorProvider;
}
