package io.remap.core.disk;

import io.remap.api.TimeSource;
import io.remap.api.spi.FaultPolicy;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/**
 * How long unreadable units answer with an error at once before they are tried again, so that a reader who insists does
 * not keep the drive busy with hopeless retries. A sector that is known from before this start is never held off for its
 * neighbours: it may have been written since, or read again, and has a try of its own first.
 *
 * <p>Touched only where a hint says that a unit is unreadable. At most {@link #MAX_UNITS} are held; what fails beyond it
 * is not held off but tried at every read: safe, since a hold-off only saves attempts. Thread-safe.
 */
final class HoldOffs {
    /** Most units held off; as many as may have a hint. */
    static final int MAX_UNITS = MapSnapshot.MAX_HINTED_UNITS;

    /**
     * That of a unit.
     *
     * @param untried sectors that were restored and not tried since
     * @param onceOnly of those the first failure is to be taken for the last
     */
    private record HoldOff(int failures, long untilNanos, int untried, boolean onceOnly) {}

    private final ConcurrentHashMap<Long, HoldOff> units = new ConcurrentHashMap<>();

    private final TimeSource time;
    private final FaultPolicy policy;

    HoldOffs(TimeSource time, FaultPolicy policy) {
        this.time = time;
        this.policy = policy;
    }

    /** Whether sectors of a unit must not be tried yet. */
    boolean isHeld(long unit, int mask) {
        HoldOff holdOff = units.get(unit);
        return holdOff != null && time.nanoTime() - holdOff.untilNanos < 0 && (holdOff.untried & mask) == 0;
    }

    /** These sectors of a unit were tried in vain. */
    void failed(long unit, int mask) {
        if (units.size() >= MAX_UNITS && !units.containsKey(unit)) {
            return;
        }
        long now = time.nanoTime();
        units.compute(unit, (u, before) -> {
            int failures = before == null ? 1 : before.failures + 1;
            long until = now + TimeUnit.MILLISECONDS.toNanos(policy.holdOffMillis(failures));
            return before == null
                    ? new HoldOff(failures, until, 0, false)
                    : new HoldOff(failures, until, before.untried & ~mask, before.onceOnly);
        });
    }

    /**
     * These sectors failed before this start, and may be tried at once.
     *
     * @param onceOnly one failure is enough: see {@link #isRestored}
     */
    void restored(long unit, int mask, int failures, boolean onceOnly) {
        if (units.size() < MAX_UNITS) {
            units.put(unit, new HoldOff(failures, time.nanoTime(), mask, onceOnly));
        }
    }

    /** Whether sectors were known as unreadable before this start, and not tried since: one failure says that they still are. */
    boolean isRestored(long unit, int mask) {
        HoldOff holdOff = units.get(unit);
        return holdOff != null && holdOff.onceOnly && (holdOff.untried & mask) != 0;
    }

    /** How often it was tried in vain. */
    int failures(long unit) {
        HoldOff holdOff = units.get(unit);
        return holdOff == null ? 0 : holdOff.failures;
    }

    /** Units of a range may be tried at once. */
    void end(long firstUnit, long endUnit) {
        units.keySet().stream()
                .filter(unit -> unit >= firstUnit && unit < endUnit)
                .forEach(this::succeeded);
    }

    /** The unit may be tried at once; what was restored of it still has its first try. */
    void succeeded(long unit) {
        units.computeIfPresent(
                unit,
                (u, before) -> before.untried == 0
                        ? null
                        : new HoldOff(before.failures, time.nanoTime(), before.untried, before.onceOnly));
    }
}
