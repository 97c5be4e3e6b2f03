package io.remap.core.disk;

import io.remap.api.DeviceException;
import io.remap.api.DiskError;
import io.remap.api.ErrorClass;
import io.remap.api.Place;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Base of everything that holds a range lock: takes the lock, raises the fence where it must, and gives both back. Its
 * stages run on the scheduler; a stage may block on a device, and ends by handing the next stage to whoever it waits for.
 *
 * <p>Invariants: the range is released exactly once for each time it was granted, after the last publication; while {@code
 * fenced}, the range is moving in every snapshot, and no overlapping write that began before is under way. What stands there
 * is not looked at while it is in doubt, and what was read before a doubt came up is not used after it: the recovery then
 * gives the range back, and begins anew once the doubt is settled.
 */
abstract class Recovery {
    private static final Logger LOG = LoggerFactory.getLogger(Recovery.class);

    /** Tries of one stage when host or commit ask for another. */
    static final int MAX_STAGE_TRIES = 5;

    /** Tries of one transfer, whatever a policy says. */
    static final int MAX_TRIES = 100;

    final VirtualDisk disk;
    final long firstUnit;
    final long endUnit;
    private final Blame blame;
    private RangeLock.Claim claim;
    private boolean fenced;
    private SlotWatch watch;
    private boolean released;
    /** What was opened for it. */
    private final List<Sealed> keptOpen = new ArrayList<>();

    private int stageTries;
    private int restarts;
    private long holdUntilNanos;

    private long doubtsAtGrant;

    Recovery(VirtualDisk disk, long firstUnit, long endUnit) {
        this.disk = disk;
        this.firstUnit = firstUnit;
        this.endUnit = endUnit;
        this.blame = new Blame(disk);
    }

    /** A stage cannot go on and ends with this error; nothing was committed. */
    static final class Failure extends Exception {
        private static final long serialVersionUID = 1L;
        final DiskError error;
        final long offsetBytes;

        Failure(DiskError error, long offsetBytes, Throwable cause) {
            super(cause);
            this.error = error;
            this.offsetBytes = offsetBytes;
        }
    }

    /** The stage is to be run again after the delay; of an error of the host the policy says how often. */
    static class TryLater extends Exception {
        private static final long serialVersionUID = 1L;
        final long delayMillis;

        TryLater(long delayMillis, Throwable cause) {
            super(cause);
            this.delayMillis = delayMillis;
        }
    }

    /** The host is short of something. */
    static final class HostShort extends TryLater {
        private static final long serialVersionUID = 1L;

        HostShort(long delayMillis, Throwable cause) {
            super(delayMillis, cause);
        }
    }

    /** A device is away: nobody in the range is to blame. */
    static final class Away extends TryLater {
        private static final long serialVersionUID = 1L;
        private final transient VirtualDisk.Side side;
        private final Failure failure;

        Away(VirtualDisk.Side side, Failure failure) {
            super(0, failure);
            this.side = side;
            this.failure = failure;
        }
    }

    /** A region of a spare is sealed that is to be written. */
    static final class Sealed extends TryLater {
        private static final long serialVersionUID = 1L;
        private final transient Spare spare;
        private final long offsetBytes;
        private final long lengthBytes;

        Sealed(Spare spare, long offsetBytes, long lengthBytes) {
            super(0, null);
            this.spare = spare;
            this.offsetBytes = offsetBytes;
            this.lengthBytes = lengthBytes;
        }
    }

    /** Something was put in doubt, or taken out, since the range was granted. */
    static final class DoubtMeanwhile extends TryLater {
        private static final long serialVersionUID = 1L;
        /** Of this device nothing may be in doubt when it begins anew; {@code null}: nothing of the range. */
        final transient UnflushedWrites unsettled;

        DoubtMeanwhile(UnflushedWrites unsettled) {
            super(0, null);
            this.unsettled = unsettled;
        }
    }

    /** Fewest tries of a transfer to a slot before the slot is blamed. */
    private static final int MIN_SLOT_TRIES = 2;

    /** One transfer to one device, which may be repeated. */
    @FunctionalInterface
    interface Transfer {
        void run() throws DeviceException;
    }

    /** Part of a recovery. */
    @FunctionalInterface
    interface Stage {
        void run() throws Failure, TryLater;
    }

