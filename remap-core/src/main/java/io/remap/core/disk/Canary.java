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
 * <p>Thread-safe; blocks on the device, and never holds a lock while it does.
 */
final class Canary {
    private static final int CANARIES = 8;
    private static final int OTHERS = 16;

    private final BlockDevice device;
    private final int probeBytes;

    /** The places that read well, the next to ask first; replaced as a whole. */
    private volatile long[] good;

    /** Learns places that read well, spread over the device. */
    Canary(BlockDevice device) {
        this.device = device.direct();
        this.probeBytes = Math.max(
                device.traits().logicalSectorBytes(), this.device.traits().alignmentBytes());
        ByteBuffer probe = newProbe();
        long[] learnt = new long[CANARIES];
        int count = 0;
        for (int i = 0; i < CANARIES + OTHERS && count < CANARIES; i++) {
            // Every third of the spread places first, so that the canaries are spread as well.
            long place = spread((i * 3L) % (CANARIES + OTHERS) + (i * 3) / (CANARIES + OTHERS));
            if (reads(place, probe)) {
                learnt[count++] = place;
            }
        }
        good = Arrays.copyOf(learnt, count);
    }

    private ByteBuffer newProbe() {
        return ByteBuffer.allocateDirect(2 * probeBytes)
                .alignedSlice(probeBytes)
                .limit(probeBytes)
                .slice();
    }

    private long spread(long index) {
        long places = device.traits().sizeBytes() / probeBytes;
        return Math.min(places - 1, places * (index % (CANARIES + OTHERS)) / (CANARIES + OTHERS)) * probeBytes;
    }

    /** Whether the device answers reads of good places. */
    boolean alive() {
        long[] asked = good;
        ByteBuffer probe = newProbe();
        for (int i = 0; i < asked.length; i++) {
            if (reads(asked[i], probe)) {
                // Another one the next time, so that a single place in the drive's cache does not vouch for ever.
                good = rotated(asked, i + 1);
                return true;
            }
        }
        for (int i = 0; i < CANARIES + OTHERS; i++) {
            long place = spread(i);
            if (Arrays.stream(asked).noneMatch(g -> g == place) && reads(place, probe)) {
                long[] replaced = asked.length < CANARIES ? Arrays.copyOf(asked, asked.length + 1) : asked.clone();
                replaced[replaced.length - 1] = place;
                good = rotated(replaced, replaced.length - 1);
                return true;
            }
        }
        return false;
    }

    private static long[] rotated(long[] places, int first) {
        long[] result = new long[places.length];
        for (int i = 0; i < places.length; i++) {
            result[i] = places[(first + i) % places.length];
        }
        return result;
    }

    private boolean reads(long place, ByteBuffer probe) {
        try {
            device.read(place, probe.clear());
            return true;
        } catch (DeviceException e) {
            return false;
        }
    }
}
