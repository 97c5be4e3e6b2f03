package io.remap.core;

import io.remap.api.Environment;
import io.remap.api.FeatureState;
import io.remap.api.FeatureStatus;
import io.remap.api.Scheduler;
import io.remap.api.spi.MetadataStore;
import io.remap.core.disk.Saved;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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
    private static final Logger LOG = LoggerFactory.getLogger(Autosave.class);

    private final String diskName;
    private final MetadataStore store;
    private final List<Saved> parts;
    private final Environment environment;
    private final long pauseMillis;

    // Guarded by this.
    private Map<String, byte[]> last = Map.of();
    private Scheduler.Cancellable timer;
    private boolean saving;
    private boolean closed;
    private Map<String, byte[]> lastWanted;
    private long saves;
    private long savedNanos;
    private String failure = "";

    /** @param pauseMillis between saves; 0 for none but at the stop */
    Autosave(String diskName, MetadataStore store, List<Saved> parts, Environment environment, long pauseMillis) {
        this.diskName = diskName;
        this.store = store;
        this.parts = parts;
        this.environment = environment;
        this.pauseMillis = pauseMillis;
    }

    /** Gives the parts what was saved last, and begins to save. */
    synchronized void start() {
        last = store.saved();
        for (Saved part : parts) {
            byte[] saved = last.get(part.section());
            if (saved != null) {
                restore(part, saved);
            }
        }
        schedule();
    }

    private void restore(Saved part, byte[] saved) {
        try {
            part.restore(saved);
        } catch (RuntimeException e) {
            LOG.warn("{}: saved {} make no sense and are left out: {}", diskName, part.section(), e.toString());
        }
    }

    private synchronized void schedule() {
        if (pauseMillis > 0 && !closed) {
            timer = environment.scheduler().schedule(this::saveInTime, pauseMillis);
        }
    }

    private void saveInTime() {
        saveNow();
        schedule();
    }

    /** Begins a save if anything has changed and none is under way. */
    void saveNow() {
        save(sections());
    }

    private Map<String, byte[]> sections() {
        Map<String, byte[]> sections = new LinkedHashMap<>();
        for (Saved part : parts) {
            sections.put(part.section(), part.save());
        }
        return sections;
    }

    private void save(Map<String, byte[]> sections) {
        synchronized (this) {
            if (saving || same(sections, last)) {
                return;
            }
            saving = true;
        }
        store.save(sections, why -> ended(sections, why));
    }

    private static boolean same(Map<String, byte[]> one, Map<String, byte[]> other) {
        return one.keySet().equals(other.keySet())
                && one.keySet().stream().allMatch(name -> Arrays.equals(one.get(name), other.get(name)));
    }

    private synchronized void ended(Map<String, byte[]> sections, String why) {
        saving = false;
        if (!why.isEmpty() && !why.equals(failure)) {
            LOG.warn("{}: events and counters could not be saved: {}", diskName, why);
        }
        failure = why;
        if (why.isEmpty()) {
            last = sections;
            saves++;
            savedNanos = environment.time().nanoTime();
        }
    }

    synchronized FeatureStatus status() {
        String name = "autosave";
        if (closed) {
            return FeatureStatus.of(name, FeatureState.STOPPED, "");
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
        Map<String, byte[]> sections = sections();
        synchronized (this) {
            lastWanted = sections;
        }
        save(sections);
        synchronized (this) {
            closed = true;
        }
    }

    /** Whether what {@link #close} wanted to save is on the spare; certain once the store is closed. */
    synchronized boolean lastSaved() {
        return lastWanted != null && same(lastWanted, last);
    }
}