    /** Queues for the range. */
    final void begin() {
        boolean queued = disk.locks.acquire(firstUnit, endUnit, granted -> {
            claim = granted;
            released = false;
            MapSnapshot snapshot = disk.state.current();
            doubtsAtGrant = snapshot.doubts();
            if (snapshot.isInDoubt(firstUnit, endUnit) && !settlesDoubt()) {
                beginAnew(null);
            } else {
                run(this::locked);
            }
        });
        if (!queued) {
            endUnlocked();
        }
    }

    /** Whether it is what the others wait for when something is in doubt. */
    boolean settlesDoubt() {
        return false;
    }

    /** Whether what was put in doubt since the range was granted makes it begin anew. */
    boolean mindsDoubts() {
        return true;
    }

    /**
     * Throws if what was read since the range was granted may not be what was acknowledged. In buffered mode that takes a
     * flush: a page that could not be written back answers buffered reads with what direct ones do not find, and only a
     * flush tells of it. Never waits with the range: what settles the doubt may need it.
     */
    final void requireNoDoubt() throws TryLater {
        requireNoneSinceGrant();
        if (disk.main.traits().direct() || !disk.main.canBeVerified() || settlesDoubt()) {
            return;
        }
        if (disk.main.doubt().isPresent()) {
            // Until that is settled no flush reaches the device, and nothing else tells of a page.
            throw new DoubtMeanwhile(disk.mainWrites);
        }
        if (!disk.main.isClean()) {
            try {
                disk.main.flush();
            } catch (DeviceException e) {
                // A doubt, as is seen below.
                disk.log.flushFailed(e);
            }
            requireNoneSinceGrant();
        }
    }

    private void requireNoneSinceGrant() throws DoubtMeanwhile {
        if (mindsDoubts() && disk.state.current().doubts() != doubtsAtGrant) {
            throw new DoubtMeanwhile(null);
        }
    }

    /**
     * Goes on once everything that stands in slots of these spares, as far as it was acknowledged or written by this
     * holder, is durable, and nothing was in doubt since the range was granted: what was read there counts. Where one of
     * them was taken out meanwhile, another one may have room.
     *
     * @param spares by number, one bit each
     * @param otherwise what to do before the recovery begins anew, if that fails
     */
    final void flushSlots(int spares, Stage then, Runnable otherwise) {
        Spare spare = disk.spares.get(Integer.numberOfTrailingZeros(spares));
        if (spare == null) {
            otherwise.run();
            run(() -> {
                throw new DoubtMeanwhile(null);
            });
            return;
        }
        spare.writes.syncer.flush(error ->
                disk.environment.scheduler().execute(() -> slotsFlushed(spares, spare, error, then, otherwise)));
    }

    private void slotsFlushed(int spares, Spare spare, DeviceException error, Stage then, Runnable otherwise) {
        int rest = spares & spares - 1;
        if (error != null || disk.state.current().doubts() != doubtsAtGrant) {
            otherwise.run();
            run(() -> {
                throw new DoubtMeanwhile(error == null ? null : spare.writes);
            });
        } else if (rest != 0) {
            flushSlots(rest, then, otherwise);
        } else {
            run(then);
        }
    }

    /**
     * Gives the range back and queues for it again once nothing of it is in doubt.
     *
     * @param unsettled once nothing of this device is; {@code null}: of the range
     */
    void beginAnew(UnflushedWrites unsettled) {
        if (++restarts > MAX_STAGE_TRIES) {
            giveUp(DiskError.IO, -1);
            return;
        }
        release(s -> s.withTable(disk.committedTable()));
        fenced = false;
        watch = null;
        if (unsettled != null) {
            unsettled.verification.whenSettled(
                    error -> disk.environment.scheduler().execute(() -> settled(unsettled, error)));
            return;
        }
        boolean refused = disk.state.current().isRefused(firstUnit, endUnit);
        if (refused
                && mayBeHeld()
                && disk.sideInDoubt().dropOff().hold(holdUntil(), this::begin, this::gaveUpWaiting)) {
            return;
        }
        if (refused || !disk.state.park(firstUnit, endUnit, this::begin)) {
            failed(DiskError.IO, -1);
        }
    }

    /** Before a transfer to slots: throws where they are sealed, so that it begins anew once they are not. */
    static void requireOpen(Spare spare, long offsetBytes, long lengthBytes) throws Sealed {
        if (spare.gate != null && spare.gate.firstClosed(offsetBytes, lengthBytes) >= 0) {
            throw new Sealed(spare, offsetBytes, lengthBytes);
        }
    }

