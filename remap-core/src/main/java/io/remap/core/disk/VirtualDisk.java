package io.remap.core.disk;

import io.remap.api.Attribute;
import io.remap.api.BlockDevice;
import io.remap.api.BufferPool;
import io.remap.api.DeviceException;
import io.remap.api.Disk;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskTraits;
import io.remap.api.Environment;
import io.remap.api.FeatureState;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.Reopening;
import io.remap.api.SectorRange;
import io.remap.api.spi.FaultPolicy;
import io.remap.api.spi.IoEngine;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.WatchedDisk;
import io.remap.core.disk.SegmentCursor.Target;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * The virtual disk: main, with its bad sectors on the spares. Requests take the fast path of {@link RequestContext}; what
 * fails there goes to {@link ReadRecovery} or {@link WriteRecovery}; {@link MapSteering} takes orders about the map, {@link
 * SpareSteering} those about the spares; {@link Closing} stops it.
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>The map changes only under a range lock, and what is published is committed.
 *   <li>A request is counted as outstanding from its submission until its completion has returned.
 *   <li>Without a store, or with one that failed, nothing is redirected.
 * </ul>
 */
public final class VirtualDisk implements Disk {
    /** The shortest time in which a write that hangs at main can be taken to the spare. */
    public static final long MIN_DEADLINE_MILLIS = Deadlines.MIN_MILLIS;

    /** How soon a request tries again to enter the full table of transfers in flight. */
    static final long TABLE_FULL_RETRY_MILLIS = 1;

    /** Most threads of the service that wait for the devices of one disk: of 256 that there are. */
    private static final int MAX_BLOCKED_TASKS = 48;

    final TrackedDevice main;
    final Spares spares = new Spares();
    final FaultPolicy policy;
    final IoEngine engine;
    final BufferPool buffers;
    final Environment environment;
    final Counters counters = new Counters();
    final EventLog events;
    final DiskLog log;
    final MapState state;
    final InFlightTable inFlight;
    final RangeLock locks;
    final HoldOffs holdOffs;
    final WatchList watchList;
    final AvoidedRegions avoided;
    final DeadAreas deadAreas;
    private final ErrorSpread errorSpread;
    final Failback failback;
    final Checksums checksums;
    final Deadlines deadlines;
    final Losses losses = new Losses();
    final ClientFlush clientFlush = new ClientFlush(this);
    final UnflushedWrites mainWrites;
    final Syncer mainSyncer;

    private final String name;
    private final DiskTraits traits;
    private final MetadataStore store;
    private final RecentWrites recentWrites;
    /** Main is not what it was: nothing may be written until a person has looked. */
    private volatile boolean refusesWrites;

    final Side mainSide;
    private final MapSteering steering = new MapSteering(this);
    private final SpareSteering spareSteering;
    final DiskFigures figures = new DiskFigures(this);
    private final Admission admission = new Admission();
    private final Closing closing = new Closing(this, admission);
    private BooleanSupplier leaseIsOver = () -> false;
    /** Set before the first request. */
    private boolean tookOver;

    /** Set before the first request. */
    private long holdAwayNanos;

    /** One of the devices, and how to tell whether it lives. */
    record Side(TrackedDevice device, Canary canary, DropOff dropOff) {
        /** The door that proves something. */
        TrackedDevice direct() {
            return device.direct();
        }
    }

