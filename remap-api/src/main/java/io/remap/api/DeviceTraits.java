package io.remap.api;

/**
 * What is fixed about an open device.
 *
 * @param sizeBytes size, a multiple of {@code logicalSectorBytes}
 * @param logicalSectorBytes smallest unit of a transfer, a power of two from 512 to 4096
 * @param physicalSectorBytes unit that the medium itself rewrites, a multiple of the logical one
 * @param alignmentBytes alignment that offsets, lengths and buffer addresses of transfers need (1 if none: buffered)
 * @param direct transfers bypass the page cache, so that an error comes with its own request
 * @param readOnly writes are refused
 * @param rotational a spinning disk, as far as known
 * @param losesContentOnPowerCut memory-backed: nothing survives a restart of the host
 * @param blockDevice a block device node, not a file
 */
public record DeviceTraits(
        long sizeBytes,
        int logicalSectorBytes,
        int physicalSectorBytes,
        int alignmentBytes,
        boolean direct,
        boolean readOnly,
        boolean rotational,
        boolean losesContentOnPowerCut,
        boolean blockDevice) {
    public static final int MIN_SECTOR_BYTES = 512;
    public static final int MAX_SECTOR_BYTES = 4096;

    public DeviceTraits {
        if (Integer.bitCount(logicalSectorBytes) != 1
                || logicalSectorBytes < MIN_SECTOR_BYTES
                || logicalSectorBytes > MAX_SECTOR_BYTES) {
            throw new IllegalArgumentException("sector size " + logicalSectorBytes + " is not 512, 1024, 2048 or 4096");
        }
        if (physicalSectorBytes < logicalSectorBytes || physicalSectorBytes % logicalSectorBytes != 0) {
            throw new IllegalArgumentException(
                    "physical sector size " + physicalSectorBytes + " is no multiple of " + logicalSectorBytes);
        }
        if (sizeBytes < 0 || sizeBytes % logicalSectorBytes != 0) {
            throw new IllegalArgumentException("size " + sizeBytes + " is no multiple of the sector size");
        }
        if (alignmentBytes < 1 || Integer.bitCount(alignmentBytes) != 1) {
            throw new IllegalArgumentException("alignment " + alignmentBytes + " is no power of two");
        }
    }
}
