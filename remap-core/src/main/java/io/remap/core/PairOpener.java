package io.remap.core;

import io.remap.api.DeviceException;
import io.remap.api.Refusal;
import io.remap.api.Settings;

/** Where a disk gets its devices and its table from; in a running service that is {@link Pairing}. */
interface PairOpener {
    /** As {@link Pairing#openDevices}. */
    PairDevices openDevices(DiskSpec spec) throws Refusal, DeviceException;

    /** As {@link Pairing#openMetadata}. */
    PairMetadata openMetadata(PairDevices devices, Settings settings) throws Refusal, DeviceException;

    /** As {@link Pairing#noteStop}. */
    void noteStop(PairDevices devices, PairMetadata closed, long stopId);

    static PairOpener of(Pairing pairing) {
        return new PairOpener() {
            @Override
            public PairDevices openDevices(DiskSpec spec) throws Refusal, DeviceException {
                return pairing.openDevices(spec);
            }

            @Override
            public PairMetadata openMetadata(PairDevices devices, Settings settings) throws Refusal, DeviceException {
                return pairing.openMetadata(devices, settings);
            }

            @Override
            public void noteStop(PairDevices devices, PairMetadata closed, long stopId) {
                pairing.noteStop(devices, closed, stopId);
            }
        };
    }
}
