package io.remap.metadata;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Recognises what other programs keep on a disk, so that a format does not destroy it unasked. Offsets and magic numbers
 * as in the superblock probes of util-linux (libblkid) and the headers of the file systems.
 */
final class Signatures {
    private static final int HEAD_BYTES = 256 << 10;
    private static final int TAIL_BYTES = 128 << 10;

    /** Bytes that stand at a fixed offset from the beginning. */
    private record Magic(String name, int offsetBytes, String latin1) {}

    /** The more telling ones first: what has several of them is called by the first. */
    private static final List<Magic> AT_HEAD = List.of(
            new Magic("LUKS", 0, "LUKS\u00ba\u00be"),
            new Magic("BitLocker", 3, "-FVE-FS-"),
            new Magic("LVM physical volume", 0, "LABELONE"),
            new Magic("LVM physical volume", 512, "LABELONE"),
            new Magic("LVM physical volume", 1024, "LABELONE"),
            new Magic("LVM physical volume", 1536, "LABELONE"),
            new Magic("md RAID member", 0, "\u00fcN+\u00a9"),
            new Magic("md RAID member", 4096, "\u00fcN+\u00a9"),
            new Magic("bcache or bcachefs", 4096 + 24, "\u00c6\u0085s\u00f6N\u001aE\u00ca"),
            new Magic("bcachefs", 4096 + 24, "\u00c6\u0085s\u00f6f\u00ce\u0090\u00a9"),
            new Magic("VDO", 0, "dmvdo001"),
            new Magic("Ceph BlueStore", 0, "bluestore block device"),
            new Magic("btrfs", 0x10040, "_BHRfS_M"),
            new Magic("xfs", 0, "XFSB"),
            new Magic("ntfs", 3, "NTFS    "),
            new Magic("exfat", 3, "EXFAT   "),
            new Magic("vfat", 82, "FAT32   "),
            new Magic("vfat", 54, "FAT16   "),
            new Magic("vfat", 54, "FAT12   "),
            new Magic("swap", 4096 - 10, "SWAPSPACE2"),
            new Magic("swap", 4096 - 10, "SWAP-SPACE"),
            new Magic("swap", 16384 - 10, "SWAPSPACE2"),
            new Magic("swap", 65536 - 10, "SWAPSPACE2"),
            new Magic("f2fs", 1024, "\u0010 \u00f5\u00f2"),
            new Magic("hfs+", 1024, "H+\u0000\u0004"),
            new Magic("hfsx", 1024, "HX\u0000\u0005"),
            new Magic("apfs", 32, "NXSB"),
            new Magic("jfs", 32768, "JFS1"),
            new Magic("reiserfs", 65536 + 52, "ReIsEr"),
            new Magic("reiserfs", 8192 + 52, "ReIsEr"),
            new Magic("squashfs", 0, "hsqs"),
            new Magic("erofs", 1024, "\u00e2\u00e1\u00f5\u00e0"),
            new Magic("iso9660", 32769, "CD001"),
            new Magic("qcow2", 0, "QFI\u00fb"),
            new Magic("GPT partition table", 512, "EFI PART"),
            new Magic("GPT partition table", 4096, "EFI PART"));

    private static final int EXT_SUPERBLOCK = 1024;
    private static final int MD_MAGIC = 0xa92b4efc;
    private static final long ZFS_UBERBLOCK = 0x00bab10cL;

    private Signatures() {}

    /** The name of what stands there, or {@code null} if nothing is recognised. */
    static String find(BlockDevice device) throws DeviceException {
        long size = device.traits().sizeBytes();
        int alignment =
                Math.max(device.traits().alignmentBytes(), device.traits().logicalSectorBytes());
        ByteBuffer head = read(device, 0, (int) Math.min(HEAD_BYTES, size / alignment * alignment));
        String name = atHead(head);
        if (name != null) {
            return name;
        }
        int tailBytes = (int) Math.min(TAIL_BYTES, size / alignment * alignment);
        long tailAt = (size - tailBytes) / alignment * alignment;
        name = atTail(read(device, tailAt, tailBytes), tailAt, size);
        return name != null ? name : partitionTable(head);
    }

    private static ByteBuffer read(BlockDevice device, long offsetBytes, int lengthBytes) throws DeviceException {
        int alignment = Math.max(Block.BYTES, device.traits().alignmentBytes());
        // An aligned slice loses a part of a block at either end.
        ByteBuffer buffer = ByteBuffer.allocateDirect(lengthBytes + 2 * alignment)
                .alignedSlice(alignment)
                .limit(lengthBytes)
                .slice()
                .order(ByteOrder.LITTLE_ENDIAN);
        if (lengthBytes > 0) {
            device.read(offsetBytes, buffer.duplicate());
        }
        return buffer;
    }

    private static String atHead(ByteBuffer head) {
        for (Magic magic : AT_HEAD) {
            if (stands(head, magic.offsetBytes, magic.latin1)) {
                return magic.name;
            }
        }
        if (head.capacity() >= EXT_SUPERBLOCK + 1024 && head.getShort(EXT_SUPERBLOCK + 0x38) == (short) 0xef53) {
            return ext(head.getInt(EXT_SUPERBLOCK + 0x5c), head.getInt(EXT_SUPERBLOCK + 0x60));
        }
        // The uberblocks of the first ZFS label; the number in either byte order.
        for (int at = 128 << 10; at + 1024 <= head.capacity(); at += 1024) {
            long value = head.getLong(at);
            if (value == ZFS_UBERBLOCK || Long.reverseBytes(value) == ZFS_UBERBLOCK) {
                return "zfs";
            }
        }
        return null;
    }

    private static boolean stands(ByteBuffer buffer, int offset, String latin1) {
        byte[] bytes = latin1.getBytes(StandardCharsets.ISO_8859_1);
        if (offset < 0 || offset + bytes.length > buffer.capacity()) {
            return false;
        }
        for (int i = 0; i < bytes.length; i++) {
            if (buffer.get(offset + i) != bytes[i]) {
                return false;
            }
        }
        return true;
    }

    private static String ext(int compat, int incompat) {
        if ((incompat & 0x8) != 0) {
            return "ext journal";
        }
        if ((incompat & 0x40) != 0) {
            return "ext4";
        }
        return (compat & 0x4) != 0 ? "ext3" : "ext2";
    }

    /** md superblocks 0.90 and 1.0, and the second copy of a GPT, stand at the end. */
    private static String atTail(ByteBuffer tail, long tailAt, long size) {
        long version09 = (size & -65536L) - 65536;
        long version10 = (size / 512 - 16 & -8L) * 512;
        for (long at : new long[] {version09, version10}) {
            if (at >= tailAt && at + 4 <= tailAt + tail.capacity() && tail.getInt((int) (at - tailAt)) == MD_MAGIC) {
                return "md RAID member";
            }
        }
        for (int sector : new int[] {512, 4096}) {
            if (stands(tail, (int) (size - sector - tailAt), "EFI PART")) {
                return "GPT partition table (second copy)";
            }
        }
        return null;
    }

    private static String partitionTable(ByteBuffer head) {
        return head.capacity() >= 512 && head.getShort(510) == (short) 0xaa55
                ? "MBR partition table or boot sector"
                : null;
    }
}
