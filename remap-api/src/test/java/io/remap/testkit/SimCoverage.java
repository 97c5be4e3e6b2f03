package io.remap.testkit;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;

/** How often each class of event happened over a run of simulations. Thread-safe. */
public final class SimCoverage {
    /** What a run must have met; each at least once. */
    public static final List<String> REQUIRED = List.of(
            "boots",
            "buffers refused",
            "clean stops",
            "crashes",
            "crashes during a return",
            "device gone",
            "faults BAD",
            "faults SLOW",
            "faults STUCK",
            "faults TRANSIENT",
            "faults UNREADABLE",
            "faults UNWRITABLE",
            "faults WRITE_ONLY",
            "flushes",
            "flushes after a verification",
            "flushes failed",
            "FUA writes",
            "host errors",
            "losses told",
            "lost sectors",
            "map add",
            "map remove",
            "moves with an error",
            "power cuts",
            "reads",
            "reads failed",
            "spare faults",
            "spare full",
            "store failed",
            "store refused",
            "stable stops after a failed flush",
            "trims",
            "unaligned reads",
            "unaligned writes",
            "writes",
            "writes failed",
            "zeroed",
            "io.parked",
            "io.split",
            "ledger.held-writes",
            "ledger.lost-sectors",
            "ledger.moved-sectors",
            "ledger.rewritten-sectors",
            "ledger.spare-lost-sectors",
            "ledger.spare-verifications",
            "ledger.spare-verified-sectors",
            "ledger.verifications",
            "ledger.verified-sectors",
            "deadline.late-writes",
            "deadline.overdue",
            "drop-off.held",
            "drop-off.resumed",
            "recovery.reads",
            "recovery.writes",
            "remap.bad-slots",
            "remap.new-unreadable-sectors",
            "remap.redirected-writes",
            "return.refused-units",
            "return.repeated-copies",
            "return.units-out-of-time");

    private static final Set<String> OPERATIONS = Set.of(
            "reads", "unaligned reads", "writes", "unaligned writes", "trims", "zeroed", "flushes", "flushes failed");
    private static final Set<String> FAULTS =
            Set.of("device gone", "host errors", "spare faults", "store failed", "store refused");
    private static final Set<String> CRASHES = Set.of("crashes", "power cuts");

    private final Map<String, Long> counts = new TreeMap<>();

    public synchronized void count(String event) {
        add(event, 1);
    }

    public synchronized void add(String event, long times) {
        counts.merge(event, times, Long::sum);
    }

    public synchronized void addAll(Map<String, Long> events) {
        events.forEach(this::add);
    }

    /** Throws if a class of events stayed at zero. */
    public synchronized void checkComplete(List<String> required) {
        List<String> missing = required.stream()
                .filter(event -> counts.getOrDefault(event, 0L) == 0)
                .toList();
        if (!missing.isEmpty()) {
            throw new AssertionError("the run never met: " + missing + "; it met " + this);
        }
    }

    /** Requests, faults that were met, and deaths of the process, as sums over their classes. */
    synchronized String totals() {
        return String.format(
                Locale.ROOT,
                "%,d operations, %,d faults, %,d crashes",
                sum(OPERATIONS::contains),
                sum(event -> FAULTS.contains(event) || event.startsWith("faults ")),
                sum(CRASHES::contains));
    }

    private long sum(Predicate<String> which) {
        return counts.entrySet().stream()
                .filter(entry -> which.test(entry.getKey()))
                .mapToLong(Map.Entry::getValue)
                .sum();
    }

    @Override
    public synchronized String toString() {
        StringBuilder text = new StringBuilder();
        counts.forEach((event, count) -> text.append(text.length() == 0 ? "" : ", ")
                .append(event)
                .append(' ')
                .append(count));
        return text.toString();
    }
}
