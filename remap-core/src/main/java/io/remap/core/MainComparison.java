package io.remap.core;

import io.remap.api.Attribute;
import io.remap.api.DeviceException;
import io.remap.api.Environment;
import io.remap.api.Scheduler;
import io.remap.core.Fingerprint.Block;
import io.remap.core.disk.TrackedDevice;
import io.remap.core.disk.VirtualDisk;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Compares, beside the requests, what of main's fingerprint was not compared before it was opened. Skips what was written
 * since. What differs was written without us: the disk is made read-only, and everybody is told.
 *
 * <p>Invariants: one step is under way at a time, and holds the monitor; after {@link #close} none begins, and none is under
 * way. Thread-safe; what shows how it stands never waits.
 */
final class MainComparison implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(MainComparison.class);

    /** Few, with a pause between them, so that clients of a slow disk hardly notice. */
    private static final int STEP_BLOCKS = 4;

    private static final long PAUSE_MILLIS = 20;

    /** How it stands. */
    private enum State {
        /** There was no fingerprint of this stop, or none of its blocks could be compared. */
        UNKNOWN,
        COMPARING,
        UNCHANGED,
        CHANGED,
        /** Main failed, or the disk was stopped. */
        ENDED
    }

    private final VirtualDisk disk;
    private final Scheduler scheduler;
    private final MainBlocks reader;

    // Guarded by this.
    private final Deque<Block> open;
    private volatile State state;
    private volatile Optional<String> notice = Optional.empty();
    private final AtomicInteger compared = new AtomicInteger();
    private Scheduler.Cancellable timer;
    private Runnable whenChanged = () -> {};
    private boolean closed;

    /** @param before what the opening has compared, and left */
    MainComparison(VirtualDisk disk, TrackedDevice main, MainCheck before, Environment environment) {
        this.disk = disk;
        this.scheduler = environment.scheduler();
        this.reader = new MainBlocks(main, disk.traits().sectorBytes());
        this.open = new ArrayDeque<>(before.rest());
        compared.set(before.compared());
        boolean known = before.print().isPresent();
        this.state = known ? State.COMPARING : State.UNKNOWN;
        if (before.difference().isPresent()) {
            state = State.CHANGED;
            open.clear();
        }
        disk.recentWrites().watch(open.stream().map(Block::unit).toList());
        before.print().ifPresent(print -> disk.recentWrites().restore(print.recentUnits()));
    }

    /**
     * Begins, if there is something to compare.
     *
     * @param told has to be made to last: main was found changed
     */
    synchronized void start(Runnable told) {
        whenChanged = told;
        next();
    }

    private void next() {
        if (state == State.COMPARING && !closed) {
            timer = scheduler.schedule(this::step, PAUSE_MILLIS);
        }
    }

    private synchronized void step() {
        if (closed || state != State.COMPARING) {
            return;
        }
        try {
            for (int i = 0; i < STEP_BLOCKS && !open.isEmpty() && state == State.COMPARING; i++) {
                compare(open.peek());
                open.poll();
            }
        } catch (DeviceException e) {
            state = State.ENDED;
        }
        if (state == State.COMPARING && open.isEmpty()) {
            end();
        }
        next();
    }

    /** All was looked at. */
    private void end() {
        if (compared.get() > 0) {
            state = State.UNCHANGED;
            return;
        }
        state = State.UNKNOWN;
        notice = Optional.of(
                "main: no block of the fingerprint of the last clean stop could be compared: whether main was"
                        + " written without remap since then is not known");
        LOG.warn("{}: {}", disk.name(), notice.get());
    }

    private void compare(Block block) throws DeviceException {
        if (disk.recentWrites().wasWritten(block.unit())) {
            return;
        }
        MainCheck.Verdict verdict = MainCheck.compare(block, disk.sectorsOnMain(block.unit()), reader);
        if (verdict == MainCheck.Verdict.UNKNOWN) {
            return;
        }
        compared.incrementAndGet();
        // Whoever wrote while we read has said so before.
        if (verdict == MainCheck.Verdict.DIFFERENT && !disk.recentWrites().wasWritten(block.unit())) {
            String how = "main " + MainCheck.describe(1, compared.get(), block);
            notice = Optional.of(how + ": the disk is read-only until it is started with --accept-main-changes");
            state = State.CHANGED;
            disk.mainChanged(how);
            whenChanged.run();
        }
    }

    /** What was found since the start, for people. */
    Optional<String> foundNow() {
        return notice;
    }

    /** Whether main was written without us, and the disk refuses writes since. */
    boolean foundChanged() {
        return state == State.CHANGED;
    }

    /** What it has not come to, for the next fingerprint. */
    synchronized List<Block> rest() {
        return List.copyOf(open);
    }

    List<Attribute> attributes() {
        return List.of(
                Attribute.readOnly(
                        "main-check.state",
                        "text",
                        "Main beside its fingerprint of the last clean stop: unknown (there is none, or no block could be "
                                + "compared), comparing, unchanged, "
                                + "changed (it was written without remap) or ended (before all of it was compared)",
                        () -> PlainValues.word(state)),
                Attribute.readOnly("main-check.compared", "count", "Blocks of 4096 bytes that were compared", () ->
                        (long) compared.get()));
    }

    /** Ends it; a step under way is waited for. */
    @Override
    public synchronized void close() {
        closed = true;
        if (timer != null) {
            timer.cancel();
        }
        if (state == State.COMPARING) {
            state = State.ENDED;
        }
    }
}
