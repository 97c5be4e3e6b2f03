package io.remap.cli.proof;

import io.remap.api.BlockDevice;
import io.remap.api.BufferPool;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.IoBuffer;
import io.remap.api.Refusal;
import io.remap.api.SectorRange;
import io.remap.api.Settings;
import io.remap.api.spi.BufferPoolProvider;
import io.remap.api.spi.IoEngine;
import io.remap.api.spi.IoEngineProvider;
import io.remap.api.spi.PairIdentity;
import io.remap.core.Providers;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.SimProduct;
import io.remap.testkit.TaskQueue;
import java.io.IOException;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * The product over two devices that can lose their power: virtual disk, metadata store, policy, engine and pool as they
 * are served, on one thread, in one order, in virtual time.
 */
final class CrashStack {
    /** Keeps a block of the metadata, and a unit, in two sectors: they tear, and all subsets of a commit can be tried. */
    static final int SECTOR_BYTES = 2048;

    static final int UNIT_BYTES = 4096;

    /** More than any workload fills, and little: each of the many starts allocates it. */
    private static final long LEDGER_BYTES = 64 << 10;

    static final int MAIN_BYTES = 8 * UNIT_BYTES;
    /** The smallest spare that the format takes. */
    static final int SPARE_BYTES = 4 << 20;

    private static final int BUFFER_BYTES = 2 * UNIT_BYTES;

    final Media media;
    final CrashDevice main;
    final CrashDevice spare;
    private final BlockDevice mainDoor;
    private final BlockDevice spareDoor;
    private final Parts parts;
    private final TaskQueue tasks = new TaskQueue();
    private final Random random;
    private SimProduct.Running running;

    /** What several stacks share, one after the other; not between threads, because of the buffers. */
    record Parts(SimProduct product, IoEngine engine, BufferPool pool, List<IoBuffer> buffers) {
        static Parts of(SimProduct product) throws Refusal {
            Providers providers = Providers.load();
            BufferPool pool =
                    providers.require(BufferPoolProvider.class, "plain").open(1 << 20);
            List<IoBuffer> buffers = List.of(pool.acquire(BUFFER_BYTES), pool.acquire(BUFFER_BYTES));
            IoEngine engine = providers
                    .require(IoEngineProvider.class, "inline")
                    .open(new TaskQueue().environment(new Random(0)), Settings.defaults());
            return new Parts(product, engine, pool, buffers);
        }
    }

    CrashStack(Parts parts, CrashDevice main, CrashDevice spare, long seed) {
        this(parts, Media.of(main, spare), seed);
    }

    CrashStack(Parts parts, Media media, long seed) {
        this(parts, media, media.main(), media.spareDoor(), seed);
    }

    /** The doors are what the product sees of the devices. */
    CrashStack(
            Parts parts, CrashDevice main, CrashDevice spare, BlockDevice mainDoor, BlockDevice spareDoor, long seed) {
        this(parts, Media.of(main, spare), mainDoor, spareDoor, seed);
    }

    private CrashStack(Parts parts, Media media, BlockDevice mainDoor, BlockDevice spareDoor, long seed) {
        this.parts = parts;
        this.media = media;
        this.main = media.main();
        this.spare = media.spare();
        this.mainDoor = mainDoor;
        this.spareDoor = spareDoor;
        this.random = new Random(seed);
    }

    /** Formats the spare for this main. */
    void format() throws IOException {
        parts.product.format(
                parts.product.metadata(),
                spareDoor,
                new PairIdentity(new UUID(3, 4), main.traits().sizeBytes(), SECTOR_BYTES, "main"),
                tasks.environment(random));
    }

    void start() throws IOException {
        running = parts.product.start(new SimProduct.Parts(
                mainDoor,
                spareDoor,
                parts.product.metadata(),
                parts.engine,
                parts.pool,
                tasks.environment(random),
                0,
                LEDGER_BYTES,
                0,
                false));
        if (media.hasTwoSpares()) {
            // The copy of the table follows.
            tasks.runAll();
        }
    }

    /** Whether everything is on stable storage. */
    boolean stop() {
        boolean stable = running.close();
        tasks.runAll();
        return stable;
    }

    SimProduct.Running running() {
        return running;
    }

    /** Opens the spare as another process would, which then does nothing. */
    void openElsewhere() throws IOException {
        TaskQueue others = new TaskQueue();
        parts.product.metadata().open(spare, false, others.environment(new Random(99)), Settings.defaults());
    }

    /** The memory of a request: 0 or 1. */
    IoBuffer buffer(int which) {
        return parts.buffers.get(which);
    }

    /**
     * Hands a request in; {@link #runAll} performs it.
     *
     * @param which of the two requests that may be under way together
     * @param done told when it has ended, at that moment
     */
    void submit(
            int which,
            DiskRequest.Operation operation,
            long offset,
            long length,
            boolean fua,
            Consumer<DiskError> done) {
        DiskRequest request = new DiskRequest(ended -> done.accept(ended.error));
        request.operation = operation;
        request.offsetBytes = offset;
        request.lengthBytes = length;
        request.fua = fua;
        boolean data = operation == DiskRequest.Operation.READ || operation == DiskRequest.Operation.WRITE;
        request.buffer = data ? parts.buffers.get(which) : null;
        tasks.execute(() -> running.disk().submit(request));
    }

    void move(boolean add, SectorRange range, Consumer<DiskError> done) {
        tasks.execute(() -> {
            if (add) {
                running.mapAdd(range, true, done);
            } else {
                running.mapRemove(range, done);
            }
        });
    }

    /** A device takes its time. */
    void sleep(long nanos) {
        tasks.sleep(nanos);
    }

    void runAll() {
        tasks.runAll();
    }

    /** Runs until nothing is left to do, or there was nothing that the client waits for for so long. */
    void runWhile(BooleanSupplier clientWaits, long quietNanos) {
        long[] lastBusy = {tasks.nanoTime()};
        tasks.runWhile(() -> {
            if (clientWaits.getAsBoolean()) {
                lastBusy[0] = tasks.nanoTime();
            }
            return tasks.nanoTime() - lastBusy[0] <= quietNanos;
        });
    }
}
