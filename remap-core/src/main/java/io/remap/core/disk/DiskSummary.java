package io.remap.core.disk;

import java.util.List;
import java.util.Optional;

/**
 * The state of a virtual disk in figures.
 *
 * @param mappedSectors sectors on the spares
 * @param zeroSectors sectors that stand nowhere and read as zeros
 * @param unreadableSectors sectors that could not be read the last time
 * @param lostSectors sectors whose content is gone until they are written
 * @param avoidedSectors sectors in areas in which main is left alone, wherever they stand
 * @param slots slots of all spares that are there, 0 without one
 * @param freeSlots slots without a user
 * @param badSlots slots found bad
 * @param ledger what was written to main and not flushed, and what became of it, for people; empty if no ledger is kept
 * @param away names of the devices that do not answer now, as far as somebody asked; requests for them wait
 * @param redirects whether failing writes are redirected; {@code false} without a working metadata store
 */
public record DiskSummary(
        long mappedSectors,
        long zeroSectors,
        long unreadableSectors,
        long lostSectors,
        long avoidedSectors,
        long slots,
        long freeSlots,
        long badSlots,
        Optional<String> ledger,
        List<String> away,
        boolean redirects) {}
