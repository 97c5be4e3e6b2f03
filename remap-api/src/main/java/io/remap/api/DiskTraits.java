package io.remap.api;

/**
 * What is fixed about a virtual disk.
 *
 * @param sizeBytes size, a multiple of {@code sectorBytes}
 * @param sectorBytes logical sector, the unit of errors and remappings; requests need not be aligned to it, but those
 *     that are cost less
 * @param preferredBytes unit that costs least, 4096 or more
 * @param readOnly writes are refused with {@link DiskError#READ_ONLY}
 * @param rotational main is a spinning disk, as far as known
 */
public record DiskTraits(long sizeBytes, int sectorBytes, int preferredBytes, boolean readOnly, boolean rotational) {}
