package io.remap.core.device;

import io.remap.api.BlockDevice;
import io.remap.api.ByteSize;
import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.Refusal;
import io.remap.api.TimeSource;
import io.remap.api.spi.BlockDeviceProvider;
import io.remap.core.device.SimFault.Mode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongConsumer;

/**
 * {@code sim:}: a disk that fails on demand, in front of an image file or a block device. Content and faults outlive the
 * process, however it ends. See docs/SIM.md for the parameters and the list of faults.
 */
public final class SimDeviceProvider implements BlockDeviceProvider {
    private static final String SIZE = "size";
    private static final String SECTOR = "sector";
    private static final String FAULTS = "faults";
    private static final String BLOCK_SIZE = "block-size";
    private static final String SEED = "seed";
    private static final String BAD = "bad";
    private static final String CLUSTER = "cluster";
    private static final String MODE = "mode";
    private static final Set<String> KNOWN = Set.of(SIZE, SECTOR, FAULTS, BLOCK_SIZE, SEED, BAD, CLUSTER, MODE);

    private static final int MAX_BLOCK_BYTES = 1 << 20;
    private static final int DEFAULT_CLUSTER = 8;

    private final BlockDeviceProvider images;
    private final TimeSource time;
    private final LongConsumer pauseMillis;

    /** With the time of this host, which a slow disk takes. */
    public SimDeviceProvider() {
        this(new FileDeviceProvider(), new HostTime(), SimDeviceProvider::pauseMillis);
    }

    /**
     * With another time.
     *
     * @param images opens what holds the content
     * @param pauseMillis lets the calling thread pass so much time
     */
    SimDeviceProvider(BlockDeviceProvider images, TimeSource time, LongConsumer pauseMillis) {
        this.images = images;
        this.time = time;
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
        DeviceParameters parameters = new DeviceParameters(uri, KNOWN);
        Path path = path(parameters, uri.path());
        boolean created = createIfAsked(path, parameters, options);
        try {
            return openImage(uri, path, parameters, options);
        } catch (Refusal | DeviceException | RuntimeException e) {
            if (created) {
                FileCreation.remove(uri.path());
            }
            throw e;
        }
    }

    private static Path path(DeviceParameters parameters, String text) throws Refusal {
        try {
            return Path.of(text);
        } catch (InvalidPathException e) {
            throw parameters.usage("'" + text + "' is no path: " + e.getReason());
        }
    }

    /** A new image is sparse: what was never written takes no space. */
    private static boolean createIfAsked(Path path, DeviceParameters parameters, OpenOptions options) throws Refusal {
        if (!parameters.has(SIZE) || options.createBytes().isPresent() || options.readOnly() || Files.exists(path)) {
            return false;
        }
        long size = parameters.bytes(SIZE, 0);
        int sector = parameters.sectorBytes(SECTOR, options);
        if (size < sector || size % sector != 0) {
            throw parameters.usage("the size must be a multiple of the sector, " + sector + " bytes; found " + size);
        }
        try (FileChannel image = FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            image.write(ByteBuffer.allocate(1), size - 1);
            return true;
        } catch (FileAlreadyExistsException e) {
            return false;
        } catch (IOException e) {
            throw new Refusal(Refusal.Kind.ENVIRONMENT, path + " cannot be made: " + reason(e), e);
        }
    }

    private BlockDevice openImage(DeviceUri uri, Path path, DeviceParameters parameters, OpenOptions options)
            throws Refusal, DeviceException {
        OptionalInt sector = parameters.has(SECTOR)
                ? OptionalInt.of(parameters.sectorBytes(SECTOR, options))
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
            if (parameters.bytes(SIZE, size) != size) {
                throw parameters.usage("the image has " + size + " bytes (" + ByteSize.format(size)
                        + "), not the size that is given: leave it away");
            }
            String name = "sim:" + uri.path();
            SimFaults faults = openFaults(name, path, parameters, image, options.readOnly());
            return new SimDevice(name, image, faults, pauseMillis);
        } catch (Refusal | RuntimeException e) {
            image.close();
            throw e;
        }
    }

    private SimFaults openFaults(
            String name, Path path, DeviceParameters parameters, BlockDevice image, boolean readOnly) throws Refusal {
        long size = image.traits().sizeBytes();
        int sector = image.traits().logicalSectorBytes();
        Mode mode = mode(parameters);
        List<SimFault> generated = generated(name, parameters, size, sector, mode);
        Optional<Path> list =
                parameters.has(FAULTS) ? Optional.of(path(parameters, parameters.text(FAULTS, ""))) : Optional.empty();
        OptionalInt block = parameters.has(BLOCK_SIZE)
                ? OptionalInt.of((int) parameters.number(BLOCK_SIZE, 0, sector, MAX_BLOCK_BYTES))
                : OptionalInt.empty();
        SimStateFile state = new SimStateFile(path.resolveSibling(path.getFileName() + SimStateFile.SUFFIX));
        try {
            return SimFaults.open(
                    name,
                    generated,
                    list,
                    changed -> SimFaultFile.read(changed, size, sector, block, mode),
                    state,
                    readOnly,
                    time);
        } catch (Refusal e) {
            throw e;
        } catch (IOException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    name + ": the faults or their state cannot be read or kept: " + reason(e),
                    e);
        }
    }

    /** For people: the exceptions of the JDK say the file, and the reason mostly by their class. */
    private static String reason(IOException error) {
        String message = String.valueOf(error.getMessage());
        if (error instanceof NoSuchFileException) {
            return message + ": no such file or directory";
        }
        return error instanceof AccessDeniedException ? message + ": permission denied" : message;
    }

    /** The mode of those faults whose source does not say one. */
    private static Mode mode(DeviceParameters parameters) throws Refusal {
        String word = parameters.text(MODE, Mode.READ_BAD_HEALS_ON_WRITE.word);
        Optional<Mode> mode = Mode.of(word);
        if (mode.isEmpty() || mode.get().maxArgument != 0) {
            throw parameters.usage(
                    "mode: expected read-bad-heals-on-write, read-and-write-bad or write-bad; found '" + word + "'");
        }
        return mode.get();
    }

    private static List<SimFault> generated(String name, DeviceParameters parameters, long size, int sector, Mode mode)
            throws Refusal {
        if (!parameters.has(BAD)) {
            if (parameters.has(SEED) || parameters.has(CLUSTER)) {
                throw parameters.usage("seed and cluster need bad=SECTORS, how many sectors fail");
            }
            return List.of();
        }
        return SimFaultSeed.faults(
                name,
                parameters.number(SEED, 0, Long.MIN_VALUE, Long.MAX_VALUE),
                parameters.number(BAD, 0, 1, SimFaultSeed.MAX_BAD_SECTORS),
                (int) parameters.number(CLUSTER, DEFAULT_CLUSTER, 1, SimFaultSeed.MAX_CLUSTER_SECTORS),
                size,
                sector,
                mode);
    }
}
