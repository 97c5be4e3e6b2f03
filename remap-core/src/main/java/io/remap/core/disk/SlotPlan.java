package io.remap.core.disk;

import io.remap.api.DiskError;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.SectorRange;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.core.disk.Recovery.Failure;
import io.remap.core.disk.Recovery.TryLater;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;

/**
 * Sectors that go to the spare: finds slots, writes the data there, and makes the mapping durable. The order that keeps
 * the promise is data, flush, record, flush (the store does the last two), publish, reply.
 *
 * <p>Used by the holder of the range, with the fence up. Invariants: a slot that this plan took is freed unless a record
 * that names it was, or may have been, written; a slot found bad is recorded as such together with the mapping that
 * avoids it.
 */
final class SlotPlan {
    /** Gives the bytes that shall stand in a part of a unit; the range lies within one unit. */
    @FunctionalInterface
    interface Source {
        ByteBuffer bytes(long offsetBytes, int lengthBytes);
    }

    private final Recovery recovery;
    private final VirtualDisk disk;
    private final Source source;
    private final boolean zeros;
    private final int sectorBytes;
    private final TreeMap<Long, Move> moves = new TreeMap<>();
    private final List<MapChange> changes = new ArrayList<>();
    private final Map<Long, Integer> newlyLost = new TreeMap<>();
    /** Here and below slot ids, see {@link Spares}. */
    private final List<Long> newSlots = new ArrayList<>();

    private final List<Long> replacedSlots = new ArrayList<>();
    /** Refused a write as the present slot of a unit: bad once another place is durable. */
    private final List<Long> failedSlots = new ArrayList<>();
    /** Refused a write before anything stood there: bad whatever comes. */
    private final List<Long> badSlots = new ArrayList<>();

    /** What stands in slots of these spares, by number, must be durable before the record. */
    private int touchedSpares;

    /** What shall happen to a unit. */
    private static final class Move {
        /** Sectors that get the bytes of the source. */
        private int cover;
        /** Sectors whose content is given up. */
        private int lose;
        /** The present slot takes no writes any more. */
        private boolean slotIsBad;
        /** What the present slot holds goes to another one, or is covered, or is lost. */
        private boolean leavesSlot;
        /** Main has no time left for some of its sectors. */
        private boolean lacksTime;
        /** Something else is the reason as well. */
        private boolean hasOtherReason;
    }

    /** @param zeros the source gives zeros only: a unit that it covers whole needs no slot */
    SlotPlan(Recovery recovery, Source source, boolean zeros) {
        this.recovery = recovery;
        this.disk = recovery.disk;
        this.source = source;
        this.zeros = zeros;
        this.sectorBytes = disk.traits().sectorBytes();
    }

    boolean isEmpty() {
        return moves.isEmpty();
    }

    /** Told about each unit of a plan, and whether it goes to the spare for lack of time and nothing else. */
    @FunctionalInterface
    interface UnitVisitor {
        void unit(long unit, boolean forLackOfTime);
    }

    /** Sends whole sectors, over any number of units, to the spare. */
    void cover(long offset, long length) {
        cover(offset, length, false);
    }

    /** As {@link #cover}: main might take them, but there is no time left to find out. */
    void coverForLackOfTime(long offset, long length) {
        cover(offset, length, true);
    }

    private void cover(long offset, long length, boolean forLackOfTime) {
        long end = offset + length;
        for (long at = offset; at < end; ) {
            long next = Math.min(end, (at & -Place.UNIT_BYTES) + Place.UNIT_BYTES);
            Move move = move(at >> Place.UNIT_SHIFT);
            move.cover |= disk.sectorMask(at, next - at);
            move.lacksTime |= forLackOfTime;
            move.hasOtherReason |= !forLackOfTime;
            at = next;
        }
    }

    /** Gives up the content of sectors of one unit. */
    void lose(long unit, int mask) {
        move(unit).lose |= mask;
    }

    /** The slot of the unit refused a write. */
    void slotFailed(long unit) {
        move(unit).slotIsBad = true;
    }

