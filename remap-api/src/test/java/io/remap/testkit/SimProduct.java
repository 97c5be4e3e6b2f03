package io.remap.testkit;

import io.remap.api.BlockDevice;
import io.remap.api.BufferPool;
import io.remap.api.DeviceException;
import io.remap.api.Disk;
import io.remap.api.DiskClient;
import io.remap.api.DiskError;
import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.RemapTable;
import io.remap.api.SectorRange;
import io.remap.api.spi.IoEngine;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.PairIdentity;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** What a {@link DiskSimulation} simulates: the virtual disk, over a metadata store that is a parameter. */
public interface SimProduct {
    /** The store of a simulation; a new one for each. */
    MetadataProvider metadata();

    /** How large spares must be for about so many slots: one, or several of a pair, which fail each for itself. */
    List<Integer> spareBytes(int slots);

    /** Makes empty spares of the device, or of the parts of a {@link JoinedDevice}. */
    default void format(MetadataProvider metadata, BlockDevice spare, PairIdentity pair, Environment environment)
            throws Refusal, DeviceException {
        metadata.format(spare, pair, environment);
    }

    /** Starts the disk on a spare that is formatted. */
    Running start(Parts parts) throws IOException, Refusal;

    /**
     * What the disk runs on.
     *
     * @param spare a {@link JoinedDevice} where there are several
     * @param returnPauseMillis after which pause what went to the spare only for lack of time is brought back
     * @param ledgerBytes memory for the ledger of unflushed writes
     * @param sealMillis how long nobody has written to a spare until it is sealed with checksums, 0: never
     * @param heals whether a write to what could not be read is tried on main first
     */
    record Parts(
            BlockDevice main,
            BlockDevice spare,
            MetadataProvider metadata,
            IoEngine engine,
            BufferPool buffers,
            Environment environment,
            long returnPauseMillis,
            long ledgerBytes,
            long sealMillis,
            boolean heals) {}

    /** A started disk. */
    interface Running {
        Disk disk();

        /** Whether answers come over a wire: later than the disk gives them, and without the place that failed. */
        default boolean answersByWire() {
            return false;
        }

        /** Whom the disk tells of a loss when this client asks for something now; another one after it was cut off. */
        default Object connectionOf(DiskClient client) {
            return client;
        }

        /** How often a connection was cut so far; what was under way on it ends with an error. */
        default long cutConnections() {
            return 0;
        }

        void mapAdd(SectorRange range, boolean unreadableToo, Consumer<DiskError> done);

        void mapRemove(SectorRange range, Consumer<DiskError> done);

        /** A person has main left alone in an area, or used again; {@code false}: that cannot be done here. */
        default boolean avoid(SectorRange range, boolean begin) {
            return false;
        }

        /** Where main is left alone now, whoever wanted it. */
        default List<SectorRange> avoided() {
            return List.of();
        }

        /** Units of the virtual disk that stand in slots which are sealed, and that nobody opens just now. */
        default List<Long> sealedUnits() {
            return List.of();
        }

        /** The sectors that the disk says are lost. */
        List<SectorRange> lost();

        /** What it counts, by the names of its attributes. */
        Map<String, Long> counters();

        /** Whether it says that acknowledged writes may be lost, and that it does not know. */
        boolean inDoubt();

        /** How many sectors it found lost that were not flushed. */
        long lostUnflushedSectors();

        /** The committed table. */
        RemapTable table();

        /** Where a slot lies on the spare. */
        long slotOffsetBytes(long slot);

        /** The number of the first slot of a spare there. */
        default long firstSlotOf(int spare) {
            return 0;
        }

        long slots();

        long freeSlots();

        long badSlots();

        /** Throws unless nothing is under way, parked or locked, and the table uses each slot at most once. */
        void checkQuiet();

        /** Stops cleanly; whether everything is on stable storage. */
        boolean close();
    }
}
