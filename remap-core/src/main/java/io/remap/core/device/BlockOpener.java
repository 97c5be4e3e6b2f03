package io.remap.core.device;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceTraits;
import io.remap.api.DeviceUri;
import io.remap.api.Errno;
import io.remap.api.Refusal;
import io.remap.api.WitnessTag;
import io.remap.api.spi.BlockDeviceProvider.Door;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import io.remap.core.libc.Libc;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;

/**
 * Opens block devices through the C library.
 *
 * <p>Exclusive means O_EXCL: the kernel refuses it while a file system, a swap, RAID or LVM, or another exclusive opener
 * has the device, one of its partitions or its disk, and keeps those away as long as we have it. With {@code force} a
 * device that is mounted or held is opened without it, and an flock(2) on its node keeps away a second server that was
 * forced as well; a device that a program holds is refused even then.
 *
 * <p>Loop devices pass none of this on to what they stand on, so that is kept by O_EXCL as well, down to the file, which is
 * locked; and a loop device that reaches the same bytes by another way is looked for.
 */
final class BlockOpener {
    /** A larger physical sector is no truth but a drive's mistake. */
    private static final int MAX_PHYSICAL_SECTOR_BYTES = 1 << 20;

    private final Libc libc;
    private final BlockTopology topology;
    private final LoopStack loops;

    BlockOpener(Libc libc, BlockTopology topology) {
        this.libc = libc;
        this.topology = topology;
        this.loops = new LoopStack(topology);
    }

    BlockDevice open(DeviceUri uri, OpenOptions options) throws Refusal, DeviceException {
        String path = uri.path();
        FileNode node = FileOpener.stat(path);
        Optional<BlockTopology.Block> block = topology.byNumber(node.blockNumber());
        try (FileDescriptors descriptors = new FileDescriptors(libc, path, options.readOnly())) {
            int result = openExclusively(descriptors, path, options, node, block);
            if (result == 0) {
                return open(uri, options, descriptors, node, block);
            }
            boolean protectedDevice = (result == -Errno.EACCES || result == -Errno.EROFS || result == -Errno.EPERM)
                    && block.isPresent()
                    && topology.readOnly(block.get());
            if (options.readOnly() || !protectedDevice) {
                throw FileRefusals.ofOpen(path, options.readOnly(), -result);
            }
        }
        // Write-protected: it can be read, and its traits say that nothing else is possible.
        return open(
                uri,
                new OpenOptions(
                        true,
                        options.exclusive(),
                        options.door(),
                        options.sectorBytes(),
                        options.createBytes(),
                        options.force()));
    }

    private int openExclusively(
            FileDescriptors descriptors,
            String path,
            OpenOptions options,
            FileNode node,
            Optional<BlockTopology.Block> block)
            throws Refusal, DeviceException {
        int result = descriptors.open(options.exclusive() ? Libc.O_EXCL : 0, 0);
        if (result != -Errno.EBUSY || !options.exclusive()) {
            return result;
        }
        refuseUsed(path, options, node, block);
        result = descriptors.open(0, 0);
        if (result == 0) {
            descriptors.lock();
        }
        return result;
    }

    /** Of a device that the kernel keeps from us. */
    private void refuseUsed(String path, OpenOptions options, FileNode node, Optional<BlockTopology.Block> block)
            throws Refusal {
        List<String> users = block.map(topology::usedBy).orElse(List.of());
        if (users.isEmpty()) {
            throw FileRefusals.busy(
                    path + " is in use by " + FileOwners.openers(node.blockNumber()) + "; stop that one first");
        }
        if (!options.force()) {
            throw FileRefusals.busy(path + " is in use: " + String.join(", ", users)
                    + "; unmount or release it first (--force opens it nevertheless and risks its content)");
        }
    }

    /** Keeps away whoever would come by what the device stands on, or by what stands on it. */
    private void keepOtherWays(
            FileDescriptors descriptors,
            String path,
            OpenOptions options,
            BlockTopology.Block block,
            DeviceIdentity identity)
            throws Refusal, DeviceException {
        for (LoopStack.Step step : loops.under(block)) {
            if (step.node().kind() == FileNode.Kind.REGULAR) {
                descriptors.lockBacking(step.path());
            } else if (descriptors.keep(step.path()) == -Errno.EBUSY) {
                refuseUsed(path + " stands on " + step.path() + ", which", options, step.node(), step.block());
            }
        }
        Optional<String> otherWay = options.force() ? Optional.empty() : loops.otherWay(block, identity);
        if (otherWay.isPresent()) {
            throw FileRefusals.busy(
                    path + " is in use: " + otherWay.get() + " (--force opens it nevertheless and risks its content)");
        }
    }

