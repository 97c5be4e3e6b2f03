package io.remap.core.device;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.Refusal;
import io.remap.api.Reopening;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Finds a file or block device again: at the path that it was opened by, which may be a link that leads elsewhere by now,
 * and under every other name that a disk of this identity has.
 *
 * <p>A name proves nothing, nor does a label that is copied with the content (PARTUUID). A disk is the same by its WWN or
 * serial number, a partition by that and its place there. What has none, a file and a loop device over one, is the same by
 * its inode and the witness of the pair that stands beside its bytes; without either it is not opened again.
 */
final class FileReopening implements Reopening {
    /** Places that are tried with a read, spread over the device: one that reads will do. */
    private static final int PROBES = 8;

    private final FileDevice device;
    private final DeviceUri uri;
    private final OpenOptions options;
    private final BlockTopology topology;
    private final Opener opener;
    private final Mark mark;

    /** Opens a device as it was opened before. */
    @FunctionalInterface
    interface Opener {
        BlockDevice open(DeviceUri uri, OpenOptions options) throws Refusal, DeviceException;
    }

    /**
     * What a device is known by.
     *
     * @param disk what its disk says of itself, or the file behind it
     * @param startBytes its place there
     * @param proves whether no other one has this mark
     */
    private record Mark(String disk, long startBytes, boolean proves) {}

    FileReopening(FileDevice device, DeviceUri uri, OpenOptions options, BlockTopology topology, Opener opener) {
        this.device = device;
        this.uri = uri;
        this.options = new OpenOptions(
                options.readOnly(),
                options.exclusive(),
                options.door(),
                options.sectorBytes(),
                OptionalLong.empty(),
                options.force());
        this.topology = topology;
        this.opener = opener;
        this.mark = markAt(uri.path());
    }

    private Mark markAt(String candidate) {
        try {
            FileNode node = FileNode.of(Path.of(candidate));
            Optional<BlockTopology.Block> block =
                    node.kind() == FileNode.Kind.BLOCK ? topology.byNumber(node.blockNumber()) : Optional.empty();
            return block.isPresent() ? markOf(block.get()) : new Mark("file:" + candidate, 0, false);
        } catch (IOException | InvalidPathException e) {
            return new Mark("", 0, false);
        }
    }

    private Mark markOf(BlockTopology.Block block) {
        BlockTopology.Block disk = topology.disk(block);
        Optional<String> file = topology.loopFile(disk);
        if (file.isPresent()) {
            return new Mark("file:" + file.get(), topology.loopOffsetBytes(disk) + block.startBytes(), false);
        }
        String id = topology.stableId(disk);
        return new Mark(id, block.startBytes(), !id.startsWith("path:"));
    }

    @Override
    public Optional<String> reopen() {
        for (String candidate : candidates()) {
            if (goesOnWith(candidate)) {
                return Optional.of(candidate);
            }
        }
        return Optional.empty();
    }

    private Set<String> candidates() {
        Set<String> found = new LinkedHashSet<>(Set.of(uri.path()));
        if (device.traits().blockDevice()) {
            topology.all().stream()
                    .filter(block -> markOf(block).equals(mark))
                    .map(BlockTopology.Block::node)
                    .forEach(found::add);
        }
        return found;
    }

    private boolean goesOnWith(String candidate) {
        BlockDevice opened;
        try {
            opened = opener.open(
                    new DeviceUri(uri.scheme(), candidate, uri.parameters(), uri.offsetBytes(), uri.lengthBytes()),
                    options);
        } catch (Refusal | DeviceException e) {
            // Not there, or still the one that is dead, which nobody else may open while we have it.
            return false;
        }
        if (opened instanceof FileDevice fresh && isSame(fresh, candidate) && reads(fresh)) {
            return device.goOnWith(fresh);
        }
        opened.close();
        return false;
    }

    private boolean isSame(FileDevice fresh, String candidate) {
        return fresh.traits().equals(device.traits())
                && markAt(candidate).equals(mark)
                && (mark.proves || (inode(fresh).equals(inode(device)) && hasSameWitness(fresh)));
    }

    /** Of the file at the bottom; the number of its file system is another one after each mount. */
    private static String inode(FileDevice device) {
        String backing = device.identity().backing();
        return backing.substring(backing.lastIndexOf(':') + 1);
    }

    private boolean hasSameWitness(FileDevice fresh) {
        Optional<byte[]> known = device.knownWitness();
        try {
            Optional<byte[]> there = fresh.readWitness();
            return known.isPresent() && there.isPresent() && Arrays.equals(known.get(), there.get());
        } catch (DeviceException e) {
            return false;
        }
    }

    private static boolean reads(FileDevice fresh) {
        int lengthBytes =
                Math.max(fresh.traits().logicalSectorBytes(), fresh.traits().alignmentBytes());
        ByteBuffer probe = ByteBuffer.allocateDirect(2 * lengthBytes)
                .alignedSlice(lengthBytes)
                .limit(lengthBytes)
                .slice();
        long places = fresh.traits().sizeBytes() / lengthBytes;
        for (int i = 0; i < PROBES; i++) {
            try {
                fresh.direct().read(places * i / PROBES * lengthBytes, probe.clear());
                return true;
            } catch (DeviceException e) {
                // The next one may read: bad sectors are what this is for.
            }
        }
        return false;
    }
}
