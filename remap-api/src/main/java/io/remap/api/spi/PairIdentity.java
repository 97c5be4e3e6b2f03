package io.remap.api.spi;

import java.util.UUID;

/**
 * Which main and spare belong together, as recorded on the spare when it was formatted.
 *
 * @param pairUuid random, new with every format
 * @param mainSizeBytes size of main
 * @param sectorBytes logical sector size of the virtual disk
 * @param mainStableId {@link io.remap.api.DeviceIdentity#stableId()} of main then; a hint, names change
 */
public record PairIdentity(UUID pairUuid, long mainSizeBytes, int sectorBytes, String mainStableId) {}
