package io.remap.core.device;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.Refusal;
import io.remap.api.spi.BlockDeviceProvider;
import io.remap.core.libc.Libc;
import java.util.Optional;

/**
 * {@code file:}: regular files and block devices, through the C library where it can be bound, through the channels of
 * the JDK otherwise (see {@link FileChannelDevice} for what is missing then).
 */
public final class FileDeviceProvider implements BlockDeviceProvider {
    private final BlockTopology topology;

    /** On this host. */
    public FileDeviceProvider() {
        this(BlockTopology.ofThisHost());
    }

    FileDeviceProvider(BlockTopology topology) {
        this.topology = topology;
    }

    /** Binds the C library now, so that the first open does not wait for it. */
    public static void preload() {
        Libc.preload();
    }

    @Override
    public String name() {
        return "file";
    }

    @Override
    public String description() {
        return "image files, disks and partitions";
    }

    @Override
    public BlockDevice open(DeviceUri uri, OpenOptions options) throws Refusal, DeviceException {
        if (!uri.parameters().isEmpty()) {
            throw FileRefusals.usage(uri + ": a file knows 'offset' and 'length' only, not '"
                    + uri.parameters().keySet().iterator().next() + "'");
        }
        Optional<Libc> libc = Libc.find();
        if (libc.isEmpty()) {
            return new FileChannelOpener(topology).open(uri, options);
        }
        FileOpener opener = new FileOpener(libc.get(), topology);
        BlockDevice opened = opener.open(uri, options);
        if (opened instanceof FileDevice device) {
            device.canBeReopened(new FileReopening(device, uri, options, topology, opener::open));
        }
        return opened;
    }
}
