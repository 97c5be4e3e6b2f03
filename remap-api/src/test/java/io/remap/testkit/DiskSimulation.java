package io.remap.testkit;

import io.remap.api.DeviceException;
import io.remap.api.Disk;
import io.remap.api.DiskClient;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.Errno;
import io.remap.api.IoBuffer;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.SectorRange;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.api.spi.PairIdentity;
import io.remap.testkit.FaultyDevice.Fault;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;

/**
 * One life of a virtual disk, decided by a seed: clients read, write, flush, trim and zero; sectors are moved to the spare
 * and back meanwhile; main and spare fail in their ways; the store refuses or fails; the process stops cleanly, dies, or
 * the power goes. Every answer is checked against the {@link ReferenceMap}, every error must have a fault that explains
 * it, and at the end the whole disk is read.
 */
public final class DiskSimulation implements AutoCloseable {
    /** Property that runs one seed only, with a trace of what happens. */
    public static final String SEED_PROPERTY = "remap.seed";

    /** Main is well for so long between two of its disturbances, where sectors are never bad. */
    private static final long CALM_NANOS = TimeUnit.SECONDS.toNanos(1);

    private static final int CELLS_PER_SECTOR = 4;
    private static final int FAULT_EVERY_STEPS = 60;
    private static final int LONGEST_FAULT_SECTORS = 10;
    private static final int MAX_MOVES_OF_REUSE = 4;
    /** A host that is short of something all the time is a host that fails. */
    private static final long HOST_ERROR_PAUSE_NANOS = 200_000_000L;

    /** Of a request to the product, as it is set if nobody chose anything. */
    private static final long DEADLINE_NANOS = 20_000_000_000L;

    private static final long DEADLINE_MARGIN_NANOS = 1_250_000_000L;

    private static final int PROBABLE_STEPS_PER_OPERATION = 25;

    final SimPlan plan;
    final SimScheduler scheduler;
    final ReferenceMap reference;
    final SimCoverage coverage;

    private final SimProduct product;
    private final RandomGenerator random;
    private final MemoryDevice mainMedium;
    private final SimEngine engine;
    private final FaultyDevice main;
    private final SimSpares spares;
    /** In buffered mode: what stands before main. */
    private final PageCacheDevice pages;

    private final MetadataProvider metadata;
    private final TrackingBufferPool buffers;
    private final StringBuilder trace;
    /** Units that faults or moves have touched: only these can have a mapping. */
    private final BitSet touched = new BitSet();
    /** Units of main of which a sector has failed at some time. */
    private final BitSet failedUnits = new BitSet();

    /** Sectors of main that take writes and cannot be read: an acknowledged write does not help. */
    private final BitSet writeOnly = new BitSet();

    /** How often each event of the devices was counted so far. */
    private final Map<String, Long> counted = new HashMap<>();

    private final Map<Object, LossesTold> told = new HashMap<>();

    /** When main was last seen left alone at a sector. */
    private final long[] lastAvoidedNanos;

    private SimProduct.Running running;
    private List<SimClient> clients = List.of();
    private long stamps = 1;
    private long troubles;
    private long nextHostErrorNanos;
    private int movesUnderWay;
    private int returnsUnderWay;
    /** Errors of a device before it was gone, if that was in a way that a drive may forget its cache over. */
    private final Map<FaultyDevice, Long> goneBefore = new HashMap<>();

    private boolean flushHasFailed;
    /** When main was last seen to fail as a whole, or came back. */
    private long lastDisturbedNanos = -CALM_NANOS;

    private boolean mainHasLost;
    /** How many of the losses of this boot somebody was told of. */
    private long lossesTold;

    private long knownLosses;
    private boolean storeMayRefuse;
    private boolean spareHasFaults;

    /** @param traced keeps a record of what happened, for {@link #trace()} */
    public DiskSimulation(long seed, SimProduct product, SimCoverage coverage, boolean traced) {
        this(seed, product, coverage, traced, false);
    }

