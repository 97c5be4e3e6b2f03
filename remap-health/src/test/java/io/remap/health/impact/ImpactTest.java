package io.remap.health.impact;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.SectorRange;
import io.remap.api.spi.WatchedDisk.Cause;
import io.remap.api.spi.WatchedDisk.Damage;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
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
