package io.remap.core.disk;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.TimeSource;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.IntSupplier;

/**
 * Tells a device with bad sectors from a device that is not there: reads, past every cache, places that read well
 * before. No verdict on a sector is given unless one of them still reads.
 *
 * <p>A storm of errors is not to become a storm of canary reads. So a whole round of a device that is down, {@value
 * #CANARIES} and {@value #OTHERS} reads, is made only now and then, and in between each asker reads one place, which is enough to
 * see that the device is back; and who blames nobody yet is content with {@link #wasAliveLately}. Each verdict has a read of its
 * own, after the error: none rests on an older one.
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

    private final TimeSource time;

    /** How far whole rounds of a device that is down are apart, and how long an answer is a late one. */
    private final IntSupplier roundsPerSecond;

    /** The last whole round that found it down, or the last read that went well; replaced as a whole. */
    private volatile Answer last;

    private final LongAdder reads = new LongAdder();

    private record Answer(boolean alive, long nanos) {}

    /**
     * Learns places that read well, spread over the device.
     *
     * @param roundsPerSecond of a device that is down, at most
     */
    Canary(BlockDevice device, TimeSource time, IntSupplier roundsPerSecond) {
        this.time = time;
        this.roundsPerSecond = roundsPerSecond;
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

    private long pauseNanos() {
        return TimeUnit.SECONDS.toNanos(1) / roundsPerSecond.getAsInt();
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

    /** Whether it was, a moment ago; asks nobody. For those who blame nobody. */
    boolean wasAliveLately() {
        Answer before = last;
        return before != null && before.alive && time.nanoTime() - before.nanos < pauseNanos();
    }

    /** How many reads it has made. */
    long reads() {
        return reads.sum();
    }

    /** How many of the spread places read, of {@link #places}. */
    int census() {
        ByteBuffer probe = newProbe();
        int count = 0;
        for (int i = 0; i < places(); i++) {
            count += reads(spread(i), probe) ? 1 : 0;
        }
        return count;
    }

    static int places() {
        return CANARIES + OTHERS;
    }

    /** Whether the device answers reads of good places: asks now. */
    boolean alive() {
        long began = time.nanoTime();
        Answer before = last;
        boolean wasDown = before != null && !before.alive && began - before.nanos < pauseNanos();
        boolean alive = wasDown ? oneReads() : anyReads();
        if (alive || !wasDown) {
            last = new Answer(alive, began);
        }
        return alive;
    }

    private boolean oneReads() {
        long[] asked = good;
        if (asked.length > 0) {
            good = rotated(asked, 1);
            return reads(asked[0], newProbe());
        }
        return false;
    }

    private boolean anyReads() {
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
        reads.increment();
        try {
            device.read(place, probe.clear());
            return true;
        } catch (DeviceException e) {
            return false;
        }
    }
}
