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
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserDefinedFileAttributeView;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Opens files and block devices through the channels of the JDK; the limits are those of {@link FileChannelDevice}. */
final class FileChannelOpener {
    private static final int PHYSICAL_SECTOR_BYTES = 4096;
    private static final int MAX_WRITE_BYTES = 1 << 20;

    private final BlockTopology topology;

    FileChannelOpener(BlockTopology topology) {
        this.topology = topology;
    }

    BlockDevice open(DeviceUri uri, OpenOptions options) throws Refusal, DeviceException {
        String path = uri.path();
        FileOpener.checkSectorBytes(path, options);
        int sector = options.sectorBytes().orElse(DeviceTraits.MIN_SECTOR_BYTES);
        if (options.createBytes().isPresent()) {
            create(path, options.createBytes().getAsLong(), sector);
        }
        try {
            FileNode node = FileOpener.stat(path);
            return switch (node.kind()) {
                case REGULAR, BLOCK -> open(uri, options, node, sector);
                case DIRECTORY -> throw FileRefusals.directory(path);
                case OTHER -> throw FileRefusals.special(path);
            };
        } catch (Refusal | DeviceException | RuntimeException e) {
            if (options.createBytes().isPresent()) {
                FileCreation.remove(path);
            }
            throw e;
        }
    }

    private BlockDevice open(DeviceUri uri, OpenOptions options, FileNode node, int wantedSector)
            throws Refusal, DeviceException {
        String path = uri.path();
        Optional<BlockTopology.Block> block = node.kind() == FileNode.Kind.BLOCK
                ? topology.byNumber(node.blockNumber())
                : topology.diskOfFileSystem(node.fileSystemNumber());
        boolean isBlock = node.kind() == FileNode.Kind.BLOCK;
        if (options.exclusive() && !options.force()) {
            refuseIfUsed(path, node, block);
        }
        int sector = isBlock ? block.map(topology::logicalSectorBytes).orElse(wantedSector) : wantedSector;
        boolean direct = options.door() != Door.BUFFERED && blockSize(path) <= sector;
        if (options.door() == Door.DIRECT && !direct) {
            throw FileRefusals.noDirect(path, "without native calls it needs sectors of " + blockSize(path) + " bytes");
        }
        FileChannel channel = openChannel(path, options, direct);
        try {
            if (options.exclusive()) {
                lock(channel, path, options.readOnly());
            }
            long size = FileOpener.size(uri, channel.size(), sector);
            DeviceTraits traits = new DeviceTraits(
                    size,
                    sector,
                    Math.max(
                            sector,
                            isBlock ? block.map(topology::physicalSectorBytes).orElse(sector) : PHYSICAL_SECTOR_BYTES),
                    direct ? (int) blockSize(path) : 1,
                    direct,
                    options.readOnly(),
                    block.map(topology::rotational).orElse(false),
                    block.map(topology::memoryBacked).orElse(false) || inMemory(path),
                    isBlock);
            DeviceIdentity identity = new BlockIdentity(topology).of(path, node, size);
            return new FileChannelDevice(
                    channel, path, traits, identity, isBlock ? null : witness(path, channel, options.readOnly()));
        } catch (IOException | RuntimeException e) {
            try {
                channel.close();
            } catch (IOException closing) {
                e.addSuppressed(closing);
            }
            if (e instanceof Refusal refusal) {
                throw refusal;
            }
            if (e instanceof RuntimeException mistake) {
                throw mistake;
            }
            throw e instanceof DeviceException failed
                    ? failed
                    : FileChannelDevice.failed(path, "open", 0, 0, (IOException) e);
        }
    }

    private static FileChannel openChannel(String path, OpenOptions options, boolean direct)
            throws Refusal, DeviceException {
        Set<OpenOption> how = new HashSet<>(Set.of(StandardOpenOption.READ));
        if (!options.readOnly()) {
            how.add(StandardOpenOption.WRITE);
        }
        if (direct) {
            how.add(com.sun.nio.file.ExtendedOpenOption.DIRECT);
        }
        try {
            return FileChannel.open(Path.of(path), how);
        } catch (NoSuchFileException e) {
            throw FileRefusals.missing(path);
        } catch (AccessDeniedException e) {
            throw FileRefusals.ofOpen(path, options.readOnly(), Errno.EACCES);
        } catch (UnsupportedOperationException e) {
            throw FileRefusals.noDirect(path, "its file system has no way past the page cache");
        } catch (IOException e) {
            DeviceException failed = FileChannelDevice.failed(path, "open", 0, 0, e);
            if (failed.errno() == Errno.NONE) {
                throw failed;
            }
            throw FileRefusals.ofOpen(path, options.readOnly(), failed.errno());
        }
    }

