package io.remap.health.impact;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/**
 * What stands in a partition, by the magic numbers of its superblock, and which commands name the files at a place. The
 * file system itself is left to its own tools.
 *
 * @param kind as blkid names it; empty if it is not known
 * @param blockBytes unit of the numbers that its tools take, 0 if they take bytes or there are none
 * @param keepsOwners whether it keeps who owns a block: XFS may (rmapbt), and by default does since xfsprogs 6.5
 */
public record FileSystem(String kind, long blockBytes, boolean keepsOwners) {
    /** What must be read of a partition to tell. */
    static final int PROBE_BYTES = 68 << 10;

    private static final int MAX_BLOCKS = 64;

    /** An argument of a command has at most 128 KiB, and a number up to 11 characters with its space. */
    private static final int MAX_BLOCKS_AT_ONCE = 8192;

    private static final int MAX_RANGES = 8;
    private static final String MOUNT = "MOUNTPOINT";

    private static final int XFS_RO_COMPAT_AT = 212;
    private static final int XFS_RMAPBT = 2;

    FileSystem(String kind, long blockBytes) {
        this(kind, blockBytes, false);
    }

    /** A range in bytes from the start of the partition. */
    record Place(long startBytes, long lengthBytes) {}

    /** Looks at the start of a partition; empty: it could not be read. */
    static FileSystem of(Optional<ByteBuffer> start) {
        if (start.isEmpty() || start.get().limit() < PROBE_BYTES) {
            return new FileSystem("", 0);
        }
        ByteBuffer bytes = start.get();
        if ((bytes.getShort(0x438) & 0xffff) == 0xef53 && bytes.getInt(0x418) <= 6 && bytes.getInt(0x418) >= 0) {
            return new FileSystem("ext4", 1024L << bytes.getInt(0x418));
        }
        if (holds(bytes, 0, "XFSB")) {
            return xfs(bytes.duplicate().order(ByteOrder.BIG_ENDIAN));
        }
        if (holds(bytes, 0x10040, "_BHRfS_M")) {
            return new FileSystem("btrfs", 0);
        }
        if (holds(bytes, 3, "NTFS    ")) {
            long clusterBytes = ntfsClusterBytes(bytes.getShort(11) & 0xffff, bytes.get(13) & 0xff);
            return clusterBytes == 0 ? new FileSystem("", 0) : new FileSystem("ntfs", clusterBytes);
        }
        if (holds(bytes, 3, "EXFAT   ")) {
            return new FileSystem("exfat", 0);
        }
        if (holds(bytes, 82, "FAT32") || holds(bytes, 54, "FAT16") || holds(bytes, 54, "FAT12")) {
            return new FileSystem("vfat", 0);
        }
        if (holds(bytes, 0, "LUKS\u00ba\u00be")) {
            return new FileSystem("crypto_LUKS", 512);
        }
        if (holds(bytes, 512, "LABELONE")) {
            return new FileSystem("LVM2_member", 512);
        }
        boolean swap = holds(bytes, 4086, "SWAPSPACE2");
        return new FileSystem(swap ? "swap" : "", 0);
    }

    /** Its superblock is big-endian; features are those of version 5. */
    private static FileSystem xfs(ByteBuffer superblock) {
        long blockBytes = superblock.getInt(4);
        if (blockBytes < 512 || blockBytes > 65_536 || Long.bitCount(blockBytes) != 1) {
            return new FileSystem("", 0);
        }
        boolean hasFeatures = (superblock.getShort(100) & 0xf) == 5;
        return new FileSystem(
                "xfs", blockBytes, hasFeatures && (superblock.getInt(XFS_RO_COMPAT_AT) & XFS_RMAPBT) != 0);
    }

    /** As ntfs-3g has it; 0: no such file system can be. Counts end with 128, and from 0xf0 on it is an exponent. */
    private static long ntfsClusterBytes(int sectorBytes, int perCluster) {
        long sectors = perCluster <= 128 ? perCluster : perCluster >= 0xf0 ? 1L << (256 - perCluster) : 0;
        boolean possible = sectorBytes >= 256
                && sectorBytes <= 4096
                && Integer.bitCount(sectorBytes) == 1
                && Long.bitCount(sectors) == 1;
        return possible ? sectorBytes * sectors : 0;
    }