    /** @param devicesOnly devices fail as a whole, and no sector does */
    DiskSimulation(long seed, SimProduct product, SimCoverage coverage, boolean traced, boolean devicesOnly) {
        SplittableRandom seeds = new SplittableRandom(seed);
        this.product = product;
        this.coverage = coverage;
        this.plan = new SimPlan(seeds.split(), devicesOnly); // As plan(seed) does.
        this.random = seeds.split();
        this.scheduler = new SimScheduler(seeds.split());
        this.engine = new SimEngine(scheduler, seeds.split());
        this.mainMedium = new MemoryDevice("main", plan.sizeBytes(), plan.sectorBytes);
        this.main = new FaultyDevice(mainMedium, seeds.split(), engine);
        this.spares = new SimSpares(product.spareBytes(plan.slots), plan.sectorBytes, seeds::split, engine);
        this.pages = plan.buffered ? new PageCacheDevice(main, engine::atOnce) : null;
        main.whenFlushFails(this::flushFails);
        spares.whenFlushFails(this::flushOfSpareFails);
        this.metadata = product.metadata();
        this.buffers = new TrackingBufferPool(plan.memoryBytes());
        this.reference = new ReferenceMap(plan.sizeBytes(), plan.sectorBytes, cellBytes(), stamps);
        this.lastAvoidedNanos = new long[plan.sizeBytes() / plan.sectorBytes];
        Arrays.fill(lastAvoidedNanos, Long.MIN_VALUE);
        this.trace = traced ? new StringBuilder() : null;
        if (plan.slow) {
            touched.set(0, plan.units);
        }
    }

    /** What the life of a seed will be. */
    static SimPlan plan(long seed) {
        return new SimPlan(new SplittableRandom(seed).split(), false);
    }

    int cellBytes() {
        return plan.sectorBytes / CELLS_PER_SECTOR;
    }

    /** Lives the life; throws what went wrong. */
    public void run() throws IOException, Refusal {
        trace(plan::toString);
        ByteBuffer content = ByteBuffer.allocate(plan.sizeBytes());
        reference.fill(content, 0, stamps);
        mainMedium.poke(0, content.array());
        var environment = scheduler.environment(random);
        product.format(
                metadata,
                spares.door(),
                new PairIdentity(new UUID(1, 2), plan.sizeBytes(), plan.sectorBytes, "main"),
                environment);
        if (metadata instanceof MemoryMetadata memory && plan.storeTrouble) {
            memory.decideOutcomes(this::decideOutcome);
            memory.findUncertain(random::nextBoolean);
        }
        for (int boot = 0; boot < plan.boots; boot++) {
            boot();
            int ending = random.nextInt(plan.powerCuts ? 3 : 2);
            if (ending == 0) {
                live(Long.MAX_VALUE);
                stop();
            } else {
                live(random.nextInt(plan.operationsPerBoot * PROBABLE_STEPS_PER_OPERATION));
                die(ending == 2);
            }
        }
        boot();
        readEverything();
        stop();
    }

    private Outcome decideOutcome() {
        int dice = random.nextInt(30);
        if (dice < 2) {
            coverage.count("store failed");
            return Outcome.STORE_FAILED;
        }
        if (dice < 7) {
            coverage.count("store refused");
            return Outcome.NOT_COMMITTED;
        }
        return Outcome.DURABLE;
    }

    private void boot() throws IOException, Refusal {
        coverage.count("boots");
        trace(() -> "boot");
        endPassingTrouble();
        flushHasFailed = false;
        lossesTold = 0;
        knownLosses = 0;
        storeMayRefuse = plan.storeTrouble;
        if (pages != null) {
            // A page that cannot be written back goes to the spare whole.
            touched.set(0, plan.units);
        }
        running = start();
        reference.opened();
        requireLost();
    }

    private SimProduct.Running start() throws IOException, Refusal {
        SimProduct.Parts parts = new SimProduct.Parts(
                pages == null ? main : pages,
                spares.door(),
                metadata,
                engine,
                buffers,
                scheduler.environment(random),
                plan.returnPauseMillis,
                plan.ledgerBytes,
                plan.sealMillis,
                plan.heals);
        try {
            return product.start(parts);
        } catch (DeviceException e) {
            // What the process before this one wrote could not be written back; that is told once.
            require(pages != null && e.operation().equals("flush"), e::toString);
            forgetDoubt();
            return product.start(parts);
        }
    }

