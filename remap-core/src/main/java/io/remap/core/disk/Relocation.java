package io.remap.core.disk;

import io.remap.api.DiskError;
import io.remap.api.DiskTraits;
import io.remap.api.IoBuffer;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.SectorRange;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.core.disk.SegmentCursor.Target;
import java.nio.ByteBuffer;
import java.util.function.Consumer;

/**
 * Moves sectors that stand on main to the spare, with their content ({@code map add}): under the fence, at most 1 MiB at
 * a time. A sector that cannot be read is left where it is and ends the move, unless the user gave its content up: then
 * it is lost, durably, before anything else may answer for it.
 */
final class Relocation extends Recovery {
    /** A background holder takes no more, so that clients get their turn. */
    static final long MAX_PIECE_BYTES = 1 << 20;

    private final long start;
    private final long end;
    private final boolean loseUnreadable;
    private final String why;
    private final IoBuffer scratch;
    private final SlotPlan plan;
    private final Consumer<Failure> done;

    private Relocation(
            VirtualDisk disk,
            long start,
            long end,
            boolean loseUnreadable,
            String why,
            IoBuffer scratch,
            Consumer<Failure> done) {
        super(disk, start >> Place.UNIT_SHIFT, SegmentCursor.endUnit(end));
        this.start = start;
        this.end = end;
        this.loseUnreadable = loseUnreadable;
        this.why = why;
        this.scratch = scratch;
        this.plan = new SlotPlan(this, this::bytes, false);
        this.done = done;
    }

    /**
     * Moves a range.
     *
     * @param why for people
     * @param done told once: {@code null}, or how it ended; what was moved before that stays moved
     */
    static void move(VirtualDisk disk, SectorRange range, boolean loseUnreadable, String why, Consumer<Failure> done) {
        long sectorBytes = disk.traits().sectorBytes();
        movePiece(disk, range.firstSector() * sectorBytes, range.endSector() * sectorBytes, loseUnreadable, why, done);
    }

    /**
     * As the other, of what still reads and nobody asked for. Where a slot is needed and there is none it ends before anything
     * is read or anybody waits: it is tried again and again, and what is weak had better be left alone.
     */
    static void moveWeak(VirtualDisk disk, SectorRange range, String why, Consumer<Failure> done) {
        long start = range.firstSector() * disk.traits().sectorBytes();
        long end = range.endSector() * disk.traits().sectorBytes();
        if (!disk.spares.haveRoom() && needsSlot(disk, start, end)) {
            done.accept(new Failure(DiskError.NO_SPACE, start, null));
        } else {
            movePiece(disk, start, end, false, why, done);
        }
    }

    /** Whether a unit has sectors on main, and no slot to which they could be added. */
    private static boolean needsSlot(VirtualDisk disk, long start, long end) {
        RemapTable table = disk.state.current().table;
        DiskTraits traits = disk.traits();
        for (long unit = start >> Place.UNIT_SHIFT; unit < SegmentCursor.endUnit(end); unit++) {
            boolean isOnMain = VirtualDisk.sectorsOnMain(table, unit, traits.sectorBytes(), traits.sizeBytes()) != 0;
            if (isOnMain && !Place.hasSlot(table.placeOf(unit))) {
                return true;
            }
        }
        return false;
    }

    private static void movePiece(
            VirtualDisk disk, long start, long end, boolean loseUnreadable, String why, Consumer<Failure> done) {
        if (start == end) {
            done.accept(null);
            return;
        }
        if (disk.isStopping()) {
            done.accept(new Failure(DiskError.SHUTDOWN, start, null));
            return;
        }
        long pieceEnd = Math.min(end, (start & -MAX_PIECE_BYTES) + MAX_PIECE_BYTES);
        IoBuffer scratch = disk.buffers.acquire((int) (pieceEnd - start));
        if (scratch == null) {
            disk.buffers.whenReleased(() ->
                    disk.environment.scheduler().execute(() -> movePiece(disk, start, end, loseUnreadable, why, done)));
            return;
        }
        new Relocation(disk, start, pieceEnd, loseUnreadable, why, scratch, failure -> {
                    scratch.release();
                    if (failure == null) {
                        disk.environment
                                .scheduler()
                                .execute(() -> movePiece(disk, pieceEnd, end, loseUnreadable, why, done));
                    } else {
                        done.accept(failure);
                    }
                })
                .begin();
    }

    private ByteBuffer bytes(long offset, int length) {
        return scratch.slice((int) (offset - start), length);
    }

    @Override
    void locked() throws Failure {
        requireNothingLate();
        fence(mustWaitForReads(), this::fenced);
    }

    private void fenced() throws Failure, TryLater {
        plan.reset();
        SegmentCursor cursor = disk.newCursor();
        cursor.resetIgnoringMoves(disk.state.current(), start, end - start);
        while (cursor.next()) {
            Target target = cursor.target();
            // What is only left alone may well be read one day: it is not given up.
            if (cursor.barred() || target == Target.AVOIDED_MAIN) {
                throw new Failure(DiskError.IO, cursor.offsetBytes(), null);
            }
            if (target == Target.MAIN || target == Target.MAIN_DIRECT || target == Target.UNREADABLE_MAIN) {
                take(cursor.offsetBytes(), cursor.lengthBytes());
            }
        }
        if (plan.isEmpty()) {
            succeed();
            return;
        }
        if (!disk.canRedirect()) {
            throw new Failure(DiskError.IO, start, null);
        }
        plan.writeSlots();
        disk.log.relocating(start, end, why);
        plan.commit(outcome -> run(() -> committed(outcome)));
    }

    /** Reads from main, in halves where it fails. */
    private void take(long offset, long length) throws Failure, TryLater {
        VirtualDisk.Side side = disk.mainSide;
        int sectorBytes = disk.traits().sectorBytes();
        if (succeeds(side, true, offset, () -> side.direct().read(offset, bytes(offset, (int) length)))) {
            plan.cover(offset, length);
        } else if (length > sectorBytes) {
            long half = length / 2 / sectorBytes * sectorBytes;
            take(offset, half);
            take(offset + half, length - half);
        } else if (loseUnreadable) {
            plan.lose(offset >> Place.UNIT_SHIFT, disk.sectorMask(offset, length));
        } else {
            throw new Failure(DiskError.IO, offset, null);
        }
    }

    private void committed(Outcome outcome) throws Failure {
        switch (outcome) {
            case DURABLE -> succeed();
            case NOT_COMMITTED -> throw new Failure(DiskError.IO, start, null);
            case STORE_FAILED -> {
                release(plan::withBars);
                failed(DiskError.IO, start);
            }
        }
    }

    private void succeed() {
        disk.failback.forget(firstUnit, endUnit);
        if (!plan.isEmpty()) {
            disk.log.relocated(plan.units(), start, end);
            plan.forEachUnit((unit, forLackOfTime) -> disk.watchList.moved(unit));
        }
        release(s -> plan.withoutHints(s.withTable(disk.committedTable())));
        done.accept(null);
    }

    @Override
    void failed(DiskError error, long offsetBytes) {
        done.accept(new Failure(error, offsetBytes, null));
    }
}
