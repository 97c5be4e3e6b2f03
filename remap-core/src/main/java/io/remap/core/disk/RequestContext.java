package io.remap.core.disk;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.Place;

/**
 * One request on its way over the fast path: enter the table of transfers in flight, load the map, execute segment after
 * segment. Whatever is not a plain success leaves for the slow path with the in-flight entry cleared. Allocated once for
 * each {@link DiskRequest} and reused with it; nothing is allocated, locked or logged per request.
 *
 * <p>Invariants: at most one segment is at the engine; the in-flight entry is held exactly while segments of the current
 * piece may be at a device; nothing is touched after the completion was called.
 */
final class RequestContext extends PendingRequest implements WriteRecovery.Client {
    /** Longest part of a request that is mapped at a time. */
    static final long MAX_PIECE_BYTES = 32L << 20;

    /** The same for zeros: short enough that a slow main that has to write them takes a piece long before it is redirected. */
    static final long MAX_ZEROES_PIECE_BYTES = 4L << 20;

    private final SegmentCursor cursor;
    private final Runnable enterPiece = this::enterPiece;

    private long pieceStart;
    private long pieceEnd;
    private long end;
    private int inFlight;
    private boolean touchedMain;
    /** By number, one bit each. */
    private int touchedSpares;

    private DeviceException segmentError;

    /** Reads of one unit that failed before the recovery that is under way, and the last error. */
    private int failedReads;

    private DeviceException failedRead;

    RequestContext(VirtualDisk disk, DiskRequest request) {
        super(disk, request);
        this.cursor = disk.newCursor();
    }

    /** Starts the request; the disk counts it as outstanding. */
    void begin() {
        segmentError = null;
        touchedMain = false;
        touchedSpares = 0;
        open();
        disk.deadlines.begun();
        DiskRequest.Operation wanted = asked;
        if (wanted == DiskRequest.Operation.FLUSH) {
            disk.counters.flushes.increment();
            touchedMain = true;
            touchedSpares = disk.spares.mask();
            syncAndFinish();
            return;
        }
        long size = disk.traits().sizeBytes();
        if (firstByte < 0 || byteCount < 0 || firstByte > size - byteCount) {
            boolean writes = wanted == DiskRequest.Operation.WRITE || wanted == DiskRequest.Operation.WRITE_ZEROES;
            finish(writes ? DiskError.NO_SPACE : DiskError.INVALID, -1);
        } else if (wanted.changesData() && disk.isReadOnly()) {
            finish(DiskError.READ_ONLY, -1);
        } else if (wanted == DiskRequest.Operation.WRITE_ZEROES && request.fastOnly) {
            // Whether the medium zeroes faster than it writes is not known for main, and a slot is written anyway.
            finish(DiskError.NOT_SUPPORTED, -1);
        } else if (byteCount == 0 || wanted == DiskRequest.Operation.CACHE) {
            finish(DiskError.NONE, -1);
        } else {
            beginTransfer();
        }
    }

    /**
     * Reads at once as if the fast path had failed: from the medium, with a verdict. Whole sectors.
     *
     * @param failed how many reads of the range have failed
     */
    void beginInRecovery(int failed) {
        failedReads = failed;
        failedRead = null;
        touchedMain = false;
        touchedSpares = 0;
        open();
        disk.deadlines.begun();
        pieceStart = firstByte;
        pieceEnd = pieceStart + byteCount;
        end = pieceEnd;
        disk.recoverRead(this, pieceStart, pieceEnd);
    }

    private void beginTransfer() {
        if (asked == DiskRequest.Operation.READ) {
            disk.counters.reads.increment();
            disk.counters.readBytes.add(byteCount);
        } else {
            disk.counters.writes.increment();
            disk.counters.writtenBytes.add(byteCount);
        }
        int sectorMask = disk.traits().sectorBytes() - 1;
        long start = firstByte;
        end = start + byteCount;
        if (((start | end) & sectorMask) != 0) {
            if (asked != DiskRequest.Operation.TRIM) {
                disk.transferUnaligned(this);
                return;
            }
            start = (start + sectorMask) & ~(long) sectorMask;
            end = end & ~(long) sectorMask;
            if (start >= end) {
                finish(DiskError.NONE, -1);
                return;
            }
        }
        pieceStart = start;
        pieceEnd = endOfPiece(start);
        beginsWith(pieceStart, pieceEnd);
        enterPiece();
    }