    /** The clients work, and things happen to the disk, for so many steps or until the work is done. */
    private void live(long maxSteps) {
        clients = new ArrayList<>();
        for (int i = 0; i < plan.clients; i++) {
            SimClient client =
                    new SimClient(this, i, new SplittableRandom(random.nextLong()), SimPlan.MAX_REQUEST_BYTES);
            clients.add(client);
            client.begin(plan.operationsPerBoot / plan.clients + 1);
        }
        long end = maxSteps == Long.MAX_VALUE ? maxSteps : scheduler.steps() + maxSteps;
        while (scheduler.steps() < end
                && !(movesUnderWay == 0 && clients.stream().allMatch(SimClient::done))) {
            long before = scheduler.steps();
            scheduler.run(Math.min(end - before, 1 + random.nextInt(FAULT_EVERY_STEPS)));
            require(scheduler.steps() - before > 0, () -> "requests wait, but nothing goes on");
            require(
                    scheduler.steps() < SimScheduler.MAX_STEPS,
                    () -> "a life without an end: something repeats itself at once");
            somethingHappens();
        }
        if (maxSteps == Long.MAX_VALUE) {
            endPassingTrouble();
            scheduler.runUntilIdle();
            clients.forEach(SimClient::end);
        }
    }

    private void somethingHappens() {
        if (plan.avoids && random.nextInt(8) == 0) {
            avoidOrDie();
            return;
        }
        if (plan.rots && random.nextInt(4) == 0) {
            rot();
        }
        if (plan.reuses && movesUnderWay < MAX_MOVES_OF_REUSE && random.nextBoolean()) {
            move();
            return;
        }
        int dice = random.nextInt(10);
        if (dice < 2 && plan.mainFaults) {
            faultOnMain();
        } else if (dice == 2 && (plan.spareFaults || plan.spareTransients)) {
            faultOnSpare();
        } else if (dice == 3 && plan.vanishing) {
            vanishOrComeBack();
        } else if (dice == 4 && plan.devicesOnly && isCalm()) {
            linkReset();
        } else if (dice == 5 && plan.devicesOnly && isCalm()) {
            errorsInARow();
        } else if (dice < 6 && plan.moves && movesUnderWay < 2) {
            move();
        } else if (dice == 6 && plan.hostErrors && scheduler.nanoTime() > nextHostErrorNanos) {
            nextHostErrorNanos = scheduler.nanoTime() + HOST_ERROR_PAUSE_NANOS;
            boolean onSpare = random.nextInt(3) == 0;
            coverage.count(onSpare ? "host errors at a spare" : "host errors");
            // It may be the store that meets it.
            storeMayRefuse |= onSpare;
            (onSpare ? spares.any(random) : main)
                    .failTransfers(1 + random.nextInt(2), random.nextBoolean() ? Errno.ENOMEM : Errno.EAGAIN);
        } else if (dice == 8 && pages != null) {
            pages.writeBackSome(random);
        } else if (dice == 9 && pages != null) {
            pages.dropSome(random);
        } else if (dice == 7 && plan.flushErrors && random.nextInt(3) == 0) {
            int count = random.nextInt(4) == 0 ? 3 : 1;
            trace(() -> "the next " + count + " flushes of main fail");
            main.failFlushes(count, random.nextBoolean() ? Errno.EIO : Errno.ETIMEDOUT);
        } else if (dice == 7 && plan.spareFlushErrors) {
            int count = random.nextInt(4) == 0 ? 3 : 1;
            FaultyDevice spare = spares.any(random);
            trace(() -> "the next " + count + " flushes of " + spare.name() + " fail");
            spare.failFlushes(count, random.nextBoolean() ? Errno.EIO : Errno.ETIMEDOUT);
        }
    }

    /** At the moment in which a flush of main fails. */
    private void flushFails() {
        troubles++;
        flushHasFailed = true;
        // What is lost in a cache may be anywhere, and a write to it goes to the spare.
        touched.set(0, plan.units);
        if (plan.losesCache) {
            trace(() -> "main loses some of its cache");
            mainMedium.loseSome(random);
            reference.cacheLost();
        }
    }

    private void flushOfSpareFails(FaultyDevice spare, MemoryDevice medium) {
        troubles++;
        flushHasFailed = true;
        // It may be that of the store, which then makes no mapping any more.
        storeMayRefuse = true;
        if (plan.losesCache) {
            trace(() -> spare.name() + " loses some of its cache");
            medium.loseSome(random);
            reference.cacheLost();
        }
    }

