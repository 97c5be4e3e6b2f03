package io.remap.health.impact;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.SectorRange;
import io.remap.api.spi.WatchedDisk.Cause;
import io.remap.api.spi.WatchedDisk.Damage;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** Partition tables and file systems, written by hand after their specifications. */
class ImpactTest {
    private static final int SIZE = 8 << 20;
    private final ByteBuffer disk = ByteBuffer.allocate(SIZE).order(ByteOrder.LITTLE_ENDIAN);
    private long unreadableBelow;

    private Optional<ByteBuffer> read(long offset, int length) {
        return offset < unreadableBelow
                ? Optional.empty()
                : Optional.of(disk.slice((int) offset, length).order(ByteOrder.LITTLE_ENDIAN));
    }

    private Map<String, Object> impact(long firstSector, long sectors) {
        return impact(new Damage(new SectorRange(firstSector, sectors), Cause.UNREADABLE));
    }

    private Map<String, Object> impact(Damage... damage) {
        return new Impact(this::read, SIZE, 512, "/dev/nbd0").of(List.of(damage));
    }

    private void put(int at, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
        disk.put(at, bytes);
    }

    private void mbr(int at, int slot, int type, int first, int sectors) {
        disk.putShort(at + 510, (short) 0xaa55);
        disk.put(at + 446 + 16 * slot + 4, (byte) type);
        disk.putInt(at + 446 + 16 * slot + 8, first);
        disk.putInt(at + 446 + 16 * slot + 12, sectors);
    }

    private void gpt(int headerSector, int entriesSector) {
        mbr(0, 0, 0xee, 1, SIZE / 512 - 1);
        put(headerSector * 512, "EFI PART");
        disk.putLong(headerSector * 512 + 72, entriesSector);
        disk.putInt(headerSector * 512 + 80, 128);
        disk.putInt(headerSector * 512 + 84, 128);
        int second = entriesSector * 512 + 128;
        disk.putLong(second, 1);
        disk.putLong(second + 32, 2048);
        disk.putLong(second + 40, 4095);
    }

    private void ext4(int at) {
        disk.putShort(at + 0x438, (short) 0xef53);
        disk.putInt(at + 0x418, 2);
    }

    private void ntfs(int sectorBytes, int perCluster) {
        put(3, "NTFS    ");
        disk.putShort(11, (short) sectorBytes);
        disk.put(13, (byte) perCluster);
    }

    private static Map<?, ?> onlyPartition(Map<String, Object> impact) {
        List<?> partitions = (List<?>) impact.get("partitions");
        assertEquals(1, partitions.size(), impact.toString());
        return (Map<?, ?>) partitions.get(0);
    }

    @Test
    void aFileSystemOnTheWholeDisk() {
        ext4(0);
        Map<?, ?> hit = onlyPartition(impact(80, 16));
        assertEquals("ext4", hit.get("fileSystem"));
        assertEquals("/dev/nbd0", hit.get("device"));
        assertEquals("debugfs -R 'icheck 10 11' /dev/nbd0", ((List<?>) hit.get("commands")).get(1));
    }

    @Test
    void aPartitionOfAGptWithBlocksCountedFromItsStart() {
        gpt(1, 2);
        ext4(2048 * 512);
        Map<?, ?> hit = onlyPartition(impact(2048 + 80, 1));
        assertEquals("/dev/nbd0p2", hit.get("device"));
        assertEquals(
                List.of(Map.of("offsetBytes", 80 * 512L, "lengthBytes", 512L, "state", "unreadable")),
                hit.get("ranges"));
        assertTrue(hit.get("commands").toString().contains("icheck 10'"), hit.toString());
    }

