package io.remap.core.sim;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.BitSet;
import java.util.Deque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.Set;

/**
 * The image of a simulated disk and the volatile cache in front of it, which a power cut loses. The image always holds what
 * was written last; what the cache would have kept back is remembered as the content that stood there before, so that it can
 * be put back.
 *
 * <p>Invariants: {@code unflushed} holds the writes since the last flush in their order, with at most {@code cacheBytes} of
 * old content: like a drive, it lets the oldest go to the medium when it is full. Thread-safe; writes take turns where there
 * is a cache, and never while they wait for anything but the image.
 */
final class SimMedium {
    private final BlockDevice image;
    private final int sectorBytes;
    private final long cacheBytes;

    /** A write that a power cut may lose, sector by sector; of its first and last one it may have a part only. */
    private static final class Unflushed {
        final long startBytes;
        final byte[] before;
        /** Sectors, from its first on, that are on the medium all the same. */
        final BitSet settled = new BitSet();

        Unflushed(long startBytes, byte[] before) {
            this.startBytes = startBytes;
            this.before = before;
        }

        long endBytes() {
            return startBytes + before.length;
        }
    }

    /**
     * What a power cut did.
     *
     * @param unflushedSectors versions of sectors that were in the cache
     * @param lostSectors of these, how many were lost
     */
    record PowerCut(long unflushedSectors, long lostSectors) {}

    private final Deque<Unflushed> unflushed = new ArrayDeque<>();
    private long unflushedBytes;

    /**
     * Takes the image over.
     *
     * @param sectorBytes what a power cut loses or keeps as a whole
     * @param cacheBytes most content in the cache, 0: there is none
     */
    SimMedium(BlockDevice image, int sectorBytes, long cacheBytes) {
        this.image = image;
        this.sectorBytes = sectorBytes;
        this.cacheBytes = cacheBytes;
    }

    void read(long offsetBytes, ByteBuffer target) throws DeviceException {
        image.read(offsetBytes, target);
    }

    /** Puts something on the image. */
    @FunctionalInterface
    interface Change {
        void make() throws DeviceException;
    }

    void write(long offsetBytes, ByteBuffer source) throws DeviceException {
        change(offsetBytes, source.remaining(), () -> image.write(offsetBytes, source));
    }

    void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) throws DeviceException {
        change(offsetBytes, lengthBytes, () -> image.zero(offsetBytes, lengthBytes, keepAllocated));
    }

    void discard(long offsetBytes, long lengthBytes) throws DeviceException {
        image.discard(offsetBytes, lengthBytes);
        settle(offsetBytes, offsetBytes + lengthBytes);
    }

    private void change(long offsetBytes, long lengthBytes, Change change) throws DeviceException {
        if (cacheBytes == 0 || lengthBytes > cacheBytes || lengthBytes == 0) {
            change.make();
            settle(offsetBytes, offsetBytes + lengthBytes);
            return;
        }
        synchronized (this) {
            ByteBuffer before = ByteBuffer.allocate((int) lengthBytes);
            image.read(offsetBytes, before);
            change.make();
            unflushed.addLast(new Unflushed(offsetBytes, before.array()));
            unflushedBytes += lengthBytes;
            while (unflushedBytes > cacheBytes) {
                unflushedBytes -= unflushed.removeFirst().before.length;
            }
        }
    }

    /** Makes everything durable that was written before. */
    void flush() throws DeviceException {
        Unflushed last;
        synchronized (this) {
            last = unflushed.peekLast();
        }
        image.flush();
        if (last != null) {
            synchronized (this) {
                forgetUpTo(last);
            }
        }
    }

    private void forgetUpTo(Unflushed last) {
        if (unflushed.contains(last)) {
            Unflushed gone;
            do {
                gone = unflushed.removeFirst();
                unflushedBytes -= gone.before.length;
            } while (gone != last);
        }
    }

    /** The sectors of the range are on the medium now, whatever becomes of the rest. */
    synchronized void settle(long startBytes, long endBytes) {
        if (startBytes >= endBytes) {
            return;
        }
        for (Unflushed write : unflushed) {
            long first = write.startBytes / sectorBytes;
            long from = Math.max(startBytes / sectorBytes, first);
            long to = 1 + (Math.min(endBytes, write.endBytes()) - 1) / sectorBytes;
            if (from < to) {
                write.settled.set((int) (from - first), (int) (to - first));
            }
        }
    }

    /**
     * The power goes: of what was not flushed any sector may be lost, each version of it for itself, as chance wants it.
     *
     * @param stream of chance: another one loses others
     */
    synchronized PowerCut cutPower(SimChance chance, long stream) throws DeviceException {
        Set<Long> kept = new HashSet<>();
        long versions = 0;
        long lost = 0;
        // Backwards in time: of a sector that is kept once, what is older has no effect any more.
        for (Iterator<Unflushed> writes = unflushed.descendingIterator(); writes.hasNext(); ) {
            Unflushed write = writes.next();
            long first = write.startBytes / sectorBytes;
            long next;
            for (long at = write.startBytes; at < write.endBytes(); at = next) {
                long sector = at / sectorBytes;
                next = Math.min(write.endBytes(), (sector + 1) * sectorBytes);
                boolean isLost = chance.draw(stream, versions++) < 0.5;
                if (kept.contains(sector) || write.settled.get((int) (sector - first)) || !isLost) {
                    kept.add(sector);
                } else {
                    image.write(at, ByteBuffer.wrap(write.before, (int) (at - write.startBytes), (int) (next - at)));
                    lost++;
                }
            }
        }
        unflushed.clear();
        unflushedBytes = 0;
        image.flush();
        return new PowerCut(versions, lost);
    }

    synchronized long unflushedBytes() {
        return unflushedBytes;
    }

    void flushImage() throws DeviceException {
        image.flush();
    }

    void close() {
        image.close();
    }
}
