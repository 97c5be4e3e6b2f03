package io.remap.core.disk;

import io.remap.api.DeviceException;
import io.remap.api.Place;
import io.remap.core.disk.AvoidedRegions.Region;
import java.nio.ByteBuffer;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;

/**
 * Finds areas of main in which nothing reads and each attempt takes long, has them avoided, and sees whether they read again.
 *
 * <p>A suspicion costs nobody anything: it comes from a long read that failed slowly, or from neighbouring units that became bad one by
 * one. What decides is probes of single sectors, spread over the area: all must fail, each slowly, and behind each failure a canary must
 * read. A single good place ends it, which is cheap, as good places read fast. Then the area grows to both sides by ever longer steps,
 * each of which must be dead at its end and in its middle, and its edges are found by halving.
 *
 * <p>Invariants: one examination at a time; never more than half of main is avoided by itself; nothing is decided by a device that may be
 * away. Thread-safe; an examination blocks on main.
 */
final class DeadAreas {
    /** Longest pause before a region is tried again. */
    static final long MAX_RETRY_MILLIS = TimeUnit.DAYS.toMillis(1);

    /** How far an area grows at once to each side, unless it is longer itself: errors come in bursts within 10 MB. */
    static final long MAX_GROWTH_UNITS = (10L << 20) / Place.UNIT_BYTES;

    /** Probes of an area. */
    private static final int PLACES = 5;

    private static final long FIRST_STEP_UNITS = 8;

    /** How exactly an edge is found: each step of that costs another attempt. */
    private static final long EDGE_UNITS = 4;

    /** Most bad units that are remembered for their neighbours. */
    private static final int MAX_SUSPECTS = 4096;

    /** Shorter regions are no bands of a head. */
    static final long MIN_BAND_UNITS = (1L << 20) / Place.UNIT_BYTES;

    private static final long SUSPECT_NANOS = TimeUnit.HOURS.toNanos(1);

    private final VirtualDisk disk;
    private final AvoidedRegions avoided;
    private final AtomicBoolean examining = new AtomicBoolean();
    final LongAdder probes = new LongAdder();

    /** Units that became bad, and when; guarded by itself. */
    private final TreeMap<Long, Long> suspects = new TreeMap<>();

    /** Of the last probe that failed; of whoever examines. */
    private DiskEvent.Cause cause;

    DeadAreas(VirtualDisk disk, AvoidedRegions avoided) {
        this.disk = disk;
        this.avoided = avoided;
    }

    /** Main may be away, or the disk stops. */
    private static final class Undecided extends Exception {
        private static final long serialVersionUID = 1L;

        private Undecided(Throwable cause) {
            super(cause);
        }
    }

    private enum Answer {
        READS,
        /** At once: that costs nobody anything. */
        FAILS,
        /** After a long time. */
        DEAD
    }

    private boolean isOn() {
        return disk.policy.avoidUnits() > 0 && disk.redirectsWrites();
    }

    /**
     * A read of main failed; called by a stage that may block.
     *
     * @param tookNanos how long it took
     * @return whether all of it is avoided from now on
     */
    boolean lookInto(long offset, long length, long tookNanos) {
        long first = offset >> Place.UNIT_SHIFT;
        long end = SegmentCursor.endUnit(offset + length);
        return isOn()
                && end - first >= disk.policy.avoidUnits()
                && tookNanos >= slowNanos()
                && examine(first, end, false, "a read failed slowly, and so do single sectors all over it");
    }

    /**
     * A scan that reads ever smaller pieces has failed with one. Of a piece at the edge of a dead area only a part is dead; so when it
     * has come down to a single unit, what follows it is looked at, and what lies before it.
     */
    void lookAround(long offset, long length, long tookNanos) {
        if (lookInto(offset, length, tookNanos) || !isOn() || tookNanos < slowNanos()) {
            return;
        }
        long unit = offset >> Place.UNIT_SHIFT;
        long span = disk.policy.avoidUnits();
        String why = "a unit failed slowly, and so do single sectors all over its neighbours";
        if (SegmentCursor.endUnit(offset + length) == unit + 1) {
            // From the far end, so that a unit that is bad alone costs good reads, which are fast.
            boolean found = unit + span <= SegmentCursor.endUnit(disk.traits().sizeBytes())
                    && examine(unit, unit + span, true, why);
            if (!found && unit + 1 >= span) {
                examine(unit + 1 - span, unit + 1, false, why);
            }
        }
    }

