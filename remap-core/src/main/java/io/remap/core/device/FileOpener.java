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
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * Opens regular files through the C library; block devices go on to {@link BlockOpener}.
 *
 * <p>The first descriptor is buffered: it holds the lock and is synced. Direct transfers go through a second one that is
 * opened by way of /proc/self/fd, so that it leads to the same file whatever happened to the name.
 */
final class FileOpener {
    /** Magic numbers of file systems in memory, statfs(2): tmpfs (devtmpfs too), ramfs, hugetlbfs. */
    private static final List<Integer> IN_MEMORY = List.of(0x01021994, 0x858458f6, 0x958458f6);

    /** What the medium under a file rewrites at a time, as far as anybody knows. */
    private static final int PHYSICAL_SECTOR_BYTES = 4096;

    private final Libc libc;
    private final BlockTopology topology;

    FileOpener(Libc libc, BlockTopology topology) {
        this.libc = libc;
        this.topology = topology;
    }

    BlockDevice open(DeviceUri uri, OpenOptions options) throws Refusal, DeviceException {
        String path = uri.path();
        checkSectorBytes(path, options);
        if (options.createBytes().isPresent()) {
            new FileCreation(libc, path, options.createBytes().getAsLong()).create(sectorBytes(options));
            try {
                return openRegular(uri, options);
            } catch (Refusal | DeviceException | RuntimeException e) {
                FileCreation.remove(path);
                throw e;
            }
        }
        return switch (stat(path).kind()) {
            case REGULAR -> openRegular(uri, options);
            case BLOCK -> new BlockOpener(libc, topology).open(uri, options);
            case DIRECTORY -> throw FileRefusals.directory(path);
            case OTHER -> throw FileRefusals.special(path);
        };
    }

    private static int sectorBytes(OpenOptions options) {
        return options.sectorBytes().orElse(DeviceTraits.MIN_SECTOR_BYTES);
    }

    static void checkSectorBytes(String path, OpenOptions options) throws Refusal {
        int sector = sectorBytes(options);
        if (Integer.bitCount(sector) != 1
                || sector < DeviceTraits.MIN_SECTOR_BYTES
                || sector > DeviceTraits.MAX_SECTOR_BYTES) {
            throw FileRefusals.noSectorSize(path, sector);
        }
    }

    /** What the path leads to; looked at before opening, since opening a pipe would wait for its other end. */
    static FileNode stat(String path) throws Refusal, DeviceException {
        try {
            return FileNode.of(Path.of(path));
        } catch (InvalidPathException e) {
            throw FileRefusals.usage(path + " is no path: " + e.getReason());
        } catch (NoSuchFileException e) {
            throw FileRefusals.missing(path);
        } catch (AccessDeniedException e) {
            throw FileRefusals.ofOpen(path, true, Errno.EACCES);
        } catch (IOException e) {
            // A file on the way that is no directory, a circle of links, a name that is too long.
            throw FileRefusals.environment(path + ": cannot be looked at (" + e.getMessage() + "); check the path");
        }
    }

