package io.remap.cli.proof;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.remap.api.BufferPool;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.IoBuffer;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.Settings;
import io.remap.api.spi.BufferPoolProvider;
import io.remap.api.spi.IoEngine;
import io.remap.api.spi.IoEngineProvider;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.api.spi.PairIdentity;
import io.remap.cli.SimulatedStack;
import io.remap.core.Providers;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.SimProduct;
import io.remap.testkit.TaskQueue;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** G21: how long a start takes after a kill with a million mappings, up to the first read; over devices in memory. */
class MillionMappingsTest {
    private static final int MAPPINGS = 1_000_000;
    /** Commits that stand in the log when the process is killed. */
    private static final int IN_THE_LOG = 500;

    private static final int SECTOR_BYTES = 4096;
    /** Every second unit, so that no two become one extent. */
    private static final long MAIN_BYTES = 2L * (MAPPINGS + IN_THE_LOG) * Place.UNIT_BYTES;

    private static final long SPARE_BYTES = 5L << 30;
    private static final long MARK = 0x1122334455667788L;

    @BeforeAll
    static void silence() {
        CrashExplorerTest.silence();
    }

    @Test
    void startsAfterAKill() throws Exception {
        Providers providers = Providers.load();
        SimulatedStack product = new SimulatedStack(providers);
        CrashDevice main = new CrashDevice("main", MAIN_BYTES, SECTOR_BYTES);
        CrashDevice spare = killedSpare(product);
        BufferPool pool = providers.require(BufferPoolProvider.class, "plain").open(1 << 20);
        IoBuffer buffer = pool.acquire(Place.UNIT_BYTES);
        TaskQueue tasks = new TaskQueue();
        var environment = tasks.environment(new Random(2));
        IoEngine engine = providers.require(IoEngineProvider.class, "inline").open(environment, Settings.defaults());
        long before = usedHeapBytes();
        long started = System.nanoTime();
        SimProduct.Running running = product.start(
                new SimProduct.Parts(main, spare, product.metadata(), engine, pool, environment, 0, 1 << 20, 0, false));
        DiskRequest request = new DiskRequest(ended -> {});
        request.offsetBytes = 2L * (MAPPINGS + IN_THE_LOG - 1) * Place.UNIT_BYTES;
        request.lengthBytes = Place.UNIT_BYTES;
        request.buffer = buffer;
        running.disk().submit(request);
        tasks.runAll();
        double seconds = (System.nanoTime() - started) / 1e9;
        assertEquals(DiskError.NONE, request.error);
        assertEquals(MARK, buffer.data().getLong(0));
        assertEquals(MAPPINGS + IN_THE_LOG, running.table().extents());
        System.out.printf(
                Locale.ROOT,
                "suite: G21 start after a kill: %,d mappings, %d commits replayed, first read after %.2f s, heap of the"
                        + " product %d MiB%n",
                running.table().extents(),
                IN_THE_LOG,
                seconds,
                (usedHeapBytes() - before) >> 20);
        buffer.release();
    }

    /** A process made the mappings, the last ones each in a commit of its own, and was killed. */
    private static CrashDevice killedSpare(SimulatedStack product) throws Exception {
        CrashDevice spare = new CrashDevice("spare", SPARE_BYTES, SECTOR_BYTES);
        TaskQueue tasks = new TaskQueue();
        var environment = tasks.environment(new Random(1));
        product.metadata()
                .format(spare, new PairIdentity(new UUID(1, 1), MAIN_BYTES, SECTOR_BYTES, "main"), environment);
        MetadataStore store = product.metadata().open(spare, false, environment, Settings.defaults());
        List<MapChange> changes = new ArrayList<>(MAPPINGS);
        for (int i = 0; i < MAPPINGS; i++) {
            changes.add(mapping(i));
        }
        commit(store, tasks, changes);
        for (int i = MAPPINGS; i < MAPPINGS + IN_THE_LOG; i++) {
            commit(store, tasks, List.of(mapping(i)));
        }
        ByteBuffer slot = ByteBuffer.allocate(Place.UNIT_BYTES).putLong(0, MARK);
        spare.write(store.slotOffsetBytes(MAPPINGS + IN_THE_LOG - 1), slot);
        return spare.crashKeeping(sector -> true);
    }

    private static MapChange mapping(int number) {
        return MapChange.set(2L * number, 1, Place.onSlot(0, number, Place.fullMask(SECTOR_BYTES), 0));
    }

    private static void commit(MetadataStore store, TaskQueue tasks, List<MapChange> changes) {
        List<Outcome> outcomes = new ArrayList<>();
        store.commit(changes, (outcome, table) -> outcomes.add(outcome));
        tasks.runAll();
        assertEquals(List.of(Outcome.DURABLE), outcomes);
    }

    private static long usedHeapBytes() {
        System.gc();
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }
}
