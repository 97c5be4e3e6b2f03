package io.remap.core.device;

import io.remap.api.BlockDevice;
import io.remap.api.CachedReads;
import io.remap.api.DescriptorTransfers;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceTraits;
import io.remap.api.Errno;
import io.remap.api.MediumSequence;
import io.remap.api.ModificationTime;
import io.remap.api.Reopening;
import io.remap.api.WitnessTag;
import io.remap.core.libc.Libc;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * A regular file or a block device, through the C library: every error comes with its number, and a direct transfer may be
 * as small as a sector of the device.
 *
 * <p><b>Doors.</b> One object is one way to the bytes: direct (O_DIRECT) or buffered. A buffered device may have a direct
 * door beside it, on a second descriptor of the same open file. The two are kept coherent by the kernel: before a direct
 * transfer it writes back and drops the cached pages of the range. Both doors sync the same descriptor, so that the
 * kernel tells a failed write-back once, to whoever syncs next.
 *
 * <p><b>Buffers.</b> A direct device takes direct buffers alone. A buffered one takes heap buffers too, and copies them
 * in pieces; that allocates, and is not for the data path.
 *
 * <p><b>Abilities.</b> A buffered door has {@link CachedReads}; a direct one has none, as it goes past the page cache.
 */
final class FileDevice implements BlockDevice {
    /** Most bytes of a heap buffer that are copied at a time. */
    private static final int MAX_COPY_BYTES = 64 << 10;

    private final Libc libc;
    private final FileHandle handle;
    private final int fd;
    private final String name;
    private final DeviceTraits traits;
    private final DeviceIdentity identity;
    private final TransferErrors errors;
    private final FileSpace space;
    private final Optional<WitnessTag> witness;
    private final Optional<ModificationTime> modificationTime;
    private final Optional<CachedReads> cachedReads;
    private final Optional<DescriptorTransfers> descriptorTransfers;
    private final Optional<DiskSequence> mediumSequence;
    private final FileDevice directDoor;
    private Optional<Reopening> reopening = Optional.empty();

