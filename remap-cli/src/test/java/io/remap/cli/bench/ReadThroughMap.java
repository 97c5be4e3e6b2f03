package io.remap.cli.bench;

import io.remap.api.BlockDevice;
import io.remap.api.BufferPool;
import io.remap.api.DeviceUri;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.IoBuffer;
import io.remap.api.Settings;
import io.remap.api.spi.BlockDeviceProvider.Door;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import io.remap.api.spi.BufferPoolProvider;
import io.remap.api.spi.FaultPolicyProvider;
import io.remap.api.spi.IoEngine;
import io.remap.api.spi.IoEngineProvider;
import io.remap.core.Devices;
import io.remap.core.Providers;
import io.remap.core.SystemEnvironment;
import io.remap.core.disk.DiskParts;
import io.remap.core.disk.LedgerLimits;
import io.remap.core.disk.VirtualDisk;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.Semaphore;
import java.util.stream.DoubleStream;

/**
 * The engine alone: 1 MiB reads of a main in the page cache through the virtual disk (map, fence, engine, device) against
 * bare {@code pread} (the JDK's positional read into direct memory), both one after the other on one thread, into the same
 * buffer, in rounds that alternate: {@code ReadThroughMap IMAGE ENGINE POOL ROUNDS SECONDS}. Prints one line of JSON.
 */
public final class ReadThroughMap {
    private static final int READ_BYTES = 1 << 20;
    private static final long BUDGET_BYTES = 64L << 20;
    private static final int WARM_ROUNDS = 2;

    /** Reads at an offset into the buffer, and returns when that has ended. */
    @FunctionalInterface
    private interface Reader {
        void read(long offsetBytes) throws IOException;
    }

    private ReadThroughMap() {}

    /** Arguments: the image, name of the engine, name of the pool, number of rounds, seconds of each. */
    public static void main(String[] arguments) throws Exception {
        Path image = Path.of(arguments[0]);
        int rounds = Integer.parseInt(arguments[3]);
        long roundNanos = (long) (Double.parseDouble(arguments[4]) * 1e9);
        Providers providers = Providers.load();
        try (SystemEnvironment system = SystemEnvironment.start();
                BlockDevice main = new Devices(providers)
                        .open(
                                DeviceUri.parse(image.toAbsolutePath().toString()),
                                OpenOptions.serve(true, Door.BUFFERED, OptionalInt.empty()));
                BufferPool buffers = providers
                        .require(BufferPoolProvider.class, arguments[2])
                        .open(BUDGET_BYTES);
                IoEngine engine = providers
                        .require(IoEngineProvider.class, arguments[1])
                        .open(system.environment(), Settings.defaults());
                FileChannel channel = FileChannel.open(image, StandardOpenOption.READ)) {
            VirtualDisk disk = VirtualDisk.open(
                    new DiskParts(
                            "bench",
                            main,
                            List.of(),
                            Optional.empty(),
                            providers
                                    .require(FaultPolicyProvider.class, "standard")
                                    .open(Settings.defaults()),
                            engine,
                            buffers,
                            system.environment(),
                            true,
                            0,
                            LedgerLimits.USUAL),
                    0);
            IoBuffer buffer = buffers.acquire(READ_BYTES);
            double[] bare = new double[rounds];
            double[] mapped = new double[rounds];
            Reader preads = preads(channel, buffer.data());
            Reader requests = requests(disk, buffer);
            long sizeBytes = main.traits().sizeBytes();
            for (int round = -WARM_ROUNDS; round < rounds; round++) {
                boolean bareFirst = (round & 1) == 0;
                double first = gigabytesPerSecond(bareFirst ? preads : requests, sizeBytes, roundNanos);
                double second = gigabytesPerSecond(bareFirst ? requests : preads, sizeBytes, roundNanos);
                if (round >= 0) {
                    bare[round] = bareFirst ? first : second;
                    mapped[round] = bareFirst ? second : first;
                }
            }
            buffer.release();
            print(arguments, bare, mapped, System.out);
            disk.close(1000);
        }
    }

    private static Reader preads(FileChannel channel, ByteBuffer data) {
        return offset -> {
            data.clear().limit(READ_BYTES);
            while (data.hasRemaining()) {
                if (channel.read(data, offset + data.position()) <= 0) {
                    throw new IOException("short read at " + offset);
                }
            }
        };
    }

    private static Reader requests(VirtualDisk disk, IoBuffer buffer) {
        Semaphore ended = new Semaphore(0);
        DiskRequest request = new DiskRequest(done -> ended.release());
        return offset -> {
            request.operation = DiskRequest.Operation.READ;
            request.offsetBytes = offset;
            request.lengthBytes = READ_BYTES;
            request.buffer = buffer;
            buffer.data().clear().limit(READ_BYTES);
            disk.submit(request);
            ended.acquireUninterruptibly();
            if (request.error != DiskError.NONE) {
                throw new IOException("read at " + offset + ": " + request.error);
            }
        };
    }

    private static double gigabytesPerSecond(Reader reader, long sizeBytes, long nanos) throws IOException {
        long start = System.nanoTime();
        long bytes = 0;
        long offset = 0;
        long now = start;
        while (now - start < nanos) {
            reader.read(offset);
            bytes += READ_BYTES;
            offset = offset + 2 * READ_BYTES > sizeBytes ? 0 : offset + READ_BYTES;
            now = System.nanoTime();
        }
        return (double) bytes / (now - start);
    }

    private static void print(String[] arguments, double[] bare, double[] mapped, PrintStream out) {
        double[] ratios = new double[bare.length];
        Arrays.setAll(ratios, i -> mapped[i] / bare[i]);
        out.printf(
                "{\"engine\": \"%s\", \"pool\": \"%s\", \"bare_gb_s\": %.3f, \"map_gb_s\": %.3f, \"ratio\": %.4f,"
                        + " \"ratio_min\": %.4f, \"ratio_max\": %.4f}%n",
                arguments[1],
                arguments[2],
                median(bare),
                median(mapped),
                median(ratios),
                DoubleStream.of(ratios).min().orElseThrow(),
                DoubleStream.of(ratios).max().orElseThrow());
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
