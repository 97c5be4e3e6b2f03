package io.remap.core.disk;

import io.remap.api.DeviceException;
import io.remap.api.DiskError;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.spi.MetadataStore.Outcome;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * A write that failed, or that needs a change of the map. The whole piece counts as undefined, and is written again under
 * the fence: on main in halves down to the unit, and what main refuses goes to the spare in the same request. Also the
 * read-modify-write of unaligned edges, which needs the same fence.
 *
 * <p>Once main was written, what was read of the edges before may be their only copy. So they are read once for each time
 * that the range is granted, whatever is tried again; and slots of the range are opened before that, as the range has to be
 * given back for it. A region whose free slots are closed is met after it, when main has refused the write: what is read of the
 * edges then may be lost with the sector that was refused.
 */
final class WriteRecovery extends Recovery {
    private static final int MAX_COMMITS = 3;

    private final Client client;
    private final long start;
    private final long end;
    private final SlotPlan.Source source;
    private final boolean zeros;
    private final SlotPlan plan;
    private final Edges edges;

    /** Units that main gets another chance for, over all tries of this write. */
    private final Set<Long> healing = new HashSet<>();

    /** Units whose area of main is avoided, of the try that is under way. */
    private final Set<Long> avoiding = new HashSet<>();

    /** Units that main did not take in this attempt: those, and no others that go to the spare, say something of main. */
    private final SortedSet<Long> refused = new TreeSet<>();

    /** Parts of them that main took, still to be read back. */
    private final List<Part> unproven = new ArrayList<>();

    private long deadlineNanos;
    private boolean readsEdges;

    /** The edges were read since the range was granted: the source is whole. */
    private boolean hasEdges;

    private boolean wroteMain;
    private int wroteSpares;
    private int commits;

    /** Whose write it is; told once, after the range was released. */
    interface Client {
        /**
         * All of it is written.
         *
         * @param onSpares the spares that have some of it, by number, one bit each
         */
        void written(boolean onMain, int onSpares);

        void writeFailed(DiskError error, long offsetBytes);

        /** Whether nobody waits for it any more. */
        boolean isOver();
    }

    /** A part of a unit. */
    private record Part(long offset, int length) {}

    /** Fills in the sectors that a write covers only in part. */
    @FunctionalInterface
    interface Edges {
        /** Under the fence, before anything is written; what it throws ends the write. */
        void read(WriteRecovery recovery) throws Failure, TryLater;
    }

    /**
     * Prepares the write of whole sectors.
     *
     * @param source the bytes of the range
     * @param zeros the source gives zeros only
     * @param edges completes the source, or {@code null}
     */
    WriteRecovery(
            VirtualDisk disk, Client client, long start, long end, SlotPlan.Source source, boolean zeros, Edges edges) {
        super(disk, start >> Place.UNIT_SHIFT, SegmentCursor.endUnit(end));
        this.client = client;
        this.start = start;
        this.end = end;
        this.source = source;
        this.zeros = zeros;
        this.plan = new SlotPlan(this, source, zeros);
        this.edges = edges;
    }

    @Override
    void locked() throws Failure {
        hasEdges = false;
        requireWanted();
        fence(mustWaitForReads(), this::fenced);
    }

    /** What hangs at main need not be waited for: {@link #writeMain} leaves main alone there. */
    @Override
    InFlightTable.Awaited awaited(boolean readsToo) {
        return readsToo ? InFlightTable.Awaited.ALL_IN_TIME : InFlightTable.Awaited.WRITES_IN_TIME;
    }

    private void requireWanted() throws Failure {
        if (client.isOver()) {
            throw new Failure(DiskError.IO, start, null);
        }
    }