    /** Gives the range back meanwhile: what rotted there must be given up first, by another holder. */
    private void beginWhenOpen(Sealed region) {
        giveRangeBack(s -> s.withTable(disk.committedTable()));
        fenced = false;
        watch = null;
        disk.checksums.open(
                region.spare,
                region.offsetBytes,
                region.lengthBytes,
                error -> disk.environment.scheduler().execute(() -> opened(region, error)));
    }

    /** A spare that does not answer is passed over, or waited for, as it is where nothing is sealed. */
    private void opened(Sealed region, DeviceException error) {
        Spare spare = region.spare;
        if (error == null) {
            keepOpen(region);
            blame.hostGotOn();
            begin();
        } else if (Blame.isAway(error.errorClass()) || error.errorClass().mayBeSector()) {
            boolean passedOver = spare.isPassedOver();
            spare.passOver();
            if (!passedOver && disk.spares.anotherHasRoom(1 << spare.index)) {
                begin();
            } else if (!mayBeHeld() || !spare.side.dropOff().hold(holdUntil(), this::begin, this::gaveUpWaiting)) {
                endUnlocked();
            }
        } else if (error.errorClass() == ErrorClass.HOST && blame.isHostWaitedFor(error)) {
            disk.environment.scheduler().schedule(this::begin, blame.hostDelayMillis());
        } else {
            endUnlocked();
        }
    }

    /**
     * Until the end of the recovery, as a write that is under way: it may take longer than a region is left alone.
     *
     * @return {@code false} if it is closed
     */
    final boolean keepOpen(Sealed region) {
        return region.spare.gate.enter(region.offsetBytes, region.lengthBytes) && keptOpen.add(region);
    }

    private void leaveOpen() {
        keptOpen.forEach(kept -> kept.spare.gate.leave(kept.offsetBytes, kept.lengthBytes));
        keptOpen.clear();
    }

    /** The range was released before. */
    private void endUnlocked() {
        leaveOpen();
        failed(DiskError.IO, -1);
    }

    /** Main may be away, which is waited for as ever; a spare is not. */
    private void settled(UnflushedWrites unsettled, DeviceException error) {
        if (error == null) {
            begin();
        } else if (unsettled != disk.mainWrites
                || !Blame.isAway(error.errorClass())
                || !mayBeHeld()
                || !disk.mainSide.dropOff().hold(holdUntil(), this::begin, this::gaveUpWaiting)) {
            failed(DiskError.IO, -1);
        }
    }

    /** The range is ours. */
    abstract void locked() throws Failure, TryLater;

    /** Ends whatever asked for the recovery; the range is already released. */
    abstract void failed(DiskError error, long offsetBytes);

    /** Runs a stage; its failures end the recovery. */
    final void run(Stage stage) {
        try {
            stage.run();
        } catch (DoubtMeanwhile e) {
            beginAnew(e.unsettled);
        } catch (Sealed e) {
            beginWhenOpen(e);
        } catch (Away e) {
            waitForDevice(e, stage);
        } catch (HostShort e) {
            blame.hostWasShort();
            disk.environment.scheduler().schedule(() -> run(stage), e.delayMillis);
        } catch (TryLater e) {
            if (++stageTries < MAX_STAGE_TRIES) {
                disk.environment.scheduler().schedule(() -> run(stage), e.delayMillis);
            } else {
                giveUp(DiskError.IO, -1);
            }
        } catch (Failure e) {
            giveUp(e.error, e.offsetBytes);
        } catch (RuntimeException e) {
            LOG.error(
                    "{}: recovery of units {} to {} stopped by a programming error",
                    disk.name(),
                    firstUnit,
                    endUnit,
                    e);
            if (released) {
                throw e;
            }
            giveUp(DiskError.IO, -1);
        }
    }

    /** From the first time on that the device is away it has so long, however often it comes and goes. */
    private void waitForDevice(Away away, Stage stage) {
        Failure failure = away.failure;
        boolean held = mayBeHeld()
                && away.side
                        .dropOff()
                        .hold(holdUntil(), () -> run(stage), () -> giveUp(failure.error, failure.offsetBytes));
        if (!held) {
            giveUp(failure.error, failure.offsetBytes);
        }
    }

