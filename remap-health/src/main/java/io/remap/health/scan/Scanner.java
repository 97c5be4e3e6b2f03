package io.remap.health.scan;

import io.remap.api.DeviceException;
import io.remap.api.DiskError;
import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.Scheduler;
import io.remap.api.SectorRange;
import io.remap.api.spi.WatchedDisk;
import io.remap.api.spi.WatchedDisk.Judgement;
import io.remap.api.spi.WatchedDisk.Trouble;
import io.remap.health.record.Avoidance;
import io.remap.health.record.LatencyHistogram;
import io.remap.health.record.RegionRecords;
import io.remap.health.record.RegionRecords.Finding;
import io.remap.health.record.Remembered;
import io.remap.health.scan.ScanJob.Kind;
import io.remap.health.scan.ScanJob.Probe;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads main from end to end, a little now and then and behind its clients, to find what goes bad before somebody needs it.
 *
 * <p>It runs in steps on the scheduler, one at a time: a step is one read of main, or one request to the disk for a verdict
 * or a move. What could not be read is narrowed down and then judged by the disk; what was slow, for it or for a client, is read
 * again later in pieces, and moved if it is slow again while other places are not ({@link SlowReads}). Around errors it reads at
 * once, whoever met them.
 *
 * <p>It reads nothing in areas that the disk avoids, also not of what it had begun to read.
 *
 * <p>Invariants: at most one read, verdict or move is under way; none is called under the monitor; after {@link #close}
 * none begins. An error that says nothing about sectors stops the scan for a while and counts against no sector.
 * Thread-safe.
 */
public final class Scanner implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Scanner.class);

    private static final long MIN_SUSPEND_MILLIS = 1_000;
    private static final long MAX_SUSPEND_MILLIS = 64_000;

    /** Undecided verdicts on one range before it is left to the next pass. */
    private static final int MAX_UNDECIDED = 5;

    /** How soon moves are tried again when the disk takes none. */
    private static final long NO_MOVES_NANOS = TimeUnit.MINUTES.toNanos(10);

    /** The longest such wait, for a spare that has no room: each try is a read of main, and holds up its clients. */
    private static final long MAX_NO_ROOM_NANOS = TimeUnit.DAYS.toNanos(1);

    /** Longest wait without a look. */
    private static final long MAX_WAIT_NANOS = TimeUnit.MINUTES.toNanos(1);

    /** Longest rest after a read that has no pace of its own; usually it is as long as the read took. */
    private static final long MAX_REST_NANOS = TimeUnit.SECONDS.toNanos(10);

    private final WatchedDisk disk;
    private final Environment environment;
    private final ScanSettings settings;
    private final RegionRecords records;
    private final BooleanSupplier movesWanted;
    private final StaggeredOrder order;

    // Guarded by this.
    private final Pacer pacer;
    private final PassPlan plan;
    private final Leftovers leftovers;
    private final ScanProgress progress;
    private final LocalScans localScans;
    private final SlowReads slowReads;
    private final WeakSectors weak;
    /** Of the pass that goes on, and of the one before: what a disk was like a year ago says little of it now. */
    private final LatencyHistogram latency = new LatencyHistogram("latency");

    private final LatencyHistogram formerLatency = new LatencyHistogram("latency-before");
    private ScanJob job;
    private boolean busy;
    private boolean closed;
    private boolean failed;
    private Scheduler.Cancellable timer;
    private long movesAgainNanos;
    /** Wait of the last move if the spare had no room for it, else 0; and how many slots were free then. */
    private long noRoomNanos;

    private long freeSlotsThen;
    private long lookForRoomNanos;
    private long suspendedUntilNanos;
    private long suspendMillis;
    private long restUntilNanos;
    private String trouble = "";

    /**
     * A scanner that stands still.
     *
     * @param records gets what is found
     * @param movesWanted whether weak sectors may be moved now
     */
    public Scanner(
            WatchedDisk disk,
            Environment environment,
            ScanSettings settings,
            RegionRecords records,
            BooleanSupplier movesWanted) {
        this.disk = disk;
        this.environment = environment;
        this.settings = settings;
        this.records = records;
        this.movesWanted = movesWanted;
        this.order = new StaggeredOrder(disk.traits().sizeBytes(), disk.traits().sectorBytes());
        this.pacer = new Pacer(settings);
        this.progress = new ScanProgress(order.segments());
        this.plan = new PassPlan(order, settings, progress);
        this.leftovers = new Leftovers(disk::probeable, progress, order.sectorBytes());
        this.localScans = new LocalScans(order.segments());
        this.slowReads = new SlowReads(order, settings.recheckNanos(), now());
        this.weak = new WeakSectors(settings.movesPerHour(), settings.movesPerDay());
        this.suspendedUntilNanos = now();
        this.movesAgainNanos = now();
        this.restUntilNanos = now();
    }

    /** What of it is kept over restarts. */
    public List<Remembered> remembered() {
        return List.of(progress, weak, latency, formerLatency);
    }

    /** Goes on where it was, or begins, after the delay of the settings. */
    public synchronized void start() {
        plan.resume(now() + settings.startDelayNanos());
        if (progress.state == ScanProgress.State.IDLE && settings.enabled()) {
            progress.goOn(wallMillis());
        } else if (progress.state == ScanProgress.State.RUNNING && !settings.enabled() && !progress.requested) {
            progress.stop();
        }
        arm(0);
    }

    private long now() {
        return environment.time().nanoTime();
    }

    private long wallMillis() {
        return environment.time().wallMillis();
    }

    private void arm(long delayNanos) {
        if (timer != null) {
            timer.cancel();
        }
        long millis = TimeUnit.NANOSECONDS.toMillis(Math.min(delayNanos, MAX_WAIT_NANOS) + 999_999);
        timer = environment.scheduler().schedule(this::step, millis);
    }

    // --- steps

    private void step() {
        Probe probe;
        try {
            synchronized (this) {
                if (closed || busy) {
                    return;
                }
                probe = next();
                if (probe == null) {
                    return;
                }
                busy = true;
            }
            carryOut(probe);
        } catch (RuntimeException e) {
            fail(e);
        }
    }

    /** The next read; {@code null} after it has seen to what else is next, be it a wait. */
    private Probe next() {
        long now = now();
        if (suspendedUntilNanos - now > 0) {
            arm(suspendedUntilNanos - now);
            return null;
        }
        if (progress.state == ScanProgress.State.PAUSED) {
            // What is weak does not wait for somebody to resume the scan: maintenance is what stops moves.
            // Nobody tells when that is over, or the policy changed: it is looked at once in a while.
            if (!move(now) && weak.waiting() > 0) {
                arm(Math.max(0, moveNanos(now).orElse(now + MAX_WAIT_NANOS) - now));
            }
            return null;
        }
        if (slowReads.inQuestion() != null) {
            Probe control =
                    slowReads.control(place -> disk.probeable(place).ranges().equals(List.of(place)));
            if (control != null) {
                return whenClientsLeaveRoom(control, now);
            }
        }
        if (job != null && job.isTroubled()) {
            // Each read there costs the drive seconds, and nobody learns anything by it.
            job.keepOnly(new Avoidance(disk.avoided())::outside);
        }
        if (job != null && job.isDone()) {
            finish(now);
        }
        if (job == null) {
            if (restUntilNanos - now > 0) {
                arm(restUntilNanos - now);
                return null;
            }
            if (move(now)) {
                return null;
            }
            job = chooseJob(now);
            if (job == null || job.isDone()) {
                arm(job == null ? Math.max(0, nextNanos(now) - now) : 0);
                return null;
            }
        }
        return whenClientsLeaveRoom(job.peek(), now);
    }

    private Probe whenClientsLeaveRoom(Probe probe, long now) {
        long wait = pacer.waitNanos(now, job.dueNanos(), disk.load());
        if (wait > 0) {
            arm(wait);
            return null;
        }
        return probe;
    }

    private boolean scansOnItsOwn() {
        return settings.enabled() || progress.state == ScanProgress.State.RUNNING;
    }

    private ScanJob chooseJob(long now) {
        Suspects.Suspect suspect = slowReads.takeSuspect(now);
        if (suspect != null) {
            ScanJob again = ScanJob.again(suspect, now, order.sectorBytes());
            return again.keepOnly(range -> disk.probeable(range).ranges()) ? again : null;
        }
        OptionalLong local = scansOnItsOwn() ? localScans.take(now) : OptionalLong.empty();
        if (local.isPresent()) {
            return open(Kind.LOCAL, local.getAsLong(), now);
        }
        ScanJob left = leftovers.takeDue(now);
        if (left != null) {
            return left;
        }
        if (progress.state == ScanProgress.State.RUNNING && plan.dueNanos() - now <= 0) {
            if (progress.isAtEnd()) {
                return endPass(now);
            }
            OptionalLong extra = plan.takeExtra(records.worst(PassPlan.WORST_REGIONS));
            return extra.isPresent()
                    ? open(Kind.EXTRA, extra.getAsLong(), now)
                    : open(Kind.PASS, order.segmentAt(progress.position), now);
        }
        return null;
    }

    private ScanJob open(Kind kind, long segment, long now) {
        return leftovers.open(kind, segment, order.segment(segment), now);
    }

    /** Nothing of the pass may be under way any more when it is told to be over. */
    private ScanJob endPass(long now) {
        if (slowReads.waitingOfProbes() > 0 || leftovers.hasOfPass()) {
            return null;
        }
        progress.end(wallMillis());
        plan.resume(now);
        formerLatency.clear();
        formerLatency.addAll(latency);
        latency.clear();
        if (settings.enabled()) {
            progress.begin(false, 0, wallMillis());
        }
        LOG.info("{}: pass {} of the scan is done", disk.name(), progress.last.pass());
        return null;
    }

    private long nextNanos(long now) {
        long next = slowReads.nextNanos(now + MAX_WAIT_NANOS);
        if (scansOnItsOwn() && localScans.nextNanos().isPresent()) {
            next = Math.min(next, localScans.nextNanos().getAsLong());
        }
        next = Math.min(next, leftovers.nextNanos().orElse(next));
        boolean waitsForItsEnd = progress.isAtEnd() && (slowReads.waitingOfProbes() > 0 || leftovers.hasOfPass());
        if (progress.state == ScanProgress.State.RUNNING && !waitsForItsEnd) {
            next = Math.min(next, plan.dueNanos());
        }
        return Math.min(next, moveNanos(now).orElse(next));
    }

    /** When the next weak sector may be moved, if one waits and any may. */
    private OptionalLong moveNanos(long now) {
        if (weak.waiting() == 0 || !movesWanted.getAsBoolean() || !disk.movesWeak()) {
            return OptionalLong.empty();
        }
        long budget = now + TimeUnit.MILLISECONDS.toNanos(weak.waitMillis(wallMillis()));
        return OptionalLong.of(Math.max(budget, movesAgainNanos));
    }

    private void carryOut(Probe probe) {
        long begun = now();
        DeviceException error = null;
        try {
            disk.probe(probe.range());
        } catch (DeviceException e) {
            error = e;
        } catch (IllegalStateException e) {
            LOG.info("{}: the scan ends: {}", disk.name(), e.getMessage());
            close();
        }
        synchronized (this) {
            busy = false;
            if (closed) {
                return;
            }
            if (job != null && slowReads.inQuestion() != null) {
                controlled(error, now() - begun);
            } else if (job != null) {
                probed(probe, error, now() - begun);
            } else {
                // What it belonged to was dropped meanwhile.
                arm(0);
            }
        }
    }

    private void probed(Probe probe, DeviceException error, long tookNanos) {
        job.taken(tookNanos, now());
        if (error == null) {
            suspendMillis = 0;
            trouble = "";
            succeeded(probe, tookNanos);
        } else if (!error.errorClass().mayBeSector()) {
            job.putBack(probe);
            suspend(error.getMessage());
            return;
        } else if (!job.narrow(probe, order.sectorBytes())) {
            judge(probe.range(), probe.failed() + 1, true);
            return;
        }
        if (job.isTooLong()) {
            leaveOut(job.giveUp());
        }
        arm(0);
    }

    private void succeeded(Probe probe, long tookNanos) {
        job.readSectors += probe.range().lengthSectors();
        if (job.kind() != Kind.AGAIN
                && probe.range().lengthSectors() * order.sectorBytes() == StaggeredOrder.SEGMENT_BYTES) {
            latency.add(tookNanos);
        }
        if (tookNanos > settings.slowNanos()) {
            if (job.kind() == Kind.AGAIN) {
                slowReads.question(probe);
            } else {
                slowReads.suspect(probe.range(), 1, now());
            }
        }
    }

    /** A place elsewhere was read, to see whether the device is slow as a whole. */
    private void controlled(DeviceException error, long tookNanos) {
        Probe slow = slowReads.inQuestion();
        job.waited(tookNanos, now());
        if (error != null && !error.errorClass().mayBeSector()) {
            slowReads.drop();
            suspend(error.getMessage());
            return;
        }
        switch (slowReads.controlled(error == null && tookNanos <= settings.slowNanos(), now())) {
            case OPEN -> {}
            case SECTORS_ARE_SLOW -> foundSlow(slow);
            case DEVICE_IS_SLOW -> {
                job.giveUp();
                LOG.warn(
                        "{}: reads of {} take longer than {} ms everywhere: no sector is blamed for that",
                        disk.name(),
                        disk.mainName(),
                        TimeUnit.NANOSECONDS.toMillis(settings.slowNanos()));
            }
        }
        arm(0);
    }

    private void foundSlow(Probe slow) {
        count(Finding.SLOW_PROBE, slow.range());
        if (slow.timesSlow() > 0 && ScanJob.isUnit(slow.range(), order.sectorBytes())) {
            count(Finding.SLOW, slow.range());
            weak.add(slow.range());
        } else {
            slowReads.suspect(slow.range(), slow.timesSlow() + 1, now());
        }
    }

    private void failed(Finding finding, SectorRange sectors) {
        count(finding, sectors);
        progress.failed(wallMillis());
    }

    private void count(Finding finding, SectorRange range) {
        records.add(order.regionOf(range.firstSector()), finding, range, wallMillis());
    }

    // --- verdicts and moves

    /** What reads after all is told of by the disk, and what is weak by now as well. */
    private void judge(SectorRange range, int failedReads, boolean ofJob) {
        busy = true;
        environment
                .scheduler()
                .execute(() ->
                        disk.judge(range, failedReads, judgement -> judged(range, failedReads, ofJob, judgement)));
    }

    private synchronized void judged(SectorRange range, int failedReads, boolean ofJob, Judgement judgement) {
        busy = false;
        if (closed) {
            return;
        }
        switch (judgement) {
            case READABLE, UNREADABLE -> suspendMillis = 0;
            case UNDECIDED -> {
                if (ofJob && job != null && ++job.undecided <= MAX_UNDECIDED) {
                    job.putBack(new Probe(range, 0, failedReads - 1));
                } else if (ofJob) {
                    leaveOut(range.lengthSectors());
                }
                suspend("the disk did not answer for " + range);
                return;
            }
        }
        arm(0);
    }

    /** Begins the move of a weak sector, if one may be moved now. */
    private boolean move(long now) {
        if (weak.waiting() == 0 || !disk.movesWeak() || !movesWanted.getAsBoolean()) {
            return false;
        }
        if (movesAgainNanos - now > 0 && !hasRoomAgain(now)) {
            return false;
        }
        Optional<SectorRange> range = weak.take(wallMillis());
        if (range.isEmpty()) {
            return false;
        }
        busy = true;
        environment.scheduler().execute(() -> disk.relocate(range.get(), error -> relocated(range.get(), error)));
        return true;
    }

    private synchronized void relocated(SectorRange range, DiskError error) {
        busy = false;
        if (closed) {
            return;
        }
        if (error == DiskError.NONE) {
            noRoomNanos = 0;
            count(Finding.RELOCATED, range);
        } else if (error == DiskError.IO && disk.figures().redirects()) {
            // It reads no more, or not for the disk: the disk says which.
            judge(range, 1, false);
            return;
        } else {
            weak.add(range);
            refused(error == DiskError.NO_SPACE, now());
        }
        arm(0);
    }

    private void refused(boolean noRoom, long now) {
        noRoomNanos = noRoom ? Math.min(MAX_NO_ROOM_NANOS, Math.max(NO_MOVES_NANOS, 2 * noRoomNanos)) : 0;
        movesAgainNanos = now + Math.max(NO_MOVES_NANOS, noRoomNanos);
        if (noRoom) {
            freeSlotsThen = disk.figures().freeSlots();
            lookForRoomNanos = now + MAX_WAIT_NANOS;
        }
    }

    /** Whether slots have become free since the spare had no room; a look takes time, so there is one in a while. */
    private boolean hasRoomAgain(long now) {
        if (noRoomNanos == 0 || lookForRoomNanos - now > 0) {
            return false;
        }
        lookForRoomNanos = now + MAX_WAIT_NANOS;
        long free = disk.figures().freeSlots();
        boolean more = free > freeSlotsThen;
        if (more) {
            movesAgainNanos = now;
        }
        freeSlotsThen = free;
        return more;
    }

    // --- what interrupts it

    private void suspend(String why) {
        suspendMillis = Math.min(MAX_SUSPEND_MILLIS, Math.max(MIN_SUSPEND_MILLIS, 2 * suspendMillis));
        suspendedUntilNanos = now() + TimeUnit.MILLISECONDS.toNanos(suspendMillis);
        trouble = why;
        arm(suspendedUntilNanos - now());
    }

    private void fail(RuntimeException e) {
        LOG.error("{}: the scanner stopped by a programming error; the disk serves on", disk.name(), e);
        synchronized (this) {
            failed = true;
            trouble = "a programming error: " + e;
            close();
        }
    }

    private void leaveOut(long sectors) {
        progress.leftOutBytes += job != null && job.isOfPass() ? sectors * order.sectorBytes() : 0;
    }

    private void finish(long now) {
        if (job.kind() != Kind.AGAIN) {
            localScans.read(job.segment(), now);
        }
        progress.scannedBytes += job.isOfPass() ? job.readSectors * order.sectorBytes() : 0;
        if (job.kind() == Kind.PASS) {
            progress.position++;
        }
        if (!plan.finished(job, now, wallMillis())) {
            restUntilNanos = now + Math.min(job.takenNanos(), MAX_REST_NANOS);
        }
        job = null;
    }

    /** Clients or a verdict have met trouble; not called by their threads. */
    public synchronized void met(Trouble what, SectorRange sectors) {
        if (sectors == null || closed) {
            return;
        }
        switch (what) {
            case UNREADABLE -> failed(Finding.UNREADABLE, sectors);
            case REDIRECTED -> failed(Finding.REDIRECTED, sectors);
            case RECOVERED -> count(Finding.RECOVERED, sectors);
            case WEAK -> {
                weak.add(sectors);
                wake();
                return;
            }
            case SLOW -> {
                slowReads.toldOf(sectors, now());
                wake();
                return;
            }
            default -> {
                return;
            }
        }
        long now = now();
        long lastSector =
                Math.min(sectors.endSector() * order.sectorBytes(), order.sizeBytes()) / order.sectorBytes() - 1;
        localScans.around(
                order.segmentOf(sectors.firstSector()),
                order.segmentOf(lastSector),
                now,
                now + settings.localDelayNanos());
        if (!busy) {
            arm(0);
        }
    }

    // --- orders

    /**
     * Goes through the disk at a rate of its own.
     *
     * @param rateBytesPerSecond 0: as fast as clients leave room
     * @param anew from the beginning, not where the pass under way is
     */
    public synchronized void request(long rateBytesPerSecond, boolean anew) {
        boolean goesOn = progress.state == ScanProgress.State.RUNNING || progress.state == ScanProgress.State.PAUSED;
        if (anew || !goesOn) {
            dropJob();
            progress.begin(true, rateBytesPerSecond, wallMillis());
        } else {
            progress.requested = true;
            progress.rateBytesPerSecond = rateBytesPerSecond;
            progress.state = ScanProgress.State.RUNNING;
        }
        plan.resume(now());
        wake();
    }

    /** Stands still until {@link #resume}. */
    public synchronized void pause() throws Refusal {
        progress.require(ScanProgress.State.RUNNING, disk.name(), "pause");
        progress.state = ScanProgress.State.PAUSED;
    }

    /** Goes on after {@link #pause}. */
    public synchronized void resume() throws Refusal {
        progress.require(ScanProgress.State.PAUSED, disk.name(), "resume");
        progress.state = ScanProgress.State.RUNNING;
        plan.resume(now());
        wake();
    }

    /** Ends the pass; the next one is begun by {@link #request} alone. */
    public synchronized void cancel() throws Refusal {
        if (progress.state != ScanProgress.State.PAUSED) {
            progress.require(ScanProgress.State.RUNNING, disk.name(), "cancel");
        }
        progress.state = ScanProgress.State.CANCELLED;
        dropJob();
        wake();
    }

    /** What is under way ends, and counts for nothing; what waits on account of it is read no more. */
    private void dropJob() {
        job = null;
        slowReads.forgetProbes();
        leftovers.forgetPass();
    }

    private void wake() {
        if (!busy) {
            arm(0);
        }
    }

    /** How it stands. */
    public synchronized ScanStatus status() {
        return ScanStatus.of(
                progress,
                plan,
                order,
                weak.waiting(),
                slowReads,
                localScans.waiting(),
                new Avoidance(disk.avoided()),
                trouble,
                now(),
                wallMillis(),
                failed);
    }

    /** How long reads of a whole segment took, of the pass that goes on and of the one before it; a copy. */
    public synchronized LatencyHistogram latency() {
        LatencyHistogram both = new LatencyHistogram("latency");
        both.addAll(latency);
        both.addAll(formerLatency);
        return both;
    }

    /** How many of these were slow. */
    public long slowReads(LatencyHistogram reads) {
        return reads.countBeyond(settings.slowNanos());
    }

    /** Looks at the records while nothing changes them; the look must be short. */
    public synchronized <T> T consistently(Supplier<T> look) {
        return look.get();
    }

    /** Begins nothing any more; what is under way ends by itself and counts for nothing. Idempotent. */
    @Override
    public synchronized void close() {
        closed = true;
        if (timer != null) {
            timer.cancel();
        }
    }
}
