package io.remap.core.device;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceIdentity;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is read from sysfs, on a tree made here: two disks, partitions, LVM over one, a loop device, an empty drive. */
class BlockTopologyTest {
    @TempDir
    Path root;

    private BlockTopology topology;

    @BeforeEach
    void makeTree() throws IOException {
        Path devices = root.resolve("devices");
        block("sda", "sda", "8:0", 2_000_000);
        put("sda/queue/rotational", "1");
        put("sda/queue/logical_block_size", "512");
        put("sda/queue/physical_block_size", "4096");
        put("sda/device/model", "ST1000   DM003 ");
        put("sda/device/vendor", "ATA     ");
        put("sda/device/wwid", "naa.5000c500a1b2c3d4\n");
        block("sda1", "sda/sda1", "8:1", 1_000_000);
        put("sda/sda1/partition", "1");
        put("sda/sda1/start", "2048");
        put("sda/sda1/uevent", "MAJOR=8\nMINOR=1\nPARTUUID=6a1f-01\n");
        block("sda2", "sda/sda2", "8:2", 900_000);
        put("sda/sda2/partition", "2");
        put("sda/sda2/start", "1002048");
        Files.createDirectories(devices.resolve("sda/sda2/holders/dm-0"));
        block("dm-0", "dm-0", "252:0", 900_000);
        put("dm-0/dm/name", "vg-root");
        Files.createDirectories(devices.resolve("dm-0/slaves/sda2"));
        block("nvme0n1", "nvme0n1", "259:0", 4_000_000);
        put("nvme0n1/queue/rotational", "0");
        put("nvme0n1/queue/logical_block_size", "4096");
        put("nvme0n1/queue/physical_block_size", "4096");
        put("nvme0n1/ro", "1");
        put("nvme0n1/serial", "S3X 99");
        block("loop0", "loop0", "7:0", 1000);
        put("loop0/loop/backing_file", "/images/a b.img");
        put("loop0/loop/offset", "1048576");
        block("sr0", "sr0", "11:0", 0);
        block("zram0", "zram0", "253:0", 8192);
        Files.writeString(root.resolve("mountinfo"), """
                22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw
                23 22 0:40 /sub /data\\040two rw - btrfs /dev/nvme0n1 rw,ssd
                24 22 252:0 / /home rw shared:3 master:1 - xfs /dev/mapper/vg-root rw
                25 22 7:0 / /mnt rw - ext4 /dev/loop0 rw
                """);
        Files.writeString(
                root.resolve("swaps"),
                "Filename\t\tType\t\tSize\tUsed\tPriority\n/dev/zram0 partition 4096 0 100\n/images/swap file 1 0 -2\n");
        topology = new BlockTopology(
                root.resolve("class"), root, new MountTable(root.resolve("mountinfo"), root.resolve("swaps")));
    }

    private void block(String name, String place, String number, long sectors) throws IOException {
        put(place + "/dev", number + "\n");
        put(place + "/size", sectors + "\n");
        Files.createDirectories(root.resolve("class"));
        Files.createSymbolicLink(
                root.resolve("class").resolve(name), root.resolve("devices").resolve(place));
    }

    private void put(String file, String text) throws IOException {
        Path path = root.resolve("devices").resolve(file);
        Files.createDirectories(path.getParent());
        Files.writeString(path, text);
    }

    private BlockTopology.Block block(String name) {
        return topology.find(name).orElseThrow();
    }

    @Test
    void partitionsKnowTheirDisk() {
        BlockTopology.Block part = block("sda1");
        assertTrue(part.isPartition());
        assertEquals("sda", part.disk());
        assertEquals(2048 * 512, part.startBytes());
        assertEquals(1_000_000L * 512, part.sizeBytes());
        assertFalse(block("sda").isPartition());
        assertEquals(Optional.of(part), topology.byNumber("8:1"));
        assertEquals(Optional.empty(), topology.byNumber("8:9"));
        assertEquals(Optional.empty(), topology.find("nothing"));
    }

    @Test
    void theQueueOfTheDiskCountsForItsPartitions() {
        assertTrue(topology.rotational(block("sda1")));
        assertEquals(512, topology.logicalSectorBytes(block("sda1")));
        assertEquals(4096, topology.physicalSectorBytes(block("sda1")));
        assertFalse(topology.rotational(block("nvme0n1")));
        assertTrue(topology.readOnly(block("nvme0n1")));
        assertFalse(topology.readOnly(block("sda")));
        assertEquals("ATA ST1000 DM003", topology.model(block("sda2")));
        assertTrue(topology.memoryBacked(block("zram0")));
        assertFalse(topology.memoryBacked(block("sda")));
    }

