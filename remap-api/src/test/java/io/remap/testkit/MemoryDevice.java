package io.remap.testkit;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceTraits;
import io.remap.api.Place;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import java.util.random.RandomGenerator;

/**
 * A device in memory with a volatile write cache: what was written since the last flush can be lost, sector by sector, in
 * a {@link #powerCut}. It never fails by itself ({@link FaultyDevice} does), and is strict about its arguments.
 *
 * <p>It counts as direct. {@link #close} only ends this use: {@link #reopened} gives the same content to the next one, as
 * after a restart of the process. Thread-safe.
 */
public final class MemoryDevice implements BlockDevice {
    private final String name;
    private final DeviceTraits traits;
    private final Medium medium;
    private volatile boolean closed;

    /** What survives the process. */
    private static final class Medium {
        private final byte[] content;
        /** Content that is on stable storage, of the sectors where it differs or may differ from {@code content}. */
        private final Map<Integer, byte[]> stable = new HashMap<>();

        private Medium(int sizeBytes) {
            content = new byte[sizeBytes];
        }
    }

    /** A device full of zeros with 4096-byte physical sectors. */
    public MemoryDevice(String name, int sizeBytes, int sectorBytes) {
        this(
                name,
                new DeviceTraits(
                        sizeBytes, sectorBytes, Place.UNIT_BYTES, sectorBytes, true, false, false, false, false),
                new Medium(sizeBytes));
    }

    private MemoryDevice(String name, DeviceTraits traits, Medium medium) {
        this.name = name;
        this.traits = traits;
        this.medium = medium;
    }

    /** Another use of the same medium. */
    public MemoryDevice reopened() {
        return new MemoryDevice(name, traits, medium);
    }

    /** Loses any part of what was not flushed: each sector keeps its newest content or has the flushed one again. */
    public void powerCut(RandomGenerator random) {
        synchronized (medium) {
            medium.stable.forEach((sector, old) -> {
                if (random.nextBoolean()) {
                    System.arraycopy(old, 0, medium.content, sector * traits.logicalSectorBytes(), old.length);
                }
            });
            medium.stable.clear();
        }
    }

    /** Loses some of what was not flushed, as a drive that is reset: the rest can still be lost. */
    public void loseSome(RandomGenerator random) {
        synchronized (medium) {
            medium.stable.entrySet().removeIf(entry -> {
                boolean lost = random.nextBoolean();
                if (lost) {
                    byte[] old = entry.getValue();
                    System.arraycopy(old, 0, medium.content, entry.getKey() * traits.logicalSectorBytes(), old.length);
                }
                return lost;
            });
        }
    }

    /** Bytes as they are now, past every check. */
    public byte[] peek(long offsetBytes, int lengthBytes) {
        synchronized (medium) {
            byte[] bytes = new byte[lengthBytes];
            System.arraycopy(medium.content, (int) offsetBytes, bytes, 0, lengthBytes);
            return bytes;
        }
    }

    /** Changes bytes behind the back of everybody, on stable storage. */
    public void poke(long offsetBytes, byte[] bytes) {
        synchronized (medium) {
            System.arraycopy(bytes, 0, medium.content, (int) offsetBytes, bytes.length);
        }
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
        return DeviceIdentity.ofWhole("path:mem:" + name, "mem:" + name, traits.sizeBytes(), "");
    }

    @Override
    public void read(long offsetBytes, ByteBuffer target) {
        check(offsetBytes, target.remaining());
        synchronized (medium) {
            target.put(medium.content, (int) offsetBytes, target.remaining());
        }
    }

    @Override
    public void write(long offsetBytes, ByteBuffer source) {
        check(offsetBytes, source.remaining());
        synchronized (medium) {
            keepStable(offsetBytes, source.remaining());
            source.get(medium.content, (int) offsetBytes, source.remaining());
        }
    }

    private void keepStable(long offsetBytes, long lengthBytes) {
        int sectorBytes = traits.logicalSectorBytes();
        for (long at = offsetBytes; at < offsetBytes + lengthBytes; at += sectorBytes) {
            long start = at;
            medium.stable.computeIfAbsent((int) (at / sectorBytes), sector -> peek(start, sectorBytes));
        }
    }

    @Override
    public void flush() {
        check(0, 0);
        synchronized (medium) {
            medium.stable.clear();
        }
    }

    /** Leaves zeros, as most devices do. */
    @Override
    public void discard(long offsetBytes, long lengthBytes) {
        zero(offsetBytes, lengthBytes, false);
    }

    @Override
    public void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) {
        check(offsetBytes, lengthBytes);
        synchronized (medium) {
            keepStable(offsetBytes, lengthBytes);
            java.util.Arrays.fill(medium.content, (int) offsetBytes, (int) (offsetBytes + lengthBytes), (byte) 0);
        }
    }

    private void check(long offsetBytes, long lengthBytes) {
        if (closed) {
            throw new IllegalStateException(name + " is closed");
        }
        int sectorBytes = traits.logicalSectorBytes();
        if (offsetBytes < 0
                || lengthBytes < 0
                || offsetBytes > traits.sizeBytes() - lengthBytes
                || (offsetBytes | lengthBytes) % sectorBytes != 0) {
            throw new IllegalArgumentException(name + ": no such range: " + offsetBytes + "+" + lengthBytes);
        }
    }

    @Override
    public void close() {
        closed = true;
    }
}
