package io.remap.core.disk;

import io.remap.api.DeviceException;
import io.remap.api.DiskError;
import io.remap.api.Place;
import io.remap.core.disk.SegmentCursor.Target;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * A read that failed: finds the sectors to blame by halving, tries them again, and serves the rest. A read error never
 * makes a mapping. A sector that stays unreadable gets a hint, and the request the error.
 *
 * <p>The first passes run under the range lock alone; the deciding one also under the fence, after waiting for
 * overlapping writes, so that a late error never hides a newer write.
 */
final class ReadRecovery extends Recovery {
    private final RequestContext context;
    private final long start;
    private final long end;
    private final int sectorBytes;
    private final Map<Long, Integer> readableMasks = new HashMap<>();

    /** Units of main whose reads failed, and how often before this recovery: watched if they read in the end. */
    private final Map<Long, Integer> troubled = new HashMap<>();

    /** By unit, the sectors that do not read: those of this verdict, and those that were known before this start. */
    private final Map<Long, Integer> stillUnreadable = new HashMap<>();

    private List<Sector> failing = new ArrayList<>();
    private long firstErrorOffset = Long.MAX_VALUE;
    private int attempts = 1;
    private boolean retryWanted;

    /** A sector that did not read, and where its truth stands. */
    private record Sector(long offsetBytes, Target target, int spare, long deviceOffsetBytes) {}

    ReadRecovery(RequestContext context, long start, long end) {
        super(context.disk, start >> Place.UNIT_SHIFT, SegmentCursor.endUnit(end));
        this.context = context;
        this.start = start;
        this.end = end;
        this.sectorBytes = disk.traits().sectorBytes();
        int failedReads = context.takeFailedReads();
        if (failedReads > 0) {
            troubled.put(context.failedUnit(), failedReads);
        }
    }

    @Override
    void locked() throws Failure, TryLater {
        failing.clear();
        // Begun anew it has all its tries: what fails now may not have failed before.
        attempts = 1;
        retryWanted = false;
        firstErrorOffset = Long.MAX_VALUE;
        readableMasks.clear();
        stillUnreadable.clear();
        SegmentCursor cursor = disk.newCursor();
        cursor.resetIgnoringMoves(disk.state.current(), start, end - start);
        while (cursor.next()) {
            long offset = cursor.offsetBytes();
            switch (cursor.target()) {
                case ZERO -> Zeros.fill(payload(offset, cursor.lengthBytes()));
                case LOST, MISSING_SPARE, AVOIDED_MAIN -> noteError(offset);
                case UNREADABLE_MAIN, UNREADABLE_SPARE -> readUnreadable(cursor);
                default ->
                    readHalving(
                            cursor.target(), cursor.spare(), offset, cursor.deviceOffsetBytes(), cursor.lengthBytes());
            }
        }
        passDone();
    }

    /** Sectors under a hint are tried again only after their hold-off. */
    private void readUnreadable(SegmentCursor cursor) throws Failure, TryLater {
        for (long done = 0; done < cursor.lengthBytes(); done += sectorBytes) {
            long offset = cursor.offsetBytes() + done;
            if (disk.isHeldOff(offset)) {
                noteError(offset);
            } else {
                readHalving(cursor.target(), cursor.spare(), offset, cursor.deviceOffsetBytes() + done, sectorBytes);
            }
        }
    }

    private void readHalving(Target target, int spare, long offset, long deviceOffset, long length)
            throws Failure, TryLater {
        VirtualDisk.Side side = disk.side(target, spare);
        boolean onMain = side.device() == disk.main;
        if (onMain && isAvoided(offset, length)) {
            noteError(offset);
            return;
        }
        long began = disk.environment.time().nanoTime();
        try {
            side.direct().read(deviceOffset, payload(offset, length));
            noteReadable(offset, length);
        } catch (DeviceException e) {
            long tookNanos = disk.environment.time().nanoTime() - began;
            boolean blamed = blames(side, e, attempts, offset);
            if (onMain && disk.deadAreas.lookInto(offset, length, tookNanos)) {
                noteError(offset);
                return;
            }
            if (isKnownFromBefore(target, offset) && (blamed || side.canary().alive())) {
                // It had its tries, nobody has written it since, and main is there: the hint stands, without a new
                // verdict.
                stillUnreadable.merge(offset >> Place.UNIT_SHIFT, disk.sectorMask(offset, length), (a, b) -> a | b);
                disk.counters.stillUnreadableSectors.increment();
                noteError(offset);
                return;
            }
            noteTrouble(target, offset, length);
            if (length > sectorBytes) {
                long half = Math.max(sectorBytes, length / 2 / sectorBytes * sectorBytes);
                readHalving(target, spare, offset, deviceOffset, half);
                readHalving(target, spare, offset + half, deviceOffset + half, length - half);
            } else {
                retryWanted |= !blamed;
                failing.add(new Sector(offset, target, spare, deviceOffset));
            }
        }
    }

