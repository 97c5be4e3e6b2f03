package io.remap.core.disk;

import io.remap.api.TimeSource;
import io.remap.api.spi.FaultPolicy;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/**
 * How long unreadable units answer with an error at once before they are tried again, so that a reader who insists does
 * not keep the drive busy with hopeless retries.
 *
 * <p>Touched only where a hint says that a unit is unreadable. At most {@link #MAX_UNITS} are held; what fails beyond it
 * is not held off but tried at every read: safe, since a hold-off only saves attempts. Thread-safe.
 */
final class HoldOffs {
    /** Most units held off; as many as may have a hint. */
    static final int MAX_UNITS = MapSnapshot.MAX_HINTED_UNITS;

    /** @param restored it is over, and the first failure is to be taken for the last */
    private record HoldOff(int failures, long untilNanos, boolean restored) {}

    private final ConcurrentHashMap<Long, HoldOff> units = new ConcurrentHashMap<>();

    private final TimeSource time;
    private final FaultPolicy policy;

    HoldOffs(TimeSource time, FaultPolicy policy) {
        this.time = time;
        this.policy = policy;
    }

    /** Whether the unit must not be tried yet. */
    boolean isHeld(long unit) {
        HoldOff holdOff = units.get(unit);
        return holdOff != null && time.nanoTime() - holdOff.untilNanos < 0;
    }

    void failed(long unit) {
        if (units.size() >= MAX_UNITS && !units.containsKey(unit)) {
            return;
        }
        long now = time.nanoTime();
        units.compute(unit, (u, before) -> {
            int failures = before == null ? 1 : before.failures + 1;
            return new HoldOff(failures, now + TimeUnit.MILLISECONDS.toNanos(policy.holdOffMillis(failures)), false);
        });
    }

    /**
     * It failed before this start, and may be tried at once.
     *
     * @param onceOnly one failure is enough: see {@link #isRestored}
     */
    void restored(long unit, int failures, boolean onceOnly) {
        if (units.size() < MAX_UNITS) {
            units.put(unit, new HoldOff(failures, time.nanoTime(), onceOnly));
        }
    }

    /** Whether the unit was known as unreadable before this start, and was not tried since: one failure says that it still is. */
    boolean isRestored(long unit) {
        HoldOff holdOff = units.get(unit);
        return holdOff != null && holdOff.restored;
    }

    /** How often it was tried in vain. */
    int failures(long unit) {
        HoldOff holdOff = units.get(unit);
        return holdOff == null ? 0 : holdOff.failures;
    }

    /** Units of a range may be tried at once. */
    void end(long firstUnit, long endUnit) {
        units.keySet().removeIf(unit -> unit >= firstUnit && unit < endUnit);
    }

    void succeeded(long unit) {
        units.remove(unit);
    }
}
