package io.remap.api;

/**
 * Which device this is, for telling devices apart and for finding them again.
 *
 * <p>{@code backing}, {@code startBytes} and {@code lengthBytes} say where its bytes lie: two devices with the same
 * backing and overlapping ranges share bytes. A partition has the backing of its disk and its start there.
 *
 * @param stableId survives a reboot and another device name: {@code wwn:…}, {@code serial:…}, {@code partuuid:…} or
 *     {@code path:…}; never empty
 * @param backing what holds the bytes on this host: {@code block:MAJ:MIN} or {@code file:DEV:INODE} or {@code mem:NAME}
 * @param backingStableId the backing by a name that survives a reboot: all parts of one have the same; never empty
 * @param startBytes first byte within the backing
 * @param lengthBytes length in bytes
 * @param physicalDisk the disk underneath, for the warning that main and spare will die together; empty if unknown
 */
public record DeviceIdentity(
        String stableId,
        String backing,
        String backingStableId,
        long startBytes,
        long lengthBytes,
        String physicalDisk) {

    /** Of what is not a part of anything else. */
    public static DeviceIdentity ofWhole(String stableId, String backing, long lengthBytes, String physicalDisk) {
        return new DeviceIdentity(stableId, backing, stableId, 0, lengthBytes, physicalDisk);
    }

    /** Whether a write to one could change the other. */
    public boolean overlaps(DeviceIdentity other) {
        return backing.equals(other.backing)
                && startBytes < other.startBytes + other.lengthBytes
                && other.startBytes < startBytes + lengthBytes;
    }
}
