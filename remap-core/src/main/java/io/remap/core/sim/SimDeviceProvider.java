package io.remap.core.sim;

import io.remap.api.BlockDevice;
import io.remap.api.ByteSize;
import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.Refusal;
import io.remap.api.TimeSource;
import io.remap.api.spi.BlockDeviceProvider;
import io.remap.core.device.DeviceParameters;
import io.remap.core.device.FileDeviceProvider;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.SecureRandom;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongConsumer;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@code sim:}: a disk that fails on demand, in front of an image file or a block device. Content and faults outlive the
 * process, however it ends. See docs/SIM.md for the parameters and the list of faults.
 */
public final class SimDeviceProvider implements BlockDeviceProvider {
    private static final Logger LOG = LoggerFactory.getLogger(SimDeviceProvider.class);

    private final BlockDeviceProvider images;
    private final TimeSource time;
    private final RandomGenerator random;
    private final LongConsumer pauseMillis;

    /** With the time of this host, which a slow disk takes. */
    public SimDeviceProvider() {
        this(new FileDeviceProvider(), new HostTime(), new SecureRandom(), SimDeviceProvider::pauseMillis);
    }

    /**
     * With another time.
     *
     * @param images opens what holds the content
     * @param random for the name of a socket before it has its own; what fails is drawn from the seed of the disk
     * @param pauseMillis lets the calling thread pass so much time
     */
    SimDeviceProvider(BlockDeviceProvider images, TimeSource time, RandomGenerator random, LongConsumer pauseMillis) {
        this.images = images;
        this.time = time;
        this.random = random;
        this.pauseMillis = pauseMillis;
    }

    private static final class HostTime implements TimeSource {
        @Override
        public long nanoTime() {
            return System.nanoTime();
        }

        @Override
        public long wallMillis() {
            return System.currentTimeMillis();
        }
    }

    private static void pauseMillis(long millis) {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
        for (long left = end - System.nanoTime(); left > 0; left = end - System.nanoTime()) {
            LockSupport.parkNanos(left);
        }
    }

    @Override
    public String name() {
        return "sim";
    }

    @Override
    public String description() {
        return "a disk that fails on demand: sim:IMAGE?size=64M&faults=LIST or &seed=7&bad=300";
    }

    @Override
    public BlockDevice open(DeviceUri uri, OpenOptions options) throws Refusal, DeviceException {
        DeviceParameters parameters = new DeviceParameters(uri, SimConfig.KNOWN);
        Path path = SimConfig.path(parameters, uri.path());
        boolean created = createIfAsked(path, parameters, options);
        try {
            return openImage(uri, path, parameters, options);
        } catch (Refusal | DeviceException | RuntimeException e) {
            if (created) {
                remove(path);
            }
            throw e;
        }
    }

    /** A new image is sparse: what was never written takes no space. */
    private static boolean createIfAsked(Path path, DeviceParameters parameters, OpenOptions options) throws Refusal {
        if (!parameters.has(SimConfig.SIZE)
                || options.createBytes().isPresent()
                || options.readOnly()
                || Files.exists(path)) {
            return false;
        }
        long size = parameters.bytes(SimConfig.SIZE, 0);
        int sector = parameters.sectorBytes(SimConfig.SECTOR, options);
        if (size < sector || size % sector != 0) {
            throw parameters.usage("the size must be a multiple of the sector, " + sector + " bytes; found " + size);
        }
        try (FileChannel image = FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            image.write(ByteBuffer.allocate(1), size - 1);
            return true;
        } catch (FileAlreadyExistsException e) {
            return false;
        } catch (IOException e) {
            remove(path);
            throw new Refusal(Refusal.Kind.ENVIRONMENT, path + " cannot be made: " + reason(e), e);
        }
    }

    private static void remove(Path image) {
        try {
            Files.deleteIfExists(image);
        } catch (IOException e) {
            LOG.warn("{} was made and is not used, and cannot be removed: {}", image, e.toString());
        }
    }

