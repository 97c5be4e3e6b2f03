package io.remap.health.scan;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;

/**
 * The surroundings of errors, to be read soon: half of all errors have another one within 10 MB, most of them within a
 * minute (Bairavasundaram et al., SIGMETRICS 2007). Nearest segments first, to both sides; what is found there brings its
 * own surroundings along, so that the scan goes on to the end of a cluster.
 *
 * <p>Invariants: at most {@link #MAX_SEGMENTS} wait, what comes beyond is left to the pass; a segment that was read is not
 * read again for an hour on account of its neighbours. Not thread-safe.
 */
final class LocalScans {
    /** Segments to each side: 10 MB. */
    static final int REACH_SEGMENTS = 10;

    static final int MAX_SEGMENTS = 4096;
    private static final long REST_NANOS = TimeUnit.HOURS.toNanos(1);

    private final long segments;
    private final Map<Long, Long> dueNanos = new LinkedHashMap<>();
    private final Map<Long, Long> readNanos = new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Long, Long> eldest) {
            return size() > MAX_SEGMENTS;
        }
    };

    LocalScans(long segments) {
        this.segments = segments;
    }

    /** An error was met in these segments. */
    void around(long first, long last, long nowNanos, long due) {
        for (long distance = 0; distance <= REACH_SEGMENTS; distance++) {
            add(first - distance, nowNanos, due);
            add(last + distance, nowNanos, due);
        }
    }

    private void add(long segment, long nowNanos, long due) {
        Long read = readNanos.get(segment);
        boolean rests = read != null && nowNanos - read < REST_NANOS;
        if (segment >= 0 && segment < segments && !rests && dueNanos.size() < MAX_SEGMENTS) {
            dueNanos.putIfAbsent(segment, due);
        }
    }

    /** A segment was read, by whatever scan. */
    void read(long segment, long nowNanos) {
        dueNanos.remove(segment);
        readNanos.remove(segment);
        readNanos.put(segment, nowNanos);
    }

    /** Takes the first segment that is due. */
    OptionalLong take(long nowNanos) {
        Iterator<Map.Entry<Long, Long>> first = dueNanos.entrySet().iterator();
        if (first.hasNext()) {
            Map.Entry<Long, Long> entry = first.next();
            if (entry.getValue() - nowNanos <= 0) {
                first.remove();
                return OptionalLong.of(entry.getKey());
            }
        }
        return OptionalLong.empty();
    }

    /** When the first is due. */
    OptionalLong nextNanos() {
        return dueNanos.isEmpty()
                ? OptionalLong.empty()
                : OptionalLong.of(dueNanos.values().iterator().next());
    }

    int waiting() {
        return dueNanos.size();
    }
}
