package io.remap.health.scan;

import io.remap.api.SectorRange;
import io.remap.health.scan.ScanJob.Probe;
import io.remap.health.scan.Suspects.Suspect;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/**
 * What was slow, and who is to blame for it. A range that a scan, or a client, found slow is <em>suspected</em>: it is read again
 * later, alone and in pieces. A piece that is slow then is <em>in question</em>, until a place elsewhere was read: if that is quick,
 * the sectors are to blame; if {@link #CONTROLS} of them are slow as well, the device is, and no sector for the time being.
 *
 * <p>Invariants: at most one piece is in question; at most {@link #MOST_TOLD} ranges wait that clients found slow, and {@link
 * #MOST_TOLD_PER_HOUR} are taken in an hour, the same place once in ten minutes; what is beyond is counted, and not looked into.
 * Not thread-safe.
 */
final class SlowReads {
    /** Ranges of at most 1 MiB that clients found slow and that wait to be read again. */
    static final int MOST_TOLD = 256;

    static final int MOST_TOLD_PER_HOUR = 1024;

    /** Slow places elsewhere by which a device is slow as a whole. */
    static final int CONTROLS = 3;

    /** How long nothing slow is looked into after that. */
    static final long DEVICE_IS_SLOW_NANOS = TimeUnit.MINUTES.toNanos(10);

    private static final long REST_NANOS = TimeUnit.MINUTES.toNanos(10);
    private static final int MOST_REMEMBERED = 1024;
    private static final long HOUR_NANOS = TimeUnit.HOURS.toNanos(1);

    /** What reads elsewhere say of the piece in question. */
    enum Verdict {
        OPEN,
        SECTORS_ARE_SLOW,
        DEVICE_IS_SLOW
    }

    private final StaggeredOrder order;
    private final ControlPlaces places;
    private final Suspects suspects;
    private final Suspects told;
    /** By the first sector, when a range was told of. */
    private final Map<Long, Long> toldNanos = new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Long, Long> eldest) {
            return size() > MOST_REMEMBERED;
        }
    };

    private long hourBeganNanos;
    private int toldInHour;
    private long toldRanges;
    private long droppedRanges;
    private Probe inQuestion;
    private int controls;
    private boolean deviceIsSlow;
    private long deviceIsSlowUntilNanos;

    /** @param recheckNanos how long after it was slow a range is read again */
    SlowReads(StaggeredOrder order, long recheckNanos, long nowNanos) {
        this.order = order;
        this.places = new ControlPlaces(order);
        this.suspects = new Suspects(Suspects.MAX_SUSPECTS, recheckNanos);
        this.told = new Suspects(MOST_TOLD, recheckNanos);
        this.hourBeganNanos = nowNanos;
    }

    /** A probe of the range was slow, for the first time or again. */
    void suspect(SectorRange range, int times, long nowNanos) {
        if (!deviceIsSlow(nowNanos)) {
            suspects.add(range, times, nowNanos);
        }
    }

    /** A client's read was slow, of which that may say nothing: it may have waited for others. */
    void toldOf(SectorRange range, long nowNanos) {
        long segmentSectors = StaggeredOrder.SEGMENT_BYTES / order.sectorBytes();
        for (long at = range.firstSector(); at < range.endSector(); ) {
            long next = Math.min(range.endSector(), at - at % segmentSectors + segmentSectors);
            take(new SectorRange(at, next - at), nowNanos);
            at = next;
        }
    }

    private void take(SectorRange piece, long nowNanos) {
        toldRanges++;
        Long before = toldNanos.get(piece.firstSector());
        if (before != null && nowNanos - before < REST_NANOS) {
            return;
        }
        if (nowNanos - hourBeganNanos >= HOUR_NANOS) {
            hourBeganNanos = nowNanos;
            toldInHour = 0;
        }
        if (deviceIsSlow(nowNanos) || toldInHour >= MOST_TOLD_PER_HOUR || !told.add(piece, 0, nowNanos)) {
            droppedRanges++;
            return;
        }
        toldInHour++;
        toldNanos.remove(piece.firstSector());
        toldNanos.put(piece.firstSector(), nowNanos);
    }

    /** Takes a range that is to be read again now, {@code null} if none is. */
    Suspect takeSuspect(long nowNanos) {
        Suspect slowTwice = suspects.take(nowNanos);
        return slowTwice != null ? slowTwice : told.take(nowNanos);
    }

    /** When the next is to be read again, or the other time if that is sooner. */
    long nextNanos(long otherwise) {
        long next = otherwise;
        next = suspects.next() == null ? next : Math.min(next, suspects.next().dueNanos());
        return told.next() == null ? next : Math.min(next, told.next().dueNanos());
    }

    // --- who is to blame

    /** A range that was suspected is slow when it is read again. */
    void question(Probe slow) {
        inQuestion = slow;
        controls = 0;
    }

    Probe inQuestion() {
        return inQuestion;
    }

    /** The next place elsewhere; {@code null}: there is none, so nobody can be blamed, and nothing is in question any more. */
    Probe control(Predicate<SectorRange> mayBeRead) {
        SectorRange place = places.next(inQuestion.range(), mayBeRead);
        if (place == null) {
            drop();
            return null;
        }
        return new Probe(place, 0, 0);
    }

    /** That place was read. */
    Verdict controlled(boolean quick, long nowNanos) {
        controls++;
        if (quick) {
            inQuestion = null;
            return Verdict.SECTORS_ARE_SLOW;
        }
        if (controls < CONTROLS) {
            return Verdict.OPEN;
        }
        inQuestion = null;
        droppedRanges += told.waiting();
        told.clear();
        suspects.clear();
        deviceIsSlow = true;
        deviceIsSlowUntilNanos = nowNanos + DEVICE_IS_SLOW_NANOS;
        return Verdict.DEVICE_IS_SLOW;
    }

    /** Nothing is in question any more, and nobody blamed. */
    void drop() {
        inQuestion = null;
    }

    /** Nothing that a probe found slow is read again; what clients found slow is. */
    void forgetProbes() {
        drop();
        suspects.clear();
    }

    boolean deviceIsSlow(long nowNanos) {
        deviceIsSlow &= deviceIsSlowUntilNanos - nowNanos > 0;
        return deviceIsSlow;
    }

    // --- what is shown

    /** Ranges that wait on account of a probe: a pass ends when there are none. */
    int waitingOfProbes() {
        return suspects.waiting();
    }

    int waiting() {
        return suspects.waiting() + told.waiting();
    }

    /** Of slow reads of clients, how many ranges of at most 1 MiB there were. */
    long toldRanges() {
        return toldRanges;
    }

    /** Of these, how many were too many. */
    long droppedRanges() {
        return droppedRanges;
    }
}
