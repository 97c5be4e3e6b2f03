package io.remap.api;

/**
 * A half-open range of logical sectors of the virtual disk.
 *
 * @param firstSector first sector, 0 or more
 * @param lengthSectors number of sectors, 1 or more
 */
public record SectorRange(long firstSector, long lengthSectors) {
    public SectorRange {
        if (firstSector < 0 || lengthSectors < 1 || firstSector > Long.MAX_VALUE - lengthSectors) {
            throw new IllegalArgumentException("no such sector range: " + firstSector + "+" + lengthSectors);
        }
    }

    /** The sector after the last one. */
    public long endSector() {
        return firstSector + lengthSectors;
    }

    @Override
    public String toString() {
        return "sectors " + firstSector + "+" + lengthSectors;
    }
}