    private void refuseIfUsed(String path, FileNode node, Optional<BlockTopology.Block> block) throws Refusal {
        List<String> users = node.kind() == FileNode.Kind.BLOCK
                ? block.map(topology::usedBy).orElse(List.of())
                : topology.userOfFile(file -> FileOpener.isSameFile(file, node)).stream()
                        .toList();
        if (!users.isEmpty()) {
            throw FileRefusals.busy(path + " is in use: " + String.join(", ", users));
        }
    }

    /** A lock of fcntl(2): it ends when any channel of this process on the file is closed, so there is only one. */
    private static void lock(FileChannel channel, String path, boolean shared) throws Refusal, IOException {
        FileLock lock;
        try {
            lock = channel.tryLock(0, Long.MAX_VALUE, shared);
        } catch (OverlappingFileLockException e) {
            throw FileRefusals.busy(path + " is in use by this process already");
        }
        if (lock == null) {
            throw FileRefusals.busy(path + " is in use: locked by another process; stop that one first");
        }
    }

    private static long blockSize(String path) {
        try {
            return Files.getFileStore(Path.of(path)).getBlockSize();
        } catch (IOException | UnsupportedOperationException e) {
            return Long.MAX_VALUE;
        }
    }

    private static boolean inMemory(String path) {
        try {
            return List.of("tmpfs", "ramfs", "devtmpfs")
                            .contains(Files.getFileStore(Path.of(path)).type())
                    && FileNode.of(Path.of(path)).kind() == FileNode.Kind.REGULAR;
        } catch (IOException e) {
            return false;
        }
    }

    private static void create(String path, long sizeBytes, int sectorBytes) throws Refusal, DeviceException {
        FileCreation.checkSize(path, sizeBytes, sectorBytes);
        Set<PosixFilePermission> owner = PosixFilePermissions.fromString("rw-------");
        Set<OpenOption> how = Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        try (FileChannel channel = FileChannel.open(Path.of(path), how, PosixFilePermissions.asFileAttribute(owner))) {
            ByteBuffer zeros = ByteBuffer.allocateDirect((int) Math.min(MAX_WRITE_BYTES, sizeBytes));
            for (long at = 0; at < sizeBytes; ) {
                at += channel.write(zeros.clear().limit((int) Math.min(zeros.capacity(), sizeBytes - at)), at);
            }
            channel.force(true);
        } catch (FileAlreadyExistsException e) {
            throw FileCreation.exists(path);
        } catch (NoSuchFileException e) {
            throw FileCreation.noFolder(path);
        } catch (IOException e) {
            FileCreation.remove(path);
            throw FileChannelDevice.failed(path, "create", 0, sizeBytes, e);
        }
    }

    /** The same attribute as {@link FileWitness}: Java writes the "user." by itself. */
    private static WitnessTag witness(String path, FileChannel channel, boolean readOnly) {
        UserDefinedFileAttributeView view =
                Files.getFileAttributeView(Path.of(path), UserDefinedFileAttributeView.class);
        try {
            if (view == null) {
                return null;
            }
            view.list();
        } catch (IOException e) {
            return null;
        }
        return new ChannelWitness(path, channel, view, readOnly);
    }

    private record ChannelWitness(String path, FileChannel channel, UserDefinedFileAttributeView view, boolean readOnly)
            implements WitnessTag {
        private static final String NAME = FileWitness.ATTRIBUTE.substring("user.".length());

        @Override
        public Optional<byte[]> readTag() throws DeviceException {
            try {
                if (!view.list().contains(NAME)) {
                    return Optional.empty();
                }
                ByteBuffer value = ByteBuffer.allocate(MAX_TAG_BYTES);
                byte[] tag = new byte[view.read(NAME, value)];
                value.get(0, tag);
                return Optional.of(tag);
            } catch (IOException e) {
                throw FileChannelDevice.failed(path, "read of the witness", 0, 0, e);
            }
        }

        @Override
        public void writeTag(byte[] tag) throws DeviceException {
            if (tag.length > MAX_TAG_BYTES) {
                throw new IllegalArgumentException(path + ": a witness of " + tag.length + " bytes is too long");
            }
            refuseIfReadOnly();
            try {
                view.write(NAME, ByteBuffer.wrap(tag));
                channel.force(true);
            } catch (IOException e) {
                throw FileChannelDevice.failed(path, "write of the witness", 0, 0, e);
            }
        }

        @Override
        public void removeTag() throws DeviceException {
            refuseIfReadOnly();
            try {
                if (view.list().contains(NAME)) {
                    view.delete(NAME);
                    channel.force(true);
                }
            } catch (IOException e) {
                throw FileChannelDevice.failed(path, "write of the witness", 0, 0, e);
            }
        }

        private void refuseIfReadOnly() throws DeviceException {
            if (readOnly) {
                throw new DeviceException(path, "write of the witness", 0, 0, Errno.EROFS);
            }
        }
    }
}
