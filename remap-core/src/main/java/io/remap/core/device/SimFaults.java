package io.remap.core.device;

import io.remap.api.Refusal;
import io.remap.api.TimeSource;
import io.remap.core.device.SimFaultMap.Live;
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
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which sectors of a simulated disk fail now: the list of faults, which may be changed at any time, and what happened to
 * each fault so far.
 *
 * <p>Invariants: what was healed is in the state file before anybody reads it as good, and its content is in the image
 * before that; the state of a fault goes when its line goes from the list, so that the same line given again fails anew.
 * Thread-safe; a transfer that touches no fault takes no lock.
 */
final class SimFaults implements AutoCloseable {
    /** The list is looked at for changes no more often than this. */
    static final long CHECK_MILLIS = 10;

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

    /** Tells two versions of a file apart: a rename gives another key, so it need not wait for the clock to tick. */
    private record Stamp(FileTime modified, long sizeBytes, Object key) {
        static Stamp of(Path path) throws IOException {
            BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class);
            return new Stamp(attributes.lastModifiedTime(), attributes.size(), attributes.fileKey());
        }
    }

    private final String device;
    private final List<SimFault> generated;
    private final Optional<Path> list;
    private final Source source;
    private final SimStateFile state;
    private final boolean readOnly;
    private final TimeSource time;

    private final AtomicLong nextCheckNanos;
    private Stamp stamp;
    private boolean troubled;
    private volatile SimFaultMap map;

    private SimFaults(
            String device,
            List<SimFault> generated,
            Optional<Path> list,
            Source source,
            SimStateFile state,
            boolean readOnly,
            TimeSource time) {
        this.device = device;
        this.generated = generated;
        this.list = list;
        this.source = source;
        this.state = state;
        this.readOnly = readOnly;
        this.time = time;
        this.nextCheckNanos = new AtomicLong(time.nanoTime() + TimeUnit.MILLISECONDS.toNanos(CHECK_MILLIS));
    }

    /**
     * Reads the list and the state.
     *
     * @param generated faults that are there besides the list
     * @param readOnly nothing is written to the state
     */
    static SimFaults open(
            String device,
            List<SimFault> generated,
            Optional<Path> list,
            Source source,
            SimStateFile state,
            boolean readOnly,
            TimeSource time)
            throws Refusal, IOException {
        SimFaults faults = new SimFaults(device, generated, list, source, state, readOnly, time);
        faults.openNow();
        return faults;
    }

    private synchronized void openNow() throws Refusal, IOException {
        Map<SimFault, Live> before = state.load();
        if (list.isPresent()) {
            stamp = Stamp.of(list.get());
        }
        map = merge(before);
        if (!readOnly && !before.isEmpty()) {
            state.replace(map.all());
        }
    }

    /** The faults of now, with the state of those that were there before. */
    private SimFaultMap merge(Map<SimFault, Live> before) throws Refusal, IOException {
        SimFaultFile.Content content =
                list.isPresent() ? source.read(list.get()) : new SimFaultFile.Content(List.of(), false);
        Map<SimFault, Live> now = new LinkedHashMap<>();
        for (List<SimFault> faults : List.of(generated, content.faults())) {
            for (SimFault fault : faults) {
                Live known = before.get(fault);
                now.put(fault, known == null ? new Live(fault) : known);
            }
        }
        return new SimFaultMap(now.values(), content.gone());
    }

    /** Takes up a change of the list, if it is time to look. A list that makes no sense changes nothing. */
    void refresh() {
        if (list.isEmpty()) {
            return;
        }
        long now = time.nanoTime();
        long due = nextCheckNanos.get();
        if (now - due >= 0 && nextCheckNanos.compareAndSet(due, now + TimeUnit.MILLISECONDS.toNanos(CHECK_MILLIS))) {
            reloadIfChanged();
        }
    }

    private synchronized void reloadIfChanged() {
        try {
            Stamp newest = Stamp.of(list.get());
            if (!newest.equals(stamp)) {
                reload();
                stamp = newest;
            }
            troubled = false;
        } catch (IOException e) {
            // Tried again at the next look, complained of once.
            if (!troubled) {
                LOG.warn("{}: the faults stay as they were: {}", device, e.toString());
            }
            troubled = true;
        }
    }

    private void reload() throws IOException {
        Map<SimFault, Live> before = new LinkedHashMap<>();
        map.all().forEach(live -> before.put(live.fault, live));
        SimFaultMap changed = merge(before);
        changed.all().forEach(live -> before.remove(live.fault));
        if (!readOnly && before.values().stream().anyMatch(live -> !live.isFresh())) {
            state.replace(changed.all());
        }
        map = changed;
        LOG.info("{}: {} faults{}", device, changed.all().size(), changed.gone ? ", the device is gone" : "");
    }

    boolean gone() {
        return map.gone;
    }

    /** Whether anything may be wrong with the range. */
    boolean touches(long startBytes, long endBytes) {
        return map.touches(startBytes, endBytes);
    }

    /** How much longer a transfer takes, in milliseconds. */
    long delayMillis(long startBytes, long endBytes) {
        long delay = 0;
        for (Live live : map.touching(startBytes, endBytes)) {
            if (live.fault.mode() == SimFault.Mode.SLOW) {
                delay = Math.max(delay, live.fault.argument());
            }
        }
        return delay;
    }

    /** Whether a read fails; counts it for those faults that fail only so often. */
    synchronized boolean failsRead(long startBytes, long endBytes) throws IOException {
        boolean fails = false;
        for (Live live : map.touching(startBytes, endBytes)) {
            SimFault fault = live.fault;
            long from = Math.max(startBytes, fault.startBytes());
            long to = Math.min(endBytes, fault.endBytes());
            switch (fault.mode()) {
                case READ_AND_WRITE_BAD -> fails = true;
                case READ_BAD_HEALS_ON_WRITE -> fails |= !live.healed.covers(from, to);
                case TRANSIENT -> {
                    if (live.spent < fault.argument()) {
                        fails = true;
                        live.spent++;
                        append(SimStateFile.spentLine(fault, live.spent), false);
                    }
                }
                case WRITE_BAD, SLOW -> {}
            }
        }
        return fails;
    }

    /** The first byte that takes no write, {@code endBytes} if all do. */
    long firstFailingWrite(long startBytes, long endBytes) {
        long first = endBytes;
        for (Live live : map.touching(startBytes, endBytes)) {
            if (live.fault.failsWrites()) {
                first = Math.min(first, Math.max(startBytes, live.fault.startBytes()));
            }
        }
        return first;
    }

    /**
     * The range was written: what heals by that is healed, durably.
     *
     * @param content makes what was written durable
     */
    synchronized <E extends Exception> void written(long startBytes, long endBytes, Barrier<E> content)
            throws E, IOException {
        List<Live> healing = new ArrayList<>();
        for (Live live : map.touching(startBytes, endBytes)) {
            if (live.fault.mode() == SimFault.Mode.READ_BAD_HEALS_ON_WRITE
                    && !live.healed.covers(
                            Math.max(startBytes, live.fault.startBytes()), Math.min(endBytes, live.fault.endBytes()))) {
                healing.add(live);
            }
        }
        if (healing.isEmpty()) {
            return;
        }
        content.await();
        for (Live live : healing) {
            long from = Math.max(startBytes, live.fault.startBytes());
            long to = Math.min(endBytes, live.fault.endBytes());
            append(SimStateFile.healedLine(live.fault, from, to), true);
            live.healed.add(from, to);
        }
    }

    private void append(String line, boolean durably) throws IOException {
        if (readOnly) {
            return;
        }
        if (state.isLong()) {
            state.replace(map.all());
        }
        state.append(line, durably);
    }

    @Override
    public synchronized void close() throws IOException {
        state.close();
    }
}