    /** Such a sector is read by itself ({@link #readUnreadable}), and only holders of the range write it. */
    private boolean isKnownFromBefore(Target target, long offset) {
        return target == Target.UNREADABLE_MAIN
                && disk.holdOffs.isRestored(offset >> Place.UNIT_SHIFT, disk.sectorMask(offset, sectorBytes));
    }

    /** Whether all of it came to be avoided: then it gets neither more tries nor a verdict. */
    private boolean isAvoided(long offset, long length) {
        MapSnapshot snapshot = disk.state.current();
        long unit = offset >> Place.UNIT_SHIFT;
        return snapshot.isAvoided(unit, unit + 1)
                && snapshot.avoidedChangesAfter(unit) >= SegmentCursor.endUnit(offset + length);
    }

    private boolean isLeftAlone(Sector sector) {
        boolean left = disk.side(sector.target, sector.spare).device() == disk.main
                && isAvoided(sector.offsetBytes, sectorBytes);
        if (left) {
            noteError(sector.offsetBytes);
        }
        return left;
    }

    /** As {@link #blamesSectors}; a device that makes trouble says nothing of units. */
    private boolean blames(VirtualDisk.Side side, DeviceException error, int tries, long offset)
            throws Failure, TryLater {
        try {
            return blamesSectors(side, true, error, tries, offset);
        } catch (Failure | TryLater e) {
            troubled.clear();
            throw e;
        }
    }

    private void noteTrouble(Target target, long offset, long length) {
        long unit = offset >> Place.UNIT_SHIFT;
        boolean onMain = target != Target.SPARE && target != Target.UNREADABLE_SPARE;
        if (onMain && SegmentCursor.endUnit(offset + length) == unit + 1) {
            troubled.putIfAbsent(unit, 1);
        }
    }

    private void passDone() throws Failure, TryLater {
        failing.removeIf(this::isLeftAlone);
        if (failing.isEmpty()) {
            finish();
        } else if (retryWanted) {
            disk.environment.scheduler().schedule(() -> run(this::retryPass), disk.policy.retryDelayMillis(attempts));
        } else if (disk.deadlines.isWriteLate(firstUnit, endUnit)) {
            // No verdict before it has come back, which would keep the whole range from everybody.
            failing.forEach(sector -> {
                noteError(sector.offsetBytes);
                troubled.remove(sector.offsetBytes >> Place.UNIT_SHIFT);
            });
            finish();
        } else {
            fence(mustWaitForReads(), this::decide);
        }
    }

    /** Only what failed, sector by sector. */
    private void retryPass() throws Failure, TryLater {
        List<Sector> again = failing;
        failing = new ArrayList<>();
        retryWanted = false;
        attempts++;
        try {
            for (Sector sector : again) {
                readHalving(sector.target, sector.spare, sector.offsetBytes, sector.deviceOffsetBytes, sectorBytes);
            }
        } catch (TryLater e) {
            // The pass will run again, and must not forget a sector that it did not come to.
            failing = again;
            throw e;
        }
        passDone();
    }

    /**
     * The deciding pass: no write is under way, and the mapping is still the one that failed, since we hold the range.
     * What a write put there meanwhile reads well and counts.
     */
    private void decide() throws Failure, TryLater {
        Map<Long, Integer> unreadable = new HashMap<>();
        List<Long> unreadableSectors = new ArrayList<>();
        for (Sector sector : failing) {
            if (readsNow(sector)) {
                noteReadable(sector.offsetBytes, sectorBytes);
            } else {
                unreadable.merge(
                        sector.offsetBytes >> Place.UNIT_SHIFT,
                        disk.sectorMask(sector.offsetBytes, sectorBytes),
                        (a, b) -> a | b);
                unreadableSectors.add(sector.offsetBytes);
            }
        }
        finish(unreadable, unreadableSectors);
    }

    private boolean readsNow(Sector sector) throws Failure, TryLater {
        VirtualDisk.Side side = disk.side(sector.target, sector.spare);
        // The tries before count: a policy that had enough of them asks for no more here.
        for (int tries = attempts + 1; ; tries++) {
            try {
                side.direct().read(sector.deviceOffsetBytes, payload(sector.offsetBytes, sectorBytes));
                return true;
            } catch (DeviceException e) {
                if (blames(side, e, tries, sector.offsetBytes)) {
                    return false;
                }
            }
        }
    }

    private void finish() throws TryLater {
        finish(Map.of(), List.of());
    }

