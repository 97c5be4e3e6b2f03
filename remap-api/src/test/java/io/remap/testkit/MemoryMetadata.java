package io.remap.testkit;

import io.remap.api.Attribute;
import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Environment;
import io.remap.api.FeatureState;
import io.remap.api.FeatureStatus;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.RemapTable;
import io.remap.api.Settings;
import io.remap.api.spi.Lineage;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareContent;
import io.remap.api.spi.SparePlan;
import io.remap.api.spi.SpareSlots;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/**
 * A double of the metadata role: keeps tables in memory, by the backing of the spare, and so finds them again at the next
 * open as long as the provider lives. It keeps the promises of {@link MetadataStore}: commits are asynchronous, in order,
 * on the scheduler of the environment; everything written to the spare before is flushed first; the record is a write and
 * a flush of the spare, so that a spare that fails is noticed.
 *
 * <p>Tests choose how commits end ({@link #decideOutcomes}); a change whose commit ended in STORE_FAILED is found at the
 * next open, or not, as {@link #findUncertain} says. Thread-safe.
 */
public final class MemoryMetadata implements MetadataProvider {
    /** What the double takes at the beginning of the spare; slots lie after it. */
    public static final int METADATA_BYTES = 64 << 10;

    /** Slots of a spare, for the numbering of bad ones. */
    private static final int MOST_SLOTS = 1 << 20;

    private static final long CLOSE_WAIT_MILLIS = 10_000;

    private final Map<String, Tables> spares = new HashMap<>();
    private volatile Supplier<MetadataStore.Outcome> outcomes = () -> MetadataStore.Outcome.DURABLE;
    private volatile Supplier<Boolean> uncertainFound = () -> false;

    private final AtomicInteger uncleanStops = new AtomicInteger();

    /** What stands on one spare. */
    private static final class Tables {
        private final PairIdentity pair;
        private RemapTable table = RemapTable.empty();
        private final BitSet badSlots = new BitSet();
        /** By number of the spare and number of the region. */
        private final TreeMap<Long, Long> seals = new TreeMap<>();

        private long generation = 1;
        private Lineage lineage = Lineage.first(new UUID(0, 1));
        private volatile Map<String, byte[]> saved = Map.of();
        private volatile boolean clean = true;

        private Tables(PairIdentity pair) {
            this.pair = pair;
        }

        private Tables(Tables other) {
            this(other.pair);
            table = other.table;
            badSlots.or(other.badSlots);
            seals.putAll(other.seals);
            generation = other.generation;
            lineage = other.lineage;
            saved = other.saved;
            clean = other.clean;
        }

        private void apply(List<MapChange> changes) {
            for (MapChange change : changes) {
                table = table.with(change);
                int spare = Place.spare(change.place());
                switch (change.kind()) {
                    case SET -> {}
                    case BAD_SLOT -> {
                        int first = spare * MOST_SLOTS + (int) change.firstUnit();
                        badSlots.set(first, first + (int) change.lengthUnits());
                    }
                    case SEAL -> seals.put(regionId(spare, change.firstUnit()), change.place());
                    case OPEN -> {
                        long first = regionId(spare, change.firstUnit());
                        seals.subMap(first, first + change.lengthUnits()).clear();
                    }
                }
            }
        }

        private static long regionId(int spare, long region) {
            return (long) spare << 32 | region;
        }
    }

    /** What stands on a spare now, to be put back by {@link #restore}. */
    public synchronized Object copy(BlockDevice spare) {
        return new Tables(spares.get(key(spare)));
    }

    /** Has an older, or another, content stand on a spare. */
    public synchronized void restore(BlockDevice spare, Object copy) {
        spares.put(key(spare), new Tables((Tables) copy));
    }

    /** Has further generations of the session that is in force stand on a spare, as a repair does it. */
    public synchronized void addGenerations(BlockDevice spare, int count) {
        spares.get(key(spare)).generation += count;
    }

    /** Has these sections stand on a spare, as if they had been saved there. */
    public synchronized void putSaved(BlockDevice spare, Map<String, byte[]> sections) {
        spares.get(key(spare)).saved = Map.copyOf(sections);
    }

    /** Decides how each commit ends that could be made durable. */
    public void decideOutcomes(Supplier<MetadataStore.Outcome> decision) {
        outcomes = decision;
    }

    /** Decides whether the changes of a commit that ended in STORE_FAILED are found at the next open. */
    public void findUncertain(Supplier<Boolean> decision) {
        uncertainFound = decision;
    }