    private VirtualDisk(DiskParts parts, long sealMillis) {
        this.name = parts.name();
        this.main = TrackedDevice.of(parts.main());
        this.store = parts.store().orElse(null);
        this.policy = parts.policy();
        this.engine = parts.engine();
        this.buffers = parts.buffers();
        this.environment = bounded(parts.environment());
        this.main.syncUnder(environment.scheduler().newLock());
        this.deadlines = new Deadlines(this, parts.environment().scheduler());
        var mainTraits = main.traits();
        this.events = new EventLog(environment.time()::wallMillis);
        this.log = new DiskLog(
                name, mainTraits.logicalSectorBytes(), mainTraits.sizeBytes(), counters, events, environment.time());
        this.traits = new DiskTraits(
                mainTraits.sizeBytes(),
                mainTraits.logicalSectorBytes(),
                Math.max(Place.UNIT_BYTES, mainTraits.physicalSectorBytes()),
                parts.readOnly() || mainTraits.readOnly(),
                mainTraits.rotational());
        this.recentWrites = new RecentWrites(mainTraits.sizeBytes());
        this.inFlight = new InFlightTable(environment.scheduler());
        this.locks = new RangeLock(environment.scheduler());
        this.holdOffs = new HoldOffs(environment.time(), policy);
        this.watchList = new WatchList(environment.time()::wallMillis, policy);
        this.avoided = new AvoidedRegions(this);
        this.deadAreas = new DeadAreas(this, avoided);
        this.errorSpread = new ErrorSpread(policy::spreadRegions);
        this.failback = new Failback(this, parts.returnPauseMillis());
        this.state = new MapState(
                store == null ? MapSnapshot.EMPTY : MapSnapshot.EMPTY.withTable(store.table()),
                environment.scheduler());
        this.mainSide = side(main, main, main.capability(Reopening.class));
        this.mainWrites = UnflushedWrites.ofMain(this, mainSide, parts.ledger());
        this.mainSyncer = mainWrites.syncer;
        if (!traits.readOnly()) {
            main.watch(recentWrites);
        }
        this.spareSteering = new SpareSteering(this, store, parts.ledger());
        this.checksums = new Checksums(this, store == null ? 0 : sealMillis);
        parts.spares().forEach(spareSteering::add);
    }

    /** Of a spare, which is not opened again: another server may have had it, and its table, meanwhile. */
    Side side(TrackedDevice spare, TrackedDevice unguarded) {
        return side(spare, unguarded, Optional.empty());
    }

    private Side side(TrackedDevice device, TrackedDevice asked, Optional<Reopening> reopening) {
        Canary canary = new Canary(asked, environment.time(), policy::canaryRoundsPerSecond);
        return new Side(device, canary, new DropOff(this, device, canary, reopening));
    }

    private static Environment bounded(Environment whole) {
        return new Environment(
                whole.time(), new BoundedScheduler(whole.scheduler(), MAX_BLOCKED_TASKS), whole.random(), whole.host());
    }

    /**
     * Opens the disk; reads a few places of both devices, writes nothing.
     *
     * @param sealMillis how long nobody has written to a region of a spare until it is sealed with checksums; 0: nothing is
     *     sealed, and what is sealed is compared all the same
     */
    public static VirtualDisk open(DiskParts parts, long sealMillis) {
        if (parts.store().isPresent() == parts.spares().isEmpty()) {
            throw new IllegalArgumentException("a store and its spares go together");
        }
        VirtualDisk disk = new VirtualDisk(parts, sealMillis);
        if (disk.store != null) {
            disk.store.whenTakenOver(disk::refuseAll);
        }
        disk.tookOver = disk.mainWrites.takeOver();
        disk.spares.all().forEach(spare -> spare.writes.takeOver());
        disk.checksums.start();
        return disk;
    }