    private void faultOnMain() {
        // Some places stay good: a device that reads nowhere is no device with bad sectors.
        long sectors = (long) plan.sizeBytes() / plan.sectorBytes * 7 / 8;
        long first = random.nextInt((int) sectors);
        long count = Math.min(sectors - first, 1 + random.nextInt(LONGEST_FAULT_SECTORS));
        List<Fault> kinds = new ArrayList<>(
                List.of(Fault.UNREADABLE, Fault.BAD, Fault.UNWRITABLE, Fault.WRITE_ONLY, Fault.TRANSIENT));
        if (plan.slow) {
            kinds.addAll(List.of(Fault.SLOW, Fault.SLOW));
            main.slowness(plan.slownessNanos);
        }
        if (plan.hangs) {
            kinds.addAll(List.of(Fault.STUCK, Fault.STUCK));
            main.stuckFor(plan.hangNanos);
        }
        Fault kind = kinds.get(random.nextInt(kinds.size()));
        for (long sector = first; kind == Fault.TRANSIENT && sector < first + count; sector++) {
            if (main.isFaulty(sector)) {
                // Begun anew amid the tries of a transfer, it may outlast them.
                reference.allowErrors(sector, 1);
            }
        }
        main.fault(first, count, kind, random.nextInt(4) == 0 ? Errno.ENODATA : Errno.EIO);
        touched.set((int) unitOf(first), (int) unitOf(first + count - 1) + 1);
        failedUnits.set((int) unitOf(first), (int) unitOf(first + count - 1) + 1);
        if (kind == Fault.UNREADABLE || kind == Fault.BAD || kind == Fault.WRITE_ONLY) {
            reference.allowErrors(first, count);
        }
        if (kind == Fault.WRITE_ONLY) {
            writeOnly.set((int) first, (int) (first + count));
        }
        trace(() -> kind + " sectors " + first + "+" + count + " of main");
    }

    /** Somebody has an area of main left alone, or used again; or it dies, if sectors may. */
    private void avoidOrDie() {
        long sectors = (long) plan.sizeBytes() / plan.sectorBytes;
        int perUnit = SimPlan.UNIT_BYTES / plan.sectorBytes;
        long first = random.nextInt((int) (sectors * 7 / 8));
        long count = Math.min(sectors * 7 / 8 - first, 1 + random.nextInt(10 * perUnit));
        if (plan.mainFaults && random.nextInt(3) == 0) {
            main.fault(first, count, random.nextBoolean() ? Fault.BAD : Fault.UNREADABLE);
            touched.set((int) unitOf(first), (int) unitOf(first + count - 1) + 1);
            failedUnits.set((int) unitOf(first), (int) unitOf(first + count - 1) + 1);
            reference.allowErrors(first, count);
            coverage.count("dead areas");
            trace(() -> "dead area, sectors " + first + "+" + count + " of main");
            return;
        }
        SectorRange range = new SectorRange(first, count);
        boolean begin = random.nextInt(3) != 0;
        scheduler.execute(() -> {
            noteAvoided();
            if (running.avoid(range, begin)) {
                coverage.count(begin ? "areas avoided" : "areas used again");
                trace(() -> (begin ? "avoid " : "do not avoid ") + range);
                noteAvoided();
            }
        });
    }

    /**
     * Where main is left alone a write needs a mapping, and a read may fail of what was not written since: what was is on the
     * spare, and must be found.
     */
    void noteAvoided() {
        for (SectorRange range : running.avoided()) {
            coverage.count("avoided areas seen");
            touched.set((int) unitOf(range.firstSector()), (int) unitOf(range.endSector() - 1) + 1);
            Arrays.fill(lastAvoidedNanos, (int) range.firstSector(), (int) range.endSector(), scheduler.nanoTime());
        }
    }

    /** Whether a byte is where main is left alone, or was since a moment, and has no other place. */
    boolean isAvoided(long offset, long sinceNanos) {
        noteAvoided();
        long sector = offset / plan.sectorBytes;
        long place = running.table().placeOf(offset / SimPlan.UNIT_BYTES);
        int bit = 1 << (int) (offset % SimPlan.UNIT_BYTES / plan.sectorBytes);
        boolean elsewhere = Place.isZero(place) || (Place.onSlotMask(place) & bit) != 0;
        return !elsewhere && lastAvoidedNanos[(int) sector] >= sinceNanos;
    }

    private long unitOf(long sector) {
        return sector * plan.sectorBytes / SimPlan.UNIT_BYTES;
    }

