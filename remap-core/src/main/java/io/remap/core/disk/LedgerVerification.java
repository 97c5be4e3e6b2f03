package io.remap.core.disk;

import io.remap.api.DeviceException;
import io.remap.api.Place;
import io.remap.api.Scheduler.Cancellable;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Finds out what main still holds of the writes that were acknowledged and not flushed, whenever the fate of its cache is in
 * doubt: a flush failed, or the device was away. So a flush is answered with what is, and not with what a second sync says.
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
 *   <li>While main does not answer, or what is lost cannot be recorded, nothing is let go: requests for these ranges get an
 *       error, and it is tried again after a pause.
 * </ul>
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
        /** Main does not answer, or a loss cannot be recorded. */
        SUSPENDED,
        /** The content is proven, but no sync has succeeded since. */
        UNSYNCED
    }

    private final VirtualDisk disk;
    private final Ledger ledger;

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
    private long losses;
    private long lossesTold;

    /** Of the round under way, for the pieces of it: one at a time. */
    private ByteBuffer memory;

    /** @param ledger of main; {@code null}: nothing is ever verified */
    LedgerVerification(VirtualDisk disk, Ledger ledger) {
        this.disk = disk;
        this.ledger = ledger;
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
        long[] ranges = index.ranges(MAX_RANGES);
        disk.state.publish(s -> s.withDoubt(ranges));
        fenceIsWhole = index.isComplete();
    }

    /** Reports when the doubt is settled ({@code null}), or that it cannot be for now. Has it tried at once. */
    void whenSettled(Consumer<DeviceException> then) {
        boolean settled = disk.main.doubt().isEmpty();
        if (!settled) {
            synchronized (this) {
                waiting.add(then);
                syncsLeft = Math.max(syncsLeft, 1);
            }
            start();
        } else {
            then.accept(null);
        }
    }

    synchronized State state() {
        return state;
    }

    /** For people. */
    String describe() {
        long lost = disk.counters.lostUnflushedSectors.sum();
        String what = switch (state()) {
            case SETTLED -> "";
            case VERIFYING -> ", verifying";
            case SUSPENDED -> ", not verifiable now";
            case UNSYNCED -> ", verified, but syncs fail";
        };
        return ledger.sectors() + " sectors unflushed" + what + (lost == 0 ? "" : ", lost " + lost);
    }

    /** How often sectors were found lost. */
    synchronized long losses() {
        return losses;
    }

    /** Of these, those of which some client was told. */
    synchronized long lossesTold() {
        return lossesTold;
    }

    synchronized void lossesWereTold(long count) {
        lossesTold = Math.max(lossesTold, count);
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
            disk.state.publish(s -> s.withDoubtRefused(true));
            tell(disk.main.doubt().orElse(null));
        }
    }

    private void round() {
        Round next;
        synchronized (this) {
            again = false;
            long doubts = disk.main.doubts();
            // What a round before this one let go is in doubt still.
            fence();
            disk.state.publish(s -> s.withDoubtRefused(false));
            next = new Round(doubts, disk.state.current().doubts());
        }
        next.next();
    }

    /** One reading of all that the ledger held when it began. */
    private final class Round implements PieceVerification.Listener {
        private final long doubts;
        private final long published;
        private final LedgerIndex index = new LedgerIndex(ledger);
        private final long[] ranges = index.ranges(Integer.MAX_VALUE);
        private int at;
        private long verifiedTo;

        /**
         * @param doubts those of main when it began
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
            if (memory == null) {
                memory = PieceVerification.newMemory();
            }
            new PieceVerification(disk, index, memory, first, end, this).begin();
        }

        private boolean isOutdated() {
            synchronized (LedgerVerification.this) {
                return again;
            }
        }

        @Override
        public MapSnapshot letGo(MapSnapshot snapshot, long endUnit) {
            return snapshot.doubts() == published ? snapshot.withoutDoubtBefore(endUnit) : snapshot;
        }

        @Override
        public void verified(long endUnit, int lostSectors) {
            synchronized (LedgerVerification.this) {
                fenceIsWhole = false;
                losses += lostSectors > 0 ? 1 : 0;
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
                disk.mainSyncer.flush(ignored -> goOn(this::sync));
            } else {
                end(State.UNSYNCED, disk.main.doubt().orElse(null));
            }
        }

        private void sync() {
            try {
                if (disk.main.conclude(doubts)) {
                    disk.counters.verifications.increment();
                    end(State.SETTLED, null);
                    return;
                }
            } catch (DeviceException e) {
                // Another doubt, of which we have been told, or a sync of somebody else beside it.
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
                memory = null;
                fenceIsWhole = false;
                disk.state.publish(s -> s.withoutDoubtBefore(Long.MAX_VALUE));
            }
        }
        if (more) {
            goOn(this::round);
            return;
        }
        disk.log.verified(how == State.SETTLED);
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
        disk.state.publish(s -> s.withDoubtRefused(true));
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
