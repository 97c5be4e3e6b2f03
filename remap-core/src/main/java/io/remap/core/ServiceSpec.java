package io.remap.core;

import io.remap.api.ListenAddress;
import io.remap.api.Settings;
import java.nio.file.Path;
import java.util.List;

/**
 * Which service to run.
 *
 * @param name safe as a file name; names the control socket
 * @param listen where clients connect, at least one
 * @param transport which transport is wanted
 * @param settings values that the user chose
 * @param runDirectory private directory of running services; made with mode 0700 if it is not there
 * @param stateDirectory where the witnesses of devices are kept
 * @param disks joined before the first client is accepted; if one of them fails, nothing is started
 */
public record ServiceSpec(
        String name,
        List<ListenAddress> listen,
        TransportPreference transport,
        Settings settings,
        Path runDirectory,
        Path stateDirectory,
        List<DiskSpec> disks) {
    /** Which transport is wanted; another one than {@link #PLAIN} is replaced by it where it does not work. */
    public enum TransportPreference {
        /** Plain blocking threads. */
        PLAIN,
        /** The fast path; if it does not start, the plain one, and the status says so. */
        FAST,
        /** The fast path if a module provides it; that it is missing is no news. */
        AUTO
    }

    public ServiceSpec {
        listen = List.copyOf(listen);
        disks = List.copyOf(disks);
    }
}
