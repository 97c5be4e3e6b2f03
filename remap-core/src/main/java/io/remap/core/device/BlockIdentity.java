package io.remap.core.device;

import io.remap.api.DeviceIdentity;
import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Which bytes a block device stands for: a partition is a part of its disk, a loop device is a part of its file, and so
 * on down. Pure but for sysfs.
 */
final class BlockIdentity {
    /** Deepest stack of loop devices that is followed. */
    private static final int MAX_DEPTH = 8;

    private final BlockTopology topology;

    BlockIdentity(BlockTopology topology) {
        this.topology = topology;
    }

    /** Of the device at this node. */
    DeviceIdentity of(String path, FileNode node, long sizeBytes) {
        return of(path, node, 0, sizeBytes, MAX_DEPTH);
    }

    private DeviceIdentity of(String path, FileNode node, long startBytes, long sizeBytes, int depth) {
        if (node.kind() == FileNode.Kind.REGULAR) {
            String disk = topology.diskOfFileSystem(node.fileSystemNumber())
                    .map(topology::physicalDisk)
                    .orElse("");
            String id = "path:" + FileOpener.realPath(path);
            return new DeviceIdentity(
                    BlockPart.stableId(id, startBytes), FileOpener.backing(node), id, startBytes, sizeBytes, disk);
        }
        Optional<BlockTopology.Block> found = topology.byNumber(node.blockNumber());
        if (found.isEmpty()) {
            String id = "path:" + FileOpener.realPath(path);
            return new DeviceIdentity(id, "block:" + node.blockNumber(), id, startBytes, sizeBytes, "");
        }
        BlockTopology.Block block = found.get();
        BlockTopology.Block disk = topology.disk(block);
        long start = startBytes + block.startBytes();
        Optional<String> file = topology.loopFile(block);
        if (file.isPresent() && depth > 0) {
            try {
                FileNode behind = FileNode.of(Path.of(file.get()));
                return of(file.get(), behind, start + topology.loopOffsetBytes(block), sizeBytes, depth - 1);
            } catch (IOException | InvalidPathException e) {
                // Deleted, or out of reach: the loop device itself is all there is to tell.
                return new DeviceIdentity(
                        "path:" + block.node(), "block:" + disk.number(), diskId(disk), start, sizeBytes, disk.node());
            }
        }
        return new DeviceIdentity(
                BlockPart.stableId(topology.stableId(block), startBytes),
                "block:" + disk.number(),
                diskId(disk),
                start,
                sizeBytes,
                topology.physicalDisk(block));
    }

    /** A node alone is the next disk's after a reboot; with the size it is at least not that of just any disk. */
    private String diskId(BlockTopology.Block disk) {
        String id = topology.stableId(disk);
        return id.startsWith("path:") ? id + "#" + disk.sizeBytes() : id;
    }
}