    private void fenced() throws Failure, TryLater {
        plan.reset();
        avoiding.clear();
        refused.clear();
        unproven.clear();
        requireWanted();
        requireNoDoubt();
        deadlineNanos = disk.environment.time().nanoTime() + disk.deadlines.redirectNanos();
        if (edges != null && !hasEdges) {
            keepSlotsOpen();
            readsEdges = true;
            edges.read(this);
            readsEdges = false;
            requireNoDoubt();
            hasEdges = true;
        }
        SegmentCursor cursor = disk.newCursor();
        cursor.resetIgnoringMoves(disk.state.current(), start, end - start);
        while (cursor.next()) {
            long offset = cursor.offsetBytes();
            long length = cursor.lengthBytes();
            if (cursor.barred()) {
                throw new Failure(DiskError.IO, offset, null);
            }
            switch (cursor.target()) {
                case MAIN, MAIN_DIRECT -> writeMain(offset, length);
                case SPARE, UNREADABLE_SPARE ->
                    writeSpare(disk.spares.require(cursor.spare()), offset, cursor.deviceOffsetBytes(), length);
                case MISSING_SPARE -> writeElsewhere(offset, length);
                case UNREADABLE_MAIN -> writeUnreadable(offset, length);
                case AVOIDED_MAIN -> {
                    plan.cover(offset, length);
                    for (long unit = offset >> Place.UNIT_SHIFT;
                            unit < SegmentCursor.endUnit(offset + length);
                            unit++) {
                        avoiding.add(unit);
                    }
                }
                case LOST -> plan.cover(offset, length);
                case ZERO -> {
                    if (!zeros) {
                        plan.cover(offset, length);
                    }
                }
                case MOVING -> throw new IllegalStateException("another holder moves units of this range");
            }
        }
        if (unproven.isEmpty()) {
            planned();
        } else {
            disk.mainSyncer.flush(error -> disk.environment.scheduler().execute(() -> run(() -> proveHealed(error))));
        }
    }

    /** Throws where one is sealed. Those of a spare that is passed over are not looked at. */
    private void keepSlotsOpen() throws Sealed {
        RemapTable table = disk.state.current().table;
        for (long unit = firstUnit; unit < endUnit; unit++) {
            long place = table.placeOf(unit);
            Spare spare = Place.hasSlot(place) ? disk.spares.get(Place.spare(place)) : null;
            if (spare != null && !spare.isPassedOver() && spare.gate != null) {
                Sealed slot = new Sealed(spare, spare.offsetOf(Place.slot(place)), Place.UNIT_BYTES);
                if (!keepOpen(slot)) {
                    throw slot;
                }
            }
        }
    }

    private void planned() throws Failure, TryLater {
        if (plan.isEmpty()) {
            succeed();
        } else {
            commitPlan();
        }
    }

    /**
     * What could not be read lives on the spare from now on, unless main shall have another chance, or has to take it since
     * there is no redirection.
     */
    private void writeUnreadable(long offset, long length) throws Failure, TryLater {
        if (!disk.redirectsWrites()) {
            writeMain(offset, length);
            return;
        }
        for (long at = offset; at < offset + length; ) {
            long next = Math.min(offset + length, (at & -Place.UNIT_BYTES) + Place.UNIT_BYTES);
            if (disk.policy.healsUnreadable() && takes(at, (int) (next - at))) {
                unproven.add(new Part(at, (int) (next - at)));
            } else {
                plan.cover(at, next - at);
            }
            at = next;
        }
    }

    /** Writes a part of a unit to main, if it may have another chance: once only, since what relapses is not to be relied on. */
    private boolean takes(long offset, int length) throws Failure, TryLater {
        long unit = offset >> Place.UNIT_SHIFT;
        VirtualDisk.Side side = disk.mainSide;
        if (disk.deadlines.isWriteLateOnMain(unit, unit + 1)
                || isOutOfTime(side)
                || !(healing.contains(unit) || disk.watchList.mayHeal(unit))) {
            return false;
        }
        healing.add(unit);
        wroteMain = true;
        boolean taken = succeeds(side, false, offset, () -> write(side.direct(), offset, offset, length));
        if (!taken && !isOutOfTime(side)) {
            refused.add(unit);
        }
        return taken;
    }

    /** Main was synced: what it took is read from the medium, and goes to the spare where it is not there. */
    private void proveHealed(DeviceException error) throws Failure, TryLater {
        if (error != null) {
            disk.log.flushFailed(error);
            requireNoDoubt();
            throw new Failure(DiskError.IO, start, error);
        }
        VirtualDisk.Side side = disk.mainSide;
        for (Iterator<Part> parts = unproven.iterator(); parts.hasNext(); ) {
            Part part = parts.next();
            ByteBuffer readBack = disk.unitBuffer().limit(part.length).slice();
            boolean good = succeeds(side, true, part.offset, () -> side.direct().read(part.offset, readBack.clear()))
                    && readBack.flip().equals(source.bytes(part.offset, part.length));
            if (!good) {
                refused.add(part.offset >> Place.UNIT_SHIFT);
                parts.remove();
                plan.cover(part.offset, part.length);
            }
        }
        requireNoDoubt();
        planned();
    }

