package io.remap.core;

import io.remap.api.DeviceUri;
import io.remap.api.spi.BlockDeviceProvider.Door;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Which disk to serve, and how.
 *
 * @param main the failing device
 * @param spares the healthy ones, in any order; if empty, an image file gets the sidecar {@code MAIN.spare} (made if it is
 *     not there) and a block device is refused. Further ones that were there the last time need not be named
 * @param withoutSpare serve main alone: nothing is redirected; refused if main is known to have a spare
 * @param name name of the disk, 1 to 255 characters, unique within the service
 * @param exportName as clients ask for it; empty for the same as {@code name}
 * @param readOnly refuse writes, and serve what is certain where the mappings cannot be loaded
 * @param door how transfers reach main; the spare is always opened {@link Door#AUTO}
 * @param sectorBytes logical sector wanted, where main leaves it open (an image file)
 * @param force open devices that look in use, take a spare that does not survive a power cut, and
 *     serve as main what is a spare
 * @param adopt take main for the one the spare belongs to, although its name changed and it carries no witness
 * @param acceptMainChanges take main as it is, although it was written without remap since the last clean stop
 * @param noWitness go on without the witness that ties main to its spare, where it cannot be written
 * @param takeOver take the pair from another host that has not stopped in order, if it gives no sign of life
 * @param missingSpares serve it without further spares that are not there
 */
public record DiskSpec(
        DeviceUri main,
        List<DeviceUri> spares,
        boolean withoutSpare,
        String name,
        String exportName,
        boolean readOnly,
        Door door,
        OptionalInt sectorBytes,
        boolean force,
        boolean adopt,
        boolean acceptMainChanges,
        boolean noWitness,
        boolean takeOver,
        boolean missingSpares) {
    public DiskSpec {
        spares = List.copyOf(spares);
    }

    public static final int MAX_NAME_CHARS = 255;

    /** Main with this spare (or its sidecar), everything else by default; the name is that of the device. */
    public static DiskSpec of(DeviceUri main, Optional<DeviceUri> spare) {
        return new DiskSpec(
                main,
                spare.stream().toList(),
                false,
                defaultName(main),
                "",
                false,
                Door.AUTO,
                OptionalInt.empty(),
                false,
                false,
                false,
                false,
                false,
                false);
    }

    /** The name of a disk if none is given: the last part of the path, without characters that a shell would mind. */
    public static String defaultName(DeviceUri main) {
        String path = main.path();
        String last = path.substring(path.lastIndexOf('/') + 1).replaceAll("[^A-Za-z0-9._-]", "_");
        String name = last.isEmpty() ? main.scheme() : last;
        return name.length() <= MAX_NAME_CHARS ? name : name.substring(0, MAX_NAME_CHARS);
    }

    /** As clients ask for it. */
    public String effectiveExportName() {
        return exportName.isEmpty() ? name : exportName;
    }
}