    private void xfs(int roCompat) {
        put(0, "XFSB");
        disk.order(ByteOrder.BIG_ENDIAN);
        disk.putInt(4, 4096).putShort(100, (short) 0xb4a5).putInt(212, roCompat);
        disk.order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Its quick tool answers "unknown" where it does not keep who owns a block. */
    @Test
    void xfsIsAskedAsItCanAnswer() {
        xfs(0x7);
        List<?> commands = (List<?>) onlyPartition(impact(8192, 1)).get("commands");
        assertEquals("xfs_io -r -c 'fsmap -v -d 8192 8192' MOUNTPOINT", commands.get(1));
        xfs(0x5);
        commands = (List<?>) onlyPartition(impact(8190, 4)).get("commands");
        assertEquals(
                "xfs_db -r -c 'blockget -n' -c 'daddr 8190' -c 'blockuse -n -c 2' /dev/nbd0"
                        + " | sed 's/.* type /type /' | sort -u",
                commands.get(1));
        xfs(0x5);
        disk.putInt(4, 0);
        assertEquals("", onlyPartition(impact(8192, 1)).get("fileSystem"), "no block is so small");
    }

    /** The count of a cluster's sectors is a plain one up to 128; from 0xf0 on it is an exponent, as of 128 KiB and more. */
    @Test
    void clustersOfNtfsAreCountedAsItsToolsCountThem() {
        Map<Integer, Long> bytesOf = Map.of(1, 512L, 8, 4096L, 0x80, 65_536L, 0xf8, 131_072L, 0xf4, 2_097_152L);
        bytesOf.forEach((perCluster, bytes) -> {
            ntfs(512, perCluster);
            List<?> commands = (List<?>) onlyPartition(impact(8192, 1)).get("commands");
            assertEquals("# clusters of " + bytes + " bytes", commands.get(0));
            long cluster = 8192 * 512 / bytes;
            assertEquals("ntfscluster -c " + cluster + "-" + cluster + " /dev/nbd0", commands.get(1));
        });
    }

    @Test
    void aSuperblockThatNoNtfsHasIsNone() {
        for (int[] wrong : new int[][] {{512, 0}, {512, 3}, {512, 0x81}, {512, 0xef}, {0, 8}, {1000, 8}, {8192, 8}}) {
            ntfs(wrong[0], wrong[1]);
            assertEquals("", onlyPartition(impact(8192, 1)).get("fileSystem"), wrong[0] + ", " + wrong[1]);
        }
    }

    @Test
    void avoidedRangesStandBesideTheOthersAndAllTheirBlocksAreNamed() {
        ext4(0);
        Map<String, Object> impact = impact(
                new Damage(new SectorRange(80, 8), Cause.LOST), new Damage(new SectorRange(800, 1600), Cause.AVOIDED));
        Map<?, ?> hit = onlyPartition(impact);
        for (Object ranges : List.of(impact.get("ranges"), hit.get("ranges"))) {
            assertEquals("lost", ((Map<?, ?>) ((List<?>) ranges).get(0)).get("state"));
            assertEquals("avoided", ((Map<?, ?>) ((List<?>) ranges).get(1)).get("state"));
        }
        List<?> commands = (List<?>) hit.get("commands");
        assertEquals("debugfs -R \"icheck $(seq -s ' ' 10 10)\" /dev/nbd0", commands.get(1));
        assertEquals("debugfs -R \"icheck $(seq -s ' ' 100 299)\" /dev/nbd0", commands.get(2));
    }

    @Test
    void whatIsMoreThanCommandsAreShownForIsSaid() {
        ext4(0);
        Damage[] damage = new Damage[12];
        for (int i = 0; i < damage.length; i++) {
            damage[i] = new Damage(new SectorRange(1000L * i, 80), Cause.AVOIDED);
        }
        List<?> commands = (List<?>) onlyPartition(impact(damage)).get("commands");
        assertTrue(
                commands.contains("# and so for 4 more ranges; 'remap impact --json' lists them"), commands::toString);
    }

    /** One sector of eight, so that each is a range; from sector 2048 on a partition begins. */
    private static List<Damage> everyEighth(long firstSector, long endSector) {
        return LongStream.range(firstSector / 8, endSector / 8)
                .mapToObj(unit -> new Damage(new SectorRange(unit * 8, 1), Cause.UNREADABLE))
                .toList();
    }

    @Test
    void jsonListsAllThatTheCommandsLeaveOut() {
        ext4(0);
        List<Damage> damage = everyEighth(0, 1200);
        Map<String, Object> impact = new Impact(this::read, SIZE, 512, "/dev/nbd0").of(damage);
        Map<?, ?> hit = onlyPartition(impact);
        assertEquals(150, ((List<?>) impact.get("ranges")).size());
        assertEquals(150L, impact.get("rangesTotal"));
        assertEquals(150L, impact.get("sectorsTotal"));
        assertEquals(150, ((List<?>) hit.get("ranges")).size());
        assertEquals(150L, hit.get("rangesTotal"));
        assertEquals(0L, impact.get("outsideTotal"));
        assertTrue(
                ((List<?>) hit.get("commands"))
                        .contains("# and so for 142 more ranges; 'remap impact --json' lists them"),
                hit::toString);
    }

    /** Two partitions, of which the first uses up what may be listed; and much that is in none. */
    @Test
    void whatIsMoreThanAnAnswerHoldsIsCounted() {
        mbr(0, 0, 0x83, 2048, 12_000 * 8);
        mbr(0, 1, 0x83, 2048 + 12_000 * 8, 1000 * 8);
        List<Damage> damage = new ArrayList<>(everyEighth(8, 2048 + 13_000 * 8));
        long end = 2048 + 13_000 * 8;
        for (int i = 0; i < 11_000; i++) {
            damage.add(new Damage(new SectorRange(end + 3L * i, 2), Cause.LOST));
        }
        long diskBytes = 100L << 20;
        Map<String, Object> impact = new Impact(
                        (offset, length) -> offset < SIZE - length ? read(offset, length) : Optional.empty(),
                        diskBytes,
                        512,
                        "/dev/nbd0")
                .of(damage);
        assertEquals(255L + 13_000 + 11_000, impact.get("rangesTotal"));
        assertEquals(255L + 13_000 + 22_000, impact.get("sectorsTotal"));
        assertEquals(Impact.MAX_RANGES, ((List<?>) impact.get("ranges")).size());
        assertEquals(255L + 11_000, impact.get("outsideTotal"));
        assertEquals(Impact.MAX_RANGES, ((List<?>) impact.get("outside")).size());
        List<?> partitions = (List<?>) impact.get("partitions");
        assertEquals(12_000L, ((Map<?, ?>) partitions.get(0)).get("rangesTotal"));
        assertEquals(Impact.MAX_RANGES, ((List<?>) ((Map<?, ?>) partitions.get(0)).get("ranges")).size());
        assertEquals(1000L, ((Map<?, ?>) partitions.get(1)).get("rangesTotal"));
        assertEquals(Impact.MIN_RANGES, ((List<?>) ((Map<?, ?>) partitions.get(1)).get("ranges")).size());
        assertEquals(
                List.of(
                        "# and so for 11992 more ranges; 'remap impact --json' lists the first 10000 of all 12000",
                        "# and so for 992 more ranges; 'remap impact --json' lists the first 100 of all 1000"),
                List.of(
                        new FileSystem("ntfs", 512)
                                .commands("p", places(10_000), 12_000)
                                .get(9),
                        new FileSystem("ntfs", 512)
                                .commands("p", places(100), 1000)
                                .get(9)));
    }

    private static List<FileSystem.Place> places(int count) {
        return LongStream.range(0, count)
                .mapToObj(i -> new FileSystem.Place(i * 4096, 512))
                .toList();
    }

    @Test
    void theBackupWhereTheFirstTableCannotBeRead() {
        gpt(SIZE / 512 - 1, SIZE / 512 - 33);
        ext4(2048 * 512);
        unreadableBelow = 1024;
        assertEquals("/dev/nbd0p2", onlyPartition(impact(3000, 1)).get("device"));
    }

    @Test
    void logicalPartitionsOfAnMbr() {
        mbr(0, 0, 0x83, 2048, 1024);
        mbr(0, 1, 0x05, 4096, 8192);
        mbr(4096 * 512, 0, 0x83, 64, 1000);
        mbr(4096 * 512, 1, 0x05, 2048, 1100);
        mbr((4096 + 2048) * 512, 0, 0x07, 64, 1000);
        put((4096 + 2048 + 64) * 512 + 3, "NTFS    ");
        disk.putShort((4096 + 2048 + 64) * 512 + 11, (short) 512);
        disk.put((4096 + 2048 + 64) * 512 + 13, (byte) 8);
        Map<?, ?> hit = onlyPartition(impact(4096 + 2048 + 64 + 17, 8));
        assertEquals("/dev/nbd0p6", hit.get("device"));
        assertEquals(List.of("# clusters of 4096 bytes", "ntfscluster -c 2-3 /dev/nbd0p6"), hit.get("commands"));
    }

    @Test
    void whatIsInNoPartitionIsSaidToBe() {
        gpt(1, 2);
        Map<String, Object> impact = impact(10_000, 4);
        assertEquals(List.of(), impact.get("partitions"));
        assertEquals(1, ((List<?>) impact.get("outside")).size());
    }

    @Test
    void noiseIsNoTableAndNoFileSystemHangsIt() {
        for (int seed = 0; seed < 300; seed++) {
            byte[] noise = new byte[1 << 17];
            new SplittableRandom(seed).nextBytes(noise);
            disk.put(0, noise);
            disk.putShort(510, (short) 0xaa55);
            disk.put(450, (byte) (seed % 2 == 0 ? 0xee : 0x05));
            if (seed % 3 == 0) {
                put(512, "EFI PART");
                disk.putLong(512 + 72, seed % 7);
                disk.putInt(512 + 84, 128);
            }
            for (Object one : (List<?>) impact(5, 1000).get("partitions")) {
                long start = (Long) ((Map<?, ?>) one).get("startBytes");
                long length = (Long) ((Map<?, ?>) one).get("lengthBytes");
                assertTrue(start >= 0 && length > 0 && start + length <= SIZE, "seed " + seed + ": " + one);
            }
        }
    }
}