    /**
     * Takes the handle over.
     *
     * @param fd the descriptor of this door, one of those of the handle
     * @param directTraits those of a direct door beside this one, {@code null} if there is none
     * @param witness where its witness stands, {@code null} if it cannot carry one
     */
    FileDevice(
            Libc libc,
            FileHandle handle,
            int fd,
            String name,
            DeviceTraits traits,
            DeviceTraits directTraits,
            DeviceIdentity identity,
            WitnessTag witness) {
        this.libc = libc;
        this.handle = handle;
        this.fd = fd;
        this.name = name;
        this.traits = traits;
        this.identity = identity;
        this.errors = TransferErrors.of(libc, fd, name, traits);
        this.space = new FileSpace(libc, fd, errors, traits);
        this.witness = Optional.ofNullable(witness);
        this.modificationTime =
                traits.blockDevice() ? Optional.empty() : Optional.of(new FileModification(handle, fd, name));
        this.cachedReads =
                traits.direct() ? Optional.empty() : Optional.of(new FileCachedReads(libc, handle, fd, name, traits));
        this.descriptorTransfers = Optional.of(new FileTransfers(libc, handle, fd, name, traits, errors));
        this.mediumSequence = DiskSequence.of(identity);
        this.directDoor = directTraits == null
                ? this
                : new FileDevice(libc, handle, handle.directFd(), name, directTraits, null, identity, witness);
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public DeviceTraits traits() {
        return traits;
    }

    @Override
    public DeviceIdentity identity() {
        return identity;
    }

    @Override
    public BlockDevice direct() {
        return directDoor;
    }

    /** Allocates nothing: it may be asked for each transfer. */
    @Override
    @SuppressWarnings("unchecked")
    public <C> Optional<C> capability(Class<C> type) {
        if (type == CachedReads.class) {
            return (Optional<C>) cachedReads;
        }
        if (type == DescriptorTransfers.class) {
            return (Optional<C>) descriptorTransfers;
        }
        if (type == Reopening.class) {
            return (Optional<C>) reopening;
        }
        if (type == MediumSequence.class) {
            return (Optional<C>) mediumSequence;
        }
        if (type == ModificationTime.class) {
            return (Optional<C>) modificationTime;
        }
        return type == WitnessTag.class ? (Optional<C>) witness : Optional.empty();
    }

    @Override
    public void read(long offsetBytes, ByteBuffer target) throws DeviceException {
        BlockRanges.checkRead(name, traits, offsetBytes, target);
        transfer(false, offsetBytes, target);
    }

    @Override
    public void write(long offsetBytes, ByteBuffer source) throws DeviceException {
        BlockRanges.check(name, traits, "write", offsetBytes, source.remaining());
        refuseIfReadOnly("write", offsetBytes, source.remaining());
        transfer(true, offsetBytes, source);
    }

    private void transfer(boolean write, long offsetBytes, ByteBuffer data) throws DeviceException {
        int length = data.remaining();
        if (!data.isDirect()) {
            if (traits.direct()) {
                throw new IllegalArgumentException(name + ": a direct device needs a direct buffer");
            }
            copied(write, offsetBytes, data);
            return;
        }
        long address = libc.addressOf(data) + data.position();
        if ((address & (traits.alignmentBytes() - 1)) != 0) {
            throw new IllegalArgumentException(
                    name + ": the address of the buffer is not aligned to " + traits.alignmentBytes());
        }
        handle.enter();
        try {
            transfer(write, offsetBytes, address, length);
        } finally {
            handle.leave();
            Reference.reachabilityFence(data);
        }
        data.position(data.limit());
    }

    /** All of it or an exception; between {@code enter} and {@code leave}. */
    private void transfer(boolean write, long offsetBytes, long address, int lengthBytes) throws DeviceException {
        int done = 0;
        while (done < lengthBytes) {
            long moved = write
                    ? libc.pwrite(fd, address + done, lengthBytes - done, offsetBytes + done)
                    : libc.pread(fd, address + done, lengthBytes - done, offsetBytes + done);
            if (moved < 0) {
                throw errors.failed(write ? "write" : "read", offsetBytes, lengthBytes, (int) -moved);
            }
            // Going on inside a unit would be a misaligned request, which is not what the device failed at.
            long whole = moved & -traits.alignmentBytes();
            if (whole == 0) {
                throw errors.endedEarly(write ? "write" : "read", offsetBytes, lengthBytes, done + moved);
            }
            done += (int) whole;
        }
    }

    private void copied(boolean write, long offsetBytes, ByteBuffer data) throws DeviceException {
        ByteBuffer copy = ByteBuffer.allocateDirect(Math.min(MAX_COPY_BYTES, Math.max(1, data.remaining())));
        int start = data.position();
        int length = data.remaining();
        handle.enter();
        try {
            long address = libc.addressOf(copy);
            for (int done = 0; done < length; done += copy.capacity()) {
                int part = Math.min(copy.capacity(), length - done);
                if (write) {
                    copy.put(0, data, start + done, part);
                }
                transfer(write, offsetBytes + done, address, part);
                if (!write) {
                    data.put(start + done, copy, 0, part);
                }
            }
        } finally {
            handle.leave();
            Reference.reachabilityFence(copy);
        }
        data.position(data.limit());
    }

    @Override
    public void flush() throws DeviceException {
        handle.enter();
        try {
            int result = libc.fdatasync(handle.fd);
            if (result < 0) {
                throw errors.failed("flush", 0, 0, -result);
            }
        } finally {
            handle.leave();
        }
    }

    @Override
    public void discard(long offsetBytes, long lengthBytes) throws DeviceException {
        BlockRanges.check(name, traits, "discard", offsetBytes, lengthBytes);
        refuseIfReadOnly("discard", offsetBytes, lengthBytes);
        handle.enter();
        try {
            space.discard(offsetBytes, lengthBytes);
        } finally {
            handle.leave();
        }
    }

    @Override
    public boolean discards() {
        return space.discards();
    }

    @Override
    public void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) throws DeviceException {
        BlockRanges.check(name, traits, "zero", offsetBytes, lengthBytes);
        refuseIfReadOnly("zero", offsetBytes, lengthBytes);
        handle.enter();
        try {
            space.zero(offsetBytes, lengthBytes, keepAllocated);
        } finally {
            handle.leave();
        }
    }

    private void refuseIfReadOnly(String operation, long offsetBytes, long lengthBytes) throws DeviceException {
        if (traits.readOnly()) {
            throw new DeviceException(name, operation, offsetBytes, lengthBytes, Errno.EROFS);
        }
    }

    /** Can be found again from now on; before it is used. */
    void canBeReopened(Reopening by) {
        reopening = Optional.of(by);
    }

    /** Everything goes on with another opened one, which is the same device; that is given up. */
    boolean goOnWith(FileDevice fresh) {
        boolean goesOn = handle.replaceBy(fresh.handle);
        if (goesOn) {
            fresh.mediumSequence.ifPresent(found -> {
                mediumSequence.ifPresent(sequence -> sequence.goOnWith(found));
                directDoor.mediumSequence.filter(own -> directDoor != this).ifPresent(own -> own.goOnWith(found));
            });
        } else {
            fresh.close();
        }
        return goesOn;
    }

    /** The witness as it was read or written last. */
    Optional<byte[]> knownWitness() {
        return fileWitness().flatMap(FileWitness::known);
    }

    Optional<byte[]> readWitness() throws DeviceException {
        Optional<FileWitness> found = fileWitness();
        return found.isPresent() ? found.get().readTag() : Optional.empty();
    }

    private Optional<FileWitness> fileWitness() {
        return witness.map(tag -> tag instanceof PartWitness part ? part.whole() : tag)
                .map(FileWitness.class::cast);
    }

    /** Closes both doors; a call under way ends as the device answers. */
    @Override
    public void close() {
        handle.close();
    }
}