    /** The store finds that another server has its spare. */
    public void takeOver(MetadataStore store) {
        ((Store) store).takeOver();
    }

    /** How often a store was told that its stop is not a clean one. */
    public int uncleanStops() {
        return uncleanStops.get();
    }

    @Override
    public String name() {
        return "memory";
    }

    @Override
    public String description() {
        return "tables in memory, for tests";
    }

    @Override
    public synchronized SpareContent inspect(BlockDevice spare) {
        Tables tables = spares.get(key(spare));
        return tables == null
                ? new SpareContent(SpareContent.Kind.BLANK, "", Optional.empty())
                : new SpareContent(SpareContent.Kind.SPARE, "", Optional.of(tables.pair));
    }

    @Override
    public synchronized Optional<PairIdentity> pairOnSpare(BlockDevice device) {
        return Optional.ofNullable(spares.get(key(device))).map(tables -> tables.pair);
    }

    @Override
    public SparePlan plan(long spareSizeBytes, int spareSectorBytes) throws Refusal {
        long slots = (spareSizeBytes - METADATA_BYTES) / Place.UNIT_BYTES;
        if (slots < 1) {
            throw new Refusal(
                    Refusal.Kind.USAGE, "the spare needs " + (METADATA_BYTES + Place.UNIT_BYTES) + " bytes or more");
        }
        return new SparePlan(slots, slots, METADATA_BYTES);
    }

    @Override
    public synchronized void format(BlockDevice spare, PairIdentity pair, Environment environment) {
        spares.put(key(spare), new Tables(pair));
    }

    @Override
    public synchronized MetadataStore open(
            BlockDevice spare, Optional<Lineage> writing, Environment environment, Settings settings) throws Refusal {
        Tables tables = spares.get(key(spare));
        if (tables == null) {
            throw new Refusal(Refusal.Kind.WRONG_DEVICE, spare.name() + " is no spare");
        }
        SparePlan plan = plan(spare.traits().sizeBytes(), spare.traits().logicalSectorBytes());
        return new Store(spare, tables, plan, writing, environment);
    }

    private static String key(BlockDevice spare) {
        return spare.identity().backing() + "@" + spare.identity().startBytes();
    }

    private record Commit(List<MapChange> changes, MetadataStore.CommitListener listener) {}

    private final class Store implements MetadataStore {
        private final BlockDevice spare;
        private final Tables tables;
        private final SparePlan plan;
        private final Environment environment;
        /** Guarded by this, as everything below. */
        private final Deque<Commit> queue = new ArrayDeque<>();

        private RemapTable committed;
        private BitSet committedBadSlots;
        private Map<Long, Long> committedSeals;
        private final boolean cleanBefore;
        private boolean working;
        private String failure;
        /** Begun and not ended. */
        private int saves;

        private boolean unclean;
        private boolean cleanStopRecorded;
        private Runnable whenTakenOver = () -> {};

        private Store(
                BlockDevice spare, Tables tables, SparePlan plan, Optional<Lineage> writing, Environment environment) {
            this.spare = spare;
            this.tables = tables;
            this.plan = plan;
            this.environment = environment;
            this.committed = tables.table;
            this.committedBadSlots = (BitSet) tables.badSlots.clone();
            this.committedSeals = Map.copyOf(tables.seals);
            this.failure = writing.isEmpty() ? "opened read-only" : null;
            this.cleanBefore = tables.clean;
            writing.ifPresent(opening -> {
                tables.clean = false;
                tables.generation++;
                tables.lineage = opening;
            });
        }

        @Override
        public PairIdentity pair() {
            return tables.pair;
        }

        @Override
        public SparePlan plan() {
            return plan;
        }

        @Override
        public synchronized long generation() {
            return tables.generation;
        }

        @Override
        public synchronized Lineage lineage() {
            return tables.lineage;
        }

        @Override
        public synchronized RemapTable table() {
            return committed;
        }

        @Override
        public synchronized void badSlots(SlotRunVisitor visitor) {
            committedBadSlots.stream().forEach(bit -> visitor.run(bit / MOST_SLOTS, bit % MOST_SLOTS, 1));
        }

        @Override
        public synchronized void seals(SealVisitor visitor) {
            committedSeals.forEach((id, seal) -> visitor.region(id & 0xffff_ffffL, seal));
        }

        @Override
        public SpareSlots slots() {
            return SpareSlots.of(METADATA_BYTES, plan.slots(), Place.UNIT_BYTES);
        }