    /** The unit gets another slot, whatever the present one is like; what is in it moves along, if it can be read. */
    void leaveSlot(long unit) {
        move(unit).leavesSlot = true;
    }

    private Move move(long unit) {
        return moves.computeIfAbsent(unit, u -> new Move());
    }

    /** Forgets everything, for a stage that begins with an empty plan; takes slots back that no record names. */
    void reset() {
        takeBack();
        moves.clear();
    }

    /** What shall happen is not forgotten: the stage that is tried again need not be the one that planned it. */
    private void takeBack() {
        newSlots.forEach(disk.spares::free);
        newSlots.clear();
        badSlots.clear();
        failedSlots.clear();
        replacedSlots.clear();
        changes.clear();
        newlyLost.clear();
        touchedSpares = 0;
    }

    /** Writes the data to slots. Nothing is in force yet, and if it throws, nothing is written; the plan stays as it was. */
    void writeSlots() throws Failure, TryLater {
        try {
            RemapTable table = disk.state.current().table;
            for (Map.Entry<Long, Move> entry : moves.entrySet()) {
                long unit = entry.getKey();
                long place = writeUnit(unit, entry.getValue(), table);
                changes.add(MapChange.set(unit, 1, place));
                noteLost(unit, Place.lostMask(place) & ~Place.lostMask(table.placeOf(unit)));
            }
            failedSlots.forEach(this::addBadSlot);
            badSlots.forEach(this::addBadSlot);
            recovery.requireNoDoubt();
        } catch (Recovery.Sealed e) {
            // The same slots again, or each try would open other ones.
            newSlots.forEach(disk.spares::rewind);
            takeBack();
            throw e;
        } catch (Failure | TryLater e) {
            takeBack();
            throw e;
        }
    }

    private void noteLost(long unit, int sectors) {
        if (sectors != 0) {
            newlyLost.put(unit, sectors);
        }
    }

    private void addBadSlot(long id) {
        changes.add(MapChange.badSlot(Spares.spareOf(id), Spares.slotOf(id), 1));
    }

    private long writeUnit(long unit, Move move, RemapTable table) throws Failure, TryLater {
        long old = table.placeOf(unit);
        int full = Place.fullMask(sectorBytes);
        int lost = (Place.lostMask(old) & ~move.cover) | move.lose;
        int kept = Place.onSlotMask(old) & ~move.cover & ~move.lose;
        if (zeros && move.cover == full) {
            replaced(old, move);
            return Place.zero(0);
        }
        ByteBuffer unitBytes = disk.unitBuffer();
        fill(unitBytes, unit, move.cover);
        int zeroed = Place.isZero(old) ? full & ~move.cover & ~lost : 0;
        int fresh = move.cover | zeroed;
        if ((kept | fresh) == 0) {
            replaced(old, move);
            return Place.lost(lost);
        }
        if (Place.hasSlot(old) && !move.slotIsBad && !move.leavesSlot) {
            if (tryWrite(Spares.idOf(old), unitBytes, fresh, unit)) {
                return onSlot(Spares.idOf(old), fresh, kept | fresh, lost);
            }
            move.slotIsBad = true;
        }
        // Another slot: what the old one still holds of this unit moves along, as far as it can be read.
        int unreadable = kept == 0 ? 0 : readKept(unitBytes, old, kept, unit);
        if (unreadable != 0 && move.leavesSlot) {
            // It stays where it is: perhaps it can be read another time.
            throw new Failure(DiskError.IO, unit << Place.UNIT_SHIFT, null);
        }
        kept &= ~unreadable;
        lost |= unreadable;
        disk.counters.newLostSectors.add(Integer.bitCount(unreadable));
        replaced(old, move);
        if ((kept | fresh) == 0) {
            return Place.lost(lost);
        }
        long id = writeToNewSlot(unitBytes, kept | fresh, unit, move.cover != 0);
        return onSlot(id, kept | fresh, kept | fresh, lost);
    }

