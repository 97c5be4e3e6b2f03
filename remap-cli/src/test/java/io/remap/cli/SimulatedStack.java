package io.remap.cli;

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
import io.remap.api.spi.FaultPolicy;
import io.remap.api.spi.FaultPolicyProvider;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareMember;
import io.remap.core.Providers;
import io.remap.core.disk.DiskParts;
import io.remap.core.disk.LedgerLimits;
import io.remap.core.disk.MapEntry;
import io.remap.core.disk.SpareDevice;
import io.remap.core.disk.TrackedDevice;
import io.remap.core.disk.VirtualDisk;
import io.remap.testkit.JoinedDevice;
import io.remap.testkit.SimProduct;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;

/** The virtual disk over the real metadata store, with the real fault policy, for simulation and explorer. */
public final class SimulatedStack implements SimProduct {
    private static final long HOLD_AWAY_MILLIS = 5_000;

    /** The smallest spare that the format takes. */
    private static final int SPARE_BYTES = 4 << 20;

    /** This class and those that it needs for it, where another form of the core is to be simulated. */
    public static final List<String> SEES_CORE = List.of(SimulatedStack.class.getName(), TwoSpares.class.getName());

    /** 1 for a disk that was started from the table of its second spare. */
    public static final String LED_BY_SECOND = "lives led by the second spare";

    /** How many units stand there. */
    public static final String ON_SECOND = "units on the second spare";

    private static final Set<String> METADATA_COUNTERS =
            Set.of("metadata.commits", "metadata.commits-refused", "metadata.compactions");

    private final MetadataProvider metadata;
    private final FaultPolicy policy;
    private FaultPolicy healing;
    private long sealMillis;

    /** What a service saves of it beside the mappings, for the next life of the one disk that it is for. */
    private final AtomicReference<byte[]> unreadable = new AtomicReference<>(new byte[0]);

    private boolean remembers;
    private boolean two;

    /** With what the module path has. */
    public SimulatedStack(Providers providers) throws Refusal {
        this(
                providers.require(MetadataProvider.class, "log"),
                providers.require(FaultPolicyProvider.class, "standard").open(Settings.defaults()));
        healing = healing(providers);
    }

    public SimulatedStack(MetadataProvider metadata, FaultPolicy policy) {
        this.metadata = metadata;
        this.policy = policy;
        this.healing = policy;
    }

    /** The usual policy, but that main gets another chance at what could not be read. */
    static FaultPolicy healing(Providers providers) throws Refusal {
        return providers
                .require(FaultPolicyProvider.class, "standard")
                .open(new Settings(Map.of("unreadable-writes", "heal")));
    }

    /** Where main is to get another chance at what could not be read: by this policy. */
    SimulatedStack healingBy(FaultPolicy other) {
        healing = other;
        return this;
    }

    /** Has each disk seal what was quiet for so long, whatever the plan of a simulation says. */
    public SimulatedStack sealing(long millis) {
        sealMillis = millis;
        return this;
    }

    /** For one disk: its next life knows what of main could not be read. */
    SimulatedStack remembering() {
        remembers = true;
        return this;
    }

    /** Every second disk has two spares, and the table on both. */
    public SimulatedStack withTwoSpares() {
        two = true;
        return this;
    }

    @Override
    public MetadataProvider metadata() {
        return metadata;
    }

    @Override
    public List<Integer> spareBytes(int slots) {
        return two && slots % 2 == 0 ? List.of(SPARE_BYTES, SPARE_BYTES) : List.of(SPARE_BYTES);
    }

    @Override
    public void format(MetadataProvider with, BlockDevice spare, PairIdentity pair, Environment environment)
            throws Refusal, DeviceException {
        List<BlockDevice> spares = JoinedDevice.partsOf(spare);
        if (spares.size() > 1) {
            new TwoSpares(spares).format(with, pair);
        } else {
            with.format(spare, pair, environment);
        }
    }

    @Override
    public Running start(Parts parts) throws IOException, Refusal {
        TrackedDevice main = TrackedDevice.of(parts.main());
        // As a service does: what a process before this one wrote.
        main.flush();
        List<BlockDevice> spares = JoinedDevice.partsOf(parts.spare());
        TwoSpares.Opened opened =
                spares.size() > 1 ? new TwoSpares(spares).open(parts.metadata(), parts.environment()) : one(parts);
        MetadataStore store = opened.store();
        VirtualDisk disk = VirtualDisk.open(
                new DiskParts(
                        "disk",
                        main,
                        opened.spares(),
                        Optional.of(store),
                        parts.heals() ? healing : policy,
                        parts.engine(),
                        parts.buffers(),
                        parts.environment(),
                        false,
                        parts.returnPauseMillis(),
                        new LedgerLimits(parts.ledgerBytes(), LedgerLimits.USUAL.flushDeadlineMillis())),
                sealMillis > 0 ? sealMillis : parts.sealMillis());
        disk.holdWhileAway(HOLD_AWAY_MILLIS);
        if (remembers) {
            disk.unreadableUnits().restore(unreadable.get());
        }
        return new Started(disk, opened, new AtomicInteger(), unreadable);
    }