    private void finish(Map<Long, Integer> unreadable, List<Long> unreadableSectors) throws TryLater {
        requireNoDoubt();
        unreadableSectors.forEach(this::noteError);
        readableMasks.keySet().forEach(disk.holdOffs::succeeded);
        unreadable.forEach((unit, mask) -> stillUnreadable.merge(unit, mask, (a, b) -> a | b));
        stillUnreadable.forEach(disk.holdOffs::failed);
        Map<Long, Integer> found = notKnownBefore(unreadable);
        release(s -> {
            MapSnapshot changed = s;
            for (Map.Entry<Long, Integer> unit : readableMasks.entrySet()) {
                changed = changed.withReadable(unit.getKey(), unit.getValue());
            }
            for (Map.Entry<Long, Integer> unit : unreadable.entrySet()) {
                changed = withUnreadable(changed, unit.getKey(), unit.getValue());
            }
            return changed;
        });
        disk.log.unreadable(found, suspicion());
        stillUnreadable.keySet().forEach(this::suspect);
        watchWhatReads();
        if (firstErrorOffset == Long.MAX_VALUE) {
            context.pieceRead();
        } else {
            context.finish(DiskError.IO, firstErrorOffset);
        }
    }

    /** Of these sectors of units those that do not count as unreadable yet; as long as the range is held. */
    private Map<Long, Integer> notKnownBefore(Map<Long, Integer> unreadable) {
        MapSnapshot before = disk.state.current();
        Map<Long, Integer> found = new TreeMap<>();
        unreadable.forEach((unit, mask) -> {
            int more = mask & ~MapSnapshot.Hint.unreadableMask(before.hints.placeOf(unit));
            if (more != 0) {
                found.put(unit, more);
            }
        });
        return found;
    }

    private void suspect(long unit) {
        if (!Place.hasSlot(disk.state.current().table.placeOf(unit))) {
            disk.deadAreas.suspect(unit);
        }
    }

    /** What was read although it failed, or had failed before. */
    private void watchWhatReads() {
        boolean counts = !troubled.isEmpty()
                && (suspicion().isPresent() || disk.mainSide.canary().alive());
        if (counts) {
            troubled.forEach((unit, failedReads) -> {
                if (!stillUnreadable.containsKey(unit)
                        && !readableMasks.containsKey(unit)
                        && !isAvoided(unit << Place.UNIT_SHIFT, 1)) {
                    boolean weak = disk.watchList.recovered(unit, failedReads);
                    disk.log.recovered(unit, cause(failedReads), disk.watchList.errors(unit), weak);
                }
            });
        }
        readableMasks.forEach((unit, mask) -> {
            boolean onMain = !Place.hasSlot(disk.state.current().table.placeOf(unit));
            disk.log.readableAgain(unit, mask, onMain && disk.watchList.readableAgain(unit));
        });
    }

    private Optional<DiskEvent.Cause> cause(int failedReads) {
        DeviceException first = context.failedRead();
        return suspicion().or(() -> Optional.ofNullable(first).map(error -> DiskEvent.Cause.of(error, failedReads)));
    }

    private MapSnapshot withUnreadable(MapSnapshot snapshot, long unit, int mask) {
        if (!snapshot.remembers(unit)) {
            disk.log.forgotten(Integer.bitCount(mask));
            return snapshot;
        }
        int before = MapSnapshot.Hint.unreadableMask(snapshot.hints.placeOf(unit));
        disk.counters.newUnreadableSectors.add(Integer.bitCount(mask & ~before));
        return snapshot.withUnreadable(unit, mask);
    }

    /** Remembers to take hints back for what reads well again. */
    private void noteReadable(long offset, long length) {
        MapSnapshot snapshot = disk.state.current();
        long last = SegmentCursor.endUnit(offset + length);
        if (snapshot.hints.surelyUntouched(offset >> Place.UNIT_SHIFT, last)) {
            return;
        }
        for (long at = offset; at < offset + length; at += sectorBytes) {
            long unit = at >> Place.UNIT_SHIFT;
            int bit = disk.sectorMask(at, sectorBytes);
            if ((MapSnapshot.Hint.unreadableMask(snapshot.hints.placeOf(unit)) & bit) != 0) {
                readableMasks.merge(unit, bit, (a, b) -> a | b);
            }
        }
    }

    private void noteError(long offset) {
        firstErrorOffset = Math.min(firstErrorOffset, offset);
    }

    private ByteBuffer payload(long offset, long length) {
        return context.payload(offset, length);
    }

    @Override
    boolean mayBeHeld() {
        return true;
    }

    @Override
    void failed(DiskError error, long offsetBytes) {
        context.finish(error, offsetBytes);
    }
}