    private long slowNanos() {
        return TimeUnit.MILLISECONDS.toNanos(disk.policy.avoidSlowMillis());
    }

    /** A unit of main could not be read, or refused a write: with enough neighbours that is a reason to look. */
    void suspect(long unit) {
        if (!isOn() || disk.state.current().isAvoided(unit, unit + 1)) {
            return;
        }
        long first = unit;
        long end = unit + 1;
        synchronized (suspects) {
            forgetOld();
            suspects.put(unit, now());
            int count = 1;
            for (Long before = suspects.lowerKey(first); before != null && before >= first - 2; ) {
                first = before;
                count++;
                before = suspects.lowerKey(first);
            }
            for (Long after = suspects.higherKey(end - 1); after != null && after <= end + 1; ) {
                end = after + 1;
                count++;
                after = suspects.higherKey(end - 1);
            }
            if (count < disk.policy.avoidUnits()) {
                return;
            }
            suspects.subMap(first, end).clear();
        }
        later(
                first,
                end,
                "neighbouring units failed one after the other, and single sectors all over them fail slowly");
    }

    private void forgetOld() {
        long now = now();
        suspects.values().removeIf(then -> now - then > SUSPECT_NANOS);
        Iterator<Long> units = suspects.keySet().iterator();
        while (suspects.size() >= MAX_SUSPECTS) {
            units.next();
            units.remove();
        }
    }

    private void later(long first, long end, String why) {
        disk.environment.scheduler().execute(() -> {
            if (disk.enter()) {
                try {
                    examine(first, end, false, why);
                } finally {
                    disk.leave();
                }
            }
        });
    }

    /** Somebody wants units that are avoided. */
    void asked(long firstUnit, long endUnit) {
        if (disk.state.current().isAvoided(firstUnit, endUnit)) {
            avoided.due(firstUnit, endUnit).ifPresent(this::tryAgain);
        }
    }

    private void tryAgain(Region region) {
        if (!examining.compareAndSet(false, true)) {
            return;
        }
        disk.environment.scheduler().execute(() -> {
            boolean open = disk.enter();
            try {
                if (open) {
                    retry(region);
                }
            } finally {
                examining.set(false);
                if (open) {
                    disk.leave();
                }
            }
        });
    }

    /** The first place that does not read ends it: that costs one attempt. */
    private void retry(Region region) {
        try {
            for (int i = 0; i < PLACES; i++) {
                // Others than the last time, so that a few good places do not speak for all of them.
                if (probe(place(region.firstUnit(), region.endUnit(), (i + region.retries()) % PLACES))
                        != Answer.READS) {
                    avoided.retried(region, true);
                    return;
                }
            }
        } catch (Undecided e) {
            avoided.retried(region, false);
            return;
        }
        disk.counters.endedAreas.increment();
        avoided.remove(region.firstUnit(), region.endUnit(), PLACES + " places all over it read again");
    }

    /**
     * Sees whether units are dead, and how far that goes.
     *
     * @param backwards whether the last of them are asked first
     * @return whether all of them are avoided now
     */
    private boolean examine(long first, long end, boolean backwards, String why) {
        if (!examining.compareAndSet(false, true)) {
            return false;
        }
        Optional<Region> band = Optional.empty();
        try {
            cause = null;
            if (!isDead(first, end, backwards)) {
                return false;
            }
            long room =
                    (SegmentCursor.endUnit(disk.traits().sizeBytes()) / 2 - avoided.foundUnits() - (end - first)) / 2;
            if (room < 0) {
                return false;
            }
            long limit = Math.min(room, Math.max(MAX_GROWTH_UNITS, lengthAround(first, end)));
            long high = end + growth(end, 1, end - first, limit);
            long low = first - growth(first, -1, end - first, limit);
            boolean added = avoided.add(low, high, true, Optional.ofNullable(cause), why);
            disk.counters.foundAreas.add(added ? 1 : 0);
            band = added ? nextBand() : band;
            return added;
        } catch (Undecided e) {
            return false;
        } finally {
            examining.set(false);
            band.ifPresent(next -> later(
                    next.firstUnit(),
                    next.endUnit(),
                    "it lies where a band of a dead head is to be expected, and is dead"));
        }
    }