        @Override
        public void commit(List<MapChange> changes, CommitListener listener) {
            if (changes.isEmpty()) {
                throw new IllegalArgumentException("a commit without changes");
            }
            boolean start;
            synchronized (this) {
                queue.add(new Commit(changes, listener));
                start = !working;
                working = true;
            }
            if (start) {
                environment.scheduler().execute(this::work);
            }
        }

        private void work() {
            Commit commit;
            synchronized (this) {
                commit = queue.poll();
                if (commit == null) {
                    working = false;
                    notifyAll();
                    return;
                }
            }
            Outcome outcome = perform(commit);
            commit.listener.committed(outcome, outcome == Outcome.DURABLE ? table() : null);
            environment.scheduler().execute(this::work);
        }

        private Outcome perform(Commit commit) {
            synchronized (this) {
                if (failure != null) {
                    // No record of it was begun.
                    return Outcome.NOT_COMMITTED;
                }
            }
            Outcome wanted = outcomes.get();
            if (wanted == Outcome.NOT_COMMITTED) {
                return wanted;
            }
            try {
                spare.flush();
            } catch (DeviceException e) {
                // The data is not there for certain, so no record of it was begun: the next open finds none.
                return failed(commit, e.getMessage(), false);
            }
            try {
                // Aligned, for spares that are files behind O_DIRECT.
                ByteBuffer record =
                        ByteBuffer.allocateDirect(2 * Place.UNIT_BYTES).alignedSlice(Place.UNIT_BYTES);
                spare.write(0, record.limit(Place.UNIT_BYTES));
                spare.flush();
            } catch (DeviceException e) {
                return failed(commit, e.getMessage(), uncertainFound.get());
            }
            if (wanted == Outcome.STORE_FAILED) {
                return failed(commit, "as the test decided", uncertainFound.get());
            }
            synchronized (this) {
                tables.apply(commit.changes);
                tables.generation++;
                committed = tables.table;
                committedBadSlots = (BitSet) tables.badSlots.clone();
                committedSeals = Map.copyOf(tables.seals);
            }
            return Outcome.DURABLE;
        }

        private synchronized Outcome failed(Commit commit, String why, boolean found) {
            failure = why;
            if (found) {
                // Not in force now: only the next open finds it.
                tables.apply(commit.changes);
            }
            return Outcome.STORE_FAILED;
        }

        private void takeOver() {
            Runnable stop;
            synchronized (this) {
                failure = "another server has it";
                stop = whenTakenOver;
            }
            stop.run();
        }

        @Override
        public boolean stoppedInOrder() {
            return cleanBefore;
        }

        @Override
        public synchronized boolean cleanStopRecorded() {
            return cleanStopRecorded;
        }

        @Override
        public Map<String, byte[]> saved() {
            return tables.saved;
        }

        @Override
        public int saveCapacityBytes() {
            return METADATA_BYTES;
        }

        @Override
        public void save(Map<String, byte[]> sections, SaveListener listener) {
            synchronized (this) {
                saves++;
            }
            environment.scheduler().execute(() -> {
                String why;
                synchronized (this) {
                    why = failure == null ? "" : failure;
                }
                if (why.isEmpty()) {
                    tables.saved = Map.copyOf(sections);
                }
                listener.ended(why);
                synchronized (this) {
                    saves--;
                    notifyAll();
                }
            });
        }

        @Override
        public synchronized void whenTakenOver(Runnable stop) {
            whenTakenOver = stop;
        }

        @Override
        public synchronized FeatureStatus status() {
            return failure == null
                    ? FeatureStatus.of("metadata", FeatureState.STARTED, "")
                    : FeatureStatus.of("metadata", FeatureState.FAILED, failure);
        }

        @Override
        public List<Attribute> attributes() {
            return new ArrayList<>();
        }

        @Override
        public synchronized void stopIsUnclean() {
            uncleanStops.incrementAndGet();
            unclean = true;
        }

        @Override
        public synchronized void close() {
            try {
                for (long waited = 0; working || saves > 0; waited++) {
                    if (waited == CLOSE_WAIT_MILLIS) {
                        throw new IllegalStateException(
                                "commits and saves did not end; a simulation must let them end first");
                    }
                    wait(1);
                }
                if (failure == null && !unclean) {
                    tables.clean = true;
                    cleanStopRecorded = true;
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException("interrupted while commits were under way", e);
            }
        }
    }
}