    private BlockDevice openRegular(DeviceUri uri, OpenOptions options) throws Refusal, DeviceException {
        String path = uri.path();
        try (FileDescriptors descriptors = new FileDescriptors(libc, path, options.readOnly())) {
            int result = descriptors.open(Libc.O_NONBLOCK, 0);
            if (result < 0) {
                throw FileRefusals.ofOpen(path, options.readOnly(), -result);
            }
            FileNode node = descriptors.node();
            if (node.kind() != FileNode.Kind.REGULAR) {
                throw FileRefusals.busy(path + " was replaced while it was opened; try again");
            }
            if (options.exclusive()) {
                descriptors.lock();
                if (!options.force()) {
                    refuseIfUsed(path, node);
                }
            }
            int sector = sectorBytes(options);
            long size = size(uri, node.sizeBytes(), sector);
            boolean inMemory = IN_MEMORY.contains(libc.fileSystemType(descriptors.fd()));
            int alignment = inMemory ? 0 : descriptors.openDirect(false, sector);
            // A direct door that cannot reach a single sector is of no use to whoever looks for a bad one.
            boolean canDirect = alignment > 0 && alignment <= sector;
            if (options.door() == Door.DIRECT && !canDirect) {
                throw FileRefusals.noDirect(
                        path,
                        alignment > sector
                                ? "its file system needs " + alignment + "-byte sectors; or use --sector-size "
                                        + alignment
                                : "its file system has no way past the page cache");
            }
            if (!canDirect) {
                descriptors.dropDirect();
            }
            Optional<BlockTopology.Block> under = topology.diskOfFileSystem(node.fileSystemNumber());
            DeviceTraits buffered = new DeviceTraits(
                    size,
                    sector,
                    PHYSICAL_SECTOR_BYTES,
                    1,
                    false,
                    options.readOnly(),
                    under.map(topology::rotational).orElse(false),
                    inMemory || under.map(topology::memoryBacked).orElse(false),
                    false);
            DeviceTraits direct = canDirect ? asDirect(buffered, alignment) : null;
            boolean tagged = FileWitness.isSupported(libc, descriptors.fd());
            DeviceIdentity identity = DeviceIdentity.ofWhole(
                    "path:" + realPath(path),
                    backing(node),
                    size,
                    under.map(topology::physicalDisk).orElse(""));
            return device(
                    libc,
                    descriptors,
                    path,
                    options.door(),
                    buffered,
                    direct,
                    identity,
                    handle -> tagged ? new FileWitness(libc, handle, handle.fd, path, options.readOnly()) : null);
        }
    }

    static DeviceTraits asDirect(DeviceTraits traits, int alignmentBytes) {
        return new DeviceTraits(
                traits.sizeBytes(),
                traits.logicalSectorBytes(),
                traits.physicalSectorBytes(),
                alignmentBytes,
                true,
                traits.readOnly(),
                traits.rotational(),
                traits.losesContentOnPowerCut(),
                traits.blockDevice());
    }

    /** The device of the door that was asked for; takes the descriptors over. */
    static BlockDevice device(
            Libc libc,
            FileDescriptors descriptors,
            String path,
            Door door,
            DeviceTraits buffered,
            DeviceTraits direct,
            DeviceIdentity identity,
            Function<FileHandle, WitnessTag> witnessOf) {
        FileHandle handle = descriptors.handOver();
        WitnessTag witness = witnessOf.apply(handle);
        if (direct != null && door != Door.BUFFERED) {
            return new FileDevice(libc, handle, handle.directFd(), path, direct, null, identity, witness);
        }
        return new FileDevice(libc, handle, handle.fd, path, buffered, direct, identity, witness);
    }

    /** The size that can be served: of a part, its own check follows, so a tail that is no sector may stand after it. */
    static long size(DeviceUri uri, long sizeBytes, int sectorBytes) throws Refusal {
        if (sizeBytes == 0) {
            throw FileRefusals.empty(uri.path());
        }
        boolean tail = sizeBytes % sectorBytes != 0;
        if ((tail && uri.lengthBytes() == DeviceUri.TO_END) || sizeBytes < sectorBytes) {
            throw FileRefusals.noMultiple(uri.path(), sizeBytes, sectorBytes);
        }
        return sizeBytes / sectorBytes * sectorBytes;
    }

    static String backing(FileNode node) {
        return "file:" + node.device() + ":" + node.inode();
    }

    static String realPath(String path) {
        try {
            return Path.of(path).toRealPath().toString();
        } catch (IOException e) {
            return Path.of(path).toAbsolutePath().normalize().toString();
        }
    }

    /** An image must not be changed under a loop device, whatever is mounted from that. */
    private void refuseIfUsed(String path, FileNode node) throws Refusal {
        Optional<String> user = topology.userOfFile(file -> isSameFile(file, node));
        if (user.isPresent()) {
            throw FileRefusals.busy(path + " is in use: " + user.get());
        }
    }

    static boolean isSameFile(String path, FileNode node) {
        try {
            return FileNode.of(Path.of(path)).isSameFile(node);
        } catch (IOException | InvalidPathException e) {
            // Deleted, or out of reach from here: it cannot be told to be the same.
            return false;
        }
    }
}
