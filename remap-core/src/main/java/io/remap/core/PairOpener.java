package io.remap.core;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareMember;
import java.util.OptionalLong;
import java.util.UUID;

/** Where a disk gets its devices and its table from; in a running service that is {@link Pairing}. */
interface PairOpener {
    /** As {@link Pairing#openDevices}. */
    PairDevices openDevices(DiskSpec spec) throws Refusal, DeviceException;

    /** Told which opening of a pair follows which. */
    @FunctionalInterface
    interface Succession {
        /**
         * Before the new one puts its name on the spare.
         *
         * @param found session of the last one, {@link io.remap.api.spi.Lineage#UNKNOWN} if it is the first
         * @param session of the new one
         */
        void follows(PairIdentity pair, UUID found, UUID session);
    }

    /** As {@link Pairing#openMetadata}. */
    PairMetadata openMetadata(PairDevices devices, Settings settings, Succession succession)
            throws Refusal, DeviceException;

    /** As {@link Pairing#noteStop}. */
    void noteStop(PairDevices devices, PairMetadata closed, long stopId);

    /** As {@link Pairing#addSpare}. */
    FurtherSpares.Open addSpare(
            PairDevices devices,
            PairMetadata open,
            DeviceUri uri,
            OptionalLong createBytes,
            boolean force,
            SpareMember.Use use)
            throws Refusal, DeviceException;

    /** As {@link Pairing#stampSpares}. */
    void stampSpares(PairDevices devices, PairMetadata open, MemberChanges changes) throws Refusal, DeviceException;

    /** As {@link Pairing#spreadTable}. */
    void spreadTable(PairMetadata open) throws Refusal;

    /** As {@link Pairing#eraseSpare}. */
    void eraseSpare(BlockDevice device, PairIdentity pair, int index) throws Refusal, DeviceException;

    /** As {@link Pairing#checkSpare}. */
    MetadataReport checkSpare(BlockDevice further) throws Refusal, DeviceException;

    static PairOpener of(Pairing pairing) {
        return new PairOpener() {
            @Override
            public PairDevices openDevices(DiskSpec spec) throws Refusal, DeviceException {
                return pairing.openDevices(spec);
            }

            @Override
            public PairMetadata openMetadata(PairDevices devices, Settings settings, Succession succession)
                    throws Refusal, DeviceException {
                return pairing.openMetadata(devices, settings, succession);
            }

            @Override
            public void noteStop(PairDevices devices, PairMetadata closed, long stopId) {
                pairing.noteStop(devices, closed, stopId);
            }

            @Override
            public FurtherSpares.Open addSpare(
                    PairDevices devices,
                    PairMetadata open,
                    DeviceUri uri,
                    OptionalLong createBytes,
                    boolean force,
                    SpareMember.Use use)
                    throws Refusal, DeviceException {
                return pairing.addSpare(devices, open, uri, createBytes, force, use);
            }

            @Override
            public void stampSpares(PairDevices devices, PairMetadata open, MemberChanges changes)
                    throws Refusal, DeviceException {
                pairing.stampSpares(devices, open, changes);
            }

            @Override
            public void spreadTable(PairMetadata open) throws Refusal {
                pairing.spreadTable(open);
            }

            @Override
            public void eraseSpare(BlockDevice device, PairIdentity pair, int index) throws Refusal, DeviceException {
                pairing.eraseSpare(device, pair, index);
            }

            @Override
            public MetadataReport checkSpare(BlockDevice further) throws Refusal, DeviceException {
                return pairing.checkSpare(further);
            }
        };
    }
}
