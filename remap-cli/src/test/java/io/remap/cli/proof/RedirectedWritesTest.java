package io.remap.cli.proof;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.remap.api.BlockDevice;
import io.remap.api.BufferPool;
import io.remap.api.DeviceUri;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.IoBuffer;
import io.remap.api.Place;
import io.remap.api.Settings;
import io.remap.api.spi.BlockDeviceProvider.Door;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import io.remap.api.spi.BufferPoolProvider;
import io.remap.api.spi.IoEngine;
import io.remap.api.spi.IoEngineProvider;
import io.remap.api.spi.PairIdentity;
import io.remap.cli.SimulatedStack;
import io.remap.core.Devices;
import io.remap.core.Providers;
import io.remap.core.SystemEnvironment;
import io.remap.testkit.SimProduct;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.OptionalInt;
import java.util.UUID;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a redirected write costs: a write to a unit that refuses it, up to its answer, after which its record is durable in both
 * copies. Over files on the disk of this machine and the real clock; the figures are printed and decide nothing.
 */
class RedirectedWritesTest {
    private static final int ONE_AFTER_THE_OTHER = 100;
    private static final int TOGETHER = 400;
    private static final int IN_FLIGHT = 16;
    private static final int SECTOR_BYTES = 512;
    /** Every second unit, so that each write is a mapping of its own. */
    private static final long MAIN_BYTES = 2L * (ONE_AFTER_THE_OTHER + TOGETHER) * Place.UNIT_BYTES;

    private static final long SPARE_BYTES = 16 << 20;

    @TempDir
    Path directory;

    private SimProduct.Running running;
    private final BlockingQueue<DiskRequest> ended = new ArrayBlockingQueue<>(IN_FLIGHT);

    @BeforeAll
    static void silence() {
        CrashExplorerTest.silence();
    }

    @Test
    void saysWhatARedirectedWriteCosts() throws Exception {
        Providers providers = Providers.load();
        SimulatedStack product = new SimulatedStack(providers);
        Files.writeString(directory.resolve("bad"), "0 " + MAIN_BYTES + " write-bad\n");
        String main = "sim:" + file("main", MAIN_BYTES) + "?faults=" + directory.resolve("bad");
        try (SystemEnvironment system = SystemEnvironment.start();
                BlockDevice mainDevice = open(providers, main);
                BlockDevice spare = open(providers, file("spare", SPARE_BYTES));
                BufferPool pool =
                        providers.require(BufferPoolProvider.class, "plain").open(16 << 20);
                IoEngine engine = providers
                        .require(IoEngineProvider.class, "inline")
                        .open(system.environment(), Settings.defaults())) {
            product.metadata()
                    .format(
                            spare,
                            new PairIdentity(new UUID(5, 6), MAIN_BYTES, SECTOR_BYTES, "main"),
                            system.environment());
            running = product.start(new SimProduct.Parts(
                    mainDevice, spare, product.metadata(), engine, pool, system.environment(), 0, 1 << 20, 0, false));
            double[] millis = oneAfterTheOther(pool);
            double perSecond = together(pool);
            assertEquals(ONE_AFTER_THE_OTHER + TOGETHER, running.table().extents());
            System.out.printf(
                    Locale.ROOT,
                    "suite: redirected writes: %d one after the other, median %.2f ms, 99 %% within %.2f ms; %d with %d in"
                            + " flight, %.0f remaps per second%n",
                    ONE_AFTER_THE_OTHER,
                    millis[ONE_AFTER_THE_OTHER / 2],
                    millis[ONE_AFTER_THE_OTHER * 99 / 100],
                    TOGETHER,
                    IN_FLIGHT,
                    perSecond);
            running.close();
        }
    }

    private String file(String name, long bytes) throws IOException {
        Path path = directory.resolve(name);
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.setLength(bytes);
        }
        return path.toString();
    }

    private static BlockDevice open(Providers providers, String uri) throws IOException {
        return new Devices(providers)
                .open(DeviceUri.parse(uri), OpenOptions.serve(false, Door.AUTO, OptionalInt.of(SECTOR_BYTES)));
    }

    private double[] oneAfterTheOther(BufferPool pool) throws InterruptedException {
        IoBuffer buffer = pool.acquire(Place.UNIT_BYTES);
        DiskRequest request = new DiskRequest(ended::add);
        double[] millis = new double[ONE_AFTER_THE_OTHER];
        for (int i = 0; i < ONE_AFTER_THE_OTHER; i++) {
            long begun = System.nanoTime();
            submit(request, buffer, i);
            assertEquals(DiskError.NONE, ended.take().error);
            millis[i] = (System.nanoTime() - begun) / 1e6;
        }
        buffer.release();
        Arrays.sort(millis);
        return millis;
    }

    private double together(BufferPool pool) throws InterruptedException {
        List<IoBuffer> buffers = new ArrayList<>();
        int next = ONE_AFTER_THE_OTHER;
        long begun = System.nanoTime();
        for (int i = 0; i < IN_FLIGHT; i++) {
            buffers.add(pool.acquire(Place.UNIT_BYTES));
            submit(new DiskRequest(ended::add), buffers.get(i), next++);
        }
        for (int i = 0; i < TOGETHER; i++) {
            DiskRequest request = ended.take();
            assertEquals(DiskError.NONE, request.error);
            if (next < ONE_AFTER_THE_OTHER + TOGETHER) {
                submit(request, request.buffer, next++);
            }
        }
        double seconds = (System.nanoTime() - begun) / 1e9;
        buffers.forEach(IoBuffer::release);
        return TOGETHER / seconds;
    }

    private void submit(DiskRequest request, IoBuffer buffer, int number) {
        request.operation = DiskRequest.Operation.WRITE;
        request.offsetBytes = 2L * number * Place.UNIT_BYTES;
        request.lengthBytes = Place.UNIT_BYTES;
        request.buffer = buffer;
        buffer.data().clear();
        running.disk().submit(request);
    }
}
