package io.remap.health.scan;

import io.remap.api.SectorRange;

/**
 * The order of a scrub. The disk is cut into regions of 128 MiB, these into segments of 1 MiB; the first segment of every
 * region is read, then the second of every region, and so on. Latent errors come in bursts, so a region that goes bad is
 * met much earlier than by a pass from end to end at the same rate (Oprea and Juels, FAST 2010; Schroeder, Damouras and
 * Gill, FAST 2010).
 *
 * <p>A position is the number of a segment in that order. Immutable.
 */
public final class StaggeredOrder {
    public static final long REGION_BYTES = 128L << 20;
    public static final long SEGMENT_BYTES = 1L << 20;
    private static final long REGION_SEGMENTS = REGION_BYTES / SEGMENT_BYTES;

    private final long sizeBytes;
    private final int sectorBytes;
    private final long segments;
    private final long regions;
    /** Segments of the last region, which may be shorter than the others. */
    private final long lastSegments;

    /**
     * The order of a disk.
     *
     * @param sizeBytes 1 or more
     */
    public StaggeredOrder(long sizeBytes, int sectorBytes) {
        this.sizeBytes = sizeBytes;
        this.sectorBytes = sectorBytes;
        this.segments = (sizeBytes + SEGMENT_BYTES - 1) / SEGMENT_BYTES;
        this.regions = (segments + REGION_SEGMENTS - 1) / REGION_SEGMENTS;
        this.lastSegments = segments - (regions - 1) * REGION_SEGMENTS;
    }

    /** Segments of the disk, and positions of a pass. */
    public long segments() {
        return segments;
    }

    public long regions() {
        return regions;
    }

    /** The segment, by its place on the disk, that a position reads. */
    public long segmentAt(long position) {
        if (position < 0 || position >= segments) {
            throw new IllegalArgumentException("no position " + position + " of " + segments);
        }
        long whole = lastSegments * regions;
        if (position < whole) {
            return position % regions * REGION_SEGMENTS + position / regions;
        }
        long rest = position - whole;
        return rest % (regions - 1) * REGION_SEGMENTS + lastSegments + rest / (regions - 1);
    }

    /** The sectors of a segment. */
    public SectorRange segment(long segment) {
        long start = segment * SEGMENT_BYTES;
        long length = Math.min(SEGMENT_BYTES, sizeBytes - start);
        return new SectorRange(start / sectorBytes, length / sectorBytes);
    }

    /** The sectors of a region. */
    public SectorRange region(long region) {
        long start = region * REGION_BYTES;
        long length = Math.min(REGION_BYTES, sizeBytes - start);
        return new SectorRange(start / sectorBytes, length / sectorBytes);
    }

    /** The segment that holds a sector. */
    public long segmentOf(long sector) {
        return sector * sectorBytes / SEGMENT_BYTES;
    }

    /** The region that holds a sector. */
    public long regionOf(long sector) {
        return sector * sectorBytes / REGION_BYTES;
    }

    public int sectorBytes() {
        return sectorBytes;
    }

    public long sizeBytes() {
        return sizeBytes;
    }
}