    private static TwoSpares.Opened one(Parts parts) throws Refusal, DeviceException {
        TrackedDevice spare = TrackedDevice.of(parts.spare());
        MetadataStore store = parts.metadata().open(spare, false, parts.environment(), Settings.defaults());
        return new TwoSpares.Opened(
                store, List.of(SpareDevice.openedFrom(spare, store)), store.slots(), store.slots(), 0);
    }

    private record Started(
            VirtualDisk virtualDisk,
            TwoSpares.Opened opened,
            AtomicInteger moves,
            AtomicReference<byte[]> savedUnreadable)
            implements Running {
        private MetadataStore store() {
            return opened.store();
        }

        @Override
        public Disk disk() {
            return virtualDisk;
        }

        @Override
        public void mapAdd(SectorRange range, boolean unreadableToo, Consumer<DiskError> done) {
            // As now and then in a service: after a death it says what was, not what is.
            savedUnreadable.set(virtualDisk.unreadableUnits().save());
            int move = moves.getAndIncrement();
            if (opened.spares().size() < 2 || move % 2 != 0) {
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
            return begin
                    ? virtualDisk.avoided().add(range).isPresent()
                    : virtualDisk.avoided().remove(range) > 0;
        }

        @Override
        public List<SectorRange> avoided() {
            return virtualDisk.avoided().regions().stream()
                    .map(virtualDisk.avoided()::sectors)
                    .toList();
        }

        @Override
        public List<Long> sealedUnits() {
            return virtualDisk.sealedUnits();
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
            List<Attribute> attributes = new ArrayList<>(virtualDisk.attributes());
            store().attributes().stream()
                    .filter(attribute -> METADATA_COUNTERS.contains(attribute.name()))
                    .forEach(attributes::add);
            for (Attribute attribute : attributes) {
                if (attribute.get().get() instanceof Long value) {
                    counters.put(attribute.name(), value);
                }
            }
            counters.put(LED_BY_SECOND, store().openedFrom() == 0 ? 0L : 1L);
            counters.put(ON_SECOND, unitsOnSecond());
            return counters;
        }

        private long unitsOnSecond() {
            long units = 0;
            RemapTable.Cursor cursor = new RemapTable.Cursor();
            for (boolean found = cursor.seek(store().table(), 0); found; found = cursor.next()) {
                boolean there = Place.hasSlot(cursor.place()) && Place.spare(cursor.place()) != 0;
                units += there ? cursor.lengthUnits() : 0;
            }
            return units;
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
            return store().table();
        }

        @Override
        public long slotOffsetBytes(long slot) {
            return opened.slotOffsetBytes(slot);
        }

        @Override
        public long firstSlotOf(int spare) {
            return spare == 0 ? 0 : opened.slotsOfFirst().count();
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
            require(publishedExtents() == store().table().extents(), "published and committed table differ");
            Set<Long> used = new HashSet<>();
            store().badSlots((spare, first, length) -> {
                for (long slot = first; slot < first + length; slot++) {
                    used.add(firstSlotOf(spare) + slot);
                }
            });
            RemapTable.Cursor cursor = new RemapTable.Cursor();
            for (boolean found = cursor.seek(store().table(), 0); found; found = cursor.next()) {
                for (long i = 0; Place.hasSlot(cursor.place()) && i < cursor.lengthUnits(); i++) {
                    long first = firstSlotOf(Place.spare(cursor.place()));
                    require(used.add(first + Place.slot(cursor.place()) + i), "a slot is used twice, or bad");
                }
            }
            store().seals((region, seal) -> require(
                    used.add(firstSlotOf(Seal.spare(seal)) + Seal.slot(seal)),
                    "a slot of checksums is used twice, or bad"));
            require(freeSlots() + used.size() <= slots(), "more slots are free than there are");
        }

        private long publishedExtents() {
            return virtualDisk.attributes().stream()
                    .filter(attribute -> attribute.name().equals("remap.extents"))
                    .mapToLong(attribute -> (long) attribute.get().get())
                    .findFirst()
                    .orElseThrow();
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
            store().close();
            return stable;
        }
    }
}