    private static boolean holds(ByteBuffer bytes, int at, String magic) {
        byte[] wanted = magic.getBytes(StandardCharsets.ISO_8859_1);
        byte[] there = new byte[wanted.length];
        bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN).position(at).get(there);
        return java.util.Arrays.equals(wanted, there);
    }

    /**
     * The commands that name what stands at these places, one a line; {@code #} begins a remark.
     *
     * @param places all of them, or {@link Impact#MIN_RANGES} or more
     * @param total how many there are
     */
    List<String> commands(String device, List<Place> places, long total) {
        return switch (kind) {
            case "ext4" -> ext4(device, places, total);
            case "xfs" -> keepsOwners ? xfsOwners(places, total) : xfsBlocks(device, places, total);
            case "btrfs" -> btrfs(device, places, total);
            case "ntfs" -> ntfs(device, places, total);
            case "crypto_LUKS" ->
                List.of(
                        "# encrypted: open it, and subtract the payload offset ('cryptsetup luksDump " + device
                                + "') from the bytes of the ranges; then look at what is inside",
                        "cryptsetup luksDump " + device);
            case "LVM2_member" ->
                List.of(
                        "# a part of a volume group: this tells which logical volume has which extents",
                        "pvs --segments -o pv_name,pvseg_start,pvseg_size,seg_le_ranges " + device);
            case "swap" -> List.of("# swap space: no files; 'swapoff " + device + "' and make it anew");
            case "" -> List.of("# nothing that is known stands here, or its first blocks cannot be read");
            default -> readAll();
        };
    }

    /** Works for every file system that is mounted: whoever reads a damaged file gets an error. */
    private static List<String> readAll() {
        return List.of(
                "# no tool of this file system names files by place: read them all, the damaged ones fail",
                "find " + MOUNT
                        + " -xdev -type f -exec sh -c 'cat \"$1\" > /dev/null || echo \"damaged: $1\"' _ {} ';'");
    }

    /** Few blocks by their numbers; otherwise each range by its ends, as an area may have thousands. */
    private List<String> ext4(String device, List<Place> places, long total) {
        List<String> lines = new ArrayList<>();
        lines.add("# blocks of " + blockBytes + " bytes; the second column is the inode of each");
        if (places.stream()
                        .mapToLong(place -> lastBlock(place) - firstBlock(place) + 1)
                        .sum()
                <= MAX_BLOCKS) {
            String numbers = places.stream()
                    .flatMapToLong(place -> LongStream.rangeClosed(firstBlock(place), lastBlock(place)))
                    .distinct()
                    .mapToObj(String::valueOf)
                    .collect(Collectors.joining(" "));
            lines.add("debugfs -R 'icheck " + numbers + "' " + device);
        } else {
            for (Place place : some(places)) {
                ext4Blocks(device, firstBlock(place), lastBlock(place), lines);
            }
            lines.addAll(more(places.size(), total));
        }
        lines.add("# with these inodes, which are the names:");
        lines.add("debugfs -R 'ncheck INODE...' " + device);
        return lines;
    }

    private static void ext4Blocks(String device, long first, long last, List<String> lines) {
        if (last - first < MAX_BLOCKS_AT_ONCE) {
            lines.add("debugfs -R \"icheck $(seq -s ' ' " + first + " " + last + ")\" " + device);
        } else {
            lines.add("for b in $(seq " + first + " " + MAX_BLOCKS_AT_ONCE + " " + last + "); do e=$((b + "
                    + (MAX_BLOCKS_AT_ONCE - 1) + ")); debugfs -R \"icheck $(seq -s ' ' $b $((e < " + last + " ? e : "
                    + last
                    + ")))\" " + device + "; done");
        }
    }

    private long firstBlock(Place place) {
        return place.startBytes / blockBytes;
    }

    private long lastBlock(Place place) {
        return (place.startBytes + place.lengthBytes - 1) / blockBytes;
    }

    private static List<Place> some(List<Place> places) {
        return places.subList(0, Math.min(MAX_RANGES, places.size()));
    }

    /** Nobody is to take the commands for all of them. */
    private static List<String> more(int listed, long total) {
        return total <= MAX_RANGES
                ? List.of()
                : List.of("# and so for " + (total - MAX_RANGES) + " more ranges; 'remap impact --json' lists "
                        + (listed < total ? "the first " + listed + " of all " + total : "them"));
    }

    private static List<String> xfsOwners(List<Place> places, long total) {
        List<String> lines = new ArrayList<>();
        lines.add("# mounted; in blocks of 512 bytes; the owner is an inode number");
        for (Place place : some(places)) {
            long first = place.startBytes / 512;
            long last = (place.startBytes + place.lengthBytes - 1) / 512;
            lines.add("xfs_io -r -c 'fsmap -v -d " + first + " " + last + "' " + MOUNT);
        }
        lines.addAll(more(places.size(), total));
        lines.add("# with this inode, which is the name:");
        lines.add("find " + MOUNT + " -xdev -inum INODE");
        return lines;
    }

    /** Without a map from blocks to owners it has to be made: all inodes are read. */
    private List<String> xfsBlocks(String device, List<Place> places, long total) {
        List<String> lines = new ArrayList<>();
        lines.add("# not mounted, or nothing writes to it; reads all inodes, which may take a while");
        StringBuilder command = new StringBuilder("xfs_db -r -c 'blockget -n'");
        for (Place place : some(places)) {
            command.append(" -c 'daddr ").append(place.startBytes / 512).append("' -c 'blockuse -n -c ");
            command.append(lastBlock(place) - firstBlock(place) + 1).append("'");
        }
        lines.add(command + " " + device + " | sed 's/.* type /type /' | sort -u");
        lines.addAll(more(places.size(), total));
        return lines;
    }

    /** Its tools take addresses of a space of their own: the tree of chunks says which. */
    private static List<String> btrfs(String device, List<Place> places, long total) {
        List<String> lines = new ArrayList<>();
        lines.add("# the logical address of a place on the device, from the tree of chunks (devid 1)");
        for (Place place : some(places)) {
            lines.add(String.format(
                    Locale.ROOT,
                    "btrfs inspect-internal dump-tree -t chunk %s | awk -v p=%d '/CHUNK_ITEM/ {sub(/\\).*/, \"\", $6);"
                            + " logical = $6} $1 == \"length\" {length_ = $2} $1 == \"stripe\" && $3 == \"devid\" && $4 == 1"
                            + " && p >= $6 && p < $6 + length_ {printf \"%%.0f\\n\", logical + p - $6}'",
                    device,
                    place.startBytes));
        }
        lines.addAll(more(places.size(), total));
        lines.add("# with this address, mounted, which are the names:");
        lines.add("btrfs inspect-internal logical-resolve LOGICAL " + MOUNT);
        return lines;
    }

    private List<String> ntfs(String device, List<Place> places, long total) {
        List<String> lines = new ArrayList<>();
        lines.add("# clusters of " + blockBytes + " bytes");
        for (Place place : some(places)) {
            lines.add("ntfscluster -c " + firstBlock(place) + "-" + lastBlock(place) + " " + device);
        }
        lines.addAll(more(places.size(), total));
        return lines;
    }
}