    private void faultOnSpare() {
        long slot = Math.min(running.slots() - 1, random.nextInt(2 * plan.units));
        long first = running.slotOffsetBytes(slot) / plan.sectorBytes;
        if (plan.spareTransients && spares.isFaulty(first)) {
            // Begun anew amid the tries of a transfer, it may outlast them.
            return;
        }
        // Many transient failures in one slot are no transient failure of the slot.
        long count = plan.spareTransients || random.nextInt(3) == 0 ? 1 : SimPlan.UNIT_BYTES / plan.sectorBytes;
        Fault kind = plan.spareTransients
                ? Fault.TRANSIENT
                : List.of(Fault.UNREADABLE, Fault.BAD, Fault.UNWRITABLE).get(random.nextInt(3));
        spares.fault(first, count, kind);
        spareHasFaults |= !plan.spareTransients;
        trace(() -> kind + " slot " + slot + ", sectors " + first + "+" + count + " of the spares");
    }

    /** A sector of a sealed slot is another one from now on, or a whole slot is what it was for another unit. */
    private void rot() {
        List<Long> sealed = running.sealedUnits();
        if (sealed.isEmpty()) {
            return;
        }
        long unit = sealed.get(random.nextInt(sealed.size()));
        long place = running.table().placeOf(unit);
        int mask = Place.onSlotMask(place);
        int sector = Integer.numberOfTrailingZeros(mask);
        long at = running.slotOffsetBytes(slotOf(place)) / plan.sectorBytes + sector;
        if (spares.isFaulty(at)) {
            // What could not be read could not be sealed either.
            return;
        }
        byte[] other = new byte[plan.sectorBytes];
        random.nextBytes(other);
        spares.poke(at, other);
        int perUnit = SimPlan.UNIT_BYTES / plan.sectorBytes;
        for (int i = 0; i < perUnit; i++) {
            if ((mask & 1 << i) != 0) {
                reference.allowErrors(unit * perUnit + i, 1);
            }
        }
        coverage.count("rotten slots");
        trace(() -> "unit " + unit + " rots (" + Place.toString(place) + ")");
    }

    /** As {@link SimProduct.Running#slotOffsetBytes} numbers them: those of a second spare behind those of the first. */
    private long slotOf(long place) {
        return running.firstSlotOf(Place.spare(place)) + Place.slot(place);
    }

    /** Everything at main fails for a while, and nothing is wrong with it. */
    private void linkReset() {
        int errno = random.nextBoolean() ? Errno.EIO : Errno.ETIMEDOUT;
        long millis = 100L + random.nextInt(random.nextBoolean() ? 2_000 : 60_000);
        troubles++;
        coverage.count("link resets");
        trace(() -> "the link of main is reset, for " + millis + " ms");
        main.vanish(errno);
        scheduler.schedule(
                () -> {
                    troubles++;
                    lastDisturbedNanos = scheduler.nanoTime();
                    main.comeBack();
                },
                millis);
    }

    /**
     * Whether main may fail as a whole next. Not twice within the tries of one transfer, whose canaries read in between: nobody
     * could tell that from a bad sector.
     */
    private boolean isCalm() {
        return !main.isGone() && !main.isFailingTransfers() && scheduler.nanoTime() - lastDisturbedNanos >= CALM_NANOS;
    }

    /** So many transfers fail, wherever they go. */
    private void errorsInARow() {
        lastDisturbedNanos = scheduler.nanoTime();
        int errno =
                List.of(Errno.EIO, Errno.ENODEV, Errno.ENOLINK, Errno.ETIMEDOUT).get(random.nextInt(4));
        int count = 1 + random.nextInt(random.nextBoolean() ? 4 : 60);
        troubles++;
        coverage.count("errors in a row");
        trace(() -> "the next " + count + " transfers to main fail");
        main.failTransfers(count, errno);
    }

    private void vanishOrComeBack() {
        FaultyDevice device = random.nextInt(3) == 0 ? spares.any(random) : main;
        if (plan.devicesOnly && device == main && !main.isGone() && !isCalm()) {
            return;
        }
        troubles++;
        if (device == main) {
            lastDisturbedNanos = scheduler.nanoTime();
        }
        if (device.isGone()) {
            // A drive that nobody has noticed to be away cannot be told from one that lies about its cache.
            Long before = goneBefore.remove(device);
            if (before != null && device.goneHits() != before && plan.losesCache) {
                trace(() -> device.name() + " loses some of its cache");
                touched.set(0, plan.units);
                (device == main ? mainMedium : spares.mediumOf(device)).loseSome(random);
                reference.cacheLost();
            }
            device.comeBack();
            trace(() -> device.name() + " is back");
        } else {
            int errno = List.of(Errno.ENODEV, Errno.ENXIO, Errno.EIO, Errno.ENOLINK, Errno.ETIMEDOUT)
                    .get(random.nextInt(5));
            device.vanish(errno);
            storeMayRefuse |= device != main;
            if (errno != Errno.EIO) {
                goneBefore.put(device, device.goneHits());
            }
            trace(() -> device.name() + " is gone");
        }
    }