    private BlockDevice openImage(DeviceUri uri, Path path, DeviceParameters parameters, OpenOptions options)
            throws Refusal, DeviceException {
        OptionalInt sector = parameters.has(SimConfig.SECTOR)
                ? OptionalInt.of(parameters.sectorBytes(SimConfig.SECTOR, options))
                : options.sectorBytes();
        // Whoever writes keeps the state of the faults, so there can be one of them only.
        OpenOptions imageOptions = new OpenOptions(
                options.readOnly(),
                options.exclusive() || !options.readOnly(),
                Door.BUFFERED,
                sector,
                options.createBytes(),
                options.force());
        BlockDevice image = images.open(
                new DeviceUri("file", uri.path(), Map.of(), uri.offsetBytes(), uri.lengthBytes()), imageOptions);
        try {
            long size = image.traits().sizeBytes();
            if (parameters.bytes(SimConfig.SIZE, size) != size) {
                throw parameters.usage("the image has " + size + " bytes (" + ByteSize.format(size)
                        + "), not the size that is given: leave it away");
            }
            return assemble("sim:" + uri.path(), path, parameters, image, options.readOnly());
        } catch (Refusal | RuntimeException e) {
            image.close();
            throw e;
        }
    }

    private SimDevice assemble(String name, Path path, DeviceParameters parameters, BlockDevice image, boolean readOnly)
            throws Refusal {
        int sector = image.traits().logicalSectorBytes();
        SimConfig config = SimConfig.read(parameters, path, sector);
        int physical = Math.max(config.physicalBytes(), sector);
        SimChance chance = new SimChance(config.seed());
        Optional<SimTrace> trace = Optional.empty();
        SimFaults faults = null;
        try {
            if (config.trace().isPresent()) {
                trace = Optional.of(SimTrace.begin(config.trace().get(), config.traceFormat(), config.traceBytes()));
            }
            faults = SimFaults.open(name, origin(name, path, config, image, readOnly, physical), chance, time);
            SimModel model = new SimModel(name, faults, chance, physical, config.timing(), trace, time);
            SimMedium medium = new SimMedium(image, physical, config.cacheBytes());
            SimDevice device = new SimDevice(name, image, medium, model, pauseMillis, config.readsPrefix(), physical);
            if (config.control().isPresent()) {
                device.endsWith(SimControlServer.start(
                        config.control().get(),
                        random,
                        new SimControl(
                                device, medium, model, config.blockBytes().orElse(sector))::execute));
            }
            return device;
        } catch (IOException e) {
            abandon(faults, trace);
            if (e instanceof Refusal refusal) {
                throw refusal;
            }
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    name + ": the faults, their state or the trace cannot be read or kept: " + reason(e),
                    e);
        }
    }

    private static void abandon(SimFaults faults, Optional<SimTrace> trace) throws Refusal {
        trace.ifPresent(SimTrace::close);
        if (faults != null) {
            try {
                faults.close();
            } catch (IOException e) {
                throw new Refusal(
                        Refusal.Kind.ENVIRONMENT, "the state of the faults cannot be closed: " + reason(e), e);
            }
        }
    }

    private static SimFaults.Origin origin(
            String name, Path path, SimConfig config, BlockDevice image, boolean readOnly, int physical)
            throws Refusal {
        long size = image.traits().sizeBytes();
        int sector = image.traits().logicalSectorBytes();
        List<SimFault> generated = config.badSectors() == 0
                ? List.of()
                : SimFaultSeed.faults(
                        name,
                        config.seed(),
                        config.badSectors(),
                        config.clusterSectors(),
                        size,
                        sector,
                        config.listMode());
        return new SimFaults.Origin(
                generated,
                config.list(),
                changed -> SimFaultFile.read(changed, size, sector, config.blockBytes(), config.listMode()),
                new SimStateFile(SimFiles.state(path)),
                readOnly,
                physical);
    }

    /** For people: the exceptions of the JDK say the file, and the reason mostly by their class. */
    static String reason(IOException error) {
        String message = String.valueOf(error.getMessage());
        if (error instanceof NoSuchFileException) {
            return message + ": no such file or directory";
        }
        return error instanceof AccessDeniedException ? message + ": permission denied" : message;
    }
}