    private void nextPiece() {
        if (pieceEnd == end) {
            succeed();
        } else {
            pieceStart = pieceEnd;
            pieceEnd = endOfPiece(pieceStart);
            gotOn(pieceStart, pieceEnd);
            enterPiece();
        }
    }

    /** Pieces end at unit boundaries, so that no unit is in two of them. */
    private long endOfPiece(long start) {
        long most = asked == DiskRequest.Operation.WRITE_ZEROES ? MAX_ZEROES_PIECE_BYTES : MAX_PIECE_BYTES;
        return Math.min(end, (start + most) & -Place.UNIT_BYTES);
    }

    private void enterPiece() {
        if (isOverdue()) {
            finish(DiskError.IO, -1);
            return;
        }
        boolean changes = asked != DiskRequest.Operation.READ;
        if (changes && disk.main.ledgerIsCrowded()) {
            disk.counters.heldWrites.increment();
            disk.mainWrites.sync.sync(this::roomMade);
            return;
        }
        inFlight = disk.inFlight.enter(pieceStart >> Place.UNIT_SHIFT, SegmentCursor.endUnit(pieceEnd), changes);
        if (inFlight < 0) {
            disk.environment.scheduler().schedule(enterPiece, VirtualDisk.TABLE_FULL_RETRY_MILLIS);
            return;
        }
        cursor.reset(disk.state.current(), pieceStart, pieceEnd - pieceStart);
        drive();
    }

    /** Writes that have no room in the ledger wait for a flush; if that fails, they cannot be promised. */
    private void roomMade(DeviceException error) {
        if (error == null && disk.main.ledgerIsCrowded()) {
            // Writes that are still under way have its oldest entries: another flush gives no room before they end.
            disk.environment.scheduler().schedule(enterPiece, VirtualDisk.TABLE_FULL_RETRY_MILLIS);
        } else if (error == null) {
            disk.environment.scheduler().execute(enterPiece);
        } else {
            disk.log.flushFailed(error);
            finish(DiskError.IO, -1);
        }
    }

    /** Executes segments until one has to be waited for. */
    private void drive() {
        while (cursor.next()) {
            if (cursor.offsetBytes() == pieceStart) {
                boolean whole = cursor.lengthBytes() == pieceEnd - pieceStart;
                (whole ? disk.counters.wholeRequests : disk.counters.splitRequests).increment();
            }
            if (!isTransfer()) {
                if (skipped()) {
                    continue;
                }
                return;
            }
            Deadlines.Way way = disk.deadlines.isAnyLate() ? wayOfSegment() : Deadlines.Way.FREE;
            if (way != Deadlines.Way.FREE) {
                if (asked == DiskRequest.Operation.TRIM) {
                    // Advice.
                    continue;
                }
                avoidWhatHangs(way);
                return;
            }
            prepare();
            if (!transfer() || !segmentDone()) {
                return;
            }
        }
        disk.inFlight.exit(inFlight);
        if (asked == DiskRequest.Operation.READ
                && disk.state.current().doubts() != cursor.snapshot().doubts()) {
            // What was read may be what the device went back to, and not what was acknowledged.
            readAgain();
            return;
        }
        nextPiece();
    }

    private void readAgain() {
        releasePages();
        enterPiece();
    }

    /** Whether the segment goes to a device as it is. */
    private boolean isTransfer() {
        return switch (cursor.target()) {
            case MAIN -> !losesPages();
            case MAIN_DIRECT -> !(cursor.barred() && asked != DiskRequest.Operation.READ);
            // TRIM is advice for main; on the spare it would only free what the next write needs.
            case SPARE ->
                asked != DiskRequest.Operation.TRIM && !(cursor.barred() && asked != DiskRequest.Operation.READ);
            default -> false;
        };
    }

    /**
     * Whether the only place of what was acknowledged may be a page of the cache that a transfer would drop before it fails: a
     * page that could not be written back looks like any other, and while main is in doubt no flush tells of it.
     */
    private boolean losesPages() {
        return asked == DiskRequest.Operation.WRITE_ZEROES
                && !disk.main.traits().direct()
                && disk.main.doubt().isPresent();
    }