    /** A unit that main took again is watched: that it could not be read counts as an error. */
    private void watchHealed() {
        unproven.stream()
                .map(part -> part.offset >> Place.UNIT_SHIFT)
                .distinct()
                .forEach(unit -> {
                    disk.watchList.recovered(unit, 1);
                    disk.log.healed(unit);
                });
    }

    private void writeMain(long offset, long length) throws Failure, TryLater {
        if (disk.deadlines.isWriteLateOnMain(offset >> Place.UNIT_SHIFT, SegmentCursor.endUnit(offset + length))) {
            // That write would land on this one; who reads the spare does not see it.
            if (!disk.redirectsWrites()) {
                throw new Failure(DiskError.IO, offset, null);
            }
            plan.coverForLackOfTime(offset, length);
            return;
        }
        VirtualDisk.Side side = disk.mainSide;
        if (isOutOfTime(side)) {
            plan.coverForLackOfTime(offset, length);
            return;
        }
        wroteMain = true;
        if (succeeds(side, false, offset, () -> write(side.direct(), offset, offset, length))) {
            return;
        }
        if (isOutOfTime(side)) {
            plan.coverForLackOfTime(offset, length);
            return;
        }
        if ((offset >> Place.UNIT_SHIFT) == (offset + length - 1) >> Place.UNIT_SHIFT) {
            refused.add(offset >> Place.UNIT_SHIFT);
            plan.cover(offset, length);
            return;
        }
        // Halves end at unit boundaries, so that the smallest part is a unit or the covered part of one.
        long middle = (offset + length / 2 + Place.UNIT_BYTES - 1) & -Place.UNIT_BYTES;
        if (middle >= offset + length) {
            middle = (offset + length - 1) & -Place.UNIT_BYTES;
        }
        writeMain(offset, middle - offset);
        writeMain(middle, offset + length - middle);
    }

    @Override
    boolean isOutOfTime(VirtualDisk.Side side) {
        // An edge has no other place to be read from.
        return side.device() == disk.main
                && !readsEdges
                && disk.environment.time().nanoTime() - deadlineNanos > 0
                && disk.redirectsWrites();
    }

    /** Unit by unit, since a slot that refuses is replaced alone. */
    private void writeSpare(Spare spare, long offset, long deviceOffset, long length) throws Failure, TryLater {
        for (long at = offset; at < offset + length; ) {
            long next = Math.min(offset + length, (at & -Place.UNIT_BYTES) + Place.UNIT_BYTES);
            long from = at;
            if (canLeave(spare, at, next) && spare.isPassedOver()) {
                writeElsewhere(at, next - at);
            } else {
                requireOpen(spare, deviceOffset + (from - offset), offset + length - from);
                try {
                    if (succeeds(
                            spare.side,
                            false,
                            at,
                            () -> write(spare.device, from, deviceOffset + (from - offset), next - from))) {
                        wroteSpares |= 1 << spare.index;
                    } else {
                        plan.cover(at, next - at);
                        plan.slotFailed(at >> Place.UNIT_SHIFT);
                    }
                } catch (Failure | Away e) {
                    if (!canLeave(spare, at, next)) {
                        throw e;
                    }
                    spare.passOver();
                    writeElsewhere(at, next - at);
                }
            }
            at = next;
        }
    }

    /** Whether a part of a unit can go to another spare: nothing that is to be kept stands beside it in the slot. */
    private boolean canLeave(Spare spare, long from, long to) {
        long place = disk.state.current().table.placeOf(from >> Place.UNIT_SHIFT);
        return (Place.onSlotMask(place) & ~disk.sectorMask(from, to - from)) == 0
                && disk.spares.anotherHasRoom(1 << spare.index);
    }

