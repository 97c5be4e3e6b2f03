package io.remap.core.sim;

import io.remap.api.Errno;
import io.remap.api.TimeSource;
import io.remap.core.sim.SimFault.Mode;
import io.remap.core.sim.SimFaultMap.Live;
import io.remap.core.sim.SimFaultMap.LiveState;
import io.remap.core.sim.SimVerdict.Effect;
import io.remap.core.sim.SimVerdict.Operation;
import io.remap.core.sim.SimWindow.Moment;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides what happens to each operation of a simulated disk. It does no transfer and waits for nothing, so no operation
 * delays another one.
 *
 * <p>Invariant: the verdicts depend on the faults, the seed, the operations before, and for faults that have a time on the
 * time; on nothing else. Thread-safe; an operation that nothing is wrong with takes no lock and allocates nothing.
 */
final class SimModel implements AutoCloseable {
    /** The longest answer is this many times the mean of the tail. */
    private static final long MAX_TAIL = 20;

    /** Streams of chance that are no fault's. */
    private static final long LATENCY_STREAM = 1L << 40;

    private static final Logger LOG = LoggerFactory.getLogger(SimModel.class);

    /**
     * How long operations take that nothing is wrong with, and reads that fail.
     *
     * @param baseMillis each read and write, at least
     * @param tailMillis mean of what comes on top, exponentially distributed
     * @param errorMillis how long the drive tries before it gives a read up (ERC)
     */
    record Timing(long baseMillis, long tailMillis, long errorMillis) {
        static final Timing NONE = new Timing(0, 0, 0);

        boolean isNone() {
            return equals(NONE);
        }
    }

    final SimFaults faults;
    final SimChance chance;

    private final String device;
    private final int physicalBytes;
    private final Timing timing;
    private final Optional<SimTrace> trace;
    private final TimeSource time;
    private final long openedNanos;
    private final AtomicLong operations = new AtomicLong();
    private final AtomicLong reads = new AtomicLong();
    private final AtomicLong writes = new AtomicLong();
    private final AtomicLong flushes = new AtomicLong();
    private final AtomicLong powerCuts = new AtomicLong();
    private final AtomicLong failed = new AtomicLong();
    private volatile boolean enabled = true;
    private volatile boolean quiet;

    /**
     * Takes faults and trace over.
     *
     * @param physicalBytes unit that the medium rewrites: a smaller write reads first
     */
    SimModel(
            String device,
            SimFaults faults,
            SimChance chance,
            int physicalBytes,
            Timing timing,
            Optional<SimTrace> trace,
            TimeSource time) {
        this.device = device;
        this.faults = faults;
        this.chance = chance;
        this.physicalBytes = physicalBytes;
        this.timing = timing;
        this.trace = trace;
        this.time = time;
        this.openedNanos = time.nanoTime();
    }

    /**
     * Decides about an operation, and counts it.
     *
     * @return {@code null} if it goes as on a healthy disk, with no delay
     * @throws IOException what has happened cannot be noted
     */
    SimVerdict decide(Operation operation, long startBytes, long endBytes) throws IOException {
        faults.refresh();
        long number = operations.incrementAndGet();
        long reading = operation == Operation.READ ? reads.incrementAndGet() : reads.get();
        boolean isWrite = operation == Operation.WRITE || operation == Operation.ZERO;
        long writing = isWrite ? writes.incrementAndGet() : writes.get();
        long flushing = operation == Operation.FLUSH ? flushes.incrementAndGet() : flushes.get();
        SimFaultMap map = faults.map();
        boolean isHealthy = !enabled || (map.states.isEmpty() && !map.touches(startBytes, endBytes));
        if (isHealthy && trace.isEmpty() && timing.isNone()) {
            return null;
        }
        SimVerdict verdict = new SimVerdict(operation, startBytes, endBytes, number);
        StringBuilder notes = new StringBuilder();
        synchronized (faults.verdicts) {
            takeItsTime(verdict);
            if (!isHealthy) {
                Moment now = new Moment(number, reading, writing, flushing, millisSinceOpen());
                verdict.judged = Optional.of(now);
                judgeDevice(verdict, map, now, notes);
                if (verdict.errno == Errno.NONE && !verdict.hangs) {
                    judgeSectors(verdict, map, now, notes);
                }
            }
            trace.ifPresent(to -> to.operation(verdict));
        }
        if (notes.length() > 0) {
            faults.note(notes.toString());
        }
        if (verdict.errno != Errno.NONE) {
            failed.incrementAndGet();
            if (!quiet && LOG.isInfoEnabled()) {
                LOG.info(
                        "{}: {} of {}+{} fails: {}",
                        device,
                        operation.word,
                        startBytes,
                        endBytes - startBytes,
                        verdict.causes);
            }
        }
        return verdict;
    }