    /** Shows the spares to people, and takes their orders about them. */
    public SpareSteering spareSteering() {
        return spareSteering;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public DiskTraits traits() {
        return traits;
    }

    /**
     * Has every change ask first whether this server may still write to the pair. Before the first client.
     *
     * @param isOver calls {@link #leaseIsOver} where it may not
     */
    public void askBeforeChanges(BooleanSupplier isOver) {
        leaseIsOver = isOver;
    }

    /**
     * Sets how long a request may take until it is answered. Before the first client.
     *
     * @param deadlineMillis {@link #MIN_DEADLINE_MILLIS} or more
     * @param mostBytes how much memory may be held by requests that were answered, while a device has not
     */
    public void answerWithin(long deadlineMillis, long mostBytes) {
        deadlines.answerWithin(deadlineMillis, mostBytes);
    }

    /**
     * Sets how long a request waits for a device that is away, before it fails. Before the first client.
     *
     * @param millis 0: not at all
     */
    public void holdWhileAway(long millis) {
        holdAwayNanos = TimeUnit.MILLISECONDS.toNanos(millis);
    }

    UUID pairUuid() {
        return store.pair().pairUuid();
    }

    /** Sealed regions of all spares. */
    public long sealedRegions() {
        long[] count = {0};
        if (store != null) {
            store.seals((region, seal) -> count[0]++);
        }
        return count[0];
    }

    /** Units that stand in sealed slots, which nobody opens just now. */
    public List<Long> sealedUnits() {
        return checksums.sealedUnits();
    }

    /** Visits them. */
    void seals(MetadataStore.SealVisitor visitor) {
        store.seals(visitor);
    }

    long holdAwayNanos() {
        return holdAwayNanos;
    }

    /** Whose doubt keeps requests waiting, as it looks now. */
    Side sideInDoubt() {
        Stream<Side> inDoubt = spares.all().stream()
                .map(spare -> spare.side)
                .filter(side -> side.device().doubt().isPresent());
        return main.doubt().isPresent() ? mainSide : inDoubt.findFirst().orElse(mainSide);
    }

    /** The device is back: what was put in doubt meanwhile is verified at once. */
    void verifyNow(TrackedDevice device) {
        UnflushedWrites writes = writesTo(device);
        if (writes != null && writes.ledger != null && device.doubt().isPresent() && device.canBeVerified()) {
            state.publish(s -> s.withDoubtRefused(writes.number, false));
            writes.verification.whenSettled(error -> {});
        }
    }

    /** {@code null} for a spare that was taken out. */
    private UnflushedWrites writesTo(TrackedDevice device) {
        for (Spare spare : spares.all()) {
            if (spare.device == device) {
                return spare.writes;
            }
        }
        return device == main ? mainWrites : null;
    }

    /** Another host may take the pair over from now on, and this one has no say in it any more: nothing is served. */
    public void leaseIsOver() {
        if (!isStopping()) {
            log.leaseIsOver();
            admission.takeNoMore();
        }
    }

    /** Whether changes are refused: the disk is read-only, or was made so by {@link #mainChanged} or by main. */
    public boolean isReadOnly() {
        return traits.readOnly() || refusesWrites;
    }

    @Override
    public boolean takesWrites() {
        return !isReadOnly();
    }

    /** Main was written without us: from now on nothing is written, as that would mix two states. Reads go on. */
    public void mainChanged(String how) {
        refusesWrites = true;
        log.mainChanged(how);
    }

    /** Main takes no writes any more: none is tried from now on, and none goes to the spare, since that would not end. */
    void mainIsReadOnly(DeviceException error) {
        if (!refusesWrites) {
            refusesWrites = true;
            log.mainIsReadOnly(error);
        }
    }

    /** Where main was written. */
    public RecentWrites recentWrites() {
        return recentWrites;
    }

    /**
     * The sectors of a unit that stand on main where it is not avoided, and of which nobody knows that they cannot be read; none of
     * a unit that somebody waited for in vain when the disk stopped.
     */
    public int sectorsOnMain(long unit) {
        MapSnapshot snapshot = state.current();
        if (snapshot.isAvoided(unit, unit + 1) || (closing.isEnding() && deadlines.isUndecided(unit))) {
            return 0;
        }
        int unreadable = MapSnapshot.Hint.unreadableMask(snapshot.hints.placeOf(unit));
        return sectorsOnMain(snapshot.table, unit, traits.sectorBytes(), traits.sizeBytes()) & ~unreadable;
    }

    /** The sectors of a unit that stand on main by the table. */
    public static int sectorsOnMain(RemapTable table, long unit, int sectorBytes, long sizeBytes) {
        long place = table.placeOf(unit);
        long bytes = Math.min(Place.UNIT_BYTES, sizeBytes - (unit << Place.UNIT_SHIFT));
        if (Place.isZero(place) || bytes < sectorBytes) {
            return 0;
        }
        int there = (1 << (int) (bytes / sectorBytes)) - 1;
        return there & ~Place.onSlotMask(place) & ~Place.lostMask(place);
    }

    @Override
    public void submit(DiskRequest request) {
        if (request.operation.changesData() && leaseIsOver.getAsBoolean()) {
            request.complete(DiskError.SHUTDOWN, -1);
            return;
        }
        if (!admission.count()) {
            request.complete(DiskError.SHUTDOWN, -1);
            admission.leave();
            return;
        }
        context(request).begin();
    }

    /** Holds the disk open for something that is no request, until {@link #leave}; {@code false}: it is stopping. */
    boolean enter() {
        return admission.enter();
    }

    /** What {@link #enter} or {@link #holdOpen} let in, or a request, has ended. */
    void leave() {
        admission.leave();
    }

    /** The pair is another server's now: what this one would read may be old, and what it would write may destroy. */
    private void refuseAll() {
        log.takenOver();
        admission.takeNoMore();
    }

    /** Whether no new requests are taken: what is not asked for by one ends soon. */
    boolean isStopping() {
        return admission.isStopping();
    }

    /** A request that is a part of one that is outstanding already. */
    void submitPart(DiskRequest request) {
        admission.holdOpen();
        context(request).begin();
    }

    private RequestContext context(DiskRequest request) {
        if (request.diskContext instanceof RequestContext context && context.disk == this) {
            return context;
        }
        RequestContext context = new RequestContext(this, request);
        deadlines.watch(context);
        request.diskContext = context;
        return context;
    }

    /**
     * The disk stops, and has waited long enough: whoever has no answer yet gets one with the next sweep ({@link
     * DiskError#SHUTDOWN}), and what fails from now on is not tried again. What is at a device is not taken back: it ends when the
     * device answers, and {@link #close} waits for that.
     */
    public void endRequests() {
        closing.endRequests();
    }

    /** Whether nothing is tried again any more. */
    boolean isEnding() {
        return closing.isEnding();
    }

    /** Requests under way, and whatever else holds the disk open. */
    long outstanding() {
        return admission.inside();
    }

    /** As {@link #enter}, for what is there already. */
    void holdOpen() {
        admission.holdOpen();
    }

    /** The sectors of the units that a range of bytes touches. */
    SectorRange unitsAt(long offsetBytes, long lengthBytes) {
        int sectorBytes = traits().sectorBytes();
        long first = offsetBytes & -Place.UNIT_BYTES;
        long end = Math.min(traits().sizeBytes(), SegmentCursor.endUnit(offsetBytes + lengthBytes) << Place.UNIT_SHIFT);
        return new SectorRange(first / sectorBytes, (end - first) / sectorBytes);
    }

    boolean isMain(BlockDevice device) {
        return device == main || device == main.direct();
    }

    // --- what the request path and the recoveries need

    SegmentCursor newCursor() {
        return new SegmentCursor(traits.sectorBytes(), spares::offsetOf);
    }

    /** The mask of the sectors of a range that lies within one unit. */
    int sectorMask(long offset, long length) {
        int first = (int) (offset & (Place.UNIT_BYTES - 1)) / traits.sectorBytes();
        int count = (int) (length / traits.sectorBytes());
        return ((1 << count) - 1) << first;
    }

    /** Whether the sector at an offset is unreadable by what is known, and must not be tried yet. */
    boolean isHeldOff(long offset) {
        return holdOffs.isHeld(offset >> Place.UNIT_SHIFT, sectorMask(offset, traits.sectorBytes()));
    }

    /** Bytes of a unit from {@code from} on whose sectors are in the mask, 0 if the first is not. */
    int runLength(int mask, int from) {
        int sector = from / traits.sectorBytes();
        int sectors = Integer.numberOfTrailingZeros(~(mask >> sector));
        return sectors * traits.sectorBytes();
    }

    /** @param spare its number, where the target is on one */
    Side side(Target target, int spare) {
        return switch (target) {
            case MAIN, MAIN_DIRECT, UNREADABLE_MAIN -> mainSide;
            case SPARE, UNREADABLE_SPARE -> spares.require(spare).side;
            default -> throw new IllegalArgumentException("no device: " + target);
        };
    }

    void recoverRead(RequestContext context, long start, long end) {
        counters.readRecoveries.increment();
        new ReadRecovery(context, start, end).begin();
    }

    void recoverWrite(RequestContext context, long start, long end) {
        counters.writeRecoveries.increment();
        boolean zeros = context.asked == DiskRequest.Operation.WRITE_ZEROES;
        SlotPlan.Source source = zeros ? (offset, length) -> Zeros.bytes(length) : context::payload;
        new WriteRecovery(this, context, start, end, source, zeros, null).begin();
    }

    void transferUnaligned(RequestContext context) {
        new UnalignedTransfer(context).next();
    }

    /** A request has met an error of main that may be a sector's; where that is conspicuous, all canaries are asked. */
    void noteFailure(long offsetBytes, DeviceException error) {
        long requests = counters.reads.sum() + counters.writes.sum();
        String why =
                errorSpread.failed(offsetBytes, requests, environment.time().nanoTime());
        if (!why.isEmpty()) {
            environment.scheduler().execute(() -> askAllCanaries(why, error));
        }
    }

    private void askAllCanaries(String why, DeviceException error) {
        if (!enter()) {
            return;
        }
        try {
            int good = mainSide.canary().census();
            if (good == 0) {
                main.wentAway(error);
            }
            log.errorsSpread(why, good);
        } finally {
            leave();
        }
    }

    /** Whether mappings can be made durable now. */
    boolean canRedirect() {
        return store != null && !traits.readOnly() && store.status().state() == FeatureState.STARTED;
    }

    /** Whether a write that main does not take goes to the spare without being asked for. */
    boolean redirectsWrites() {
        return policy.redirectsWrites() && canRedirect();
    }

    /** Commits; the continuation runs on the scheduler. */
    void commit(List<MapChange> changes, Consumer<MetadataStore.Outcome> then) {
        store.commit(changes, (outcome, table) -> environment.scheduler().execute(() -> then.accept(outcome)));
    }

    /** Whether a killed process has left writes to main in doubt, which are verified from the beginning. */
    public boolean tookOver() {
        return tookOver;
    }

    /** The newest committed table; never an older one than any that was published. */
    RemapTable committedTable() {
        return store == null ? RemapTable.empty() : store.table();
    }

    /** Memory for a unit, aligned for direct transfers. Recovery only. */
    ByteBuffer unitBuffer() {
        return ByteBuffer.allocateDirect(2 * Place.UNIT_BYTES)
                .alignedSlice(Place.UNIT_BYTES)
                .limit(Place.UNIT_BYTES)
                .slice();
    }

    /** Memory for a sector, aligned for direct transfers. Recovery only. */
    ByteBuffer sectorBuffer() {
        return unitBuffer().limit(traits.sectorBytes()).slice();
    }

    /** Shows the map to people, and takes their orders about it. */
    public MapSteering map() {
        return steering;
    }

    /** Why acknowledged writes may be lost, as long as nobody knows: a doubt of main, or of the slots of the spare. */
    public Optional<DeviceException> doubt() {
        return Stream.concat(Stream.of(main), spares.all().stream().map(spare -> spare.device))
                .flatMap(device -> device.doubt().stream())
                .findFirst();
    }

    /** How many sectors stand nowhere that were acknowledged and not flushed. */
    public long lostUnflushedSectors() {
        return counters.lostUnflushedSectors.sum();
    }

    /** The state in figures. */
    public DiskSummary summary() {
        return figures.summary();
    }

    /** Slots of the spares that are there. */
    long slots() {
        return figures.slots();
    }

    /** What it knows of units that read again after errors, for the next start. */
    public Saved watchedUnits() {
        return watchList;
    }

    /** What of main could not be read, for the next start; to be restored before the first request. */
    public Saved unreadableUnits() {
        return new UnreadableUnits(this, () -> store != null && store.stoppedInOrder());
    }

    /** What the user should know of the start, as long as the disk is served; empty if nothing. */
    public Optional<String> noticeOfStart() {
        return Optional.of(log.noticeOfStart()).filter(text -> !text.isEmpty());
    }

    /** Where main is left alone. */
    public AvoidedRegions avoided() {
        return avoided;
    }

    /** What happened to it. */
    public EventLog events() {
        return events;
    }

    /** This disk for its health module, of which there is one. */
    public WatchedDisk watched(HealthMemory memory) {
        return new DiskWatch(this, memory);
    }

    /** What it counts from its start on. */
    public List<Attribute> counters() {
        return counters.attributes();
    }

    /** What it shows of itself. */
    public List<Attribute> attributes() {
        return figures.attributes();
    }

    /** As {@link #close(long, long)}, without waiting for what hangs beyond that. */
    public boolean close(long timeoutMillis) {
        return close(timeoutMillis, 0);
    }

    /**
     * Takes no more requests, waits for those under way, and flushes all devices.
     *
     * @param clientMillis how long requests may go on as ever, before they are answered with an error
     * @param deviceMillis how long it waits after that for devices that have not answered
     * @return whether everything ended in time and is on stable storage
     */
    public boolean close(long clientMillis, long deviceMillis) {
        return closing.close(clientMillis, deviceMillis);
    }
}