    private long onSlot(long id, int writtenMask, int onSlotMask, int lostMask) {
        touchedSpares |= writtenMask == 0 ? 0 : 1 << Spares.spareOf(id);
        return Place.onSlot(Spares.spareOf(id), Spares.slotOf(id), onSlotMask, lostMask);
    }

    /** The slot that the unit had; nobody needs it any more, unless it is bad. */
    private void replaced(long old, Move move) {
        if (Place.hasSlot(old)) {
            (move.slotIsBad ? failedSlots : replacedSlots).add(Spares.idOf(old));
        }
    }

    private void fill(ByteBuffer unitBytes, long unit, int mask) {
        long unitOffset = unit << Place.UNIT_SHIFT;
        Zeros.fill(unitBytes.clear());
        for (int run = 0; run < Place.UNIT_BYTES; ) {
            int length = disk.runLength(mask, run);
            if (length > 0) {
                unitBytes.clear().position(run).put(source.bytes(unitOffset + run, length));
            }
            run += Math.max(length, sectorBytes);
        }
    }

    /** Reads sectors of the old slot into the unit; returns those that could not be read. */
    private int readKept(ByteBuffer unitBytes, long old, int kept, long unit) throws Failure, TryLater {
        Spare spare = disk.spares.get(Place.spare(old));
        if (spare == null) {
            throw new Failure(DiskError.IO, unit << Place.UNIT_SHIFT, null);
        }
        touchedSpares |= 1 << spare.index;
        int unreadable = 0;
        for (int sector = 0; sector < Place.UNIT_BYTES / sectorBytes; sector++) {
            if ((kept & 1 << sector) == 0) {
                continue;
            }
            int from = sector * sectorBytes;
            long at = spare.offsetOf(Place.slot(old)) + from;
            boolean read = recovery.succeeds(
                    spare.side,
                    true,
                    (unit << Place.UNIT_SHIFT) + from,
                    () -> spare.device.read(
                            at, unitBytes.clear().limit(from + sectorBytes).position(from)));
            unreadable |= read ? 0 : 1 << sector;
        }
        return unreadable;
    }

    private long writeToNewSlot(ByteBuffer unitBytes, int mask, long unit, boolean forced) throws Failure, TryLater {
        int away = 0;
        while (true) {
            long id = disk.spares.allocate(forced, away);
            if (id < 0) {
                throw new Failure(DiskError.NO_SPACE, unit << Place.UNIT_SHIFT, null);
            }
            newSlots.add(id);
            try {
                if (tryWrite(id, unitBytes, mask, unit)) {
                    return id;
                }
            } catch (Failure | Recovery.Away e) {
                // Each is asked once: how long it takes to fail must not decide.
                away |= 1 << Spares.spareOf(id);
                if (!disk.spares.anotherHasRoom(away)) {
                    throw e;
                }
                Spare spare = disk.spares.get(Spares.spareOf(id));
                if (spare != null) {
                    spare.passOver();
                }
                newSlots.remove(newSlots.size() - 1);
                disk.spares.free(id);
                continue;
            }
            newSlots.remove(newSlots.size() - 1);
            badSlots.add(id);
            disk.spares.markBad(id);
            disk.counters.badSlots.increment();
        }
    }

    /** Writes sectors of a unit to a slot; {@code false} if the slot is to blame. */
    private boolean tryWrite(long id, ByteBuffer unitBytes, int mask, long unit) throws Failure, TryLater {
        Spare spare = disk.spares.get(Spares.spareOf(id));
        if (spare == null) {
            throw new Failure(DiskError.IO, unit << Place.UNIT_SHIFT, null);
        }
        long slotAt = spare.offsetOf(Spares.slotOf(id));
        if (mask != 0) {
            Recovery.requireOpen(spare, slotAt, Place.UNIT_BYTES);
        }
        for (int run = 0; run < Place.UNIT_BYTES; ) {
            int length = disk.runLength(mask, run);
            int from = run;
            if (length > 0
                    && !recovery.succeeds(
                            spare.side,
                            false,
                            unit << Place.UNIT_SHIFT,
                            () -> spare.device.write(
                                    slotAt + from,
                                    unitBytes.clear().limit(from + length).position(from)))) {
                return false;
            }
            run += Math.max(length, sectorBytes);
        }
        return true;
    }

