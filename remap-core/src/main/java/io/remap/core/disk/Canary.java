package io.remap.core.disk;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Tells a device with bad sectors from a device that is not there: reads, past every cache, places that read well
 * before. No verdict on a sector is given unless one of them still reads.
 *
 * <p>Invariants: a place in {@code good} has read well in this run; the device counts as down only if none of them and
 * none of the other spread places reads.
 *
 * <p>Thread-safe; blocks on the device.
 */
final class Canary {
    private static final int CANARIES = 8;
    private static final int OTHERS = 16;

    private final BlockDevice device;
    private final int probeBytes;
    private final long[] good = new long[CANARIES];
    private int goodCount;
    private int next;
    private final ByteBuffer probe;

    /** Learns places that read well, spread over the device. */
    Canary(BlockDevice device) {
        this.device = device.direct();
        this.probeBytes = Math.max(
                device.traits().logicalSectorBytes(), this.device.traits().alignmentBytes());
        this.probe = ByteBuffer.allocateDirect(2 * probeBytes)
                .alignedSlice(probeBytes)
                .limit(probeBytes);
        for (int i = 0; i < CANARIES + OTHERS && goodCount < CANARIES; i++) {
            // Every third of the spread places first, so that the canaries are spread as well.
            long place = spread((i * 3L) % (CANARIES + OTHERS) + (i * 3) / (CANARIES + OTHERS));
            if (reads(place)) {
                good[goodCount++] = place;
            }
        }
    }

    private long spread(long index) {
        long places = device.traits().sizeBytes() / probeBytes;
        return Math.min(places - 1, places * (index % (CANARIES + OTHERS)) / (CANARIES + OTHERS)) * probeBytes;
    }

    /** Whether the device answers reads of good places. */
    synchronized boolean alive() {
        for (int i = 0; i < goodCount; i++) {
            int index = (next + i) % goodCount;
            if (reads(good[index])) {
                // Another one the next time, so that a single place in the drive's cache does not vouch for ever.
                next = (index + 1) % goodCount;
                return true;
            }
        }
        for (int i = 0; i < CANARIES + OTHERS; i++) {
            long place = spread(i);
            if (Arrays.stream(good, 0, goodCount).noneMatch(g -> g == place) && reads(place)) {
                if (goodCount < CANARIES) {
                    good[goodCount++] = place;
                } else {
                    good[next % CANARIES] = place;
                }
                return true;
            }
        }
        return false;
    }

    private boolean reads(long place) {
        try {
            probe.clear().limit(probeBytes);
            device.read(place, probe);
            return true;
        } catch (DeviceException e) {
            return false;
        }
    }
}
