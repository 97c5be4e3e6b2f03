package io.remap.core.device;

import io.remap.api.BlockDevice;
import io.remap.api.ByteSize;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceTraits;
import io.remap.api.DeviceUri;
import io.remap.api.Refusal;
import io.remap.api.spi.BlockDeviceProvider;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Devices in the memory of this process: {@code mem:NAME?size=64M&sector=512}. Everybody who opens the same name meets
 * the same bytes; when nobody has it open any more they are gone.
 *
 * <p>Invariant, under the monitor: {@code disks} holds exactly the names that somebody has open. Thread-safe.
 */
public final class MemoryDeviceProvider implements BlockDeviceProvider {
    static final long DEFAULT_SIZE_BYTES = 64L << 20;

    /** Largest device; only what was written takes memory. */
    static final long MAX_SIZE_BYTES = 1L << 40;

    private static final String SIZE = "size";
    private static final String SECTOR = "sector";

    private final Map<String, OpenDisk> disks = new HashMap<>();

    /** A disk and the openings that share it. */
    private static final class OpenDisk {
        final long sizeBytes;
        final int sectorBytes;
        final MemoryContent content;
        final List<OpenOptions> openings = new ArrayList<>();

        OpenDisk(long sizeBytes, int sectorBytes) {
            this.sizeBytes = sizeBytes;
            this.sectorBytes = sectorBytes;
            this.content = new MemoryContent(sizeBytes);
        }
    }

    @Override
    public String name() {
        return "mem";
    }

    @Override
    public String description() {
        return "memory of this process, gone when it is closed: mem:NAME?size=64M&sector=512";
    }

    @Override
    public synchronized BlockDevice open(DeviceUri uri, OpenOptions options) throws Refusal {
        DeviceParameters parameters = new DeviceParameters(uri, Set.of(SIZE, SECTOR));
        String name = "mem:" + uri.path();
        OpenDisk disk = disks.get(uri.path());
        if (disk != null && options.createBytes().isPresent()) {
            throw new Refusal(Refusal.Kind.ENVIRONMENT, name + " exists already");
        }
        if (disk == null) {
            disk = create(name, parameters, options);
        } else {
            requireSame(name, disk, parameters, options);
        }
        requireFree(name, disk, options);
        OpenDisk opened = disk;
        DeviceTraits traits = new DeviceTraits(
                disk.sizeBytes, disk.sectorBytes, disk.sectorBytes, 1, true, options.readOnly(), false, true, false);
        DeviceIdentity identity = DeviceIdentity.ofWhole("path:" + name, name, disk.sizeBytes, "");
        BlockDevice device =
                new MemoryDevice(name, traits, identity, disk.content, () -> closed(uri.path(), opened, options));
        disk.openings.add(options);
        disks.put(uri.path(), disk);
        return device;
    }

    private static OpenDisk create(String name, DeviceParameters parameters, OpenOptions options) throws Refusal {
        long size = options.createBytes().orElse(parameters.bytes(SIZE, DEFAULT_SIZE_BYTES));
        int sector = parameters.sectorBytes(SECTOR, options);
        if (size < sector || size > MAX_SIZE_BYTES || size % sector != 0) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    name + ": the size must be a multiple of the sector, " + sector + " bytes to "
                            + ByteSize.format(MAX_SIZE_BYTES) + "; found " + size);
        }
        return new OpenDisk(size, sector);
    }

    private static void requireSame(String name, OpenDisk disk, DeviceParameters parameters, OpenOptions options)
            throws Refusal {
        long size = parameters.bytes(SIZE, disk.sizeBytes);
        int sector = parameters.has(SECTOR) || options.sectorBytes().isPresent()
                ? parameters.sectorBytes(SECTOR, options)
                : disk.sectorBytes;
        if (size != disk.sizeBytes || sector != disk.sectorBytes) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    name + " is open with " + disk.sizeBytes + " bytes in sectors of " + disk.sectorBytes
                            + ": leave size and sector away, or give the same");
        }
    }

    private static void requireFree(String name, OpenDisk disk, OpenOptions wanted) throws Refusal {
        for (OpenOptions other : disk.openings) {
            if ((wanted.exclusive() && !other.readOnly()) || (other.exclusive() && !wanted.readOnly())) {
                throw new Refusal(Refusal.Kind.BUSY, name + " is in use in this process");
            }
        }
    }

    private synchronized void closed(String path, OpenDisk disk, OpenOptions opening) {
        disk.openings.remove(opening);
        if (disk.openings.isEmpty()) {
            disks.remove(path, disk);
        }
    }
}
