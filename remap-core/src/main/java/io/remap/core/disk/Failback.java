package io.remap.core.disk;

import io.remap.api.Attribute;
import io.remap.api.DiskError;
import io.remap.api.Scheduler.Cancellable;
import io.remap.core.disk.Return.End;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Brings home what went to the spare only because main had no time left to take it: after a pause, unit by unit, by {@link
 * Return}. What main refuses then stays on the spare for good; what something else keeps from returning is tried again
 * after a hold-off, a few times. Units are remembered in memory alone: after a restart they stay on the spare, which is
 * safe.
 *
 * <p>Invariants: a unit waits only while the last change of its place was a redirection for lack of time; one return at a
 * time, and none from {@link #stop} on; units wait in the order in which they are due.
 *
 * <p>Thread-safe. Never blocks: returns are continuations on the scheduler.
 */
final class Failback {
    /** Most units that wait (256 MiB); what comes beyond stays on the spare. */
    static final int MAX_WAITING_UNITS = 65_536;

    /** Tries of a unit, if something other than main's refusal is in the way. */
    static final int MAX_TRIES = 5;

    private static final long MAX_HOLD_OFF_MILLIS = TimeUnit.DAYS.toMillis(1);

    private final VirtualDisk disk;
    private final long pauseMillis;

    // Guarded by this.
    private final Map<Long, Waiting> waiting = new LinkedHashMap<>();
    private Cancellable timer;
    private long restUntilNanos;
    private long begunNanos;
    private boolean returning;
    private boolean stopped;

    private record Waiting(long dueNanos, int tries) {}

    /** @param pauseMillis how long a unit waits before it is brought back, 0: for ever */
    Failback(VirtualDisk disk, long pauseMillis) {
        this.disk = disk;
        this.pauseMillis = pauseMillis;
        this.restUntilNanos = disk.environment.time().nanoTime();
    }

    /** What a plan has moved, and why; called by the holder of the range after the commit. */
    synchronized void redirected(SlotPlan plan) {
        if (pauseMillis > 0 && !stopped) {
            plan.forEachUnit((unit, forLackOfTime) -> {
                if (forLackOfTime) {
                    add(unit);
                } else {
                    waiting.remove(unit);
                }
            });
            arm();
        }
    }

    private void add(long unit) {
        waiting.remove(unit);
        if (waiting.size() < MAX_WAITING_UNITS) {
            enqueue(unit, 0);
        } else {
            disk.counters.droppedReturns.increment();
            disk.log.returnsDropped();
        }
    }

    private void enqueue(long unit, int tries) {
        waiting.put(unit, new Waiting(now() + TimeUnit.MILLISECONDS.toNanos(pauseMillis), tries));
    }

    /** These units are where they shall be. */
    synchronized void forget(long firstUnit, long endUnit) {
        if (!waiting.isEmpty()) {
            for (long unit = firstUnit; unit < endUnit; unit++) {
                waiting.remove(unit);
            }
        }
    }

    /** Begins no return any more; one that is under way looks for it between its transfers, and ends. */
    synchronized void stop() {
        stopped = true;
        waiting.clear();
        if (timer != null) {
            timer.cancel();
        }
    }

    private long now() {
        return disk.environment.time().nanoTime();
    }

    /** Sets the timer for the unit that is due first. */
    private void arm() {
        if (stopped || returning || timer != null || waiting.isEmpty()) {
            return;
        }
        long now = now();
        long due = waiting.values().iterator().next().dueNanos;
        long delayNanos = Math.max(0, Math.max(due - now, restUntilNanos - now));
        timer = disk.environment
                .scheduler()
                .schedule(this::due, TimeUnit.NANOSECONDS.toMillis(delayNanos + TimeUnit.MILLISECONDS.toNanos(1) - 1));
    }

    private void due() {
        long unit;
        synchronized (this) {
            timer = null;
            if (stopped || waiting.isEmpty()) {
                return;
            }
            Map.Entry<Long, Waiting> first = waiting.entrySet().iterator().next();
            if (first.getValue().dueNanos - now() > 0) {
                // The one that the timer was set for waits no more.
                arm();
                return;
            }
            unit = first.getKey();
            returning = true;
            begunNanos = now();
        }
        if (disk.enter()) {
            Return.bringBack(disk, unit, () -> waits(unit), (end, failure) -> {
                ended(unit, end, failure);
                disk.leave();
            });
        }
    }

    private synchronized boolean waits(long unit) {
        return waiting.containsKey(unit);
    }

    private synchronized void ended(long unit, End end, Recovery.Failure failure) {
        returning = false;
        // Main has clients too: it rests from returns as long as one took.
        long now = now();
        restUntilNanos = now + (now - begunNanos);
        switch (end) {
            case RETURNED -> disk.counters.returnsForLackOfTime.increment();
            case NOTHING_TO_DO -> waiting.remove(unit);
            case REFUSED -> {
                waiting.remove(unit);
                disk.counters.refusedReturns.increment();
                disk.log.returnRefused(unit);
            }
            case FAILED -> tryLater(unit, failure);
        }
        arm();
    }

    /** Whatever is in the way of one unit is likely to be in the way of the others: all wait. */
    private void tryLater(long unit, Recovery.Failure failure) {
        Waiting before = waiting.remove(unit);
        if (before == null || failure.error == DiskError.SHUTDOWN) {
            return;
        }
        int tries = before.tries + 1;
        long holdOffMillis = Math.min(pauseMillis << tries, MAX_HOLD_OFF_MILLIS);
        restUntilNanos = now() + TimeUnit.MILLISECONDS.toNanos(holdOffMillis);
        if (tries < MAX_TRIES) {
            enqueue(unit, tries);
        } else {
            disk.counters.abandonedReturns.increment();
            disk.log.returnAbandoned(unit, tries);
        }
    }

    Attribute attribute() {
        return Attribute.readOnly(
                "return.waiting-units",
                "count",
                "Units of 4096 bytes that are on the spare only for lack of time and wait to be brought back to main",
                this::waitingUnits);
    }

    private synchronized Object waitingUnits() {
        return (long) waiting.size();
    }
}
