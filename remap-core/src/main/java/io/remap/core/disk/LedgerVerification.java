package io.remap.core.disk;

import io.remap.api.DeviceException;
import io.remap.api.Place;
import io.remap.api.Scheduler.Cancellable;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Finds out what a device still holds of the writes that were acknowledged and not flushed, whenever the fate of its cache
 * is in doubt: a flush failed, or the device was away. So a flush is answered with what is, and not with what a second sync
 * says. One for each device of a virtual disk; they do not wait for each other.
 *
 * <p>At once, on the thread that met the doubt, the ranges of the ledger are fenced. Then, in rounds, each of them is read
 * back in disk order ({@link PieceVerification}) and let go; once all are as they were acknowledged, or moved to the spare,
 * or recorded as lost, a <em>new</em> sync ends the doubt. The rules:
 *
 * <ul>
 *   <li>Equal proves the content, not that it is durable, since a drive answers from its cache: only a sync that began after
 *       the reading, with no other doubt since the reading began, ends the doubt.
 *   <li>A sync that fails is another doubt: read back again. One that goes on failing leaves the content proven and the doubt
 *       standing; the next flush has it tried again.
 *   <li>While the device does not answer, or what is lost cannot be recorded, nothing is let go: requests for these ranges get an
 *       error, and it is tried again after a pause.
 * </ul>
 *
 * <p>The same holds while another medium is in the device, as far as the kernel tells ({@code diskseq}).
 *
 * <p>Between the loss and the moment in which the device tells of it a read may see what the device went back to; in
 * buffered mode this takes as long as the kernel writes back by itself. Thread-safe. One round at a time.
 */
final class LedgerVerification {
    /** Most ranges of the fence: more are joined over the smallest gaps. */
    static final int MAX_RANGES = 256;

    /** Most units of a piece, as any background holder takes them. */
    static final long MAX_PIECE_UNITS = Relocation.MAX_PIECE_BYTES >> Place.UNIT_SHIFT;

    /** Syncs tried before it waits for somebody who asks. */
    private static final int MAX_SYNCS = 2;

    private static final int MAX_PAUSE_SHIFT = 6;

    /** How far it is. */
    enum State {
        /** Nothing is in doubt. */
        SETTLED,
        VERIFYING,
        /** The device does not answer, or a loss cannot be recorded. */
        SUSPENDED,
        /** The content is proven, but no sync has succeeded since. */
        UNSYNCED
    }

    private final VirtualDisk disk;
    private final UnflushedWrites writes;
    private final TrackedDevice device;
    private final Ledger ledger;
    private final int number;

    // Guarded by this.
    private final List<Consumer<DeviceException>> waiting = new ArrayList<>();
    private State state = State.SETTLED;
    private boolean again;
    private boolean fenceIsWhole;
    private long fencedTo;
    private int syncsLeft;
    private int failures;
    private Cancellable retry;
    private boolean stopped;

    /** Of the doubt, over all its rounds; one piece at a time uses it. */
    private PieceVerification.Workspace workspace;

    /** For {@link UnflushedWrites}, of which the device and the ledger are there by now. */
    LedgerVerification(UnflushedWrites writes) {
        this.writes = writes;
        this.disk = writes.disk;
        this.device = writes.device;
        this.ledger = writes.ledger;
        this.number = writes.number;
    }

    // --- from outside

    /** Something is in doubt: nothing of the ledger is read before it is verified. Returns with the fence up. */
    void inDoubt() {
        boolean starts;
        synchronized (this) {
            again = true;
            syncsLeft = state == State.VERIFYING ? syncsLeft : MAX_SYNCS;
            fence();
            // One that is suspended has its own time: every request to a device that is gone is another doubt.
            starts = state != State.SUSPENDED;
        }
        if (starts) {
            start();
        }
    }

    /** Fences all that the ledger holds, if not all of it is. */
    private void fence() {
        if (fenceIsWhole && fencedTo == ledger.now()) {
            return;
        }
        fencedTo = ledger.now();
        LedgerIndex index = new LedgerIndex(ledger);
        long[] ranges = writes.ranges(index, MAX_RANGES);
        disk.state.publish(s -> s.withDoubt(number, ranges));
        fenceIsWhole = index.isComplete();
    }

    /** Reports when the doubt is settled ({@code null}), or that it cannot be for now. Has it tried at once. */
    void whenSettled(Consumer<DeviceException> then) {
        Optional<DeviceException> doubt = device.doubt();
        if (doubt.isPresent() && device.canBeVerified()) {
            // If it is settled just now, another round finds nothing left and says so: nobody waits for ever.
            synchronized (this) {
                waiting.add(then);
                syncsLeft = Math.max(syncsLeft, 1);
            }
            start();
        } else {
            then.accept(doubt.orElse(null));
        }
    }

    synchronized State state() {
        return state;
    }

    /** For people: what is in the ledger, and what is done about it. */
    String describe() {
        return ledger.sectors() + " sectors unflushed"
                + switch (state()) {
                    case SETTLED -> "";
                    case VERIFYING -> ", verifying";
                    case SUSPENDED -> ", not verifiable now";
                    case UNSYNCED -> ", verified, but syncs fail";
                };
    }

    /** Nothing is tried any more but what is under way. */
    synchronized void stop() {
        stopped = true;
        cancelRetry();
    }

    // --- rounds

