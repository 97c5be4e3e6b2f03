package io.remap.iopt;

import io.remap.api.BlockDevice;
import io.remap.api.CachedReads;
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
        final TransferPace waiting = new TransferPace(true);

        final TransferPace smallWrites = new TransferPace(false);
        final TransferPace largeWrites = new TransferPace(false);
        final TransferPace largeReads = new TransferPace(false);

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
