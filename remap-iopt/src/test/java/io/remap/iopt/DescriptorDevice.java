package io.remap.iopt;

import io.remap.api.BlockDevice;
import io.remap.api.DescriptorTransfers;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceIo;
import io.remap.api.DeviceTraits;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;

/** A file that calls itself direct, or a block device, and is transferred by its descriptor; the rest is counted. */
final class DescriptorDevice implements BlockDevice, DescriptorTransfers {
    private final RandomAccessFile file;
    private final int descriptor;
    private final DeviceTraits traits;

    /** Transfers that were begun and did not end. */
    final AtomicInteger underWay = new AtomicInteger();

    /** Transfers that somebody executed without the descriptor. */
    final AtomicInteger byHand = new AtomicInteger();

    DescriptorDevice(Path path, long sizeBytes, boolean blockDevice) throws IOException {
        this.file = new RandomAccessFile(path.toFile(), "rw");
        this.descriptor = descriptorOf(path);
        this.traits = new DeviceTraits(sizeBytes, 512, 512, 1, true, false, false, false, blockDevice);
    }

    /** Java does not tell the number; the kernel does. */
    private static int descriptorOf(Path path) throws IOException {
        try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
            return all.filter(link -> refersTo(link, path))
                    .mapToInt(link -> Integer.parseInt(link.getFileName().toString()))
                    .findFirst()
                    .orElseThrow();
        }
    }

    private static boolean refersTo(Path link, Path path) {
        try {
            return Files.readSymbolicLink(link).equals(path.toRealPath());
        } catch (IOException e) {
            return false;
        }
    }

    @Override
    public int begin(DeviceIo io) {
        if (io.offsetBytes >= traits.sizeBytes()) {
            throw new IllegalArgumentException("beyond the end: " + io.offsetBytes);
        }
        underWay.incrementAndGet();
        return descriptor;
    }

    @Override
    public DeviceException ended(DeviceIo io, int result) {
        underWay.decrementAndGet();
        int length = io.data.remaining();
        if (result < 0) {
            return new DeviceException(name(), "transfer", io.offsetBytes, length, -result);
        }
        if (result == length) {
            io.data.position(io.data.limit());
        }
        return null;
    }

    @Override
    public void read(long offsetBytes, ByteBuffer target) {
        byHand.incrementAndGet();
        target.position(target.limit());
    }

    @Override
    public void write(long offsetBytes, ByteBuffer source) {
        byHand.incrementAndGet();
        source.position(source.limit());
    }

    @Override
    public void flush() {
        byHand.incrementAndGet();
    }

    @Override
    public void discard(long offsetBytes, long lengthBytes) {
        byHand.incrementAndGet();
    }

    @Override
    public void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) {
        byHand.incrementAndGet();
    }

    @Override
    public String name() {
        return "descriptor";
    }

    @Override
    public DeviceTraits traits() {
        return traits;
    }

    @Override
    public DeviceIdentity identity() {
        return DeviceIdentity.ofWhole("path:" + name(), name(), traits.sizeBytes(), "");
    }

    @Override
    public <C> Optional<C> capability(Class<C> type) {
        return type == DescriptorTransfers.class ? Optional.of(type.cast(this)) : Optional.empty();
    }

    @Override
    public void close() {
        try {
            file.close();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