    /**
     * Makes the mappings durable and goes on with the outcome, on the scheduler. After DURABLE the slots that were
     * replaced are free again; after STORE_FAILED all slots stay taken.
     */
    void commit(Consumer<Outcome> then) {
        if (touchedSpares != 0) {
            recovery.flushSlots(touchedSpares, () -> commitFlushed(then), this::reset);
        } else {
            commitFlushed(then);
        }
    }

    private void commitFlushed(Consumer<Outcome> then) {
        disk.commit(merged(), outcome -> {
            switch (outcome) {
                case DURABLE -> {
                    disk.checksums.mapped(changes);
                    failedSlots.forEach(disk.spares::markBad);
                    disk.counters.badSlots.add(failedSlots.size());
                    replacedSlots.forEach(disk.spares::free);
                    newlyLost.forEach(disk.log::gone);
                }
                case NOT_COMMITTED -> reset();
                case STORE_FAILED -> {
                    // Whether the records will be found again is not known: every slot they name stays out of use.
                }
            }
            then.accept(outcome);
        });
    }

    /** Neighbouring units in neighbouring slots are one change. */
    private List<MapChange> merged() {
        List<MapChange> result = new ArrayList<>();
        for (MapChange change : changes) {
            MapChange last = result.isEmpty() ? null : result.get(result.size() - 1);
            if (last != null
                    && last.kind() == MapChange.Kind.SET
                    && change.kind() == MapChange.Kind.SET
                    && last.firstUnit() + last.lengthUnits() == change.firstUnit()
                    && Place.advance(last.place(), last.lengthUnits()) == change.place()) {
                result.set(result.size() - 1, MapChange.set(last.firstUnit(), last.lengthUnits() + 1, last.place()));
            } else {
                result.add(change);
            }
        }
        return result;
    }

    /** The units with their sectors that were covered or given up, for publishing. */
    MapSnapshot withoutHints(MapSnapshot snapshot) {
        MapSnapshot changed = snapshot;
        for (Map.Entry<Long, Move> entry : moves.entrySet()) {
            changed = changed.withReadable(entry.getKey(), entry.getValue().cover | entry.getValue().lose);
        }
        return changed;
    }

    /** Forbids writes to all units of the plan. */
    MapSnapshot withBars(MapSnapshot snapshot) {
        MapSnapshot changed = snapshot;
        for (long unit : moves.keySet()) {
            changed = changed.withBarred(unit);
        }
        return changed;
    }

    void forEachUnit(UnitVisitor visitor) {
        moves.forEach((unit, move) -> visitor.unit(unit, move.lacksTime && !move.hasOtherReason));
    }

    /** Units of the plan without an entry in the map so far. */
    long newUnits() {
        RemapTable table = disk.state.current().table;
        return moves.keySet().stream()
                .filter(unit -> table.placeOf(unit) == Place.MAIN)
                .count();
    }

    int units() {
        return moves.size();
    }

    /** The sectors that it sends to the spare, ascending; what touches is one range. */
    List<SectorRange> covered() {
        List<SectorRange> ranges = new ArrayList<>();
        moves.forEach((unit, move) -> {
            for (int at = 0; at < Place.UNIT_BYTES; ) {
                int length = disk.runLength(move.cover, at);
                if (length > 0) {
                    addCovered(ranges, (unit << Place.UNIT_SHIFT) + at, length);
                }
                at += Math.max(length, sectorBytes);
            }
        });
        return ranges;
    }

    private void addCovered(List<SectorRange> ranges, long offset, int length) {
        SectorRange range = new SectorRange(offset / sectorBytes, length / sectorBytes);
        SectorRange last = ranges.isEmpty() ? null : ranges.get(ranges.size() - 1);
        if (last != null && last.endSector() == range.firstSector()) {
            ranges.remove(ranges.size() - 1);
            range = new SectorRange(last.firstSector(), last.lengthSectors() + range.lengthSectors());
        }
        ranges.add(range);
    }
}
