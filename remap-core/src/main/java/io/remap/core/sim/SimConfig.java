package io.remap.core.sim;

import io.remap.api.ByteSize;
import io.remap.api.DeviceTraits;
import io.remap.api.Refusal;
import io.remap.core.device.DeviceParameters;
import io.remap.core.sim.SimFault.Argument;
import io.remap.core.sim.SimFault.Mode;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * What the parameters of a {@code sim:} URI say, but for the size and sector of the image; see docs/SIM.md.
 *
 * @param list of faults
 * @param blockBytes unit of a list of badblocks
 * @param listMode how the places fail that do not say it
 * @param seed of all chance
 * @param badSectors to be made from the seed, 0: none
 * @param clusterSectors mean length of a cluster of them
 * @param physicalBytes unit in which the medium fails, 0: the logical sector
 * @param timing of the drive
 * @param readsPrefix whether a read that fails gives what lies before the failing sector
 * @param cacheBytes of the volatile cache, 0: none
 * @param trace where operations are written down
 * @param traceFormat how
 * @param traceBytes most bytes of it
 * @param control the socket, if there is one
 */
record SimConfig(
        Optional<Path> list,
        OptionalInt blockBytes,
        Mode listMode,
        long seed,
        long badSectors,
        int clusterSectors,
        int physicalBytes,
        SimModel.Timing timing,
        boolean readsPrefix,
        long cacheBytes,
        Optional<Path> trace,
        SimTrace.Format traceFormat,
        long traceBytes,
        Optional<Path> control) {
    static final String SIZE = "size";
    static final String SECTOR = "sector";

    private static final String FAULTS = "faults";
    private static final String BLOCK_SIZE = "block-size";
    private static final String SEED = "seed";
    private static final String BAD = "bad";
    private static final String CLUSTER = "cluster";
    private static final String MODE = "mode";
    private static final String PHYSICAL = "physical";
    private static final String LATENCY = "latency-ms";
    private static final String LATENCY_TAIL = "latency-tail-ms";
    private static final String ERROR_TIME = "error-ms";
    private static final String READ_PREFIX = "read-prefix";
    private static final String CACHE = "cache";
    private static final String TRACE = "trace";
    private static final String TRACE_FORMAT = "trace-format";
    private static final String TRACE_BYTES = "trace-bytes";
    private static final String CONTROL = "control";

    static final Set<String> KNOWN = Set.of(
            SIZE,
            SECTOR,
            FAULTS,
            BLOCK_SIZE,
            SEED,
            BAD,
            CLUSTER,
            MODE,
            PHYSICAL,
            LATENCY,
            LATENCY_TAIL,
            ERROR_TIME,
            READ_PREFIX,
            CACHE,
            TRACE,
            TRACE_FORMAT,
            TRACE_BYTES,
            CONTROL);

    private static final int MAX_BLOCK_BYTES = 1 << 20;
    private static final int MAX_PHYSICAL_BYTES = 1 << 16;
    static final int DEFAULT_CLUSTER = 8;
    private static final long MAX_LATENCY_MILLIS = 60_000;
    private static final long MAX_CACHE_BYTES = 1 << 30;

    /** Reads and checks them; {@code sectorBytes} is the logical sector of the image. */
    static SimConfig read(DeviceParameters parameters, Path image, int sectorBytes) throws Refusal {
        if (parameters.has(CLUSTER) && !parameters.has(BAD)) {
            throw parameters.usage("cluster needs bad=SECTORS, how many sectors fail");
        }
        return new SimConfig(
                list(parameters, image),
                parameters.has(BLOCK_SIZE)
                        ? OptionalInt.of((int) parameters.number(BLOCK_SIZE, 0, sectorBytes, MAX_BLOCK_BYTES))
                        : OptionalInt.empty(),
                mode(parameters),
                parameters.number(SEED, 0, Long.MIN_VALUE, Long.MAX_VALUE),
                parameters.number(BAD, 0, 1, SimFaultSeed.MAX_BAD_SECTORS),
                (int) parameters.number(CLUSTER, DEFAULT_CLUSTER, 1, SimFaultSeed.MAX_CLUSTER_SECTORS),
                physical(parameters, sectorBytes),
                timing(parameters),
                choice(parameters, READ_PREFIX, "no", List.of("no", "yes")).equals("yes"),
                cache(parameters),
                optionalPath(parameters, TRACE),
                SimTrace.Format.valueOf(choice(parameters, TRACE_FORMAT, "text", List.of("text", "json"))
                        .toUpperCase(java.util.Locale.ROOT)),
                traceBytes(parameters),
                optionalPath(parameters, CONTROL));
    }

    static Path path(DeviceParameters parameters, String text) throws Refusal {
        try {
            return Path.of(text);
        } catch (InvalidPathException e) {
            throw parameters.usage("'" + text + "' is no path: " + e.getReason());
        }
    }

    private static Optional<Path> optionalPath(DeviceParameters parameters, String key) throws Refusal {
        return parameters.has(key) ? Optional.of(path(parameters, parameters.text(key, ""))) : Optional.empty();
    }

    /** The list that is named, or the one that stands beside the image. */
    private static Optional<Path> list(DeviceParameters parameters, Path image) throws Refusal {
        Path beside = SimFiles.faults(image);
        return parameters.has(FAULTS) || !Files.exists(beside) ? optionalPath(parameters, FAULTS) : Optional.of(beside);
    }

    private static Mode mode(DeviceParameters parameters) throws Refusal {
        String word = parameters.text(MODE, Mode.READ_BAD_HEALS_ON_WRITE.word);
        return modeOf(word).orElseThrow(() -> parameters.usage("mode: expected " + modes() + "; found '" + word + "'"));
    }

    /** A mode that needs no argument, for places that do not say how they fail. */
    static Optional<Mode> modeOf(String word) {
        return Mode.of(word).filter(mode -> mode.takes == Argument.NONE || mode == Mode.RELAPSES);
    }

    static String modes() {
        return Arrays.stream(Mode.values())
                .map(mode -> mode.word)
                .filter(word -> modeOf(word).isPresent())
                .collect(Collectors.joining(", "));
    }

    private static int physical(DeviceParameters parameters, int sectorBytes) throws Refusal {
        long bytes = parameters.bytes(PHYSICAL, 0);
        if (parameters.has(PHYSICAL)
                && (Long.bitCount(bytes) != 1 || bytes < sectorBytes || bytes > MAX_PHYSICAL_BYTES)) {
            throw parameters.usage(
                    "physical: expected a power of two from the sector, " + sectorBytes + ", to " + MAX_PHYSICAL_BYTES);
        }
        return (int) bytes;
    }

    private static SimModel.Timing timing(DeviceParameters parameters) throws Refusal {
        long latency = parameters.number(LATENCY, 0, 0, MAX_LATENCY_MILLIS);
        long tail = parameters.number(LATENCY_TAIL, 0, 0, MAX_LATENCY_MILLIS);
        long error = parameters.number(ERROR_TIME, 0, 0, Mode.SLOW.maxArgument);
        return latency == 0 && tail == 0 && error == 0
                ? SimModel.Timing.NONE
                : new SimModel.Timing(latency, tail, error);
    }

    private static long cache(DeviceParameters parameters) throws Refusal {
        long bytes = parameters.bytes(CACHE, 0);
        if (bytes != 0 && (bytes < DeviceTraits.MAX_SECTOR_BYTES || bytes > MAX_CACHE_BYTES)) {
            throw parameters.usage("cache: expected 0, or " + DeviceTraits.MAX_SECTOR_BYTES + " bytes to "
                    + ByteSize.format(MAX_CACHE_BYTES));
        }
        return bytes;
    }

    private static long traceBytes(DeviceParameters parameters) throws Refusal {
        long bytes = parameters.bytes(TRACE_BYTES, SimTrace.DEFAULT_BYTES);
        if (bytes < SimTrace.MIN_BYTES || bytes > SimTrace.MAX_BYTES) {
            throw parameters.usage("trace-bytes: expected " + ByteSize.format(SimTrace.MIN_BYTES) + " to "
                    + ByteSize.format(SimTrace.MAX_BYTES));
        }
        return bytes;
    }

    private static String choice(DeviceParameters parameters, String key, String defaultValue, List<String> choices)
            throws Refusal {
        String value = parameters.text(key, defaultValue);
        if (!choices.contains(value)) {
            throw parameters.usage(key + ": expected one of " + choices + ", found '" + value + "'");
        }
        return value;
    }
}