    private void move() {
        long sectors = plan.sizeBytes() / plan.sectorBytes;
        long first = random.nextInt((int) sectors);
        int most = plan.reuses || random.nextBoolean() ? 8 : SimPlan.MAX_MOVE_SECTORS;
        long count = Math.min(sectors - first, 1 + random.nextInt(most));
        SectorRange range = new SectorRange(first, count);
        touched.set((int) unitOf(first), (int) unitOf(first + count - 1) + 1);
        boolean add = random.nextInt(plan.reuses ? 2 : 3) != 0;
        boolean lose = add && random.nextBoolean();
        movesUnderWay++;
        returnsUnderWay += add ? 0 : 1;
        trace(() -> (add ? "map add " : "map remove ") + range + (lose ? " --unreadable" : ""));
        scheduler.execute(() -> {
            if (add) {
                running.mapAdd(range, lose, error -> moved("map add", error));
            } else {
                running.mapRemove(range, error -> moved("map remove", error));
            }
        });
    }

    private void moved(String what, DiskError error) {
        movesUnderWay--;
        returnsUnderWay -= what.equals("map remove") ? 1 : 0;
        trace(() -> what + " -> " + error);
        coverage.count(error == DiskError.NONE ? what : "moves with an error");
        requireLost();
    }

    /** Whether the disk says that it does not know what a device holds. */
    boolean inDoubt() {
        return running.inDoubt();
    }

    /**
     * A TRIM ended, whether well or not, on a main that forgets. Of what it covered nobody owes anybody the content: where
     * only the page cache had it, that may have been dropped, and a read meets the bad sector.
     */
    void trimmed(ReferenceMap.Write trim, long offsetBytes, long lengthBytes) {
        reference.trimEnded(trim);
        long first = (offsetBytes + plan.sectorBytes - 1) / plan.sectorBytes;
        long end = (offsetBytes + lengthBytes) / plan.sectorBytes;
        for (long sector = first; plan.buffered && sector < end; sector++) {
            if (main.isFaulty(sector)) {
                reference.allowErrors(sector, 1);
            }
        }
    }

    /** Whether main may lose what it has acknowledged and not flushed. */
    boolean mainForgets() {
        return plan.losesCache || plan.buffered;
    }

    long losses() {
        return running.lostUnflushedSectors();
    }

    /** What was found lost since, as the disk lists it. */
    void noteLosses() {
        if (losses() != knownLosses) {
            knownLosses = losses();
            requireLost();
        }
    }

    void flushSucceeded() {
        coverage.add("flushes after a verification", flushHasFailed ? 1 : 0);
    }

    /** What the disk says it has lost must fail from now on. */
    private void requireLost() {
        for (SectorRange range : running.lost()) {
            coverage.add("lost sectors", range.lengthSectors());
            mainHasLost = true;
            for (long sector = range.firstSector(); sector < range.endSector(); sector++) {
                long which = sector;
                require(mayBeLost(sector), () -> "sector " + which + " counts as lost, but nothing ever failed there");
            }
            // What is written there is no loss any more, which has to be recorded.
            touched.set((int) unitOf(range.firstSector()), (int) unitOf(range.endSector() - 1) + 1);
            // Also while a write of it is under way, and after one that failed.
            reference.allowErrors(range.firstSector(), range.lengthSectors());
            reference.requireErrors(range.firstSector(), range.lengthSectors());
        }
    }

    /** A device that was away, or whose transfers failed as a whole, is no reason. */
    private boolean mayBeLost(long sector) {
        boolean onSpare = plan.spareFaults || plan.spareTransients || plan.rots;
        return onSpare
                || mainForgets()
                || reference.mayFail(sector)
                || reference.mayBeUndecided(sector)
                || failedUnits.get((int) unitOf(sector));
    }

    private void endPassingTrouble() {
        main.comeBack();
        spares.endPassingTrouble();
        goneBefore.clear();
        main.failFlushes(0, 0);
        main.failTransfers(0, 0);
    }

