package io.remap.iopt;

import io.remap.api.BlockDevice;
import io.remap.api.CachedReads;
import io.remap.api.Pace;
import java.util.Arrays;

/**
 * What is known of the devices that transfers go to, looked up without allocation. Thread-safe; a device that was forgotten
 * to make room is simply asked again.
 */
final class CachedDevices {
    /** Devices that are remembered: main, its direct door and the spare of a few disks. */
    static final int MAX_DEVICES = 64;

    /** One device. */
    static final class Entry {
        private final BlockDevice device;
        /** Its cached reads, {@code null} if it has none. */
        final CachedReads reads;
        /** Every transfer waits for the device. */
        final boolean direct;
        /** Not a regular file. */
        final boolean blockDevice;

        /** Of transfers that wait for the device in any case. */
        final Pace waiting = new Pace(true);

        final Pace smallWrites = new Pace(false);
        final Pace largeWrites = new Pace(false);
        final Pace largeReads = new Pace(false);

        /** So much of a device is looked at by one place: what stands before it was read before it, or with it. */
        static final int LOOK_BYTES = 256 << 10;

        /** How long what was seen in memory counts as being there. */
        private static final long SEEN_NANOS = 500_000;

        // What was seen ahead of reads that follow each other: LOOK_BYTES before this end, at that time.
        private volatile long seenEndBytes;
        private volatile long seenNanos;
        private volatile long lastEndBytes;

        /**
         * Whether a range is most likely in memory: its last byte is, or one a little further on was a moment ago. Reads that
         * follow each other are looked for ahead, so that not each of them costs a system call.
         */
        boolean isInMemory(long offsetBytes, int lengthBytes, long nowNanos) {
            long end = offsetBytes + lengthBytes;
            long expected = lastEndBytes;
            lastEndBytes = end;
            long seenEnd = seenEndBytes;
            if (end <= seenEnd && offsetBytes >= seenEnd - LOOK_BYTES && nowNanos - seenNanos < SEEN_NANOS) {
                return true;
            }
            long ahead = Math.min(offsetBytes + LOOK_BYTES, device.traits().sizeBytes());
            if (offsetBytes == expected && end < ahead && reads.holds(ahead - 1)) {
                // In this order: nobody takes the new end for one that was seen at the old time.
                seenNanos = nowNanos - SEEN_NANOS;
                seenEndBytes = ahead;
                seenNanos = nowNanos;
                return true;
            }
            return (lengthBytes <= LOOK_BYTES || reads.holds(offsetBytes)) && reads.holds(end - 1);
        }

        private Entry(BlockDevice device) {
            this.device = device;
            this.reads = device.capability(CachedReads.class).orElse(null);
            this.direct = device.traits().direct();
            this.blockDevice = device.traits().blockDevice();
        }
    }

    private volatile Entry[] entries = {};
    private int next;

    Entry of(BlockDevice device) {
        for (Entry entry : entries) {
            if (entry.device == device) {
                return entry;
            }
        }
        return add(device);
    }

    private synchronized Entry add(BlockDevice device) {
        Entry[] old = entries;
        Entry entry = new Entry(device);
        Entry[] more = Arrays.copyOf(old, Math.min(old.length + 1, MAX_DEVICES));
        more[next] = entry;
        next = (next + 1) % MAX_DEVICES;
        entries = more;
        return entry;
    }
}
