package io.remap.core;

import io.remap.api.DeviceUri;
import io.remap.core.disk.SpareDevice;
import io.remap.core.disk.TrackedDevice;
import java.util.List;
import java.util.Optional;

/**
 * The open devices of one disk: what the phase DEVICES leaves behind. Closing gives both back, the spare first.
 *
 * @param spec what was asked for
 * @param main the failing device
 * @param spare the healthy one, from which the table was read; empty if main is served alone
 * @param spareUri by which it was found
 * @param namedFurther other spares that the user named; not open yet, as it takes the table to say what they are
 * @param notices what the user should know, one line each
 */
record PairDevices(
        DiskSpec spec,
        TrackedDevice main,
        Optional<TrackedDevice> spare,
        Optional<DeviceUri> spareUri,
        List<DeviceUri> namedFurther,
        List<String> notices)
        implements AutoCloseable {
    PairDevices {
        namedFurther = List.copyOf(namedFurther);
        notices = List.copyOf(notices);
    }

    /** The same with another spare in the place of the one that was taken out, which is the caller's to close. */
    PairDevices withSpare(TrackedDevice other, DeviceUri otherUri) {
        return new PairDevices(spec, main, Optional.of(other), Optional.of(otherUri), namedFurther, notices);
    }

    /** Place of the spare that the table was read from in the order in which the user named the spares. */
    int orderOfOpened() {
        for (int i = 0; i < spec.spares().size(); i++) {
            if (!namedFurther.contains(spec.spares().get(i))) {
                return i;
            }
        }
        return SpareDevice.UNORDERED;
    }

    @Override
    public void close() {
        spare.ifPresent(TrackedDevice::close);
        main.close();
    }
}