    /** Whether there is still no answer, for an operation that hangs. */
    boolean stillHangs(SimVerdict verdict) {
        faults.refresh();
        if (!enabled) {
            return false;
        }
        SimFaultMap map = faults.map();
        Moment now = soFar();
        synchronized (faults.verdicts) {
            for (LiveState live : map.states) {
                if (live.state.kind() == SimState.Kind.HANGS
                        && live.state.window().contains(now)) {
                    return true;
                }
            }
            for (Live live : map.touching(verdict.startBytes, verdict.endBytes)) {
                if (live.fault.mode() == Mode.HANGS
                        && live.fault.details().window().contains(now)
                        && firstIll(live, verdict) < Math.min(verdict.endBytes, live.endBytes)) {
                    return true;
                }
            }
        }
        return false;
    }

    private Moment soFar() {
        return new Moment(operations.get(), reads.get(), writes.get(), flushes.get(), millisSinceOpen());
    }

    /** The seed of a power cut for which nobody gave one. */
    long nextPowerCut() {
        return powerCuts.incrementAndGet();
    }

    private long millisSinceOpen() {
        return TimeUnit.NANOSECONDS.toMillis(time.nanoTime() - openedNanos);
    }

    private void takeItsTime(SimVerdict verdict) {
        if (timing.isNone() || verdict.operation == Operation.FLUSH || verdict.operation == Operation.DISCARD) {
            return;
        }
        double tail = -timing.tailMillis * Math.log(1 - chance.draw(LATENCY_STREAM, verdict.number));
        verdict.takes(timing.baseMillis + Math.min(Math.round(tail), MAX_TAIL * timing.tailMillis));
    }

    // --- the device as a whole

    private void judgeDevice(SimVerdict verdict, SimFaultMap map, Moment now, StringBuilder notes) {
        for (LiveState live : map.states) {
            if (!live.state.window().contains(now) || live.isOver(now.millis())) {
                continue;
            }
            if (live.begin(now.millis()) && live.byHand) {
                notes.append(faults.beganLine(live));
            }
            int before = verdict.errno;
            boolean matters = judgeState(verdict, live, notes);
            if (matters || verdict.errno != before) {
                verdict.causes.add(live.state.toString());
            }
        }
    }

    /** Whether the state had a part in what happens. */
    private boolean judgeState(SimVerdict verdict, LiveState live, StringBuilder notes) {
        SimState state = live.state;
        boolean isFlush = verdict.operation == Operation.FLUSH;
        boolean fails = switch (state.kind()) {
            case DOWN, LINK_RESET -> true;
            case READ_ONLY -> verdict.operation.changesData();
            case SIZE -> verdict.endBytes > state.argument();
            case FLUSH_FAILS -> isFlush;
            case HANGS, FLUSH_LIES, IDENTITY, POWER_CUT -> false;
        };
        if (fails && verdict.errno == Errno.NONE) {
            verdict.failAt(verdict.startBytes, state.errno());
        }
        if (state.kind() == SimState.Kind.HANGS) {
            verdict.hangs = true;
            return true;
        }
        if (state.kind() == SimState.Kind.FLUSH_FAILS && isFlush && state.argument() != 0) {
            spend(live, notes);
        }
        if (state.kind() == SimState.Kind.POWER_CUT) {
            spend(live, notes);
            verdict.powerCut = state.argument() == 0 ? nextPowerCut() : state.argument();
            return true;
        }
        if (state.kind() == SimState.Kind.FLUSH_LIES && isFlush) {
            verdict.lies = true;
            return true;
        }
        return fails;
    }

    private static void spend(LiveState live, StringBuilder notes) {
        live.spent++;
        if (live.byHand) {
            notes.append(SimStateFile.spentLine(live.state, live.spent));
        }
    }

    // --- single sectors

    private void judgeSectors(SimVerdict verdict, SimFaultMap map, Moment now, StringBuilder notes) {
        if (verdict.operation == Operation.DISCARD || verdict.operation == Operation.FLUSH) {
            return;
        }
        for (Live live : map.touching(verdict.startBytes, verdict.endBytes)) {
            if (!live.fault.details().window().contains(now)) {
                continue;
            }
            if (live.relapseAt != 0 && now.operations() >= live.relapseAt) {
                live.relapse();
                notes.append(SimStateFile.relapsedLine(live.fault));
            }
            long at = firstIll(live, verdict);
            if (at < Math.min(verdict.endBytes, live.endBytes)) {
                boolean matters = verdict.operation == Operation.READ
                        ? judgeRead(verdict, live, at, notes)
                        : judgeWrite(verdict, live, at, notes);
                if (matters) {
                    verdict.causes.add(live.fault.toString());
                }
            }
        }
        if (verdict.operation == Operation.READ && verdict.errno != Errno.NONE) {
            verdict.takes(timing.errorMillis);
        }
    }

    /** The first byte of the operation that the fault still has a hold on. */
    private static long firstIll(Live live, SimVerdict verdict) {
        return live.healed.firstOutside(
                Math.max(verdict.startBytes, live.startBytes), Math.min(verdict.endBytes, live.endBytes));
    }