    /** Of the found regions that the units touch: the longer they are, the further there is to look. */
    private long lengthAround(long first, long end) {
        return avoided.regions().stream()
                .filter(region -> region.found() && region.firstUnit() <= end && first <= region.endUnit())
                .mapToLong(Region::units)
                .sum();
    }

    private static long place(long first, long end, int index) {
        return first + (end - 1 - first) * index / (PLACES - 1);
    }

    private boolean isDead(long first, long end, boolean backwards) throws Undecided {
        for (int i = 0; i < PLACES; i++) {
            if (!isDead(place(first, end, backwards ? PLACES - 1 - i : i))) {
                return false;
            }
        }
        return true;
    }

    /** How many units beyond an edge are dead, as far as probes tell. */
    private long growth(long edge, int way, long length, long limit) throws Undecided {
        long units = SegmentCursor.endUnit(disk.traits().sizeBytes());
        long most = Math.min(limit, way > 0 ? units - edge : edge);
        long dead = 0;
        long step = Math.max(FIRST_STEP_UNITS, length);
        boolean growing = true;
        while (dead < most && (growing || most - dead >= EDGE_UNITS)) {
            long to = growing ? Math.min(most, dead + step) : dead + (most - dead + 1) / 2;
            boolean all = isDead(beyond(edge, way, to))
                    && (!growing || isDead(beyond(edge, way, dead + (to - dead + 1) / 2)));
            if (all) {
                dead = to;
                step *= 2;
            } else {
                most = to - 1;
                growing = false;
            }
        }
        return dead;
    }

    private static long beyond(long edge, int way, long distance) {
        return way > 0 ? edge + distance - 1 : edge - distance;
    }

    /** What is avoided already need not be asked. */
    private boolean isDead(long unit) throws Undecided {
        return disk.state.current().isAvoided(unit, unit + 1) || probe(unit) == Answer.DEAD;
    }

    private Answer probe(long unit) throws Undecided {
        if (disk.isStopping()) {
            throw new Undecided(null);
        }
        probes.increment();
        ByteBuffer sector = disk.sectorBuffer();
        long began = now();
        try {
            disk.main.direct().read(unit << Place.UNIT_SHIFT, sector);
            return Answer.READS;
        } catch (DeviceException e) {
            long took = now() - began;
            if (!e.errorClass().mayBeSector() || !disk.mainSide.canary().alive()) {
                throw new Undecided(e);
            }
            cause = DiskEvent.Cause.of(e, 1);
            return took >= slowNanos() ? Answer.DEAD : Answer.FAILS;
        }
    }

    private long now() {
        return disk.environment.time().nanoTime();
    }

    /**
     * The heads of a drive take turns in bands of about one length: three regions that are alike and equally far apart say where the
     * next one lies. Only the middle of it is named: its edges are found as those of any area.
     */
    private Optional<Region> nextBand() {
        List<Region> bands = avoided.regions().stream()
                .filter(region -> region.found() && region.units() >= MIN_BAND_UNITS)
                .toList();
        for (int i = 0; i + 2 < bands.size(); i++) {
            Region first = bands.get(i);
            Region last = bands.get(i + 2);
            if (areBands(first, bands.get(i + 1), last)) {
                long period = (last.firstUnit() - first.firstUnit()) / 2;
                Optional<Region> next = expected(last, period).or(() -> expected(first, -period));
                if (next.isPresent()) {
                    return next;
                }
            }
        }
        return Optional.empty();
    }

    private static boolean areBands(Region first, Region second, Region third) {
        long one = second.firstUnit() - first.firstUnit();
        long other = third.firstUnit() - second.firstUnit();
        long shortest = Math.min(first.units(), Math.min(second.units(), third.units()));
        long longest = Math.max(first.units(), Math.max(second.units(), third.units()));
        return Math.abs(one - other) <= (one + other) / 16 && longest <= shortest + shortest / 2;
    }

    private Optional<Region> expected(Region band, long period) {
        long quarter = band.units() / 4;
        long first = band.firstUnit() + period + quarter;
        long end = band.endUnit() + period - quarter;
        boolean there = first >= 0 && end <= SegmentCursor.endUnit(disk.traits().sizeBytes());
        return there && !disk.state.current().isAvoided(first, end)
                ? Optional.of(new Region(first, end, true, 0, 0, 0))
                : Optional.empty();
    }
}
