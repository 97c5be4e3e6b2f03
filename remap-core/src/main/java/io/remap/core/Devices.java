package io.remap.core;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.Refusal;
import io.remap.api.spi.BlockDeviceProvider;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import io.remap.core.device.BlockPart;
import io.remap.core.device.BlockTopology;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Opens devices by the scheme of their URI, and lists the block devices of this host. Thread-safe. */
public final class Devices {
    /**
     * A block device of this host.
     *
     * @param path device node, for example {@code /dev/sda}
     * @param sizeBytes size
     * @param logicalSectorBytes smallest unit of a transfer
     * @param physicalSectorBytes unit that the medium rewrites
     * @param model as the drive says, may be empty
     * @param rotational a spinning disk
     * @param readOnly writes are refused
     * @param usedBy mount points and holders (also of its partitions), empty if nobody uses it
     */
    public record Found(
            String path,
            long sizeBytes,
            int logicalSectorBytes,
            int physicalSectorBytes,
            String model,
            boolean rotational,
            boolean readOnly,
            List<String> usedBy) {}

    private static final Logger LOG = LoggerFactory.getLogger(Devices.class);

    private final Providers providers;

    /** Devices of the schemes that these providers know. */
    public Devices(Providers providers) {
        this.providers = providers;
    }

    /**
     * Opens a device, or the part of it that {@code ?offset=&length=} selects.
     *
     * @throws Refusal if no module knows the scheme, the part lies outside, or as the provider refuses
     */
    public BlockDevice open(DeviceUri uri, OpenOptions options) throws Refusal, DeviceException {
        BlockDevice whole =
                providers.require(BlockDeviceProvider.class, uri.scheme()).open(uri, options);
        return uri.isPart() ? BlockPart.of(whole, uri) : whole;
    }

    /** Removes the file that {@link #open} made, once what it was made for is refused: the next try makes it again. */
    static void discard(DeviceUri uri, OptionalLong createBytes) {
        if (createBytes.isEmpty() || !uri.scheme().equals("file")) {
            return;
        }
        try {
            Files.deleteIfExists(Path.of(uri.path()));
        } catch (IOException e) {
            LOG.warn("{} was made and is not used, and cannot be removed: {}", uri.path(), e.toString());
        }
    }

    /** The block devices of this host, disks and partitions, by name. Those of size 0 are left out. */
    public static List<Found> list() {
        return list(BlockTopology.ofThisHost());
    }

    static List<Found> list(BlockTopology topology) {
        return topology.all().stream()
                .filter(block -> block.sizeBytes() > 0)
                .map(block -> new Found(
                        block.node(),
                        block.sizeBytes(),
                        topology.logicalSectorBytes(block),
                        topology.physicalSectorBytes(block),
                        topology.model(block),
                        topology.rotational(block),
                        topology.readOnly(block),
                        topology.usedBy(block)))
                .toList();
    }
}