    /** What every mode does that is about time; whether this one does. */
    private boolean judgeTime(SimVerdict verdict, Live live) {
        SimFault fault = live.fault;
        if (fault.mode() == Mode.HANGS) {
            verdict.hangs = true;
            return true;
        }
        if (fault.mode() != Mode.SLOW && fault.mode() != Mode.SLOW_THEN_EIO) {
            return false;
        }
        long jitter = fault.details().jitterMillis();
        verdict.takes(fault.argument() + (jitter == 0 ? 0 : chance.draw(streamOf(fault), live.draws++, 0, jitter)));
        return true;
    }

    private static long streamOf(SimFault fault) {
        return fault.toString().hashCode();
    }

    private boolean judgeRead(SimVerdict verdict, Live live, long at, StringBuilder notes) {
        SimFault fault = live.fault;
        boolean matters = judgeTime(verdict, live);
        if (fault.mode().isUnreadable()) {
            verdict.failAt(at, fault.details().errno());
            return true;
        }
        if (fault.mode() == Mode.TRANSIENT && showsNow(live)) {
            if (fault.argument() != 0) {
                live.spent++;
                notes.append(SimStateFile.spentLine(fault, live.spent));
            }
            verdict.failAt(at, fault.details().errno());
            return true;
        }
        if (fault.mode() == Mode.CORRUPT_SILENT) {
            verdict.effects.add(new Effect(fault, at, Math.min(verdict.endBytes, live.endBytes)));
            return true;
        }
        return matters;
    }

    private boolean showsNow(Live live) {
        SimFault fault = live.fault;
        if (fault.argument() != 0 && live.spent >= fault.argument()) {
            return false;
        }
        double probability = fault.details().probability();
        return probability == 1 || chance.draw(streamOf(fault), live.draws++) < probability;
    }

    private boolean judgeWrite(SimVerdict verdict, Live live, long at, StringBuilder notes) {
        SimFault fault = live.fault;
        boolean matters = judgeTime(verdict, live);
        switch (fault.mode()) {
            case READ_AND_WRITE_BAD, WRITE_BAD, SLOW_THEN_EIO -> {
                verdict.failAt(at, fault.details().errno());
                return true;
            }
            case READ_BAD_HEALS_ON_WRITE, RELAPSES -> {
                long edge = unreadableEdge(verdict, live);
                if (edge >= 0) {
                    verdict.failAt(edge, fault.details().errno());
                } else if (live.spent < fault.details().failedWrites()) {
                    live.spent++;
                    notes.append(SimStateFile.spentLine(fault, live.spent));
                    verdict.failAt(at, fault.details().errno());
                }
                return true;
            }
            case LOST_WRITE, MISDIRECT, TORN -> {
                verdict.effects.add(new Effect(fault, at, Math.min(verdict.endBytes, live.endBytes)));
                return true;
            }
            default -> {
                return matters;
            }
        }
    }

    /**
     * Where a write has to read a physical sector, since it does not cover it, and cannot: the first byte of the write in
     * it. -1 if it need not.
     */
    private long unreadableEdge(SimVerdict verdict, Live live) {
        long firstUnit = verdict.startBytes / physicalBytes * physicalBytes;
        if (firstUnit < verdict.startBytes && isIll(live, firstUnit)) {
            return verdict.startBytes;
        }
        long lastUnit = verdict.endBytes / physicalBytes * physicalBytes;
        if (lastUnit < verdict.endBytes && isIll(live, lastUnit)) {
            return Math.max(verdict.startBytes, lastUnit);
        }
        return -1;
    }

    private boolean isIll(Live live, long unit) {
        long from = Math.max(unit, live.startBytes);
        long to = Math.min(unit + physicalBytes, live.endBytes);
        return from < to && !live.healed.covers(from, to);
    }

    // --- by hand

    /** One more state of the device. */
    void makeState(SimState state) throws IOException {
        faults.makeState(state, soFar());
        traceCommand("state " + state);
    }

    /** The states that are in force now or will be. */
    List<String> stateTexts() {
        return faults.stateTexts(millisSinceOpen());
    }

    /** Whether faults and states have any effect. */
    void enable(boolean on) {
        enabled = on;
        traceCommand(on ? "enable" : "disable");
    }

    boolean isEnabled() {
        return enabled;
    }

    /** Whether failures are logged. */
    boolean toggleQuiet() {
        quiet = !quiet;
        return quiet;
    }

    boolean isQuiet() {
        return quiet;
    }

    /** Notes in the trace that something was done to the disk. */
    void traceCommand(String what) {
        synchronized (faults.verdicts) {
            trace.ifPresent(to -> to.command(what));
        }
    }

    /** The state of a kind that is in force now. */
    Optional<SimState> stateNow(SimState.Kind kind) {
        Moment now = soFar();
        return faults.map().states.stream()
                .map(live -> live.state)
                .filter(state ->
                        enabled && state.kind() == kind && state.window().contains(now))
                .findFirst();
    }

    long operations() {
        return operations.get();
    }

    long failures() {
        return failed.get();
    }

    @Override
    public void close() throws IOException {
        faults.close();
        synchronized (faults.verdicts) {
            trace.ifPresent(SimTrace::close);
        }
    }
}