    private void cancelRetry() {
        if (retry != null) {
            retry.cancel();
            retry = null;
        }
    }

    private void start() {
        boolean begins;
        synchronized (this) {
            if (state == State.VERIFYING) {
                return;
            }
            cancelRetry();
            begins = disk.enter();
            state = begins ? State.VERIFYING : State.SUSPENDED;
        }
        if (begins) {
            disk.environment.scheduler().execute(this::round);
        } else {
            // The disk is about to stop, and what is under way must end.
            disk.state.publish(s -> s.withDoubtRefused(number, true));
            tell(device.doubt().orElse(null));
        }
    }

    private void round() {
        Round next;
        synchronized (this) {
            again = false;
        }
        if (device.doubt().isEmpty()) {
            // Settled before somebody who saw it began this round: flushes release records again.
            end(State.SETTLED, null);
            return;
        }
        synchronized (this) {
            long doubts = device.doubts();
            // What a round before this one let go is in doubt still.
            fence();
            disk.state.publish(s -> s.withDoubtRefused(number, false));
            next = new Round(doubts, disk.state.current().doubts(number));
        }
        try {
            device.requireSameMedium();
        } catch (DeviceException e) {
            suspend(e, true);
            return;
        }
        next.next();
    }

    /** One reading of all that the ledger held when it began. */
    private final class Round implements PieceVerification.Listener {
        private final long doubts;
        private final long published;
        private final LedgerIndex index = new LedgerIndex(ledger);
        private final long[] ranges = writes.ranges(index, Integer.MAX_VALUE);
        private int at;
        private long verifiedTo;

        /**
         * @param doubts those of the device when it began
         * @param published those of the snapshot when it began
         */
        Round(long doubts, long published) {
            this.doubts = doubts;
            this.published = published;
        }

        /** Reads the next piece, or comes to the end. */
        void next() {
            if (isOutdated()) {
                goOn(LedgerVerification.this::round);
                return;
            }
            while (at < ranges.length && ranges[at + 1] <= verifiedTo) {
                at += 2;
            }
            if (at == ranges.length) {
                allRead();
                return;
            }
            long first = Math.max(ranges[at], verifiedTo);
            long end = Math.min(ranges[at + 1], first + MAX_PIECE_UNITS);
            if (workspace == null) {
                workspace = new PieceVerification.Workspace();
            }
            new PieceVerification(writes, index, workspace, first, end, this).begin();
        }

        private boolean isOutdated() {
            synchronized (LedgerVerification.this) {
                return again;
            }
        }

        @Override
        public void willLetGo() {
            synchronized (LedgerVerification.this) {
                fenceIsWhole = false;
            }
        }

        @Override
        public MapSnapshot letGo(MapSnapshot snapshot, long endUnit) {
            return snapshot.doubts(number) == published ? snapshot.withoutDoubtBefore(number, endUnit) : snapshot;
        }

        @Override
        public void verified(long endUnit, int lostSectors) {
            if (lostSectors > 0) {
                disk.losses.found();
            }
            verifiedTo = endUnit;
            next();
        }

        @Override
        public void outdated() {
            goOn(LedgerVerification.this::round);
        }

        @Override
        public void impossible(DeviceException error, boolean mayChange) {
            suspend(error, mayChange);
        }

        private void allRead() {
            boolean syncs;
            synchronized (LedgerVerification.this) {
                syncs = syncsLeft > 0;
                syncsLeft -= syncs ? 1 : 0;
            }
            if (syncs) {
                // Joins a sync that began before the doubt, if there is one, so that it takes no error from this one.
                writes.syncer.flush(ignored -> goOn(this::sync));
            } else {
                end(State.UNSYNCED, device.doubt().orElse(null));
            }
        }

        private void sync() {
            try {
                device.requireSameMedium();
                if (device.conclude(doubts)) {
                    writes.counts.verifications.increment();
                    end(State.SETTLED, null);
                    return;
                }
            } catch (DeviceException e) {
                // Another doubt, of which we have been told.
                disk.log.flushFailed(e);
            }
            round();
        }
    }

    private void goOn(Runnable next) {
        disk.environment.scheduler().execute(next);
    }

    private void end(State how, DeviceException error) {
        boolean more;
        synchronized (this) {
            more = again;
            if (!more) {
                state = how;
                failures = 0;
                workspace = null;
                fenceIsWhole = false;
                disk.state.publish(s -> s.withoutDoubtBefore(number, Long.MAX_VALUE));
            }
        }
        if (more) {
            goOn(this::round);
            return;
        }
        disk.log.verified(device.name(), how == State.SETTLED);
        tell(error);
        disk.leave();
    }

    private void suspend(DeviceException error, boolean mayChange) {
        synchronized (this) {
            state = State.SUSPENDED;
            again = false;
            if (!stopped && mayChange) {
                long pauseMillis = TimeUnit.SECONDS.toMillis(1L << Math.min(failures, MAX_PAUSE_SHIFT));
                retry = disk.environment.scheduler().schedule(this::start, pauseMillis);
            }
            failures++;
        }
        disk.state.publish(s -> s.withDoubtRefused(number, true));
        disk.log.notVerified(error);
        tell(error);
        disk.leave();
    }

    private void tell(DeviceException error) {
        List<Consumer<DeviceException>> told;
        synchronized (this) {
            told = List.copyOf(waiting);
            waiting.clear();
        }
        told.forEach(then -> then.accept(error));
    }
}
