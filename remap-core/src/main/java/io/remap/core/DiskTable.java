package io.remap.core;

import io.remap.api.Export;
import io.remap.api.Exports;
import io.remap.api.Refusal;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;

/**
 * The disks of a service by name, and what clients see of them.
 *
 * <p>Invariants: names and export names are unique, also among disks that start or stop; an export is visible exactly from
 * when its disk stands until it begins to leave; after {@link #close} no disk is admitted. Thread-safe; nothing is waited
 * for under the lock.
 */
final class DiskTable implements Exports {
    static final int MAX_DISKS = 256;

    /** A name that is taken, by a disk that starts, stands or leaves. */
    static final class Entry {
        private final DiskSpec spec;
        private final CompletableFuture<Void> gone = new CompletableFuture<>();
        // Guarded by the table.
        private ServedDisk disk;
        private boolean leaving;

        private Entry(DiskSpec spec) {
            this.spec = spec;
        }

        /** Completed when the name is free again. */
        CompletableFuture<Void> gone() {
            return gone;
        }

        private boolean stands() {
            return disk != null && !leaving;
        }
    }

    private final TreeMap<String, Entry> entries = new TreeMap<>();
    private boolean closed;

    /** Takes the names of a disk that is about to start. */
    synchronized Entry reserve(DiskSpec spec) throws Refusal {
        checkName("disk", spec.name(), DiskSpec.MAX_NAME_CHARS);
        checkName("export", spec.effectiveExportName(), Export.MAX_NAME_CHARS);
        if (closed) {
            throw new Refusal(Refusal.Kind.BUSY, "the service is stopping: it takes no more disks");
        }
        if (entries.size() >= MAX_DISKS) {
            throw new Refusal(Refusal.Kind.USAGE, "a service has at most " + MAX_DISKS + " disks");
        }
        for (Entry other : entries.values()) {
            if (other.spec.name().equals(spec.name())) {
                throw new Refusal(
                        Refusal.Kind.USAGE, "there is a disk '" + spec.name() + "' already: choose another name");
            }
            if (other.spec.effectiveExportName().equals(spec.effectiveExportName())) {
                throw new Refusal(
                        Refusal.Kind.USAGE,
                        "disk '" + other.spec.name() + "' is exported as '" + spec.effectiveExportName()
                                + "' already: choose another export name");
            }
        }
        Entry entry = new Entry(spec);
        entries.put(spec.name(), entry);
        return entry;
    }

    private static void checkName(String what, String name, int maxChars) throws Refusal {
        if (name.isEmpty() || name.length() > maxChars || name.chars().anyMatch(Character::isISOControl)) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "the name of a" + (what.equals("export") ? "n " : " ") + what + " has 1 to " + maxChars
                            + " characters and no control characters");
        }
    }

    /** Makes a disk that stands visible; {@code false} if the service is stopping: then it stays the caller's. */
    synchronized boolean admit(Entry entry, ServedDisk disk) {
        if (closed) {
            return false;
        }
        entry.disk = disk;
        return true;
    }

    /** Takes the export away; whoever gets the disk stops it and then releases the entry. */
    synchronized Optional<ServedDisk> leave(Entry entry) {
        if (!entry.stands()) {
            return Optional.empty();
        }
        entry.leaving = true;
        return Optional.of(entry.disk);
    }

    /** Frees the names. */
    void release(Entry entry) {
        synchronized (this) {
            entries.remove(entry.spec.name(), entry);
        }
        entry.gone.complete(null);
    }

    /** Admits no more, and gives all entries. */
    synchronized List<Entry> close() {
        closed = true;
        return List.copyOf(entries.values());
    }

    /** The entry of a disk that stands. */
    synchronized Entry entry(String name) throws Refusal {
        Entry entry = entries.get(name);
        if (entry == null) {
            throw new Refusal(
                    Refusal.Kind.NOT_SO,
                    "there is no disk '" + name + "'; there "
                            + (entries.isEmpty() ? "is none" : "are " + String.join(", ", entries.keySet())));
        }
        if (!entry.stands()) {
            throw new Refusal(Refusal.Kind.BUSY, "disk '" + name + "' is " + (entry.leaving ? "stopping" : "starting"));
        }
        return entry;
    }

    /** The disk of a name; with an empty one, the only disk. */
    synchronized ServedDisk disk(String name) throws Refusal {
        if (!name.isEmpty()) {
            return entry(name).disk;
        }
        List<ServedDisk> standing = new ArrayList<>();
        entries.values().stream().filter(Entry::stands).forEach(entry -> standing.add(entry.disk));
        if (standing.size() != 1) {
            throw new Refusal(
                    standing.isEmpty() ? Refusal.Kind.NOT_SO : Refusal.Kind.USAGE,
                    standing.isEmpty()
                            ? "the service has no disk"
                            : "say which disk: there are " + String.join(", ", entries.keySet()));
        }
        return standing.get(0);
    }

    /** All disks that stand or leave, by name. */
    synchronized List<ServedDisk> disks() {
        return entries.values().stream()
                .filter(entry -> entry.disk != null)
                .map(entry -> entry.disk)
                .toList();
    }

    @Override
    public synchronized Optional<Export> find(String name) {
        List<Entry> standing = entries.values().stream().filter(Entry::stands).toList();
        if (name.isEmpty()) {
            return standing.size() == 1 ? Optional.of(export(standing.get(0))) : Optional.empty();
        }
        return standing.stream()
                .filter(entry -> entry.spec.effectiveExportName().equals(name))
                .map(DiskTable::export)
                .findFirst();
    }

    @Override
    public synchronized List<Export> list() {
        return entries.values().stream()
                .filter(Entry::stands)
                .map(DiskTable::export)
                .sorted(java.util.Comparator.comparing(Export::name))
                .toList();
    }

    private static Export export(Entry entry) {
        return new Export(entry.spec.effectiveExportName(), "", entry.disk.disk());
    }
}
