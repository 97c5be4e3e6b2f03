package io.remap.core.device;

import io.remap.api.DeviceIdentity;
import io.remap.core.device.BlockTopology.Block;
import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What loop devices stand on, and which of them reach the bytes of a device.
 *
 * <p>Needed since a loop device claims nothing of what it stands on: with a file system mounted through {@code /dev/loop0}
 * over {@code /dev/sdb}, the kernel lets anybody open {@code /dev/sdb} exclusively. Reads sysfs anew at every question;
 * thread-safe.
 */
final class LoopStack {
    /** Deepest stack of loop devices that is followed. */
    private static final int MAX_DEPTH = 8;

    private final BlockTopology topology;
    private final BlockIdentity identities;

    LoopStack(BlockTopology topology) {
        this.topology = topology;
        this.identities = new BlockIdentity(topology);
    }

    /**
     * A file or device under a loop device.
     *
     * @param path as the loop device names it
     * @param node what that leads to
     * @param block the device, empty for a file
     */
    record Step(String path, FileNode node, Optional<Block> block) {}

    /** What it stands on, the next one first, as far as it is within reach; empty if it is no loop device. */
    List<Step> under(Block block) {
        List<Step> steps = new ArrayList<>();
        Optional<String> path = topology.loopFile(block);
        while (path.isPresent() && steps.size() < MAX_DEPTH) {
            Optional<FileNode> node = node(path.get());
            if (node.isEmpty()) {
                break;
            }
            Optional<Block> device = node.get().kind() == FileNode.Kind.BLOCK
                    ? topology.byNumber(node.get().blockNumber())
                    : Optional.empty();
            steps.add(new Step(path.get(), node.get(), device));
            path = device.flatMap(topology::loopFile);
        }
        return steps;
    }

    /** Deleted, in another mount namespace, or never a path: out of reach. */
    private static Optional<FileNode> node(String path) {
        try {
            return Optional.of(FileNode.of(Path.of(path)));
        } catch (IOException | InvalidPathException e) {
            return Optional.empty();
        }
    }

    /**
     * Which loop device reaches bytes of this device beside it, and is in use or stands on it; one phrase for people, empty
     * if there is none. What the device itself stands on is not meant: that is asked for by opening it.
     */
    Optional<String> otherWay(Block block, DeviceIdentity identity) {
        List<Step> own = under(block);
        for (Block loop : topology.all()) {
            boolean self = isSameDisk(loop, block) || own.stream().anyMatch(step -> isOn(step, loop));
            if (loop.isPartition() || self || !mayReach(loop, identity)) {
                continue;
            }
            boolean above = under(loop).stream().anyMatch(step -> isOn(step, block));
            if ((above || !topology.usedBy(loop).isEmpty()) && reaches(loop, identity)) {
                return Optional.of(topology.attached(loop));
            }
        }
        return Optional.empty();
    }

    private boolean isOn(Step step, Block block) {
        return step.block.filter(under -> isSameDisk(under, block)).isPresent();
    }

    private boolean isSameDisk(Block one, Block other) {
        return one.disk().equals(other.disk());
    }

    /** A host may have a loop device for each of its many packages: those over other files are out with one look. */
    private boolean mayReach(Block loop, DeviceIdentity identity) {
        Optional<FileNode> next = topology.loopFile(loop).flatMap(LoopStack::node);
        return next.filter(node -> node.kind() == FileNode.Kind.BLOCK
                        || FileOpener.backing(node).equals(identity.backing()))
                .isPresent();
    }

    private boolean reaches(Block loop, DeviceIdentity identity) {
        return node(loop.node())
                .filter(node ->
                        identities.of(loop.node(), node, loop.sizeBytes()).overlaps(identity))
                .isPresent();
    }
}
