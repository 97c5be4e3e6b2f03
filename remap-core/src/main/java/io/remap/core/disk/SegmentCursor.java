package io.remap.core.disk;

import io.remap.api.Place;
import io.remap.api.RemapTable;
import java.util.function.LongUnaryOperator;

/**
 * The pure {@code map} function: cuts a byte range of the virtual disk into segments that are each in one place. Reads
 * one immutable {@link MapSnapshot}, takes no lock, allocates nothing; a range that no entry touches is one segment after
 * one comparison.
 *
 * <p>Reused by its owner; not thread-safe.
 */
final class SegmentCursor {
    /** Where a segment is. */
    enum Target {
        /** On main, and no sector near it is otherwise: any door. */
        MAIN,
        /** On main, but other sectors of the unit are not: the direct door only, so that pages have one door. */
        MAIN_DIRECT,
        /** On a {@link #spare()}, at {@link #deviceOffsetBytes()}. */
        SPARE,
        /** Nowhere: reads as zeros. */
        ZERO,
        /** On main, but could not be read the last time. */
        UNREADABLE_MAIN,
        /** On a spare, but could not be read the last time. */
        UNREADABLE_SPARE,
        /** On main, where it is left alone for now. */
        AVOIDED_MAIN,
        /** On a spare that is not there. */
        MISSING_SPARE,
        /** Nowhere: its content is gone until it is written. */
        LOST,
        /** The holder of a range lock is changing the map here: wait. The segment is the whole range. */
        MOVING
    }

    private final int sectorShift;
    private final int sectorsPerUnit;
    private final LongUnaryOperator offsetOf;
    private final RemapTable.Cursor entries = new RemapTable.Cursor();
    private final RemapTable.Cursor hints = new RemapTable.Cursor();

    private MapSnapshot snapshot = MapSnapshot.EMPTY;
    private long position;
    private long end;
    private boolean plain;
    private boolean moving;
    private boolean haveEntry;
    private boolean haveHint;

    private Target target = Target.MAIN;
    private long offsetBytes;
    private long lengthBytes;
    private long deviceOffsetBytes;
    private int spare;
    private boolean barred;

    /**
     * @param sectorBytes logical sector size of the virtual disk
     * @param offsetOf gives, for a {@link Place} with a slot, its byte offset on its spare; -1 if that is not there
     */
    SegmentCursor(int sectorBytes, LongUnaryOperator offsetOf) {
        this.sectorShift = Integer.numberOfTrailingZeros(sectorBytes);
        this.sectorsPerUnit = Place.UNIT_BYTES / sectorBytes;
        this.offsetOf = offsetOf;
    }

    /** Begins with a range of whole sectors; a range that meets a moving one is a single MOVING segment. */
    void reset(MapSnapshot inSnapshot, long firstByte, long countBytes) {
        resetIgnoringMoves(inSnapshot, firstByte, countBytes);
        if (!plain) {
            moving = inSnapshot.isMoving(firstByte >> Place.UNIT_SHIFT, endUnit(end));
        }
    }

    /** As {@link #reset}, for the holder of the lock that moves the range itself. */
    void resetIgnoringMoves(MapSnapshot inSnapshot, long firstByte, long countBytes) {
        snapshot = inSnapshot;
        position = firstByte;
        end = firstByte + countBytes;
        moving = false;
        long firstUnit = firstByte >> Place.UNIT_SHIFT;
        plain = inSnapshot.surelyPlain(firstUnit, endUnit(end));
        if (!plain) {
            haveEntry = entries.seek(inSnapshot.table, firstUnit);
            haveHint = hints.seek(inSnapshot.hints, firstUnit);
        }
    }

    static long endUnit(long endByte) {
        return (endByte + Place.UNIT_BYTES - 1) >> Place.UNIT_SHIFT;
    }

    /** Goes to the next segment; {@code false} if the range is done. */
    boolean next() {
        if (position >= end) {
            return false;
        }
        offsetBytes = position;
        deviceOffsetBytes = position;
        barred = false;
        if (plain || moving) {
            target = moving ? Target.MOVING : Target.MAIN;
            lengthBytes = end - position;
            position = end;
            return true;
        }
        long unit = position >> Place.UNIT_SHIFT;
        advanceTo(unit);
        if (!entryCovers(unit) && !hintCovers(unit)) {
            long stop = Math.min(
                    haveEntry ? entries.firstUnit() : Long.MAX_VALUE >> Place.UNIT_SHIFT,
                    haveHint ? hints.firstUnit() : Long.MAX_VALUE >> Place.UNIT_SHIFT);
            stop = Math.min(stop, snapshot.avoidedChangesAfter(unit));
            long stopByte = Math.min(end, stop << Place.UNIT_SHIFT);
            target = snapshot.isAvoided(unit, unit + 1) ? Target.AVOIDED_MAIN : Target.MAIN;
            lengthBytes = stopByte - position;
            position = stopByte;
            return true;
        }
        takeTouchedRun(unit);
        return true;
    }