    /** Deals with a segment that is no transfer: {@code true} if it is done, otherwise the request has left this path. */
    private boolean skipped() {
        SegmentCursor.Target target = cursor.target();
        if (target == SegmentCursor.Target.MOVING) {
            disk.inFlight.exit(inFlight);
            disk.counters.parkedRequests.increment();
            long firstUnit = pieceStart >> Place.UNIT_SHIFT;
            long endUnit = SegmentCursor.endUnit(pieceEnd);
            boolean refused = cursor.snapshot().isRefused(firstUnit, endUnit);
            if (refused && asked != DiskRequest.Operation.TRIM && disk.holdAwayNanos() > 0) {
                // It waits there if the device is away.
                recover();
            } else if (refused || !disk.state.park(firstUnit, endUnit, enterPiece)) {
                finish(DiskError.IO, pieceStart);
            }
            return false;
        }
        switch (asked) {
            case READ -> {
                if (target == SegmentCursor.Target.ZERO) {
                    Zeros.fill(payload(cursor.offsetBytes(), cursor.lengthBytes()));
                    return true;
                }
                disk.inFlight.exit(inFlight);
                if (target == SegmentCursor.Target.AVOIDED_MAIN) {
                    disk.counters.avoidedReads.increment();
                    disk.deadAreas.asked(segmentFirstUnit(), segmentEndUnit());
                    finish(DiskError.IO, cursor.offsetBytes());
                } else if (target == SegmentCursor.Target.LOST
                        || target == SegmentCursor.Target.MISSING_SPARE
                        || disk.isHeldOff(cursor.offsetBytes())) {
                    finish(DiskError.IO, cursor.offsetBytes());
                } else {
                    disk.recoverRead(this, pieceStart, pieceEnd);
                }
            }
            case TRIM -> {
                return true;
            }
            default -> {
                disk.inFlight.exit(inFlight);
                if (cursor.barred()) {
                    finish(DiskError.IO, cursor.offsetBytes());
                } else {
                    disk.recoverWrite(this, pieceStart, pieceEnd);
                }
            }
        }
        return false;
    }

    private void prepare() {
        boolean onSpare = cursor.target() == SegmentCursor.Target.SPARE;
        if (onSpare) {
            disk.counters.remappedSegments.increment();
        }
        if (asked != DiskRequest.Operation.READ) {
            touchedMain |= !onSpare;
            touchedSpares |= onSpare ? 1 << cursor.spare() : 0;
            if (onSpare) {
                cursor.snapshot().noteSlotWrite(segmentFirstUnit(), segmentEndUnit());
            }
        }
        device = onSpare ? disk.spares.require(cursor.spare()).device : deviceOfMain();
        offsetBytes = cursor.deviceOffsetBytes();
        lengthBytes = cursor.lengthBytes();
        switch (asked) {
            case READ -> {
                operation = Operation.READ;
                data = payload(cursor.offsetBytes(), lengthBytes);
                // By reference only what is whole and plainly on main: a slot may be another unit's by the time it is
                // sent.
                pagesWelcome = pagesAllowed && cursor.target() == SegmentCursor.Target.MAIN && lengthBytes == byteCount;
            }
            case WRITE -> {
                operation = Operation.WRITE;
                data = payload(cursor.offsetBytes(), lengthBytes);
            }
            case WRITE_ZEROES -> operation = onSpare || keepAllocated ? Operation.ZERO_ALLOCATED : Operation.ZERO;
            case TRIM -> operation = Operation.DISCARD;
            default -> throw new IllegalStateException("no transfer: " + asked);
        }
    }

    /** Where sectors beside others that are not plainly there are, pages have one door only. */
    private BlockDevice deviceOfMain() {
        return cursor.target() == SegmentCursor.Target.MAIN ? disk.main : disk.main.direct();
    }

    @Override
    void noteOutcome(DeviceException error) {
        segmentError = error;
    }

    @Override
    void goOn() {
        if (segmentDone()) {
            drive();
        }
    }

    @Override
    void leaveTable() {
        disk.inFlight.exit(inFlight);
    }

    @Override
    void markInTable() {
        disk.inFlight.markLate(inFlight);
    }

    private Deadlines.Way wayOfSegment() {
        return disk.deadlines.wayOf(changes(), isOnMain(), segmentFirstUnit(), segmentEndUnit());
    }

    private boolean isOnMain() {
        return cursor.target() != SegmentCursor.Target.SPARE;
    }

