package io.remap.core;

import io.remap.api.Environment;
import io.remap.api.FeatureState;
import io.remap.api.FeatureStatus;
import io.remap.api.Refusal;
import io.remap.api.Scheduler;
import io.remap.api.spi.MetadataStore;
import io.remap.core.disk.Saved;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Saves on the spare, now and then and at the stop, what is not needed for correctness: events and counters. It delays no
 * request: commits go first, and nobody waits for it. What has not changed is not written, so that a quiet disk sleeps.
 *
 * <p>Invariants: one save is under way at a time; after {@link #close} none begins. Thread-safe.
 */
final class Autosave implements AutoCloseable {
    /** How long a stop waits for a save that is under way. */
    private static final long LAST_SAVE_WAIT_MILLIS = 5_000;

    /** Others save as well, and then something else stands there than what was wanted. */
    private static final int MAX_SAVES_AT_ONCE = 3;

    private static final long WAIT_STEP_MILLIS = 100;

    private static final Logger LOG = LoggerFactory.getLogger(Autosave.class);

    private final String diskName;
    private final MetadataStore store;
    private final List<Saved> parts;
    private final Environment environment;
    private final long pauseMillis;
    private final Optional<Lease> lease;

    // Guarded by this.
    private Map<String, byte[]> last = Map.of();
    private Scheduler.Cancellable timer;
    private boolean saving;
    private boolean closed;
    private Map<String, byte[]> lastWanted;
    private long saves;
    private long savedNanos;
    private String failure = "";

    /**
     * @param pauseMillis between saves; 0 for none but at the stop
     * @param lease renewed by each save; then there is one at each heartbeat, whether anything has changed or not
     */
    Autosave(
            String diskName,
            MetadataStore store,
            List<Saved> parts,
            Environment environment,
            long pauseMillis,
            Optional<Lease> lease) {
        this.diskName = diskName;
        this.store = store;
        this.parts = parts;
        this.environment = environment;
        this.pauseMillis = lease.map(
                        held -> pauseMillis == 0 ? held.beatMillis() : Math.min(pauseMillis, held.beatMillis()))
                .orElse(pauseMillis);
        this.lease = lease;
    }

    /** Gives the parts what was saved last, and begins to save. */
    synchronized void start() {
        last = store.saved();
        restore(diskName, last, parts);
        schedule();
        // Others are to know at once that there are heartbeats.
        lease.ifPresent(held -> environment.scheduler().execute(this::saveNow));
    }

    /** Gives each part what was saved of it last. */
    static void restore(String diskName, Map<String, byte[]> sections, List<Saved> parts) {
        for (Saved part : parts) {
            byte[] saved = sections.get(part.section());
            try {
                if (saved != null) {
                    part.restore(saved);
                }
            } catch (RuntimeException e) {
                LOG.warn("{}: saved {} make no sense and are left out: {}", diskName, part.section(), e.toString());
            }
        }
    }

    private synchronized void schedule() {
        if (pauseMillis > 0 && !closed) {
            timer = environment.scheduler().schedule(this::saveInTime, pauseMillis);
        }
    }

    private void saveInTime() {
        // Also where nobody writes: what goes on by itself must end too.
        lease.ifPresent(Lease::isOver);
        saveNow();
        schedule();
    }

    /** Begins a save if anything has changed and none is under way. */
    void saveNow() {
        save(sections());
    }

    /**
     * What stands on the spare.
     *
     * @param sections by name
     * @param written it was written by the save that asked
     * @param ageMillis since it was written; empty: by an earlier process
     */
    record Saves(Map<String, byte[]> sections, boolean written, OptionalLong ageMillis) {}

    /**
     * Saves now, and waits until it is durable.
     *
     * @throws Refusal {@link Refusal.Kind#DEVICE_FAILED} if it cannot be saved, or the spare does not answer
     */
    Saves saveAndWait() throws Refusal {
        long before;
        synchronized (this) {
            before = saves;
        }
        for (int tries = 0; tries < MAX_SAVES_AT_ONCE; tries++) {
            awaitSave();
            Map<String, byte[]> wanted = sections();
            save(wanted);
            awaitSave();
            synchronized (this) {
                if (!saving && failure.isEmpty() && same(wanted, last)) {
                    OptionalLong age = saves == 0
                            ? OptionalLong.empty()
                            : OptionalLong.of(TimeUnit.NANOSECONDS.toMillis(
                                    environment.time().nanoTime() - savedNanos));
                    return new Saves(last, saves > before, age);
                }
            }
        }
        synchronized (this) {
            throw new Refusal(
                    Refusal.Kind.DEVICE_FAILED,
                    "disk '" + diskName + "': "
                            + (failure.isEmpty() ? "the spare has not answered in time" : failure)
                            + "; mappings are durable all the same, see 'remap status'");
        }
    }

    private Map<String, byte[]> sections() {
        Map<String, byte[]> sections = new LinkedHashMap<>();
        for (Saved part : parts) {
            sections.put(part.section(), part.save());
        }
        lease.ifPresent(held -> sections.put(Lease.SECTION, held.section()));
        return sections;
    }

    private void save(Map<String, byte[]> sections) {
        synchronized (this) {
            if (saving || (lease.isEmpty() && same(sections, last))) {
                return;
            }
            saving = true;
        }
        long begunNanos = environment.time().nanoTime();
        store.save(sections, why -> ended(sections, why, begunNanos));
    }

    private static boolean same(Map<String, byte[]> one, Map<String, byte[]> other) {
        return one.keySet().equals(other.keySet())
                && one.keySet().stream().allMatch(name -> Arrays.equals(one.get(name), other.get(name)));
    }

    private synchronized void ended(Map<String, byte[]> sections, String why, long begunNanos) {
        saving = false;
        notifyAll();
        if (!why.isEmpty() && !why.equals(failure)) {
            LOG.warn("{}: events and counters could not be saved: {}", diskName, why);
        }
        failure = why;
        if (why.isEmpty()) {
            last = sections;
            saves++;
            savedNanos = environment.time().nanoTime();
            lease.ifPresent(held -> held.renewed(begunNanos));
        }
    }

    synchronized FeatureStatus status() {
        String name = "autosave";
        if (closed) {
            return FeatureStatus.of(name, FeatureState.STOPPED, "");
        }
        if (lease.isPresent() && lease.get().isOver()) {
            return FeatureStatus.of(
                    name, FeatureState.FAILED, "the lease is over: no heartbeat could be saved in time");
        }
        if (!failure.isEmpty()) {
            return FeatureStatus.of(name, FeatureState.FAILED, failure);
        }
        String age = saves == 0
                ? "nothing to save so far"
                : "saved " + TimeUnit.NANOSECONDS.toSeconds(environment.time().nanoTime() - savedNanos) + " s ago";
        return FeatureStatus.of(name, FeatureState.STARTED, pauseMillis == 0 ? "at the stop only" : age);
    }

    /** Begins the last save, which the closing of the store waits for. */
    @Override
    public void close() {
        synchronized (this) {
            if (timer != null) {
                timer.cancel();
            }
        }
        awaitSave();
        Map<String, byte[]> sections = sections();
        synchronized (this) {
            lastWanted = sections;
        }
        save(sections);
        synchronized (this) {
            closed = true;
        }
    }

    /** One save at a time: the last one must not be left out for one that is under way. */
    private synchronized void awaitSave() {
        long untilNanos = environment.time().nanoTime() + TimeUnit.MILLISECONDS.toNanos(LAST_SAVE_WAIT_MILLIS);
        try {
            while (saving && untilNanos - environment.time().nanoTime() > 0) {
                wait(WAIT_STEP_MILLIS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Whether what {@link #close} wanted to save is on the spare; certain once the store is closed. */
    synchronized boolean lastSaved() {
        return lastWanted != null && same(lastWanted, last);
    }
}
