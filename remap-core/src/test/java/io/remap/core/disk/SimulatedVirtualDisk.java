package io.remap.core.disk;

import io.remap.api.Attribute;
import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Disk;
import io.remap.api.DiskError;
import io.remap.api.Environment;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.RemapTable;
import io.remap.api.Seal;
import io.remap.api.SectorRange;
import io.remap.api.Settings;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareMember;
import io.remap.api.spi.SpareSlots;
import io.remap.testkit.JoinedDevice;
import io.remap.testkit.MemoryMetadata;
import io.remap.testkit.SimProduct;
import io.remap.testkit.SimpleFaultPolicy;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;

/** The virtual disk over the metadata double, for the simulation. */
class SimulatedVirtualDisk implements SimProduct {
    private static final long HOLD_AWAY_MILLIS = 5_000;
    private static final int AVOID_UNITS = 4;
    private static final String HEALED = "watch.healed-units";

    /** As a service saves it. */
    private final AtomicReference<byte[]> avoided = new AtomicReference<>(new byte[0]);

    private final AtomicReference<byte[]> unreadable = new AtomicReference<>(new byte[0]);

    @Override
    public MetadataProvider metadata() {
        return new MemoryMetadata();
    }

    @Override
    public List<Integer> spareBytes(int slots) {
        // Every second life has two: a device with the table, and one of slots.
        return slots >= 4 && slots % 2 == 0
                ? List.of(MemoryMetadata.METADATA_BYTES + slots / 2 * Place.UNIT_BYTES, slots / 2 * Place.UNIT_BYTES)
                : List.of(MemoryMetadata.METADATA_BYTES + slots * Place.UNIT_BYTES);
    }

    @Override
    public void format(MetadataProvider metadata, BlockDevice spare, PairIdentity pair, Environment environment)
            throws Refusal, DeviceException {
        metadata.format(JoinedDevice.partsOf(spare).get(0), pair, environment);
    }

    @Override
    public Running start(Parts parts) throws IOException, Refusal {
        TrackedDevice main = TrackedDevice.of(parts.main());
        // As a service does: what a process before this one wrote.
        main.flush();
        List<BlockDevice> devices = JoinedDevice.partsOf(parts.spare());
        TrackedDevice spare = TrackedDevice.of(devices.get(0));
        MetadataStore store = parts.metadata().open(spare, false, parts.environment(), Settings.defaults());
        // As a store on the spare does.
        spare.flush();
        Optional<BlockDevice> second = devices.stream().skip(1).findFirst();
        List<SpareDevice> spares = new ArrayList<>();
        spares.add(SpareDevice.openedFrom(spare, store));
        if (second.isPresent()) {
            TrackedDevice further = TrackedDevice.of(second.get());
            further.flush();
            SpareSlots slots = SpareSlots.of(0, further.traits().sizeBytes() / Place.UNIT_BYTES, Place.UNIT_BYTES);
            spares.add(new SpareDevice(
                    new SpareMember(1, new UUID(0, 1), SpareMember.Use.PLAIN, slots.count(), 0),
                    further,
                    slots,
                    SpareDevice.UNORDERED));
        }
        VirtualDisk disk = VirtualDisk.open(
                new DiskParts(
                        "disk",
                        main,
                        spares,
                        Optional.of(store),
                        new SimpleFaultPolicy(AVOID_UNITS, parts.heals()),
                        parts.engine(),
                        parts.buffers(),
                        parts.environment(),
                        false,
                        parts.returnPauseMillis(),
                        new LedgerLimits(parts.ledgerBytes(), LedgerLimits.USUAL.flushDeadlineMillis())),
                parts.sealMillis());
        disk.holdWhileAway(HOLD_AWAY_MILLIS);
        disk.unreadableUnits().restore(unreadable.get());
        disk.avoided().restore(avoided.get());
        return new Started(
                disk,
                store,
                second.isPresent() ? spare.traits().sizeBytes() : 0,
                new AtomicInteger(),
                avoided,
                unreadable);
    }

    /** @param secondAt first byte of the second spare if it is thought to be behind the first, 0 if there is none */
    private record Started(
            VirtualDisk virtualDisk,
            MetadataStore store,
            long secondAt,
            AtomicInteger moves,
            AtomicReference<byte[]> savedAvoided,
            AtomicReference<byte[]> savedUnreadable)
            implements Running {
        @Override
        public Disk disk() {
            return virtualDisk;
        }

        @Override
        public void mapAdd(SectorRange range, boolean unreadableToo, Consumer<DiskError> done) {
            // As now and then in a service: after a death it says what was, not what is.
            savedUnreadable.set(virtualDisk.unreadableUnits().save());
            int move = moves.getAndIncrement();
            if (secondAt == 0 || move % 2 != 0) {
                virtualDisk.map().add(range, unreadableToo, (failure, at) -> done.accept(failure));
                return;
            }
            // Meanwhile everything of one spare goes to the other.
            int emptied = move / 2 % 2;
            virtualDisk.spareSteering().setUse(emptied, use -> new SpareMember.Use(true, false, 0));
            virtualDisk.spareSteering().evacuate(emptied, false, (moved, left, error) -> {
                virtualDisk.spareSteering().setUse(emptied, use -> SpareMember.Use.PLAIN);
                virtualDisk.map().add(range, unreadableToo, (failure, at) -> done.accept(failure));
            });
        }

        @Override
        public void mapRemove(SectorRange range, Consumer<DiskError> done) {
            virtualDisk.map().remove(range, (error, at) -> done.accept(error));
        }

        @Override
        public boolean avoid(SectorRange range, boolean begin) {
            boolean done = begin
                    ? virtualDisk.avoided().add(range).isPresent()
                    : virtualDisk.avoided().remove(range) > 0;
            savedAvoided.set(virtualDisk.avoided().save());
            return done;
        }

        @Override
        public List<SectorRange> avoided() {
            return virtualDisk.avoided().regions().stream()
                    .map(virtualDisk.avoided()::sectors)
                    .toList();
        }

        @Override
        public List<Long> sealedUnits() {
            return virtualDisk.checksums.sealedUnits();
        }

        @Override
        public long firstSlotOf(int spare) {
            return spare == 0 ? 0 : store.slots().count();
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
            counters.put(HEALED, virtualDisk.watchList.healed());
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
            long first = store.slots().count();
            return slot < first ? store.slotOffsetBytes(slot) : secondAt + (slot - first) * Place.UNIT_BYTES;
        }

        @Override
        public long slots() {
            return virtualDisk.summary().slots();
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
                    used.add(Spares.id(spare, slot));
                }
            });
            store.seals((region, seal) -> require(
                    used.add(Spares.id(Seal.spare(seal), Seal.slot(seal))), "a slot of checksums is used twice"));
            RemapTable.Cursor cursor = new RemapTable.Cursor();
            for (boolean found = cursor.seek(store.table(), 0); found; found = cursor.next()) {
                for (long i = 0; Place.hasSlot(cursor.place()) && i < cursor.lengthUnits(); i++) {
                    long place = Place.advance(cursor.place(), i);
                    require(used.add(Spares.idOf(place)), Place.toString(place) + " is used twice, or bad");
                    require(
                            Place.slot(place)
                                    < virtualDisk
                                            .spares
                                            .require(Place.spare(place))
                                            .allocator
                                            .slots(),
                            Place.toString(place) + " is outside the spare");
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
            savedUnreadable.set(virtualDisk.unreadableUnits().save());
            store.close();
            return stable;
        }
    }
}