    private void stop() {
        endPassingTrouble();
        scheduler.runUntilIdle();
        flushOnceMore();
        noteLosses();
        running.checkQuiet();
        buffers.checkNothingOut();
        boolean unsynced = running.inDoubt();
        coverage.count("clean stops");
        addCounters();
        boolean stable = running.close();
        scheduler.runUntilIdle();
        trace(() -> "stopped, stable: " + stable);
        require(stable || unsynced, () -> "no fault explains why the last flush failed");
        if (stable) {
            // As a flush that begins now: nothing is under way.
            reference.flushSucceeded(reference.flushBegins());
            coverage.add("stable stops after a failed flush", flushHasFailed ? 1 : 0);
        } else if (unsynced) {
            forgetDoubt();
        }
    }

    /** A stop with time flushes and verifies before it closes; here the driver has to let time pass. */
    private void flushOnceMore() {
        DiskRequest request = new DiskRequest(r -> {});
        request.operation = DiskRequest.Operation.FLUSH;
        scheduler.execute(() -> disk().submit(request));
        scheduler.runUntilIdle();
    }

    private void die(boolean powerCut) {
        trace(() -> powerCut ? "power cut" : "the process dies");
        coverage.count(powerCut ? "power cuts" : "crashes");
        coverage.add("crashes during a return", returnsUnderWay);
        addCounters();
        noteLosses();
        boolean doubt = running.inDoubt();
        scheduler.crash();
        buffers.processDied();
        reference.processDied();
        movesUnderWay = 0;
        returnsUnderWay = 0;
        if (doubt) {
            forgetDoubt();
        }
        if (powerCut) {
            if (pages != null) {
                pages.powerCut();
            }
            mainMedium.powerCut(random);
            spares.powerCut(random);
            reference.powerCut();
            if (pages != null) {
                reference.pagesForgotten();
            }
        }
    }

    /** The ledger ends with the process: what main lost that was still in doubt nobody knows of. */
    private void forgetDoubt() {
        coverage.count("deaths in doubt");
        reference.powerCut();
        if (pages != null) {
            // What is read from now on stays so.
            pages.dropClean();
        }
        for (long sector = 0; sector < plan.sizeBytes() / plan.sectorBytes; sector++) {
            if (main.isFaulty(sector)) {
                // Only the page cache had what was acknowledged.
                reference.allowErrors(sector, 1);
            }
        }
    }

    private void addCounters() {
        coverage.addAll(running.counters());
        long onSpare = 0;
        for (Fault fault : Fault.values()) {
            countUpTo("faults " + fault, main.hits(fault));
            onSpare += spares.sum(spare -> spare.hits(fault));
        }
        countUpTo("spare faults", onSpare);
        countUpTo("device gone", main.goneHits() + spares.sum(FaultyDevice::goneHits));
        countUpTo("buffers refused", buffers.refusals());
        require(
                plan.mainFaults
                        || plan.moves
                        || plan.avoids
                        || mainHasLost
                        || losses() > 0
                        || running.counters().get("remap.redirected-writes") == 0,
                () -> "a write was redirected, but no sector was ever bad");
        require(
                !plan.devicesOnly || running.avoided().isEmpty(),
                () -> "areas of main are left alone, but no sector was ever bad");
        require(
                plan.spareFaults || plan.rots || running.badSlots() == 0,
                () -> running.badSlots() + " slots count as bad, but none ever was");
        require(
                plan.mainFaults
                        || plan.spareFaults
                        || plan.rots
                        || running.counters().get("remap.new-unreadable-sectors") == 0,
                () -> "a sector counts as unreadable, but none ever was");
    }

    /** What counts on over the deaths of the process is added once. */
    private void countUpTo(String event, long total) {
        Long before = counted.put(event, total);
        coverage.add(event, total - (before == null ? 0 : before));
    }

    /** Sector by sector, so that no bad one hides the others. */
    private void readEverything() {
        SimClient reader = new SimClient(this, -1, new SplittableRandom(0), plan.sectorBytes);
        reader.readEverything();
        scheduler.runUntil(reader::done);
        require(reader.done(), () -> "a read at the end was never answered");
        reader.end();
    }

    // --- what clients ask

    Disk disk() {
        return running.disk();
    }

    /** Memory for the requests of a client; with what hangs, somebody else may have it at this moment. */
    IoBuffer memory(int bytes) {
        return buffers.acquire(bytes);
    }