    @Test
    void everyUserIsNamed() {
        assertEquals(List.of("mounted at /"), topology.usedBy(block("sda1")));
        assertEquals(List.of("held by dm-0 (vg-root)"), topology.usedBy(block("sda2")));
        assertEquals(
                List.of("/dev/sda1 mounted at /", "/dev/sda2 held by dm-0 (vg-root)"), topology.usedBy(block("sda")));
        assertEquals(List.of("mounted at /home"), topology.usedBy(block("dm-0")));
        assertEquals(List.of("mounted at /data two"), topology.usedBy(block("nvme0n1")));
        assertEquals(List.of("used as swap"), topology.usedBy(block("zram0")));
        assertEquals(List.of(), topology.usedBy(block("sr0")));
    }

    @Test
    void usersOfFilesAreNamed() {
        assertEquals(
                "attached to /dev/loop0, which is mounted at /mnt; detach it with 'losetup -d /dev/loop0'",
                topology.userOfFile("/images/a b.img"::equals).orElseThrow());
        assertTrue(topology.userOfFile("/images/swap"::equals).isPresent());
        assertEquals(Optional.empty(), topology.userOfFile("/images/other"::equals));
    }

    @Test
    void namesThatSurviveAReboot() throws IOException {
        assertEquals("wwn:naa.5000c500a1b2c3d4", topology.stableId(block("sda")));
        assertEquals("partuuid:6a1f-01", topology.stableId(block("sda1")));
        assertEquals("wwn:naa.5000c500a1b2c3d4-part2", topology.stableId(block("sda2")));
        assertEquals("serial:S3X_99", topology.stableId(block("nvme0n1")));
        assertEquals("path:/dev/mapper/vg-root", topology.stableId(block("dm-0")));
        assertEquals("path:/dev/sr0", topology.stableId(block("sr0")));
        Path links = Files.createDirectories(root.resolve("disk/by-partuuid"));
        Files.createSymbolicLink(links.resolve("6a1f-02"), Path.of("../../sda2"));
        assertEquals("partuuid:6a1f-02", topology.stableId(block("sda2")));
        links = Files.createDirectories(root.resolve("disk/by-id"));
        Files.createSymbolicLink(links.resolve("ata-DVD_42"), Path.of("../../sr0"));
        assertEquals("serial:ata-DVD_42", topology.stableId(block("sr0")));
    }

    @Test
    void theStackIsFollowedDownToTheDisk() {
        assertEquals("/dev/sda", topology.physicalDisk(block("dm-0")));
        assertEquals("/dev/sda", topology.physicalDisk(block("sda2")));
        assertEquals("/dev/nvme0n1", topology.physicalDisk(block("nvme0n1")));
        assertEquals(Optional.of(block("nvme0n1")), topology.diskOfFileSystem("0:40"));
        assertEquals(Optional.empty(), topology.diskOfFileSystem("0:41"));
    }

    @Test
    void aPartitionOverlapsItsDiskAndNotItsNeighbour() {
        DeviceIdentity disk = identity("8:0", 2_000_000L * 512);
        DeviceIdentity first = identity("8:1", 1_000_000L * 512);
        DeviceIdentity second = identity("8:2", 900_000L * 512);
        assertEquals("block:8:0", first.backing());
        assertEquals("/dev/sda", first.physicalDisk());
        assertTrue(disk.overlaps(first) && second.overlaps(disk));
        assertFalse(first.overlaps(second));
    }

    private DeviceIdentity identity(String number, long sizeBytes) {
        return new BlockIdentity(topology).of("/dev/x", new FileNode(FileNode.Kind.BLOCK, 5, 6, number, 0), sizeBytes);
    }

    @Test
    void anEmptyHostHasNoDevices() {
        Path nothing = root.resolve("nothing");
        BlockTopology empty = new BlockTopology(nothing, nothing, new MountTable(nothing, nothing));
        assertEquals(List.of(), empty.all());
        assertEquals(Optional.empty(), empty.userOfFile(path -> true));
    }
}