    private BlockDevice open(
            DeviceUri uri,
            OpenOptions options,
            FileDescriptors descriptors,
            FileNode node,
            Optional<BlockTopology.Block> block)
            throws Refusal, DeviceException {
        String path = uri.path();
        if (!descriptors.node().blockNumber().equals(node.blockNumber())) {
            throw FileRefusals.busy(path + " was replaced while it was opened; try again");
        }
        long size = ask(descriptors, path, Libc.BLKGETSIZE64);
        int logical = (int) ask(descriptors, path, Libc.BLKSSZGET);
        int physical = (int) ask(descriptors, path, Libc.BLKPBSZGET);
        boolean readOnly = options.readOnly() || (int) ask(descriptors, path, Libc.BLKROGET) != 0;
        if (size == 0) {
            throw FileRefusals.environment(path + " has no size: there is no medium in it, or nothing attached to it");
        }
        if (logical < DeviceTraits.MIN_SECTOR_BYTES || logical > DeviceTraits.MAX_SECTOR_BYTES) {
            throw FileRefusals.environment(path + " has sectors of " + logical + " bytes; 512 to 4096 are supported");
        }
        DeviceIdentity identity = new BlockIdentity(topology).of(path, node, FileOpener.size(uri, size, logical));
        if (options.exclusive() && block.isPresent()) {
            keepOtherWays(descriptors, path, options, block.get(), identity);
        }
        boolean plausible =
                Integer.bitCount(physical) == 1 && physical >= logical && physical <= MAX_PHYSICAL_SECTOR_BYTES;
        int alignment = descriptors.openDirect(true, logical);
        if (alignment == 0 && options.door() == Door.DIRECT) {
            throw FileRefusals.noDirect(path, "the kernel refuses it for this device");
        }
        DeviceTraits buffered = new DeviceTraits(
                FileOpener.size(uri, size, logical),
                logical,
                plausible ? physical : logical,
                1,
                false,
                readOnly,
                block.map(topology::rotational).orElse(false),
                block.map(topology::memoryBacked).orElse(false),
                true);
        DeviceTraits direct = alignment == 0 ? null : FileOpener.asDirect(buffered, alignment);
        boolean wholeFile = isWholeFile(descriptors, identity, logical);
        return FileOpener.device(
                libc,
                descriptors,
                path,
                options.door(),
                buffered,
                direct,
                identity,
                handle -> witness(handle, path, readOnly, wholeFile));
    }

    /** Whether it is a loop device over all of its file. */
    private static boolean isWholeFile(FileDescriptors descriptors, DeviceIdentity identity, int sectorBytes)
            throws DeviceException {
        return descriptors.hasBacking()
                && identity.startBytes() == 0
                && descriptors.backingNode().sizeBytes() / sectorBytes * sectorBytes == identity.lengthBytes();
    }

    /** A loop device carries the witness of its file, so that it is the same main by either name. */
    private WitnessTag witness(FileHandle handle, String path, boolean readOnly, boolean wholeFile) {
        int fd = handle.backingFd();
        if (fd < 0 || !FileWitness.isSupported(libc, fd)) {
            return null;
        }
        FileWitness ofFile = new FileWitness(libc, handle, fd, path, readOnly);
        return wholeFile ? ofFile : new PartWitness(ofFile, path);
    }

    /** A number by ioctl, from an answer of four or eight bytes. */
    private long ask(FileDescriptors descriptors, String path, long request) throws DeviceException {
        ByteBuffer answer = ByteBuffer.allocateDirect(Long.BYTES).order(ByteOrder.nativeOrder());
        int result = libc.ioctl(descriptors.fd(), request, answer);
        if (result < 0) {
            throw new DeviceException(path, "question for its geometry", 0, 0, -result);
        }
        return request == Libc.BLKGETSIZE64 ? answer.getLong(0) : answer.getInt(0);
    }
}
