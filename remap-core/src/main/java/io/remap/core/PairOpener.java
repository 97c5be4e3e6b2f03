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

/** Where a disk gets its devices and its table from; in a running service that is {@link PairOpening}. */
interface PairOpener {
    /**
     * The phase DEVICES of a disk: opens main and spare (making the sidecar of an image file), and refuses what must not
     * be a pair by its geometry. Writes to neither; either returns open devices or has closed them and throws.
     */
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

    /**
     * The phase METADATA of a disk: makes sure that the two belong together (formatting a blank spare), recovers the
     * table, and leaves the witness. The devices stay the caller's.
     *
     * @param succession not told of an opening that is read-only
     */
    PairMetadata openMetadata(PairDevices devices, Settings settings, Succession succession)
            throws Refusal, DeviceException;

    /** After the table was closed in order: the witness says so, and by what the spare is known then. */
    void noteStop(PairDevices devices, PairMetadata closed, long stopId);

    /**
     * Makes a device a further spare of a pair that is served. It counts once the store states it.
     *
     * @param force its content may go, and it may look in use
     * @param use what it is for
     * @throws Refusal also if it shares bytes with a spare that is open, or is a main that is known here
     */
    FurtherSpares.Open addSpare(
            PairDevices devices,
            PairMetadata open,
            DeviceUri uri,
            OptionalLong createBytes,
            boolean force,
            SpareMember.Use use)
            throws Refusal, DeviceException;

    /** Tells the further spares from all copies of them that were made before; see {@link SpareSet#stamp}. */
    void stampSpares(PairDevices devices, PairMetadata open, MemberChanges changes) throws Refusal, DeviceException;

    /** After a spare came or went: where the table has its copy. */
    void spreadTable(PairMetadata open) throws Refusal;

    /** A spare that its pair does not state any more becomes a blank device. */
    void eraseSpare(BlockDevice device, PairIdentity pair, int index) throws Refusal, DeviceException;

    /** How the metadata that a further spare has of itself stand. Writes nothing. */
    MetadataReport checkSpare(BlockDevice further) throws Refusal, DeviceException;
}