    private long segmentFirstUnit() {
        return cursor.offsetBytes() >> Place.UNIT_SHIFT;
    }

    private long segmentEndUnit() {
        return SegmentCursor.endUnit(cursor.offsetBytes() + cursor.lengthBytes());
    }

    /** Leaves this path, since something hangs where the segment would go. */
    private void avoidWhatHangs(Deadlines.Way way) {
        disk.inFlight.exit(inFlight);
        long failing = cursor.offsetBytes();
        if (way == Deadlines.Way.TO_SPARE) {
            disk.recoverWrite(this, pieceStart, pieceEnd);
        } else if (way == Deadlines.Way.REFUSED
                || !disk.deadlines.await(this, isOnMain(), segmentFirstUnit(), segmentEndUnit(), enterPiece)) {
            disk.counters.refusedRequests.increment();
            finish(DiskError.IO, failing);
        }
    }

    @Override
    PendingRequest successor() {
        RequestContext next = new RequestContext(disk, request);
        next.pieceStart = pieceStart;
        next.pieceEnd = pieceEnd;
        next.end = end;
        next.touchedMain = touchedMain;
        next.touchedSpares = touchedSpares;
        return next;
    }

    @Override
    void takeToSpare() {
        disk.environment.scheduler().execute(() -> disk.recoverWrite(this, pieceStart, pieceEnd));
    }

    /** Whether the request goes on after the segment that just came back. */
    private boolean segmentDone() {
        boolean good = segmentError == null || asked == DiskRequest.Operation.TRIM;
        if (good && !isOverdue()) {
            return true;
        }
        disk.inFlight.exit(inFlight);
        if (isOverdue() && (good || changes())) {
            // Nothing more is written: the client may have written there since.
            finish(DiskError.IO, -1);
            return false;
        }
        recover();
        return false;
    }

    private void recover() {
        if (asked == DiskRequest.Operation.READ) {
            noteFailedRead();
            disk.recoverRead(this, pieceStart, pieceEnd);
        } else {
            disk.recoverWrite(this, pieceStart, pieceEnd);
        }
    }

    /** A longer transfer, or one to the spare, says nothing of a unit of main. */
    private void noteFailedRead() {
        boolean inOneUnit = segmentEndUnit() - segmentFirstUnit() == 1 && isOnMain();
        boolean counts =
                inOneUnit && segmentError != null && segmentError.errorClass().mayBeSector();
        failedReads = counts ? 1 : 0;
        failedRead = counts ? segmentError : null;
        segmentError = null;
    }

    /** How many reads of a unit of main failed before its recovery began; that they did is told once. */
    int takeFailedReads() {
        int taken = failedReads;
        failedReads = 0;
        return taken;
    }

    /** The last of them, {@code null} if it is not known. */
    DeviceException failedRead() {
        return failedRead;
    }

    /** Where they failed; of a client's read the segment, otherwise the piece. */
    long failedUnit() {
        return (failedRead == null ? pieceStart : cursor.offsetBytes()) >> Place.UNIT_SHIFT;
    }

    @Override
    public boolean isOver() {
        return isOverdue();
    }

    /** The slow path has read the current piece. */
    void pieceRead() {
        nextPiece();
    }

    /** The slow path has written the current piece. */
    @Override
    public void written(boolean onMain, int onSpares) {
        touchedMain |= onMain;
        touchedSpares |= onSpares;
        nextPiece();
    }

    @Override
    public void writeFailed(DiskError error, long offset) {
        finish(error, offset);
    }

    /** Everything the request asked for is on the devices. */
    void allWritten(boolean onMain, int onSpares) {
        touchedMain |= onMain;
        touchedSpares |= onSpares;
        succeed();
    }

    private void succeed() {
        if (fua && asked.changesData()) {
            syncAndFinish();
        } else {
            finish(DiskError.NONE, -1);
        }
    }

    /** Syncs what was touched, and ends the request with the answer. */
    private void syncAndFinish() {
        if (disk.deadlines.refusesSyncs()) {
            disk.counters.refusedRequests.increment();
            finish(DiskError.IO, -1);
            return;
        }
        beginsSync();
        disk.clientFlush.flush(client, touchedMain, touchedSpares, this::isOverdue, error -> {
            if (error != null) {
                disk.log.flushFailed(error);
            }
            finish(error == null ? DiskError.NONE : DiskError.IO, -1);
        });
    }
}
