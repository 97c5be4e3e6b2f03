package io.remap.core.disk;

import io.remap.api.Attribute;
import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import io.remap.api.Reopening;
import io.remap.api.Scheduler.Cancellable;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Requests that failed since their device is away, until its canary says that it is back: a cable that was touched, or a
 * bus that was reset, costs time and no errors. What was put in doubt meanwhile is verified first; the requests begin anew
 * behind that. Nothing is mapped, as no verdict is given while a device is away. It is looked for when nobody waits any more too,
 * so that people are told, and what was put in doubt is settled before the next request comes.
 *
 * <p>Invariants: who is held is told once, to go on or to give up; one look at the device at a time, and one to come while
 * anybody is held. At most {@link #MOST_HELD}; each has its deadline all the same.
 *
 * <p>Thread-safe. Never blocks but for the look, on a thread of the disk.
 */
final class DropOff {
    /** How often it looks whether the device is back. */
    static final long POLL_MILLIS = 500;

    /** Requests held at a time; more fail at once. */
    static final int MOST_HELD = 1024;

    /** Looks in a row that nobody waits for, about an hour of them: after that it is looked for when somebody asks. */
    private static final int MOST_UNASKED = 128;

    /** These come at 32 s at last. */
    private static final int MAX_PAUSE_SHIFT = 6;

    private final VirtualDisk disk;
    private final TrackedDevice device;
    private final Canary canary;
    private final Optional<Reopening> reopening;

    // Guarded by this.
    private List<Held> held = new ArrayList<>();
    private boolean ended;

    /** The look to come, or {@code null}; its number is {@link #looks}. */
    private Cancellable next;

    private long looks;
    private boolean looking;

    /** How many of the last looks nobody waited for. */
    private int unasked;

    /** The last look found it away. */
    private boolean away;

    private record Held(long untilNanos, Runnable again, Runnable giveUp) {}

    /**
     * Of a device.
     *
     * @param reopening how it is found again when the kernel has given it up; empty: only where it is open
     */
    DropOff(VirtualDisk disk, TrackedDevice device, Canary canary, Optional<Reopening> reopening) {
        this.disk = disk;
        this.device = device;
        this.canary = canary;
        this.reopening = reopening;
    }

    /**
     * Holds a request.
     *
     * @param untilNanos when it gives up
     * @param again goes on, once the device is back
     * @return {@code false} if it must not wait, and nothing will be called
     */
    boolean hold(long untilNanos, Runnable again, Runnable giveUp) {
        synchronized (this) {
            if (ended
                    || disk.isStopping()
                    || held.size() >= MOST_HELD
                    || untilNanos - disk.environment.time().nanoTime() <= 0) {
                return false;
            }
            held.add(new Held(untilNanos, again, giveUp));
            if (!looking && (next == null || unasked > 0)) {
                unasked = 0;
                lookSoon();
            }
        }
        disk.counters.heldRequests.increment();
        return true;
    }

    /** The one look to come; under the lock. */
    private void lookSoon() {
        if (next != null) {
            next.cancel();
        }
        long number = ++looks;
        long pauseMillis = POLL_MILLIS << Math.min(unasked, MAX_PAUSE_SHIFT);
        next = disk.environment.scheduler().schedule(() -> look(number), pauseMillis);
    }

    /** The last look found it away. Who asks has it looked for again, if nobody does. */
    synchronized boolean isAway() {
        if (away && next == null && !looking && !disk.isStopping()) {
            unasked = 0;
            lookSoon();
        }
        return away;
    }

    /** The device does not belong to the disk any more: nobody waits for it. */
    void end() {
        List<Held> told;
        synchronized (this) {
            ended = true;
            away = false;
            told = held;
            held = new ArrayList<>();
        }
        for (Held each : told) {
            disk.environment.scheduler().execute(each.again);
        }
    }

    /** Another medium that answers is not the device. */
    private boolean isBack() {
        try {
            if (!canary.alive() && !isFoundAgain()) {
                return false;
            }
            device.requireSameMedium();
            return true;
        } catch (DeviceException e) {
            disk.log.deviceFault(e);
            return false;
        } catch (IllegalStateException e) {
            // It was closed by whoever took it out.
            return false;
        }
    }

    /** It was plugged in again: another device to the kernel. */
    private boolean isFoundAgain() {
        Optional<String> where = reopening.flatMap(Reopening::reopen);
        if (where.isEmpty()) {
            return false;
        }
        disk.log.reopened(device.name(), where.get());
        // Whatever the errors said of it: what was in its cache may be lost.
        device.wentAway(new DeviceException(
                device.name(),
                "open",
                0,
                0,
                Errno.ENODEV,
                ErrorClass.GONE,
                "it was away, and was opened anew as " + where.get(),
                null));
        return canary.alive();
    }

    private void look(long number) {
        synchronized (this) {
            if (number != looks) {
                return;
            }
            next = null;
            if (held.isEmpty() && (ended || disk.isStopping())) {
                return;
            }
            looking = true;
        }
        boolean back = isBack();
        List<Runnable> told = new ArrayList<>();
        boolean changed;
        synchronized (this) {
            boolean all = back || disk.isStopping();
            long now = disk.environment.time().nanoTime();
            List<Held> left = new ArrayList<>();
            for (Held each : held) {
                if (all || now - each.untilNanos >= 0) {
                    told.add(back ? each.again : each.giveUp);
                } else {
                    left.add(each);
                }
            }
            held = left;
            changed = away == back && !ended;
            away = !back && !ended;
            looking = false;
            unasked = left.isEmpty() ? unasked + 1 : 0;
            if (!left.isEmpty() || (away && !all && unasked < MOST_UNASKED)) {
                lookSoon();
            }
        }
        if (back) {
            disk.counters.resumedRequests.add(told.size());
            disk.verifyNow(device);
        }
        if (changed && back) {
            disk.log.isBack(device.name(), told.size());
        } else if (changed) {
            disk.log.away(device.name());
        }
        for (Runnable each : told) {
            disk.environment.scheduler().execute(each);
        }
    }

    Attribute attribute(String name, String which) {
        return Attribute.readOnly(
                name, "count", "Requests that wait for " + which + " to come back", this::heldRequests);
    }

    private synchronized Object heldRequests() {
        return (long) held.size();
    }
}
