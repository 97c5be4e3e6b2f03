package io.remap.core.disk;

import java.util.Optional;

/**
 * The state of a virtual disk in figures.
 *
 * @param extents extents of the remap table
 * @param mappedUnits units with an entry
 * @param unreadableUnits units with a sector that could not be read the last time
 * @param slots slots of the spare, 0 without one
 * @param freeSlots slots without a user
 * @param badSlots slots found bad
 * @param doubt why flushes fail since acknowledged writes may be lost, if so
 * @param redirects whether failing writes are redirected; {@code false} without a working metadata store
 */
public record DiskSummary(
        long extents,
        long mappedUnits,
        long unreadableUnits,
        long slots,
        long freeSlots,
        long badSlots,
        Optional<String> doubt,
        boolean redirects) {}
