package io.remap.cli.proof;

import io.remap.api.BlockDevice;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.JoinedDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;

/**
 * What a disk stands on, and loses the power together: main, the spare, and perhaps a second one, each with a cache of its own.
 * Of sectors that were not flushed those of main come first, then those of the spares.
 */
record Media(List<CrashDevice> devices) {
    Media {
        devices = List.copyOf(devices);
    }

    static Media of(CrashDevice main, CrashDevice spare) {
        return new Media(List.of(main, spare));
    }

    CrashDevice main() {
        return devices.get(0);
    }

    CrashDevice spare() {
        return devices.get(1);
    }

    boolean hasTwoSpares() {
        return devices.size() > 2;
    }

    /** What the product is given for a spare. */
    BlockDevice spareDoor() {
        return hasTwoSpares() ? new JoinedDevice(devices.subList(1, devices.size())) : spare();
    }

    Media copy() {
        return new Media(devices.stream().map(CrashDevice::copy).toList());
    }

    void observe(CrashDevice.Observer observer) {
        devices.forEach(device -> device.observe(observer));
    }

    int unflushedSectors() {
        return devices.stream().mapToInt(CrashDevice::unflushedSectors).sum();
    }

    /** What a power cut leaves: of the sectors that were not flushed those of the set, one of them torn, or none (-1). */
    Media crashKeeping(long kept, int torn, long tearing) {
        return crash(
                sector -> (kept >> sector & 1) != 0,
                torn,
                (device, keptHere, tornHere) -> device.crashKeeping(keptHere, tornHere, tearing));
    }

    /** What a power cut leaves of a device; sectors are counted from its first one. */
    private interface Crash {
        CrashDevice of(CrashDevice device, IntPredicate kept, int torn);
    }

    private Media crash(IntPredicate kept, int torn, Crash crash) {
        List<CrashDevice> left = new ArrayList<>();
        int before = 0;
        for (CrashDevice device : devices) {
            int from = before;
            int here = device.unflushedSectors();
            boolean tornHere = torn >= from && torn < from + here;
            left.add(crash.of(device, i -> kept.test(from + i), tornHere ? torn - from : -1));
            before += here;
        }
        return new Media(left);
    }

    /** Which of the sectors that were not flushed begin a write to a physical sector. */
    List<Integer> physicalWrites() {
        List<Integer> writes = new ArrayList<>();
        int before = 0;
        for (CrashDevice device : devices) {
            int from = before;
            device.physicalWrites().forEach(write -> writes.add(from + write));
            before += device.unflushedSectors();
        }
        return writes;
    }

    /**
     * What a power cut leaves of drives that write physical sectors whole, and cannot read the one that they were writing.
     *
     * @param kept asked of each of {@link #physicalWrites}
     * @param torn one of them; -1 for none
     */
    Media crashUnreadable(IntPredicate kept, int torn) {
        return crash(kept, torn, CrashDevice::crashUnreadable);
    }

    /** The same for the same bytes. */
    long durableKey() {
        long key = 0;
        for (CrashDevice device : devices) {
            key = Long.rotateLeft(key, 21) ^ device.durableKey();
        }
        return key;
    }
}
