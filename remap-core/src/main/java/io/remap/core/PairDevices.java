package io.remap.core;

import io.remap.core.disk.TrackedDevice;
import java.util.List;
import java.util.Optional;

/**
 * The open devices of one disk: what the phase DEVICES leaves behind. Closing gives both back, the spare first.
 *
 * @param spec what was asked for
 * @param main the failing device
 * @param spare the healthy one; empty if main is served alone
 * @param notices what the user should know, one line each
 */
record PairDevices(DiskSpec spec, TrackedDevice main, Optional<TrackedDevice> spare, List<String> notices)
        implements AutoCloseable {
    PairDevices {
        notices = List.copyOf(notices);
    }

    @Override
    public void close() {
        spare.ifPresent(TrackedDevice::close);
        main.close();
    }
}
