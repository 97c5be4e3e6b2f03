package io.remap.health.impact;

/**
 * A partition.
 *
 * @param number as the kernel counts; 0: the whole disk, which has no partition table
 * @param startBytes first byte on the disk
 * @param lengthBytes length
 */
public record Partition(int number, long startBytes, long lengthBytes) {
    long endBytes() {
        return startBytes + lengthBytes;
    }

    /** The name of its device, if that of the disk is {@code disk}. */
    String device(String disk) {
        if (number == 0) {
            return disk;
        }
        boolean endsInDigit = Character.isDigit(disk.charAt(disk.length() - 1));
        return disk + (endsInDigit ? "p" : "") + number;
    }
}
