package io.remap.core;

import io.remap.api.BlockDevice;
import io.remap.api.ByteSize;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceTraits;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.RemapTable;
import java.util.Optional;

/** Whether a spare can serve a main at all: what is refused whatever stands on them. Pure. */
final class PairGeometry {
    private PairGeometry() {}

    /** Refuses a spare that shares bytes with main. */
    static void refuseOverlap(String role, BlockDevice open, DeviceIdentity spare, String spareName) throws Refusal {
        if (open.identity().overlaps(spare)) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    role + " " + open.name() + " and spare " + spareName
                            + " share bytes: a write to one would destroy the other; name another spare");
        }
    }

    /** Refuses a spare whose sectors do not fit, or that does not survive what main survives. */
    static void refuseMisfit(BlockDevice main, BlockDevice spare, boolean force) throws Refusal {
        DeviceTraits mainTraits = main.traits();
        DeviceTraits spareTraits = spare.traits();
        if (spareTraits.logicalSectorBytes() > mainTraits.logicalSectorBytes()) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "spare " + spare.name() + " has sectors of " + spareTraits.logicalSectorBytes()
                            + " bytes, larger than the " + mainTraits.logicalSectorBytes() + " of main " + main.name()
                            + ": take a spare with sectors of " + mainTraits.logicalSectorBytes()
                            + " bytes, or an image file on that disk"
                            + (mainTraits.blockDevice()
                                    ? ""
                                    : ", or serve main with --sector-size " + spareTraits.logicalSectorBytes()));
        }
        // Two slots in one physical sector: a power cut during a write of the one can destroy the other.
        int physicalBytes = spareTraits.physicalSectorBytes();
        if (spare.identity().startBytes() % physicalBytes != 0 && !force) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "spare " + spare.name() + " starts at byte "
                            + spare.identity().startBytes()
                            + ", inside a physical sector of " + physicalBytes
                            + " bytes: let it start at a multiple of "
                            + physicalBytes + ", or --force");
        }
        if (spareTraits.losesContentOnPowerCut() && !mainTraits.losesContentOnPowerCut() && !force) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "spare " + spare.name() + " is in memory and would be gone after a power cut, with the sectors of "
                            + main.name() + " that are moved to it: take a spare on a disk, or --force");
        }
    }

    /** Refuses a device whose transfers cannot be as small as a sector of the virtual disk. */
    static void refuseCoarse(BlockDevice device, int sectorBytes) throws Refusal {
        int alignment = Math.max(
                device.traits().alignmentBytes(), device.direct().traits().alignmentBytes());
        if (alignment > sectorBytes) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    device.name() + " takes only transfers of " + alignment + " bytes, more than a sector of "
                            + sectorBytes + ": serve it with --buffered, or with --sector-size " + alignment
                            + " if it is an image file");
        }
    }

    /** Refuses a main that is empty, or larger than the remap table can name. */
    static void refuseSize(BlockDevice main) throws Refusal {
        long bytes = main.traits().sizeBytes();
        if (bytes == 0) {
            throw new Refusal(Refusal.Kind.USAGE, main.name() + " is empty: there is nothing to serve");
        }
        if (bytes > RemapTable.MAX_UNITS << Place.UNIT_SHIFT) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    sized(main) + " is larger than the 4 PiB that a remap table can name: serve a part of it with"
                            + " ?offset=&length=");
        }
    }

    /** A warning if both will die together. */
    static Optional<String> sharedDisk(BlockDevice main, BlockDevice spare) {
        String mainDisk = main.identity().physicalDisk();
        return mainDisk.isEmpty() || !mainDisk.equals(spare.identity().physicalDisk())
                ? Optional.empty()
                : Optional.of("main and spare are both on " + mainDisk
                        + ": when that disk dies, both are gone; a spare on another disk is safer");
    }

    /** Device and size, for notices. */
    static String sized(BlockDevice device) {
        return device.name() + " (" + ByteSize.format(device.traits().sizeBytes()) + ")";
    }
}
