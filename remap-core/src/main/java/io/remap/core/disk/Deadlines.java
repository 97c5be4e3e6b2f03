package io.remap.core.disk;

import io.remap.api.Attribute;
import io.remap.api.DiskRequest;
import io.remap.api.Place;
import io.remap.api.Scheduler;
import io.remap.api.SectorRange;
import io.remap.api.spi.WatchedDisk;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sees to it that every request is answered in time, whatever a device does, and knows what is under way that nobody waits
 * for any more. A sweep looks at all requests a few times a second, as long as there are any: no timer, lock or look at
 * a clock for a request.
 *
 * <p>What hangs at a device keeps its buffer and its entry in the table of transfers in flight until it comes back:
 *
 * <ul>
 *   <li>A <em>write</em> that hangs may reach its place at any time. Main's place of it is written by nobody else until it
 *       has come back: a write that comes meanwhile goes to the spare, and one that cannot waits. Nothing is brought back to
 *       main there. Of a long request without payload this is the piece that hangs: the rest of it goes on at main.
 *   <li>A <em>read</em> that hangs changes nothing; but so that one place does not take all threads, further reads of it
 *       wait from {@link #MOST_AT_ONE_PLACE} on, also for those that are only {@link #LATE_NANOS late} so far.
 * </ul>
 *
 * <p>Whoever waits has no thread, and is answered at its own deadline. At most {@link #MOST_WAITING} requests wait, and {@link
 * #MOST_WAITING_OF_CLIENT} of one client; what comes beyond, and while what hangs holds more than a quarter of the memory, is
 * answered with an error at once. So is what needs a sync while {@link #MOST_SYNCS} that were answered wait for one.
 *
 * <p>Invariants: a request is known here before it is answered for being late, until its last transfer has ended; the sweep
 * runs on threads that no device can hold up.
 *
 * <p>Thread-safe.
 */
final class Deadlines {
    /** How often the sweep looks. */
    static final long SWEEP_MILLIS = 250;

    /** What was at a device for so long hangs. */
    static final long LATE_NANOS = TimeUnit.SECONDS.toNanos(1);

    /** Until {@link #answerWithin}. */
    static final long USUAL_MILLIS = 20_000;

    /** In less no write could be found to hang, main be asked whether it lives, and the spare take the write. */
    static final long MIN_MILLIS = 3_000;

    /** Reads of one place that may hang at the device. */
    static final int MOST_AT_ONE_PLACE = 4;

    /** A quarter of the table of transfers in flight. */
    static final int MOST_WAITING = InFlightTable.CAPACITY / 4;

    /** A quarter of what a connection may have under way. */
    static final int MOST_WAITING_OF_CLIENT = 32;

    /** Flushes and FUA writes that wait for a sync that hangs and were answered; the next ones are so at once. */
    static final int MOST_SYNCS = 64;

    /** Slow reads that one sweep tells health of; the others are told of by the next, if they are still slow. */
    static final int MOST_SLOW_TOLD = 16;

    /** Units of requests that were given up at the end that are remembered until then. */
    private static final int MOST_UNDECIDED = 1 << 16;

    private static final Logger LOG = LoggerFactory.getLogger(Deadlines.class);

    private static final Late[] NOTHING = {};

    private final VirtualDisk disk;
    /** Of the service, not of the disk. */
    private final Scheduler scheduler;

    private final Runnable sweep = this::sweep;
    private final AtomicBoolean armed = new AtomicBoolean();

    /** Since when main is known to have answered its canary. */
    private volatile long mainAliveNanos;

    private final AtomicBoolean asking = new AtomicBoolean();

    /** Reads of main that take longer are told to health. */
    private volatile long slowReadNanos = WatchedDisk.NO_READ_IS_SLOW;

    /** Set before the first request, and at the end of the disk. */
    private volatile long answerNanos;

    // Set before the first request.
    private long redirectNanos;
    private long mostBytes = 16 << 20;

    /** All that there are; guarded by itself. */
    private final List<WeakReference<PendingRequest>> requests = new ArrayList<>();

    /** Replaced as a whole under the monitor of this object. */
    private volatile Late[] late = NOTHING;

    /** Reads that are late and not answered, as of the last sweep; they are gone with the next one at the latest. */
    private volatile Late[] slow = NOTHING;

    /** Guarded by this. */
    private final List<Waiting> waiting = new ArrayList<>();

    /** Guarded by this. */
    private final Set<Long> undecided = new HashSet<>();

    private volatile long lateBytes;
    private volatile int lateSyncs;

    /**
     * Something that hangs at a device.
     *
     * @param onMain it is one transfer to main, and nothing else
     * @param sync it waits for a sync, and has no transfer anywhere
     * @param bytes memory that it holds
     */
    private record Late(
            PendingRequest of, long firstUnit, long endUnit, boolean write, boolean onMain, boolean sync, int bytes) {
        boolean overlaps(long first, long end) {
            return firstUnit < end && first < endUnit;
        }
    }

    private record Waiting(PendingRequest request, long firstUnit, long endUnit, boolean onMain, Runnable again) {}

    /** What a transfer has to do about what hangs. */
    enum Way {
        FREE,
        /** Main must not be written there. */
        TO_SPARE,
        WAIT,
        /** Too much hangs, and too much waits. */
        REFUSED
    }

    Deadlines(VirtualDisk disk, Scheduler scheduler) {
        this.disk = disk;
        this.scheduler = scheduler;
        this.mainAliveNanos = disk.environment.time().nanoTime();
        answerWithin(USUAL_MILLIS, mostBytes);
    }

    /**
     * Sets the limits, before the first request.
     *
     * @param deadlineMillis of each request, {@link #MIN_MILLIS} or more
     * @param newMostBytes how much memory may be held by what hangs
     */
    void answerWithin(long deadlineMillis, long newMostBytes) {
        long nanos = TimeUnit.MILLISECONDS.toNanos(deadlineMillis);
        // It is seen by the next sweep, and answered by one: both may be late on a busy machine.
        answerNanos = nanos - 4 * TimeUnit.MILLISECONDS.toNanos(SWEEP_MILLIS);
        redirectNanos = nanos / 4;
        mostBytes = newMostBytes;
    }

    /** Has reads of main that take longer told to health. */
    void noticeSlowReads(long nanos) {
        slowReadNanos = nanos;
    }

    /** The time of every request is over, also of one that begins now. */
    void end() {
        answerNanos = 0;
        synchronized (this) {
            Arrays.stream(late).forEach(this::leaveUndecided);
        }
    }

    private void leaveUndecided(Late each) {
        for (long unit = each.firstUnit; unit < each.endUnit && undecided.size() < MOST_UNDECIDED; unit++) {
            undecided.add(unit);
        }
    }

    /** Whether a request for the unit was given up at the end of the disk, so that nobody knows whether it reads. */
    synchronized boolean isUndecided(long unit) {
        return undecided.contains(unit);
    }

    /** Age of a request at which it is answered, as the sweep counts. */
    long answerNanos() {
        return answerNanos;
    }

    /** A quarter of the time that a request has: what main has not taken by then goes to the spare. */
    long redirectNanos() {
        return redirectNanos;
    }

    // --- the sweep

    /** Looks at this one from now on, whenever it is open. */
    void watch(PendingRequest request) {
        synchronized (requests) {
            requests.add(new WeakReference<>(request));
        }
    }

    /** A request is open; called after it is. */
    void begun() {
        if (!armed.get() && armed.compareAndSet(false, true)) {
            scheduler.schedule(sweep, SWEEP_MILLIS);
        }
    }

    private void sweep() {
        boolean again = true;
        try {
            boolean open = lookAtAll();
            wakeWhoMayGoOn();
            again = open;
        } catch (RuntimeException e) {
            LOG.error("{}: a look at the requests under way failed", disk.name(), e);
        } finally {
            // Whatever it was, also an Error, which whoever runs this tells of: the others have their deadlines.
            if (again) {
                scheduler.schedule(sweep, SWEEP_MILLIS);
            }
        }
        if (again) {
            return;
        }
        armed.set(false);
        // Whoever opened before that has relied on it.
        if (isAnyOpen()) {
            begun();
        }
    }

    private List<PendingRequest> all() {
        List<PendingRequest> found = new ArrayList<>();
        synchronized (requests) {
            requests.removeIf(reference -> {
                PendingRequest request = reference.get();
                return request == null || !found.add(request);
            });
        }
        return found;
    }

    private boolean lookAtAll() {
        long now = disk.environment.time().nanoTime();
        boolean open = false;
        List<Late> slowReads = new ArrayList<>();
        int told = 0;
        for (PendingRequest request : all()) {
            PendingRequest next = request.look(now);
            if (next != null) {
                watch(next);
            }
            open |= next != null || request.isOpen();
            if (request.isSlowRead(now)) {
                slowReads.add(lateOf(request, false, 0));
            }
            SectorRange units = told < MOST_SLOW_TOLD ? request.takeSlowRead(now, slowReadNanos) : null;
            if (units != null) {
                told++;
                disk.log.slowRead(units);
            }
        }
        slow = slowReads.isEmpty() ? NOTHING : slowReads.toArray(NOTHING);
        return open;
    }

    private boolean isAnyOpen() {
        return all().stream().anyMatch(PendingRequest::isOpen);
    }

    // --- what hangs

    /** Whether anything hangs: asked for each segment. */
    boolean isAnyLate() {
        return late != NOTHING || slow != NOTHING;
    }

    /** What is under way for the request goes on without it. Before anybody is answered. */
    synchronized void begins(PendingRequest request, boolean onMain, int bytes) {
        Late[] more = Arrays.copyOf(late, late.length + 1);
        more[late.length] = lateOf(request, onMain, bytes);
        lateBytes += bytes;
        lateSyncs += more[late.length].sync ? 1 : 0;
        late = more;
        if (disk.isEnding()) {
            leaveUndecided(more[more.length - 1]);
        }
    }

    private static Late lateOf(PendingRequest request, boolean onMain, int bytes) {
        boolean sync = request.isSyncing();
        boolean ranged = !sync && request.asked != DiskRequest.Operation.FLUSH;
        return new Late(
                request,
                ranged ? request.underWayFrom() >> Place.UNIT_SHIFT : 0,
                ranged ? SegmentCursor.endUnit(request.underWayTo()) : 0,
                ranged && request.changes(),
                onMain,
                sync,
                bytes);
    }

    /** Nothing of it is under way any more. */
    void ended(PendingRequest request) {
        synchronized (this) {
            Late[] before = late;
            Late[] fewer = new Late[before.length - 1];
            int count = 0;
            for (Late each : before) {
                if (each.of == request) {
                    lateBytes -= each.bytes;
                    lateSyncs -= each.sync ? 1 : 0;
                } else {
                    fewer[count++] = each;
                }
            }
            late = count == 0 ? NOTHING : fewer;
        }
        wakeWhoMayGoOn();
    }

    /** Whether so many wait for a sync that hangs that no more may. */
    boolean refusesSyncs() {
        return lateSyncs >= MOST_SYNCS;
    }

    /** Whether a write hangs whose transfer is to main, alone, and may reach these units of it at any time. */
    boolean isWriteLateOnMain(long firstUnit, long endUnit) {
        for (Late each : late) {
            if (each.write && each.onMain && each.overlaps(firstUnit, endUnit)) {
                return true;
            }
        }
        return false;
    }

    /** Whether a write hangs that was answered, wherever it goes. */
    boolean isWriteLate(long firstUnit, long endUnit) {
        for (Late each : late) {
            if (each.write && each.overlaps(firstUnit, endUnit)) {
                return true;
            }
        }
        return false;
    }

    /** What a transfer to these units has to do. */
    Way wayOf(boolean write, boolean onMain, long firstUnit, long endUnit) {
        int atPlace = 0;
        for (Late each : slow) {
            atPlace += each.overlaps(firstUnit, endUnit) ? 1 : 0;
        }
        boolean toSpare = true;
        boolean writes = false;
        for (Late each : late) {
            if (!each.overlaps(firstUnit, endUnit) || (each.onMain && !onMain)) {
                continue;
            }
            atPlace++;
            writes |= each.write;
            toSpare &= !each.write || each.onMain;
        }
        if (write && writes) {
            return toSpare && disk.redirectsWrites() ? Way.TO_SPARE : Way.WAIT;
        }
        if (isTooMuch() && (atPlace > 0 || (onMain && isTooMuchAtMain()))) {
            return Way.REFUSED;
        }
        return !write && atPlace >= MOST_AT_ONE_PLACE ? Way.WAIT : Way.FREE;
    }

    /** A few large requests over one bad place do not count as a device that hangs. */
    private boolean isTooMuch() {
        return lateBytes > mostBytes && late.length > 2 * MOST_AT_ONE_PLACE;
    }

    /** Rather main as a whole than one place at which much waits. */
    private boolean isTooMuchAtMain() {
        long bytes = 0;
        for (Late each : late) {
            bytes += each.onMain ? each.bytes : 0;
        }
        return bytes > mostBytes;
    }

    /**
     * Whether main has answered somebody who asked after this moment: a device that hangs as a whole is away, and nothing goes
     * to the spare for that. Asks it, if nobody has; does not wait.
     */
    boolean mainAnsweredSince(long nanos) {
        if (mainAliveNanos - nanos > 0) {
            return true;
        }
        if (asking.compareAndSet(false, true)) {
            long began = disk.environment.time().nanoTime();
            disk.environment.scheduler().execute(() -> {
                try {
                    if (disk.mainSide.canary().alive()) {
                        mainAliveNanos = began;
                    }
                } finally {
                    asking.set(false);
                }
            });
        }
        return false;
    }

    /**
     * Has a request wait for what hangs, or for its own deadline.
     *
     * @param again run on the disk's threads
     * @return {@code false} if too many wait already
     */
    boolean await(PendingRequest request, boolean onMain, long firstUnit, long endUnit, Runnable again) {
        synchronized (this) {
            long own = waiting.stream()
                    .filter(other -> other.request.client == request.client)
                    .count();
            if (waiting.size() >= MOST_WAITING || own >= MOST_WAITING_OF_CLIENT || isTooMuch()) {
                return false;
            }
            waiting.add(new Waiting(request, firstUnit, endUnit, onMain, again));
        }
        // What it waits for may have ended before it was listed.
        wakeWhoMayGoOn();
        return true;
    }

    private void wakeWhoMayGoOn() {
        List<Runnable> awake = new ArrayList<>();
        synchronized (this) {
            waiting.removeIf(each -> (each.request.isOverdue()
                            || wayOf(each.request.changes(), each.onMain, each.firstUnit, each.endUnit) != Way.WAIT)
                    && awake.add(each.again));
        }
        for (Runnable again : awake) {
            disk.environment.scheduler().execute(again);
        }
    }

    List<Attribute> attributes() {
        return List.of(
                Attribute.readOnly(
                        "deadline.hanging",
                        "count",
                        "Requests that were answered without it, or written elsewhere, while a device has not answered yet",
                        () -> (long) late.length),
                Attribute.readOnly("deadline.hanging-bytes", "bytes", "Memory that these hold", () -> lateBytes),
                Attribute.readOnly(
                        "deadline.waiting", "count", "Requests that wait for what hangs", this::waitingRequests));
    }

    private synchronized Object waitingRequests() {
        return (long) waiting.size();
    }
}
