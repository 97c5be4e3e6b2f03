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

    private record HoldOff(int failures, long untilNanos) {}

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
            return new HoldOff(failures, now + TimeUnit.MILLISECONDS.toNanos(policy.holdOffMillis(failures)));
        });
    }

    /** Units of a range may be tried at once. */
    void end(long firstUnit, long endUnit) {
        units.keySet().removeIf(unit -> unit >= firstUnit && unit < endUnit);
    }

    void succeeded(long unit) {
        units.remove(unit);
    }
}