    private long holdUntil() {
        if (holdUntilNanos == 0) {
            holdUntilNanos = disk.environment.time().nanoTime() + disk.holdAwayNanos();
        }
        return holdUntilNanos;
    }

    private void gaveUpWaiting() {
        endUnlocked();
    }

    /** Whether it may wait for a device that is away, as a client does. */
    boolean mayBeHeld() {
        return false;
    }

    private void giveUp(DiskError error, long offsetBytes) {
        if (released) {
            throw new IllegalStateException("a recovery failed after its end: " + error);
        }
        // What is committed is published, whoever committed it: the map never lags behind what the next open will find.
        release(s -> s.withTable(disk.committedTable()));
        failed(error, offsetBytes);
    }

    /** Raises the fence over the range and goes on once nothing that overlaps is under way. */
    final void fence(boolean readsToo, Stage then) {
        disk.state.publish(s -> s.withMoving(firstUnit, endUnit));
        fenced = true;
        disk.inFlight.awaitOverlapping(firstUnit, endUnit, awaited(readsToo), () -> run(then));
    }

    /** Which transfers keep the fence from standing. */
    InFlightTable.Awaited awaited(boolean readsToo) {
        return readsToo ? InFlightTable.Awaited.ALL : InFlightTable.Awaited.WRITES;
    }

    /** Throws if a write hangs that may reach main in the range at any time: then the fence would not stand for long. */
    final void requireNothingLate() throws Failure {
        if (disk.deadlines.isWriteLate(firstUnit, endUnit)) {
            throw new Failure(DiskError.IO, firstUnit << Place.UNIT_SHIFT, null);
        }
    }

    /** Lowers the fence; the range stays ours. */
    final void unfence() {
        disk.state.publish(s -> s.withoutMoving(firstUnit, endUnit));
        fenced = false;
    }

    /** Begins, or begins anew, to note writes to slots of the range; one that is under way counts. Keeps nobody out. */
    final void watch() {
        if (watch == null) {
            watch = new SlotWatch(firstUnit, endUnit);
            disk.state.publish(s -> s.withWatch(watch));
        }
        watch.begin(disk.inFlight);
    }

    /** Whether a write went to a slot of the range since {@link #watch}: complete once the fence is up. */
    final boolean touched() {
        return watch.touched();
    }

    /** Publishes the change, lowers the fence, and gives the range back. */
    final void release(UnaryOperator<MapSnapshot> change) {
        giveRangeBack(change);
        leaveOpen();
    }

    private void giveRangeBack(UnaryOperator<MapSnapshot> change) {
        disk.state.publish(s -> {
            MapSnapshot changed = change.apply(s);
            changed = watch == null ? changed : changed.withoutWatch(watch);
            return fenced ? changed.withoutMoving(firstUnit, endUnit) : changed;
        });
        released = true;
        disk.locks.release(claim);
    }

    /** Whether reads must be waited for as well: a slot may be reused, or a page changes its door. */
    final boolean mustWaitForReads() {
        return !disk.main.traits().direct() || !disk.state.current().surelyPlain(firstUnit, endUnit);
    }

    /**
     * Repeats a transfer until it succeeds or its sectors are to blame. A slot is never blamed for a single failure, since
     * that is for good: the spare may have been away just then.
     *
     * @return whether it succeeded; {@code false}: the sectors are to blame, or the time is over
     */
    final boolean succeeds(VirtualDisk.Side side, boolean read, long offset, Transfer transfer)
            throws Failure, TryLater {
        for (int attempts = 1; ; attempts++) {
            try {
                transfer.run();
                return true;
            } catch (DeviceException e) {
                boolean enough = side.device() == disk.main || attempts >= MIN_SLOT_TRIES;
                if ((blamesSectors(side, read, e, attempts, offset) && enough) || isOutOfTime(side)) {
                    return false;
                }
            }
        }
    }

    /** Why sectors of main are in its hands, if an error says so. */
    final Optional<DiskEvent.Cause> suspicion() {
        return blame.suspicion();
    }

    /** Whether a transfer that fails is not worth another try, as there is another way and too little time. */
    boolean isOutOfTime(VirtualDisk.Side side) {
        return false;
    }

    /** As {@link Blame#blamesSectors}. */
    final boolean blamesSectors(VirtualDisk.Side side, boolean read, DeviceException error, int attempts, long offset)
            throws Failure, TryLater {
        return blame.blamesSectors(side, read, error, attempts, offset);
    }
}
