package io.remap.core.disk;

import io.remap.api.DiskError;
import io.remap.api.DiskTraits;
import io.remap.api.SectorRange;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * What people do with the map of a disk: look at it, and move sectors to the spare ({@link Relocation}) and back ({@link
 * Return}). Thread-safe; a move goes on after the call, and holds the disk open until its listener was told.
 */
public final class MapSteering {
    private final VirtualDisk disk;

    MapSteering(VirtualDisk disk) {
        this.disk = disk;
    }

    /** Told how a move of sectors ended. */
    @FunctionalInterface
    public interface MoveListener {
        /**
         * Called once, from any thread. What was moved before a failure stays moved.
         *
         * @param firstFailedByte of the virtual disk, -1 if no single place failed
         */
        void ended(DiskError error, long firstFailedByte);
    }

    /**
     * Moves sectors to the spare with their content.
     *
     * @param unreadableToo sectors that cannot be read become lost; otherwise they end the move
     */
    public void add(SectorRange range, boolean unreadableToo, MoveListener done) {
        steer(range, done, told -> Relocation.move(disk, range, unreadableToo, "somebody asked for it", told));
    }

    /** As {@link #add}, for sectors that can still be read, and nobody asked for. */
    void addWeak(SectorRange range, Consumer<DiskError> done) {
        steer(
                range,
                (error, place) -> done.accept(error),
                told -> Relocation.moveWeak(disk, range, "it is weak", told));
    }

    /** Brings units that the range touches back to main, as {@link #add}. */
    public void remove(SectorRange range, MoveListener done) {
        steer(range, done, told -> Return.bringBack(disk, range, told));
    }

    private void steer(SectorRange range, MoveListener done, Consumer<Consumer<Recovery.Failure>> start) {
        DiskTraits traits = disk.traits();
        if (!disk.enter()) {
            done.ended(DiskError.SHUTDOWN, -1);
            return;
        }
        if (range.endSector() > traits.sizeBytes() / traits.sectorBytes()) {
            done.ended(DiskError.INVALID, -1);
            disk.leave();
        } else if (!disk.canRedirect()) {
            done.ended(traits.readOnly() ? DiskError.READ_ONLY : DiskError.IO, -1);
            disk.leave();
        } else {
            start.accept(failure -> {
                if (failure == null) {
                    done.ended(DiskError.NONE, -1);
                } else {
                    done.ended(failure.error, failure.offsetBytes);
                }
                disk.leave();
            });
        }
    }

    /** The runs of sectors from a sector on that are not plainly on main, at most so many. */
    public List<MapEntry> entries(long firstSector, int limit) {
        List<MapEntry> result = new ArrayList<>();
        SegmentCursor cursor = disk.newCursor();
        long sizeBytes = disk.traits().sizeBytes();
        int sectorBytes = disk.traits().sectorBytes();
        long from = firstSector * sectorBytes;
        cursor.resetIgnoringMoves(disk.state.current(), from, Math.max(0, sizeBytes - from));
        while (result.size() < limit && cursor.next()) {
            MapEntry.State where = switch (cursor.target()) {
                case SPARE -> MapEntry.State.SPARE;
                case ZERO -> MapEntry.State.ZERO;
                case UNREADABLE_MAIN -> MapEntry.State.UNREADABLE;
                case AVOIDED_MAIN -> MapEntry.State.AVOIDED;
                case UNREADABLE_SPARE -> MapEntry.State.UNREADABLE_ON_SPARE;
                case MISSING_SPARE -> MapEntry.State.ON_MISSING_SPARE;
                case LOST -> MapEntry.State.LOST;
                default -> null;
            };
            if (where != null) {
                boolean onSpare = where == MapEntry.State.SPARE || where == MapEntry.State.UNREADABLE_ON_SPARE;
                result.add(new MapEntry(
                        new SectorRange(cursor.offsetBytes() / sectorBytes, cursor.lengthBytes() / sectorBytes),
                        where,
                        onSpare || where == MapEntry.State.ON_MISSING_SPARE ? cursor.spare() : -1,
                        onSpare ? cursor.deviceOffsetBytes() : -1));
            }
        }
        return result;
    }
}