    /** To a slot of another spare, as the one that has the present slots is not there. */
    private void writeElsewhere(long offset, long length) {
        plan.cover(offset, length);
        for (long unit = offset >> Place.UNIT_SHIFT; unit < SegmentCursor.endUnit(offset + length); unit++) {
            plan.leaveSlot(unit);
        }
    }

    private void write(TrackedDevice device, long offset, long deviceOffset, long length) throws DeviceException {
        for (long done = 0; done < length; ) {
            int part = (int) Math.min(length - done, zeros ? Zeros.MAX_BYTES : length);
            ByteBuffer bytes = source.bytes(offset + done, part);
            device.write(deviceOffset + done, bytes);
            done += part;
        }
    }

    private void commitPlan() throws Failure, TryLater {
        long newUnits = plan.newUnits();
        if (!disk.canRedirect() || (newUnits > 0 && !disk.redirectsWrites())) {
            throw new Failure(DiskError.IO, start, null);
        }
        if (newUnits > 0 && disk.state.current().table.mappedUnits() + newUnits > disk.policy.maxRemappedUnits()) {
            throw new Failure(DiskError.NO_SPACE, start, null);
        }
        if (!avoiding.isEmpty() && !disk.avoided.mayTake(unitsWithoutSlot(avoiding))) {
            throw new Failure(DiskError.NO_SPACE, start, null);
        }
        plan.writeSlots();
        commits++;
        plan.commit(outcome -> run(() -> committed(outcome)));
    }

    private long unitsWithoutSlot(Set<Long> units) {
        RemapTable table = disk.state.current().table;
        return units.stream()
                .filter(unit -> !Place.hasSlot(table.placeOf(unit)))
                .count();
    }

    private void committed(Outcome outcome) throws Failure, TryLater {
        switch (outcome) {
            case DURABLE -> {
                disk.counters.redirectedWrites.increment();
                if (plan.units() == avoiding.size()) {
                    disk.counters.avoidedWrites.increment();
                    disk.log.redirectedAvoided(plan.covered());
                } else {
                    disk.counters.avoidedWrites.add(avoiding.isEmpty() ? 0 : 1);
                    disk.log.redirected(plan.covered(), suspicion(), whyRedirected(), refused);
                }
                plan.forEachUnit((unit, forLackOfTime) -> {
                    disk.watchList.moved(unit);
                    disk.deadAreas.suspect(unit);
                });
                disk.failback.redirected(plan);
                succeed();
            }
            case NOT_COMMITTED -> {
                if (commits >= MAX_COMMITS) {
                    throw new Failure(DiskError.IO, start, null);
                }
                fenced();
            }
            case STORE_FAILED -> {
                release(plan::withBars);
                failed(DiskError.IO, start);
            }
        }
    }

    private String whyRedirected() {
        boolean[] lacksTime = {false};
        plan.forEachUnit((unit, forLackOfTime) -> lacksTime[0] |= forLackOfTime);
        return lacksTime[0]
                ? "main did not answer in time"
                : suspicion().isPresent() ? "main refused it" : "unreadable, or its slot failed, before";
    }

    private void succeed() {
        watchHealed();
        // Everything in the range was written anew: what was unreadable is readable.
        for (long unit = firstUnit; unit < endUnit; unit++) {
            disk.holdOffs.succeeded(unit);
        }
        release(s -> writtenUnits(plan.withoutHints(s.withTable(disk.committedTable()))));
        client.written(wroteMain, wroteSpares);
    }

    private MapSnapshot writtenUnits(MapSnapshot snapshot) {
        MapSnapshot changed = snapshot;
        if (snapshot.hints.surelyUntouched(firstUnit, endUnit)) {
            return changed;
        }
        for (long unit = firstUnit; unit < endUnit; unit++) {
            long unitStart = unit << Place.UNIT_SHIFT;
            long from = Math.max(start, unitStart);
            long to = Math.min(end, unitStart + Place.UNIT_BYTES);
            changed = changed.withReadable(unit, disk.sectorMask(from, to - from));
        }
        return changed;
    }

    @Override
    boolean mayBeHeld() {
        return true;
    }

    @Override
    void failed(DiskError error, long offsetBytes) {
        client.writeFailed(error, offsetBytes);
    }
}
