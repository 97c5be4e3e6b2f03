package io.remap.core;

import io.remap.api.DeviceTraits;
import io.remap.api.FeatureStatus;
import io.remap.api.spi.MetadataCopies;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A service at one moment. {@link #toMap()} is the answer of the command {@code status}: the same names, records as
 * maps, an absent value as {@code null}, a feature with its state in lower case and its text as {@code status} prints it.
 *
 * @param name name of the service
 * @param version of remap
 * @param javaVersion of the Java runtime
 * @param pid process
 * @param startedMillis when it was started, milliseconds since 1970 UTC
 * @param uptimeMillis how long ago that was
 * @param features metadata, health, I/O-opt and control, each with its parts; metadata and health over all disks
 * @param transport name of the transport in use
 * @param ioEngine name of the I/O engine in use
 * @param bufferPool name of the buffer pool in use
 * @param bufferBytesInUse bytes of it given out
 * @param connections clients connected now
 * @param listeners where clients connect
 * @param disks the disks by name
 */
public record ServiceStatus(
        String name,
        String version,
        String javaVersion,
        long pid,
        long startedMillis,
        long uptimeMillis,
        List<FeatureStatus> features,
        String transport,
        String ioEngine,
        String bufferPool,
        long bufferBytesInUse,
        int connections,
        List<String> listeners,
        List<DiskStatus> disks) {

    /** A device of a disk. */
    public record DeviceStatus(String name, String stableId, DeviceTraits traits) {}

    /**
     * A disk.
     *
     * @param name name of the disk
     * @param exportName as clients ask for it
     * @param sizeBytes size of the virtual disk
     * @param sectorBytes its logical sector
     * @param readOnly writes are refused
     * @param main the failing device
     * @param spare the healthy one, if there is one
     * @param features metadata, health and witness of this disk
     * @param pairUuid which pair it is, empty without a spare
     * @param generation of the newest durable table, 0 without a spare
     * @param mappedSectors sectors that stand on the spare
     * @param zeroSectors sectors that stand nowhere and read as zeros
     * @param unreadableSectors sectors that answer EIO until they can be read again or are written
     * @param lostSectors sectors whose content is gone, EIO until they are written
     * @param avoidedSectors sectors in areas in which main is left alone, wherever they stand
     * @param slots slots of the spare, 0 without one
     * @param freeSlots slots that are free
     * @param badSlots slots that are bad
     * @param mappingLimit most entries that the table on the spare holds
     * @param metadataCopies how the copies of the table stand, if it is kept in copies
     * @param flushFailed why flushes fail now, empty if they do not
     * @param ledger what was written and not flushed, and whether it is being verified; empty if no ledger is kept
     * @param away devices that do not answer now; requests for them wait, nothing is redirected
     * @param counters what happened since the start, by the names of the disk's attributes
     * @param uris how clients name the export, one for each listener
     * @param attachCommands commands that attach a client, for people to copy
     * @param notices what the user should know, one line each
     */
    public record DiskStatus(
            String name,
            String exportName,
            long sizeBytes,
            int sectorBytes,
            boolean readOnly,
            DeviceStatus main,
            Optional<DeviceStatus> spare,
            List<FeatureStatus> features,
            String pairUuid,
            long generation,
            long mappedSectors,
            long zeroSectors,
            long unreadableSectors,
            long lostSectors,
            long avoidedSectors,
            long slots,
            long freeSlots,
            long badSlots,
            long mappingLimit,
            Optional<MetadataCopies.State> metadataCopies,
            String flushFailed,
            String ledger,
            List<String> away,
            Map<String, Object> counters,
            List<String> uris,
            List<String> attachCommands,
            List<String> notices) {}

    /** The same as maps, lists, strings, numbers and booleans. */
    public Map<String, Object> toMap() {
        return PlainValues.ofRecord(this);
    }
}
