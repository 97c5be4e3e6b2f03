/** The health of the devices: scanner (scrub), scores, prediction and alerts. */
module io.remap.health {
    requires io.remap.api;
}
