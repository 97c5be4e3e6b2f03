package io.remap.cli.bench;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.Settings;
import io.remap.api.spi.BlockDeviceProvider.Door;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.core.Devices;
import io.remap.core.Providers;
import io.remap.core.SystemEnvironment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;

/**
 * Fills the table of a spare for benchmarks: {@code ManyExtents SPARE EXTENTS} maps every second unit of main, from 0 on, to
 * a slot of its own, so that no two of them become one extent. The spare was paired by {@code remap create}; the slots are
 * written (each begins with the number of its unit) and flushed before one commit of the product's own store makes all of it
 * durable. {@code map add} would do the same with a flush and a record for each unit.
 *
 * <p>Runs in the module of the commands: {@code java --module-path … --patch-module io.remap.cli=… -m
 * io.remap.cli/io.remap.cli.bench.ManyExtents}.
 */
public final class ManyExtents {
    /** Every second unit. */
    private static final long STEP_UNITS = 2;

    private static final int CHUNK_SLOTS = 256;
    private static final int FULL_MASK = Place.fullMask(512);

    private ManyExtents() {}

    /** Arguments: the spare, the number of extents. */
    public static void main(String[] arguments) throws Exception {
        DeviceUri uri = DeviceUri.parse(arguments[0]);
        int extents = Integer.parseInt(arguments[1]);
        Providers providers = Providers.load();
        MetadataProvider metadata = providers.require(MetadataProvider.class, "log");
        try (SystemEnvironment system = SystemEnvironment.start();
                BlockDevice spare =
                        new Devices(providers).open(uri, OpenOptions.serve(false, Door.AUTO, OptionalInt.empty()));
                MetadataStore store = metadata.open(spare, false, system.environment(), Settings.defaults())) {
            if (store.plan().slots() < extents || store.plan().mappingLimit() < extents) {
                throw new IllegalArgumentException(
                        uri + " has room for " + store.plan().slots() + " slots and "
                                + store.plan().mappingLimit() + " mappings, not for " + extents);
            }
            writeSlots(spare, store, extents);
            spare.flush();
            commit(store, extents);
            if (store.table().extents() != extents) {
                throw new IllegalStateException(
                        "the table has " + store.table().extents() + " extents, not " + extents);
            }
        }
    }

    /** In runs of slots that lie one after the other. */
    private static void writeSlots(BlockDevice spare, MetadataStore store, int extents) throws DeviceException {
        ByteBuffer chunk = ByteBuffer.allocateDirect((CHUNK_SLOTS + 1) * Place.UNIT_BYTES)
                .alignedSlice(Place.UNIT_BYTES)
                .order(ByteOrder.LITTLE_ENDIAN);
        for (int first = 0; first < extents; ) {
            long offset = store.slotOffsetBytes(first);
            int count = 0;
            while (count < CHUNK_SLOTS
                    && first + count < extents
                    && store.slotOffsetBytes(first + count) == offset + (long) count * Place.UNIT_BYTES) {
                long unit = (first + count) * STEP_UNITS;
                for (int at = 0; at < Place.UNIT_BYTES; at += Long.BYTES) {
                    chunk.putLong(count * Place.UNIT_BYTES + at, unit);
                }
                count++;
            }
            spare.write(offset, chunk.limit(count * Place.UNIT_BYTES).position(0));
            chunk.clear();
            first += count;
        }
    }

    private static void commit(MetadataStore store, int extents) {
        List<MapChange> changes = new ArrayList<>(extents);
        for (int slot = 0; slot < extents; slot++) {
            changes.add(MapChange.set(slot * STEP_UNITS, 1, Place.onSlot(0, slot, FULL_MASK, 0)));
        }
        CompletableFuture<Outcome> ended = new CompletableFuture<>();
        store.commit(changes, (outcome, table) -> ended.complete(outcome));
        if (ended.join() != Outcome.DURABLE) {
            throw new IllegalStateException("the store refused " + extents + " mappings: " + ended.join());
        }
    }
}