    long nextStamp() {
        return ++stamps;
    }

    long lastStamp() {
        return stamps;
    }

    ReferenceMap.Write writeBegins(long offset, long length, long stamp) {
        return reference.writeBegins(offset, length, stamp);
    }

    void fill(ByteBuffer target, long offset, ReferenceMap.Write write) {
        reference.fill(target, offset, write.stamp());
    }

    /** Changes whenever something happens to a device that says nothing of sectors. */
    long troubles() {
        return troubles
                + running.cutConnections()
                + (pages == null ? 0 : pages.failedWriteBacks())
                + (plan.devicesOnly ? main.transferErrors() : 0);
    }

    boolean answersByWire() {
        return running.answersByWire();
    }

    /** What the connection of a client was told so far. */
    LossesTold told(DiskClient client) {
        return told.computeIfAbsent(
                running.connectionOf(client),
                connection -> new LossesTold(losses(), losses() > lossesTold, answersByWire()));
    }

    /** A client knows of so many losses. */
    void lossesTold(long losses) {
        lossesTold = Math.max(lossesTold, losses);
    }

    boolean somethingGone() {
        return main.isGone() || spares.has(FaultyDevice::isGone);
    }

    /** A spare that is away is none of the business of what is on main. */
    boolean isGoneFor(long offset, long end) {
        return main.isGone() || (spares.has(FaultyDevice::isGone) && mayBeRedirected(offset, end));
    }

    /** Whether a transfer hangs now: what waits for it may be answered with an error. */
    boolean somethingHangs() {
        return main.hanging() + spares.sum(FaultyDevice::hanging) > 0;
    }

    /** Throws if a request took longer than its deadline; over a wire it may have waited for a thread before that began. */
    void requireInTime(long begunNanos, Supplier<String> which) {
        long took = scheduler.nanoTime() - begunNanos;
        require(took <= DEADLINE_NANOS || answersByWire(), () -> which.get() + " took " + took / 1_000_000 + " ms");
    }

    /** Whether a request took so long that an error for that is right. */
    boolean mayBeOverdue(long begunNanos) {
        return scheduler.nanoTime() - begunNanos >= DEADLINE_NANOS - DEADLINE_MARGIN_NANOS && (plan.slow || plan.hangs);
    }

    boolean flushMayFail() {
        return main.flushWillFail() || spares.has(FaultyDevice::flushWillFail);
    }

    /** Whether a byte may be where no write helps: on a sector that only takes writes, or on a slot that has failed. */
    boolean mayFailForGood(long offset) {
        return writeOnly.get((int) (offset / plan.sectorBytes))
                || (spareHasFaults && mayBeRedirected(offset, offset + 1));
    }

    boolean touches(long offset, long end) {
        int hit = touched.nextSetBit((int) (offset / SimPlan.UNIT_BYTES));
        return hit >= 0 && (long) hit * SimPlan.UNIT_BYTES < end;
    }

    /** Whether a write of the range may need a mapping that cannot be made, or one before it did. */
    boolean redirectMayFail(long offset, long end) {
        return storeMayRefuse && mayBeRedirected(offset, end);
    }

    /** Whether a write of the range may have needed a mapping: with what hangs any may, for lack of time. */
    boolean mayBeRedirected(long offset, long end) {
        return plan.hangs || touches(offset, end);
    }

    /** Whether one of the edges of an unaligned write may be unreadable. */
    boolean edgeMayFail(ReferenceMap.Write write, long offset, long end, long sinceNanos) {
        return reference.mayHaveFailed(offset / plan.sectorBytes, write)
                || reference.mayHaveFailed((end - 1) / plan.sectorBytes, write)
                || mayFailForGood(offset)
                || mayFailForGood(end - 1)
                || lastAvoidedNanos[(int) (offset / plan.sectorBytes)] >= sinceNanos
                || lastAvoidedNanos[(int) ((end - 1) / plan.sectorBytes)] >= sinceNanos;
    }

    void require(boolean holds, Supplier<String> otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise.get());
        }
    }

    void trace(Supplier<String> event) {
        if (trace != null) {
            trace.append(scheduler.nanoTime()).append(' ').append(event.get()).append('\n');
        }
    }

    /** What happened, one event a line; empty unless traced. */
    public String trace() {
        return trace == null ? "" : trace.toString();
    }

    @Override
    public void close() {
        scheduler.close();
    }
}
