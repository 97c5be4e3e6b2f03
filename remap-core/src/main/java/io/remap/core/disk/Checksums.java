package io.remap.core.disk;

import io.remap.api.DeviceException;
import io.remap.api.DiskError;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.Scheduler.Cancellable;
import io.remap.api.Seal;
import io.remap.api.spi.MetadataStore;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Checksums of what stands on the spares, as a state at rest. A region that nobody has written for a while is read back and
 * sealed ({@link Sealing}); before anything of it is written again it is opened ({@link #open}), durably and once, and after
 * it was compared for the last time, so that nothing that rotted is taken over. What is read between is compared by the
 * {@link SlotGate}; what is not as it was sealed becomes lost ({@link Rot}).
 *
 * <p>An open region makes no claim: a write that the spare acknowledged and never made is not told, if it was lost before the
 * region was sealed.
 *
 * <p>Invariants: one pass at a time, and none from {@link #stop} on; whoever waits for a region holds no lock of a range, since
 * what rotted in it takes locks; a region is sealed, or opened, by one at a time.
 *
 * <p>Thread-safe. Passes and openings run on the scheduler, and block on the spare.
 */
final class Checksums {
    private static final Logger LOG = LoggerFactory.getLogger(Checksums.class);

    /** Most regions that one pass seals: the next pass sees to the others. */
    static final int MAX_REGIONS_A_PASS = 64;

    /** How often what is quiet is looked for, within the time that it has to be quiet. */
    private static final int LOOKS = 4;

    private static final long MIN_LOOK_MILLIS = 50;

    /** Tries of a region that cannot be sealed, until it is written again or others are looked at. */
    private static final int MAX_TRIES = 5;

    private final VirtualDisk disk;

    /** 0: nothing is sealed, and what is sealed is compared all the same. */
    private final long idleMillis;

    // Guarded by this.
    private final Map<Long, Pending> pending = new HashMap<>();
    private final Set<Long> rotting = new HashSet<>();
    private final Map<Long, Quiet> quiet = new HashMap<>();
    private Cancellable timer;
    /** Regions of which something is not claimed that should be, by {@link #id}. */
    private final Map<Long, Spare> incomplete = new HashMap<>();

    private boolean running;
    private boolean again;
    private boolean stopped;

    /** Whoever changes the state of a region, and who waits for it to be open. */
    private static final class Pending {
        private final List<Consumer<DeviceException>> waiting = new ArrayList<>();
    }

    /** Since when nothing was written to an open region. */
    private static final class Quiet {
        private long sinceNanos;
        private int tries;

        Quiet(long sinceNanos) {
            this.sinceNanos = sinceNanos;
        }
    }

    /** @param idleMillis how long nothing was written until it is sealed; 0: never */
    Checksums(VirtualDisk disk, long idleMillis) {
        this.disk = disk;
        this.idleMillis = disk.traits().readOnly() ? 0 : idleMillis;
    }

    /** Puts a gate before the slots of a spare, before its first transfer, if there is anything for it to do. */
    void attach(Spare spare, MetadataStore store) {
        Map<Long, Long> sealed = new TreeMap<>();
        store.seals((region, seal) -> {
            if (Seal.spare(seal) == spare.index) {
                sealed.put(region, seal);
            }
        });
        if (idleMillis == 0 && sealed.isEmpty()) {
            return;
        }
        SlotGate gate = new SlotGate(
                store.pair().pairUuid(), spare.slots(), disk.traits().sectorBytes());
        sealed.forEach(gate::restore);
        gate.listen(
                spare.unguarded,
                spare.side.canary()::alive,
                this::arm,
                slot -> foundRotten(spare, slot),
                region -> foundUnclaimed(spare, region));
        spare.putGate(gate);
    }

    /** Seals from now on. */
    void start() {
        arm();
    }

    /** Begins no pass any more; one that is under way ends after the region it is at. */
    synchronized void stop() {
        stopped = true;
        if (timer != null) {
            timer.cancel();
        }
    }

    /** Units whose slots are sealed, and that nobody opens just now; for tests. */
    List<Long> sealedUnits() {
        List<Long> units = new ArrayList<>();
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        RemapTable table = disk.committedTable();
        for (boolean found = cursor.seek(table, 0); found; found = cursor.next()) {
            for (long i = 0; Place.hasSlot(cursor.place()) && i < cursor.lengthUnits(); i++) {
                long place = Place.advance(cursor.place(), i);
                Spare spare = disk.spares.get(Place.spare(place));
                if (spare != null && isAtRest(spare, Place.slot(place))) {
                    units.add(cursor.firstUnit() + i);
                }
            }
        }
        return units;
    }

    private synchronized boolean isAtRest(Spare spare, long slot) {
        long region = Seal.regionOf(slot);
        // Where the store has failed the record of an opening may be found at the next start.
        return disk.canRedirect()
                && spare.gate != null
                && spare.gate.sealOf(region) != 0
                && !pending.containsKey(id(spare, region));
    }

    private static long id(Spare spare, long region) {
        return Spares.id(spare.index, region);
    }

    // --- sealing

    /** Something was written: it is sealed when it has been quiet for long enough. */
    private synchronized void arm() {
        if (stopped || idleMillis == 0) {
            return;
        }
        if (running) {
            again = true;
        } else if (timer == null) {
            long look = Math.max(MIN_LOOK_MILLIS, idleMillis / LOOKS);
            timer = disk.environment.scheduler().schedule(this::pass, look);
        }
    }

    private void pass() {
        synchronized (this) {
            timer = null;
            if (stopped) {
                return;
            }
            running = true;
            again = false;
        }
        if (!disk.enter()) {
            return;
        }
        Deque<Sealing> found = new ArrayDeque<>();
        try {
            if (disk.canRedirect()) {
                openIncomplete();
                found = quietRegions();
            }
        } catch (RuntimeException e) {
            LOG.error("{}: what is quiet could not be looked for", disk.name(), e);
        }
        next(found);
    }

    private void next(Deque<Sealing> rest) {
        boolean over;
        synchronized (this) {
            over = stopped;
        }
        Sealing sealing = over || disk.isStopping() ? null : rest.poll();
        if (sealing == null) {
            ended();
            return;
        }
        sealing.begin(() -> disk.environment.scheduler().execute(() -> next(rest)));
    }

    private void ended() {
        synchronized (this) {
            running = false;
            if (again) {
                arm();
            }
        }
        disk.leave();
    }

    /** The regions that hold something, are open, and were quiet for long enough; notes which will be. */
    private Deque<Sealing> quietRegions() {
        Map<Long, Sealing> found = new TreeMap<>();
        Map<Long, Boolean> looked = new HashMap<>();
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        RemapTable table = disk.committedTable();
        for (boolean more = cursor.seek(table, 0); more; more = cursor.next()) {
            for (long i = 0; Place.hasSlot(cursor.place()) && i < cursor.lengthUnits(); i++) {
                look(Place.advance(cursor.place(), i), found, looked);
            }
        }
        synchronized (this) {
            quiet.keySet().retainAll(looked.keySet());
        }
        disk.seals((region, seal) -> openUnused(region, seal, looked));
        return new ArrayDeque<>(found.values());
    }

    /** Its checksums take a slot, and tell of nothing any more. */
    private void openUnused(long region, long seal, Map<Long, Boolean> looked) {
        Spare spare = disk.spares.get(Seal.spare(seal));
        boolean unused = spare != null && spare.gate != null && !looked.containsKey(id(spare, region));
        if (unused) {
            openAgain(spare, region);
        }
    }

    private void look(long place, Map<Long, Sealing> found, Map<Long, Boolean> looked) {
        Spare spare = disk.spares.get(Place.spare(place));
        if (spare == null || spare.gate == null) {
            return;
        }
        long region = Seal.regionOf(Place.slot(place));
        long id = id(spare, region);
        Boolean wanted = looked.get(id);
        if (wanted == null) {
            wanted = isQuiet(spare, region) && hasTurn(found.size());
            looked.put(id, wanted);
            if (wanted) {
                found.put(id, new Sealing(this, disk, spare, region));
            }
        }
        if (wanted) {
            found.get(id).holds(Place.slot(place), Place.onSlotMask(place));
        }
    }

    /** What has none comes with the next pass. */
    private synchronized boolean hasTurn(int before) {
        again |= before >= MAX_REGIONS_A_PASS;
        return before < MAX_REGIONS_A_PASS;
    }

    /** What is to be emptied is left as it is: sealed or open. */
    private synchronized boolean isQuiet(Spare spare, long region) {
        if (spare.isLeaving() || spare.isClosed()) {
            // So that the next write is told of, should it stay after all.
            spare.gate.takeTouched(region);
            return false;
        }
        if (spare.gate.isClosed(region) || pending.containsKey(id(spare, region))) {
            return false;
        }
        long now = disk.environment.time().nanoTime();
        if (spare.gate.takeTouched(region)) {
            quiet.remove(id(spare, region));
        }
        Quiet known = quiet.computeIfAbsent(id(spare, region), key -> new Quiet(now));
        boolean isQuiet = now - known.sinceNanos >= TimeUnit.MILLISECONDS.toNanos(idleMillis);
        again |= !isQuiet && known.tries <= MAX_TRIES;
        return isQuiet;
    }

    /**
     * These changes are durable, and not published yet. What was sealed between their data and now does not know of them: it
     * is sealed once more. And what was looked for between, because of their data, did not find them: it is looked for again.
     */
    void mapped(List<MapChange> changes) {
        boolean toSlots = false;
        for (MapChange change : changes) {
            long place = change.place();
            Spare spare = change.kind() == MapChange.Kind.SET && Place.hasSlot(place)
                    ? disk.spares.get(Place.spare(place))
                    : null;
            long region = Seal.regionOf(Place.slot(place));
            boolean gated = spare != null && spare.gate != null;
            toSlots |= gated;
            if (gated && !spare.gate.touch(region)) {
                openAgain(spare, region);
            }
        }
        if (toSlots) {
            arm();
        }
    }

    /** Until it works: what is closed and does not claim all that it holds would hide what rots. */
    private void openAgain(Spare spare, long region) {
        if (disk.enter()) {
            openRegion(spare, region, error -> {
                if (error != null) {
                    // With the next pass, whatever it is for: not over and over.
                    synchronized (this) {
                        incomplete.put(id(spare, region), spare);
                    }
                }
                disk.leave();
            });
        }
    }

    private void openIncomplete() {
        Map<Long, Spare> tried;
        synchronized (this) {
            tried = Map.copyOf(incomplete);
            incomplete.clear();
        }
        tried.forEach((id, spare) -> {
            if (disk.spares.get(spare.index) == spare) {
                openAgain(spare, Spares.slotOf(id));
            }
        });
    }

    /** Whether the region is nobody else's now; then until {@link #sealed}. */
    synchronized boolean beginSealing(Spare spare, long region) {
        if (pending.containsKey(id(spare, region))) {
            return false;
        }
        pending.put(id(spare, region), new Pending());
        return true;
    }

    /** It is sealed, or not; who waits for it to be open is seen to now. */
    void sealed(Spare spare, long region) {
        Pending mine;
        synchronized (this) {
            mine = pending.get(id(spare, region));
            if (spare.gate.isClosed(region)) {
                quiet.remove(id(spare, region));
            }
            if (mine.waiting.isEmpty()) {
                pending.remove(id(spare, region));
                return;
            }
        }
        disk.environment.scheduler().execute(() -> new Opening(this, disk, spare, region).begin());
    }

    /** It could not be sealed: it is tried again when it was quiet for as long once more; not for ever, unless it is written. */
    synchronized void putOff(Spare spare, long region) {
        Quiet known = quiet.get(id(spare, region));
        if (known != null) {
            known.sinceNanos = disk.environment.time().nanoTime();
            known.tries++;
            again |= known.tries <= MAX_TRIES;
        }
    }

    // --- opening

    /**
     * Has what stands in a range of the spare be written to again.
     *
     * @param then told once, on any thread: {@code null} once it is open, otherwise what is in the way: of class HOST if it is
     *     worth another try
     */
    void open(Spare spare, long offsetBytes, long lengthBytes, Consumer<DeviceException> then) {
        long region = spare.gate == null ? -1 : spare.gate.firstClosed(offsetBytes, lengthBytes);
        if (region < 0) {
            then.accept(null);
            return;
        }
        // One after the other: a range has seldom more than two.
        openRegion(spare, region, error -> {
            if (error == null) {
                open(spare, offsetBytes, lengthBytes, then);
            } else {
                then.accept(error);
            }
        });
    }

    private void openRegion(Spare spare, long region, Consumer<DeviceException> then) {
        synchronized (this) {
            Pending other = pending.get(id(spare, region));
            if (other != null) {
                other.waiting.add(then);
                return;
            }
            Pending mine = new Pending();
            mine.waiting.add(then);
            pending.put(id(spare, region), mine);
        }
        disk.environment.scheduler().execute(() -> new Opening(this, disk, spare, region).begin());
    }

    /** It is open, or not; told to all who wait for it. */
    void opened(Spare spare, long region, DeviceException error) {
        Pending mine;
        synchronized (this) {
            mine = pending.remove(id(spare, region));
        }
        mine.waiting.forEach(then -> then.accept(error));
    }

    // --- what is not as it was sealed

    /** What stands in a slot becomes lost, as far as it rotted. */
    void giveUp(Spare spare, long slot, Consumer<DiskError> then) {
        long unit = unitOf(spare, slot);
        if (unit < 0) {
            // Nobody's any more.
            then.accept(DiskError.NONE);
        } else {
            new Rot(disk, unit, spare, slot, then).begin();
        }
    }

    private long unitOf(Spare spare, long slot) {
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        RemapTable table = disk.state.current().table;
        for (boolean found = cursor.seek(table, 0); found; found = cursor.next()) {
            long place = cursor.place();
            boolean isHere = Place.hasSlot(place)
                    && Place.spare(place) == spare.index
                    && slot >= Place.slot(place)
                    && slot < Place.slot(place) + cursor.lengthUnits();
            if (isHere) {
                return cursor.firstUnit() + slot - Place.slot(place);
            }
        }
        return -1;
    }

    /** By whoever read it; the request has its error. */
    private void foundRotten(Spare spare, long slot) {
        disk.counters.mismatches.increment();
        long id = Spares.id(spare.index, slot);
        synchronized (this) {
            if (!rotting.add(id)) {
                return;
            }
        }
        if (!disk.enter()) {
            return;
        }
        disk.environment
                .scheduler()
                .execute(() -> giveUp(spare, slot, error -> {
                    synchronized (this) {
                        rotting.remove(id);
                    }
                    disk.leave();
                }));
    }

    /** Nothing can be claimed of the region: it is opened, and sealed anew after a while. */
    private void foundUnclaimed(Spare spare, long region) {
        disk.log.checksumsLost(spare.device.name(), region);
        if (disk.canRedirect()) {
            openAgain(spare, region);
        }
    }
}
