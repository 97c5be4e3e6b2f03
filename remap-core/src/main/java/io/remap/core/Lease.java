package io.remap.core;

import io.remap.api.TimeSource;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;

/**
 * The right to write to a pair that other hosts can reach too. The owner renews it with every heartbeat that it writes to the
 * spare, and stops when it could not for {@link #HELD_BEATS} of them; another host may take over, when its user says so, after
 * {@link #SILENT_BEATS} without one ({@link Ownership}). So by then the owner has stopped, as long as its clock runs.
 *
 * <p>This is the best that can be done with storage that knows nothing of it: a write that was under way in a host that
 * stood still may come later. Only fencing by the storage (SCSI-3 persistent reservations) guarantees more.
 *
 * <p>Thread-safe.
 */
final class Lease {
    /** Heartbeats after which the owner stops if none could be written. */
    static final int HELD_BEATS = 5;

    /** Heartbeats that must be missed before somebody else may take over. */
    static final int SILENT_BEATS = 2 * HELD_BEATS;

    /** Name of the section of a save that says how often there is one. */
    static final String SECTION = "lease";

    private static final String FIELD = "heartbeat-millis=";
    private static final long MAX_MILLIS = TimeUnit.DAYS.toMillis(1);

    private final TimeSource time;
    private final long beatMillis;
    private final Runnable whenOver;
    private volatile long heldUntilNanos;

    /** @param whenOver called when it is found to be over; more than once, from any thread, must not block */
    Lease(TimeSource time, long beatMillis, Runnable whenOver) {
        this.time = time;
        this.beatMillis = beatMillis;
        this.whenOver = whenOver;
        renewed(time.nanoTime());
    }

    long beatMillis() {
        return beatMillis;
    }

    /** A heartbeat was written that began at this time. */
    void renewed(long begunNanos) {
        heldUntilNanos = begunNanos + TimeUnit.MILLISECONDS.toNanos(HELD_BEATS * beatMillis);
    }

    /** Whether it is over; says so. Cheap: asked for each write. */
    boolean isOver() {
        if (time.nanoTime() - heldUntilNanos <= 0) {
            return false;
        }
        whenOver.run();
        return true;
    }

    /** What a save holds. */
    byte[] section() {
        return (FIELD + beatMillis + "\n").getBytes(StandardCharsets.UTF_8);
    }

    /** How often the server that saved this has a heartbeat; empty if it has none. */
    static OptionalLong beatMillisOf(Map<String, byte[]> saved) {
        byte[] section = saved.get(SECTION);
        String text = section == null ? "" : new String(section, StandardCharsets.UTF_8).strip();
        if (text.matches(FIELD + "[0-9]{1,9}")) {
            long millis = Long.parseLong(text.substring(FIELD.length()));
            return millis > 0 && millis <= MAX_MILLIS ? OptionalLong.of(millis) : OptionalLong.empty();
        }
        return OptionalLong.empty();
    }
}
