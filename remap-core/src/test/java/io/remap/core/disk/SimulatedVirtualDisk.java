package io.remap.core.disk;

import io.remap.api.Attribute;
import io.remap.api.Disk;
import io.remap.api.DiskError;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.RemapTable;
import io.remap.api.SectorRange;
import io.remap.api.Settings;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.MetadataStore;
import io.remap.testkit.MemoryMetadata;
import io.remap.testkit.SimProduct;
import io.remap.testkit.SimpleFaultPolicy;
import java.io.IOException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/** The virtual disk over the metadata double, for the simulation. */
class SimulatedVirtualDisk implements SimProduct {
    private static final long HOLD_AWAY_MILLIS = 5_000;

    @Override
    public MetadataProvider metadata() {
        return new MemoryMetadata();
    }

    @Override
    public int spareBytes(int slots) {
        return MemoryMetadata.METADATA_BYTES + slots * Place.UNIT_BYTES;
    }

    @Override
    public Running start(Parts parts) throws IOException, Refusal {
        TrackedDevice main = TrackedDevice.of(parts.main());
        // As a service does: what a process before this one wrote.
        main.flush();
        TrackedDevice spare = TrackedDevice.of(parts.spare());
        MetadataStore store = parts.metadata().open(spare, false, parts.environment(), Settings.defaults());
        // As a store on the spare does.
        spare.flush();
        VirtualDisk disk = VirtualDisk.open(new VirtualDisk.Parts(
                "disk",
                main,
                Optional.of(spare),
                Optional.of(store),
                new SimpleFaultPolicy(),
                parts.engine(),
                parts.buffers(),
                parts.environment(),
                false,
                parts.returnPauseMillis(),
                new VirtualDisk.LedgerLimits(
                        parts.ledgerBytes(), VirtualDisk.LedgerLimits.USUAL.flushDeadlineMillis())));
        disk.holdWhileAway(HOLD_AWAY_MILLIS);
        return new Started(disk, store);
    }

    private record Started(VirtualDisk virtualDisk, MetadataStore store) implements Running {
        @Override
        public Disk disk() {
            return virtualDisk;
        }

        @Override
        public void mapAdd(SectorRange range, boolean unreadableToo, Consumer<DiskError> done) {
            virtualDisk.map().add(range, unreadableToo, done);
        }

        @Override
        public void mapRemove(SectorRange range, Consumer<DiskError> done) {
            virtualDisk.map().remove(range, done);
        }

        @Override
        public List<SectorRange> lost() {
            return virtualDisk.map().entries(0, Integer.MAX_VALUE).stream()
                    .filter(entry -> entry.state() == MapEntry.State.LOST)
                    .map(MapEntry::range)
                    .toList();
        }

        @Override
        public Map<String, Long> counters() {
            Map<String, Long> counters = new HashMap<>();
            for (Attribute attribute : virtualDisk.counters.attributes()) {
                counters.put(attribute.name(), (Long) attribute.get().get());
            }
            return counters;
        }

        @Override
        public boolean inDoubt() {
            return virtualDisk.doubt().isPresent();
        }

        @Override
        public long lostUnflushedSectors() {
            return virtualDisk.lostUnflushedSectors();
        }

        @Override
        public RemapTable table() {
            return store.table();
        }

        @Override
        public long slotOffsetBytes(long slot) {
            return store.slotOffsetBytes(slot);
        }

        @Override
        public long slots() {
            return store.plan().slots();
        }

        @Override
        public long freeSlots() {
            return virtualDisk.summary().freeSlots();
        }

        @Override
        public long badSlots() {
            return virtualDisk.summary().badSlots();
        }

        @Override
        public void checkQuiet() {
            require(virtualDisk.inFlight.size() == 0, "transfers are in flight");
            require(virtualDisk.locks.size() == 0, "ranges are locked");
            require(virtualDisk.state.current().table == store.table(), "the published table is not the committed one");
            Set<Long> used = new HashSet<>();
            store.badSlots((spare, first, length) -> {
                for (long slot = first; slot < first + length; slot++) {
                    used.add(slot);
                }
            });
            RemapTable.Cursor cursor = new RemapTable.Cursor();
            for (boolean found = cursor.seek(store.table(), 0); found; found = cursor.next()) {
                for (long i = 0; Place.hasSlot(cursor.place()) && i < cursor.lengthUnits(); i++) {
                    long slot = Place.slot(cursor.place()) + i;
                    require(used.add(slot), "slot " + slot + " is used twice, or bad");
                    require(slot < slots(), "slot " + slot + " is outside the spare");
                }
            }
            boolean canCount = store.status().state() == io.remap.api.FeatureState.STARTED;
            require(
                    freeSlots() + used.size() <= slots()
                            && (!canCount || freeSlots() + used.size() + badSlots() >= slots()),
                    freeSlots() + " of " + slots() + " slots are free, but " + used.size() + " are used");
        }

        private static void require(boolean holds, String otherwise) {
            if (!holds) {
                throw new AssertionError(otherwise);
            }
        }

        @Override
        public boolean close() {
            boolean stable = virtualDisk.close(0);
            store.close();
            return stable;
        }
    }
}
