package io.remap.core.disk;

import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.IoBuffer;
import io.remap.core.disk.Recovery.Failure;
import io.remap.core.disk.Recovery.TryLater;
import io.remap.core.disk.SegmentCursor.Target;
import java.nio.ByteBuffer;

/**
 * A request whose edges are not at sector boundaries, piece by piece through a buffer of whole sectors: a read copies out
 * of it; a write is a read-modify-write of the edge sectors under the fence, above the map. An edge that cannot be read
 * fails the request before anything of its piece is written.
 */
final class UnalignedTransfer implements WriteRecovery.Client {
    private static final long MAX_PIECE_BYTES = 1 << 20;

    private final RequestContext context;
    private final VirtualDisk disk;
    private final int sectorBytes;
    private final long end;
    private long position;
    private long pieceEnd;
    private long alignedStart;
    private long alignedEnd;
    private IoBuffer scratch;
    private boolean wroteMain;
    private int wroteSpares;

    UnalignedTransfer(RequestContext context) {
        this.context = context;
        this.disk = context.disk;
        this.sectorBytes = disk.traits().sectorBytes();
        this.position = context.firstByte;
        this.end = context.firstByte + context.byteCount;
        this.pieceEnd = endOfPiece(position);
        context.beginsWith(position, pieceEnd);
    }

    private long endOfPiece(long from) {
        return Math.min(end, (from & -MAX_PIECE_BYTES) + MAX_PIECE_BYTES);
    }

    /** Starts the current piece, or ends the request. */
    void next() {
        if (context.isOverdue()) {
            context.finish(DiskError.IO, -1);
            return;
        }
        if (position == end) {
            context.allWritten(wroteMain, wroteSpares);
            return;
        }
        alignedStart = position & -sectorBytes;
        alignedEnd = (pieceEnd + sectorBytes - 1) & -sectorBytes;
        scratch = disk.buffers.acquire((int) (alignedEnd - alignedStart));
        if (scratch == null) {
            disk.buffers.whenReleased(() -> disk.environment.scheduler().execute(this::next));
        } else if (context.asked == Operation.READ) {
            read();
        } else {
            new WriteRecovery(disk, this, alignedStart, alignedEnd, this::scratchBytes, false, this::mergeEdges)
                    .begin();
        }
    }

    private ByteBuffer scratchBytes(long offset, int length) {
        return scratch.slice((int) (offset - alignedStart), length);
    }

    private void read() {
        DiskRequest whole = new DiskRequest(this::readDone);
        whole.operation = Operation.READ;
        whole.offsetBytes = alignedStart;
        whole.lengthBytes = alignedEnd - alignedStart;
        whole.buffer = scratch;
        disk.submitPart(whole);
    }

    private void readDone(DiskRequest whole) {
        if (whole.error != DiskError.NONE) {
            releaseScratch();
            context.finish(whole.error, Math.max(whole.errorOffsetBytes, context.firstByte));
            return;
        }
        context.payload(position, pieceEnd - position).put(scratchBytes(position, (int) (pieceEnd - position)));
        releaseScratch();
        goOn();
    }

    /** Puts the payload between what the edge sectors hold now. */
    private void mergeEdges(WriteRecovery recovery) throws Failure, TryLater {
        if (alignedStart < position) {
            readSector(recovery, alignedStart);
        }
        long lastSector = alignedEnd - sectorBytes;
        if (pieceEnd < alignedEnd && (lastSector > alignedStart || alignedStart == position)) {
            readSector(recovery, lastSector);
        }
        int length = (int) (pieceEnd - position);
        ByteBuffer target = scratchBytes(position, length);
        if (context.asked == Operation.WRITE) {
            target.put(context.payload(position, length));
        } else {
            Zeros.fill(target);
        }
    }

    private void readSector(WriteRecovery recovery, long offset) throws Failure, TryLater {
        SegmentCursor cursor = disk.newCursor();
        cursor.resetIgnoringMoves(disk.state.current(), offset, sectorBytes);
        cursor.next();
        Target target = cursor.target();
        if (target == Target.ZERO) {
            Zeros.fill(scratchBytes(offset, sectorBytes));
            return;
        }
        boolean unreadable = target == Target.UNREADABLE_MAIN || target == Target.UNREADABLE_SPARE;
        if (target == Target.LOST
                || target == Target.MISSING_SPARE
                || target == Target.AVOIDED_MAIN
                || (unreadable && disk.isHeldOff(offset))) {
            throw new Failure(DiskError.IO, offset, null);
        }
        VirtualDisk.Side side = disk.side(target, cursor.spare());
        long at = cursor.deviceOffsetBytes();
        boolean isRead =
                recovery.succeeds(side, true, offset, () -> side.direct().read(at, scratchBytes(offset, sectorBytes)));
        // What only the page cache has is no failure of the sector, and what was read past it may be out of date.
        // A flush finds that out, and the range begins anew.
        recovery.requireNoDoubt();
        if (!isRead) {
            throw new Failure(DiskError.IO, offset, null);
        }
    }

    @Override
    public void written(boolean onMain, int onSpares) {
        releaseScratch();
        wroteMain |= onMain;
        wroteSpares |= onSpares;
        goOn();
    }

    private void goOn() {
        position = pieceEnd;
        if (position < end) {
            pieceEnd = endOfPiece(position);
            context.gotOn(position, pieceEnd);
        }
        next();
    }

    @Override
    public void writeFailed(DiskError error, long offsetBytes) {
        releaseScratch();
        context.finish(error, offsetBytes);
    }

    @Override
    public boolean isOver() {
        return context.isOverdue();
    }

    private void releaseScratch() {
        IoBuffer done = scratch;
        scratch = null;
        done.release();
    }
}