    /** A run of sectors in units with an entry or a hint that have the same target and lie side by side there. */
    private void takeTouchedRun(long firstUnit) {
        long unit = firstUnit;
        int sector = (int) ((position - (unit << Place.UNIT_SHIFT)) >> sectorShift);
        boolean first = true;
        while (position < end) {
            long place = entryCovers(unit) ? Place.advance(entries.place(), unit - entries.firstUnit()) : Place.MAIN;
            long hint = hintCovers(unit) ? hints.place() : Place.MAIN;
            Target here = targetOf(place, hint, 1 << sector);
            if ((here == Target.MAIN_DIRECT || here == Target.UNREADABLE_MAIN) && snapshot.isAvoided(unit, unit + 1)) {
                here = Target.AVOIDED_MAIN;
            }
            long deviceHere = position;
            if (here == Target.SPARE || here == Target.UNREADABLE_SPARE) {
                long slotAt = offsetOf.applyAsLong(place);
                here = slotAt < 0 ? Target.MISSING_SPARE : here;
                deviceHere = slotAt < 0 ? position : slotAt + ((long) sector << sectorShift);
            }
            boolean barredHere = MapSnapshot.Hint.barred(hint);
            if (first) {
                target = here;
                deviceOffsetBytes = deviceHere;
                spare = Place.spare(place);
                barred = barredHere;
                first = false;
            } else if (here != target
                    || barredHere != barred
                    || Place.spare(place) != spare
                    || deviceHere != deviceOffsetBytes + (position - offsetBytes)) {
                break;
            }
            int alike = sectorsAlike(place, hint, sector, here);
            position += (long) alike << sectorShift;
            if (sector + alike < sectorsPerUnit || position >= end) {
                break;
            }
            sector = 0;
            unit++;
            advanceTo(unit);
            if (!entryCovers(unit) && !hintCovers(unit)) {
                break;
            }
        }
        position = Math.min(position, end);
        lengthBytes = position - offsetBytes;
    }

    /** How many sectors of the unit, from this one on, have the same target as it. */
    private int sectorsAlike(long place, long hint, int sector, Target here) {
        int unreadable = MapSnapshot.Hint.unreadableMask(hint);
        int onSlot = Place.onSlotMask(place);
        int lost = Place.lostMask(place);
        int alike = switch (here) {
            case LOST -> lost;
            case SPARE -> onSlot & ~unreadable;
            case UNREADABLE_SPARE -> onSlot & unreadable;
            case MISSING_SPARE -> onSlot;
            case UNREADABLE_MAIN -> ~(onSlot | lost) & unreadable;
            case MAIN_DIRECT -> ~(onSlot | lost | unreadable);
            case AVOIDED_MAIN, ZERO -> ~(onSlot | lost);
            default -> throw new IllegalStateException("no target of a touched unit: " + here);
        };
        return Math.min(sectorsPerUnit - sector, Integer.numberOfTrailingZeros(~(alike >> sector)));
    }

    private static Target targetOf(long place, long hint, int bit) {
        boolean unreadable = (MapSnapshot.Hint.unreadableMask(hint) & bit) != 0;
        if ((Place.lostMask(place) & bit) != 0) {
            return Target.LOST;
        }
        if ((Place.onSlotMask(place) & bit) != 0) {
            return unreadable ? Target.UNREADABLE_SPARE : Target.SPARE;
        }
        if (Place.isZero(place)) {
            return Target.ZERO;
        }
        return unreadable ? Target.UNREADABLE_MAIN : Target.MAIN_DIRECT;
    }

    private void advanceTo(long unit) {
        while (haveEntry && entries.endUnit() <= unit) {
            haveEntry = entries.next();
        }
        while (haveHint && hints.endUnit() <= unit) {
            haveHint = hints.next();
        }
    }

    private boolean entryCovers(long unit) {
        return haveEntry && entries.firstUnit() <= unit;
    }

    private boolean hintCovers(long unit) {
        return haveHint && hints.firstUnit() <= unit;
    }

    Target target() {
        return target;
    }

    /** First byte of the segment on the virtual disk. */
    long offsetBytes() {
        return offsetBytes;
    }

    /** Length in bytes, whole sectors. */
    long lengthBytes() {
        return lengthBytes;
    }

    /** First byte on the device of the target. */
    long deviceOffsetBytes() {
        return deviceOffsetBytes;
    }

    /** Number of the spare that it is on; of no meaning for other targets. */
    int spare() {
        return spare;
    }

    /** Whether the segment must not be written. */
    boolean barred() {
        return barred;
    }

    MapSnapshot snapshot() {
        return snapshot;
    }
}
