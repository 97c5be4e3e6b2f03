package io.remap.core.sim;

import io.remap.api.Refusal;
import io.remap.api.TimeSource;
import io.remap.core.sim.SimFaultMap.Live;
import io.remap.core.sim.SimFaultMap.LiveState;
import io.remap.core.sim.SimWindow.Moment;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which faults a simulated disk has: the list, which may be changed at any time, those that were made by hand, and what
 * happened to each so far. {@link SimModel} says what follows from them.
 *
 * <p>Invariants: what was healed is in the state file before anybody reads it as good, and its content is in the image
 * before that; the state of a fault goes when its line goes from the list, so that the same line given again fails anew.
 *
 * <p>Thread-safe. Two locks, {@code changes} before {@link #verdicts}: the first is held over writes to the state file, so
 * no transfer of a healthy sector ever takes it; the second is held for moments only.
 */
final class SimFaults implements AutoCloseable {
    /** The list is looked at for changes no more often than this. */
    static final long CHECK_MILLIS = 10;

    /** A healed sector that relapses at a moment of its own is good for as many operations at most. */
    private static final long MAX_GOOD_OPERATIONS = 1000;

    private static final Logger LOG = LoggerFactory.getLogger(SimFaults.class);

    /** Reads the list of faults as it is now. */
    @FunctionalInterface
    interface Source {
        SimFaultFile.Content read(Path list) throws Refusal, IOException;
    }

    /** Something that must be durable first. */
    @FunctionalInterface
    interface Barrier<E extends Exception> {
        void await() throws E;
    }

    /**
     * Where the faults come from, and where what happens to them is kept.
     *
     * @param generated faults that are there besides the list
     * @param list that may be changed
     * @param source reads it
     * @param state what happened
     * @param readOnly nothing is written to the state
     * @param physicalBytes unit in which the medium fails
     */
    record Origin(
            List<SimFault> generated,
            Optional<Path> list,
            Source source,
            SimStateFile state,
            boolean readOnly,
            int physicalBytes) {}

    /** Tells two versions of a file apart: a rename gives another key, so it need not wait for the clock to tick. */
    private record Stamp(FileTime modified, long sizeBytes, Object key) {
        static Stamp of(Path path) throws IOException {
            BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class);
            return new Stamp(attributes.lastModifiedTime(), attributes.size(), attributes.fileKey());
        }
    }

    /** Guards what happened to the faults and states of the {@link #map}. */
    final Object verdicts = new Object();

    private final String device;
    private final Origin origin;
    private final SimChance chance;
    private final TimeSource time;
    private final AtomicLong nextCheckNanos;

    /** Guards the list, the state file and what was made by hand. */
    private final ReentrantLock changes = new ReentrantLock();

    private Set<SimFault> made;
    private Map<SimState, LiveState> states;
    private long openedWallMillis;
    private Stamp stamp;
    private boolean troubled;
    private volatile SimFaultMap map;

    private SimFaults(String device, Origin origin, SimChance chance, TimeSource time) {
        this.device = device;
        this.origin = origin;
        this.chance = chance;
        this.time = time;
        this.nextCheckNanos = new AtomicLong(time.nanoTime() + TimeUnit.MILLISECONDS.toNanos(CHECK_MILLIS));
    }

    /** Reads the list and the state; {@code chance} says how long one that relapses is good. */
    static SimFaults open(String device, Origin origin, SimChance chance, TimeSource time) throws Refusal, IOException {
        SimFaults faults = new SimFaults(device, origin, chance, time);
        faults.changes.lock();
        try {
            faults.openNow();
            return faults;
        } finally {
            faults.changes.unlock();
        }
    }

    private void openNow() throws Refusal, IOException {
        openedWallMillis = time.wallMillis();
        SimStateFile.Content before = origin.state.load(origin.physicalBytes, openedWallMillis);
        made = before.made();
        states = before.states();
        boolean isEmpty = before.faults().isEmpty() && made.isEmpty() && states.isEmpty();
        states.values().removeIf(live -> live.isOver(0));
        if (origin.list.isPresent()) {
            stamp = Stamp.of(origin.list.get());
        }
        map = merge(before.faults(), List.of());
        map.all().stream().filter(Live::isRemission).forEach(live -> live.relapseAt = 1 + operationsGood(live));
        if (!origin.readOnly && !isEmpty) {
            origin.state.replace(stateLines(map));
        }
    }

    /** The faults and states of now, with what happened to those that were there before. */
    private SimFaultMap merge(Map<SimFault, Live> before, List<LiveState> statesBefore) throws Refusal, IOException {
        SimFaultFile.Content content =
                origin.list.isPresent() ? origin.source.read(origin.list.get()) : SimFaultFile.Content.none();
        Map<SimFault, Live> now = new LinkedHashMap<>();
        for (Iterable<SimFault> faults : List.of(origin.generated, content.faults(), made)) {
            for (SimFault fault : faults) {
                Live known = before.get(fault);
                now.put(fault, known == null ? new Live(fault, origin.physicalBytes) : known);
            }
        }
        Map<SimState, LiveState> statesNow = new LinkedHashMap<>();
        for (SimState state : content.states()) {
            statesNow.put(
                    state,
                    statesBefore.stream()
                            .filter(known -> known.state.equals(state))
                            .findFirst()
                            .orElseGet(() -> new LiveState(state, false)));
        }
        statesNow.putAll(states);
        return new SimFaultMap(now.values(), List.copyOf(statesNow.values()));
    }

    /** The state file as it should stand. */
    private String stateLines(SimFaultMap of) {
        StringBuilder lines = new StringBuilder();
        made.forEach(fault -> lines.append(SimStateFile.madeLine(fault)));
        synchronized (verdicts) {
            states.values().forEach(live -> SimStateFile.describe(live, openedWallMillis, lines));
            of.all().forEach(live -> SimStateFile.describe(live, lines));
        }
        return lines.toString();
    }

    /** What is wrong now. */
    SimFaultMap map() {
        return map;
    }

    /** Takes up a change of the list, if it is time to look. A list that makes no sense changes nothing. */
    void refresh() {
        if (origin.list.isEmpty()) {
            return;
        }
        long now = time.nanoTime();
        long due = nextCheckNanos.get();
        // Whoever changes something now leaves the look to the next request rather than let this one wait.
        if (now - due >= 0
                && nextCheckNanos.compareAndSet(due, now + TimeUnit.MILLISECONDS.toNanos(CHECK_MILLIS))
                && changes.tryLock()) {
            try {
                reloadIfChanged();
            } finally {
                changes.unlock();
            }
        }
    }

    private void reloadIfChanged() {
        try {
            Stamp newest = Stamp.of(origin.list.get());
            if (!newest.equals(stamp)) {
                reload();
                stamp = newest;
                LOG.info("{}: {} faults, {} states", device, map.all().size(), map.states.size());
            }
            troubled = false;
        } catch (IOException e) {
            // Tried again at the next look, complained of once.
            if (!troubled) {
                LOG.warn("{}: the faults stay as they were: {}", device, SimDeviceProvider.reason(e));
            }
            troubled = true;
        }
    }

    /** Makes the map anew from the list and what was made by hand. */
    private void reload() throws IOException {
        Map<SimFault, Live> before = new LinkedHashMap<>();
        map.all().forEach(live -> before.put(live.fault, live));
        SimFaultMap changed = merge(before, map.states);
        changed.all().forEach(live -> before.remove(live.fault));
        boolean forgotten;
        synchronized (verdicts) {
            forgotten = before.values().stream().anyMatch(live -> !live.isFresh());
        }
        if (!origin.readOnly && forgotten) {
            origin.state.replace(stateLines(changed));
        }
        map = changed;
    }

    /**
     * The range was written: what was in force and heals by that is healed, durably.
     *
     * @param now the moment for which the write was decided
     * @param content makes what was written durable
     * @return whether something was healed
     */
    <E extends Exception> boolean written(long startBytes, long endBytes, Moment now, Barrier<E> content)
            throws E, IOException {
        List<Live> healing = new ArrayList<>();
        synchronized (verdicts) {
            for (Live live : map.touching(startBytes, endBytes)) {
                if (!live.fault.details().window().contains(now)) {
                    continue;
                }
                boolean heals = switch (live.fault.mode()) {
                    case RELAPSES -> !live.ended.covers(live.from(startBytes), live.to(endBytes));
                    case READ_BAD_HEALS_ON_WRITE -> !live.healed.covers(live.from(startBytes), live.to(endBytes));
                    default -> false;
                };
                if (heals) {
                    healing.add(live);
                }
            }
        }
        if (healing.isEmpty()) {
            return false;
        }
        content.await();
        changes.lock();
        try {
            for (Live live : healing) {
                heal(live, startBytes, endBytes);
                synchronized (verdicts) {
                    live.relapseAt = live.fault.mode() == SimFault.Mode.RELAPSES
                            ? now.operations() + 1 + operationsGood(live)
                            : 0;
                }
            }
        } finally {
            changes.unlock();
        }
        return true;
    }

    private long operationsGood(Live live) {
        return live.fault.argument() != 0
                ? live.fault.argument()
                : chance.draw(live.fault.toString().hashCode(), live.draws++, 1, MAX_GOOD_OPERATIONS);
    }

    private void heal(Live live, long startBytes, long endBytes) throws IOException {
        long from = live.from(startBytes);
        long to = live.to(endBytes);
        append(SimStateFile.healedLine(live.fault, from, to), true);
        synchronized (verdicts) {
            live.healed.add(from, to);
        }
    }

    // --- by hand

    /** One more fault, or the same one anew, durably. */
    void make(SimFault fault) throws IOException {
        changes.lock();
        try {
            Optional<Live> same = map.touching(fault.startBytes(), fault.endBytes()).stream()
                    .filter(live -> live.fault.equals(fault))
                    .findFirst();
            if (same.isPresent()) {
                append(SimStateFile.freshLine(fault), true);
                synchronized (verdicts) {
                    same.get().refresh();
                }
                return;
            }
            if (map.all().size() >= SimFaultFile.MAX_FAULTS) {
                throw new Refusal(Refusal.Kind.USAGE, "more than " + SimFaultFile.MAX_FAULTS + " faults");
            }
            append(SimStateFile.madeLine(fault), true);
            made.add(fault);
            reload();
        } finally {
            changes.unlock();
        }
    }

    /**
     * Ends every fault of the range as if there had been none, durably; until somebody makes it anew.
     *
     * @return how many faults it touched
     */
    int heal(long startBytes, long endBytes) throws IOException {
        changes.lock();
        try {
            List<Live> ill = map.touching(startBytes, endBytes);
            for (Live live : ill) {
                long from = live.from(startBytes);
                long to = live.to(endBytes);
                append(SimStateFile.endedLine(live.fault, from, to), true);
                synchronized (verdicts) {
                    live.end(from, to);
                }
            }
            return ill.size();
        } finally {
            changes.unlock();
        }
    }

    /** One more state of the device, or the same one anew, durably; if it is in force at once, its time runs from now on. */
    void makeState(SimState state, Moment now) throws IOException {
        LiveState live = new LiveState(state, true);
        boolean begins = state.window().contains(now) && live.begin(now.millis());
        changes.lock();
        try {
            append(SimStateFile.stateLine(state) + (begins ? beganLine(live) : ""), true);
            states.remove(state);
            states.put(state, live);
            reload();
        } finally {
            changes.unlock();
        }
    }

    /** Says in the state file when the time of a state began. */
    String beganLine(LiveState live) {
        return SimStateFile.beganLine(live.state, openedWallMillis + live.beganMillis);
    }

    /** Ends all states that were made by hand, durably; those of the list stay. */
    void endStates() throws IOException {
        changes.lock();
        try {
            append(SimStateFile.NO_STATES_LINE, true);
            states.clear();
            reload();
        } finally {
            changes.unlock();
        }
    }

    /** The states of the device that are not over, as a list of faults says them. */
    List<String> stateTexts(long nowMillis) {
        synchronized (verdicts) {
            return map.states.stream()
                    .filter(live -> !live.isOver(nowMillis))
                    .map(live -> live.state.toString())
                    .toList();
        }
    }

    // --- the log

    /** Something happened to a fault that need not be durable. */
    void note(String lines) throws IOException {
        changes.lock();
        try {
            append(lines, false);
        } finally {
            changes.unlock();
        }
    }

    private void append(String lines, boolean durably) throws IOException {
        if (origin.readOnly) {
            return;
        }
        if (origin.state.isLong()) {
            origin.state.replace(stateLines(map));
        }
        origin.state.append(lines, durably);
    }

    @Override
    public void close() throws IOException {
        changes.lock();
        try {
            origin.state.close();
        } finally {
            changes.unlock();
        }
    }
}
