package io.remap.core.disk;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIo;
import io.remap.api.DiskClient;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.IoBuffer;
import io.remap.api.SectorRange;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;

/**
 * A request from its submission to its answer, and on to the real end of what it began at the devices, which may come much
 * later. Whoever executes it answers it; or the {@link Deadlines} do, once its time is over: then it is <em>overdue</em>,
 * the client has its error, and what is under way goes on with what it needs, which is all in this object. The client
 * may use its {@link DiskRequest} for something else meanwhile.
 *
 * <p>The buffer belongs to the I/O. For what is under way when a request is answered too early another hold is taken, and
 * given back when it really ends: so no late read lands in memory that is somebody else's by then, and no late write
 * sends it.
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>a request is answered once, by whoever changes {@code life} from OPEN; nothing of {@link #request} is touched
 *       afterwards, nor by anybody else while it is EXPIRING;
 *   <li>a segment is <em>claimed</em> only while its transfer is at the engine and has not come back: then nobody else does
 *       anything with this object until it comes back, and this one is never reused;
 *   <li>one without payload may be of any length: its time begins anew with each piece, and <em>life</em> changes then, so
 *       that nothing that was seen of it before counts; nothing but the current piece is under way for it, and no other piece
 *       begins once it is overdue;
 *   <li>an overdue request counts as outstanding, and is with the {@link Deadlines}, until its last transfer has ended.
 * </ul>
 *
 * <p>What is written for each request is two words, without a lock or a look at a clock.
 */
abstract class PendingRequest extends DeviceIo {
    private static final VarHandle LIFE;
    private static final VarHandle SEGMENT;

    static {
        try {
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            LIFE = lookup.findVarHandle(PendingRequest.class, "life", long.class);
            SEGMENT = lookup.findVarHandle(PendingRequest.class, "segment", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    // The low bits of life; above them is the number of the request.
    private static final long ANSWERED = 0;
    private static final long OPEN = 1;
    private static final long EXPIRING = 2;
    private static final long OVERDUE = 3;
    private static final long LIFE_MASK = 3;
    private static final long NEXT_LIFE = 4;

    // The low bits of segment: who has arrived. Above them is the number of the segment.
    private static final long SUBMITTER = 1;
    private static final long COMPLETER = 2;
    private static final long CLAIMED = 16;
    private static final long SEGMENT_MASK = 255;
    private static final long NEXT_SEGMENT = 256;

    final VirtualDisk disk;

    /** Ours until it is answered. */
    final DiskRequest request;

    final DiskClient client;

    // What was asked for, since the request may be asking for something else by the time it is needed.
    DiskRequest.Operation asked;
    long firstByte;
    long byteCount;

    // What may be under way: of one without payload the current piece, otherwise all of it.
    private long underWayFrom;
    private long underWayTo;

    boolean fua;
    boolean keepAllocated;
    boolean pagesAllowed;
    private IoBuffer buffer;

    /** All its transfers have ended, for good: it waits for a sync, and then it ends. */
    private volatile boolean syncing;

    /** What is under way for it when it is overdue needs the buffer. */
    private boolean keepsBuffer;

    /** The payload: the view of the buffer, or one of its own where another transfer may be using that. */
    private ByteBuffer view;

    @SuppressWarnings("unused")
    private volatile long life = ANSWERED;

    /** Submitter and completer of a segment both arrive here; the second goes on. So an inline engine does not recurse. */
    @SuppressWarnings("unused")
    private volatile long segment = SUBMITTER | COMPLETER;

    // Of the sweep alone.
    private long lifeSeen = -1;
    private long lifeSeenNanos;
    private long segmentSeen = -1;
    private long segmentSeenNanos;
    private long segmentTold = -1;

    PendingRequest(VirtualDisk disk, DiskRequest request) {
        this.disk = disk;
        this.request = request;
        this.client = disk.losses.clientOf(request);
    }

    /** A request begins; from now on it has a deadline. */
    final void open() {
        asked = request.operation;
        firstByte = request.offsetBytes;
        byteCount = request.lengthBytes;
        underWayFrom = firstByte;
        underWayTo = firstByte + byteCount;
        fua = request.fua;
        keepAllocated = request.keepAllocated;
        pagesAllowed = request.pagesWelcome;
        buffer = request.buffer;
        view = buffer == null ? null : buffer.data();
        request.pages = null;
        pages = null;
        if (syncing) {
            syncing = false;
        }
        life = (life & ~LIFE_MASK) + (NEXT_LIFE | OPEN);
    }

    /** Goes on with a request in place of one whose transfer hangs. */
    private void succeed(PendingRequest other) {
        asked = other.asked;
        firstByte = other.firstByte;
        byteCount = other.byteCount;
        underWayFrom = other.underWayFrom;
        underWayTo = other.underWayTo;
        fua = other.fua;
        keepAllocated = other.keepAllocated;
        pagesAllowed = false;
        buffer = other.buffer;
        // Position and limit of the other view belong to the transfer that hangs.
        view = buffer == null ? null : buffer.data().duplicate();
        request.pages = null;
        life = NEXT_LIFE | OPEN;
        lifeSeen = life;
        lifeSeenNanos = other.lifeSeenNanos;
    }

    /** A view of the payload, set to a part of the request's range. */
    final ByteBuffer payload(long offset, long length) {
        int from = Math.toIntExact(offset - firstByte);
        return view.limit(Math.toIntExact(from + length)).position(from);
    }

    final boolean changes() {
        return asked != DiskRequest.Operation.READ;
    }

    /** The first byte of what may be under way. */
    final long underWayFrom() {
        return underWayFrom;
    }

    /** The end of what may be under way. */
    final long underWayTo() {
        return underWayTo;
    }

    /** The first piece of the range is this. Whoever looks at the same moment may see the whole range instead. */
    final void beginsWith(long pieceStart, long pieceEnd) {
        if (buffer == null) {
            underWayFrom = pieceStart;
            underWayTo = pieceEnd;
        }
    }

    /**
     * A piece is done, and this one follows: where they may be many, the time begins anew. If it is over, it stays so; the
     * request is overdue then, and the new piece must not begin, as the deadlines may know of the one before it only.
     */
    final void gotOn(long pieceStart, long pieceEnd) {
        if (buffer != null) {
            return;
        }
        // Nothing is under way, so what is seen of it before life changes does no harm.
        beginsWith(pieceStart, pieceEnd);
        long now = life;
        if ((now & LIFE_MASK) != OPEN || !LIFE.compareAndSet(this, now, now + NEXT_LIFE)) {
            awaitOverdue();
        }
    }

    /** From here on it only waits for a sync. */
    final void beginsSync() {
        syncing = true;
    }

    final boolean isSyncing() {
        return syncing;
    }

    /** Whether the client has its answer, as the deadline was over; what is left to do is to end. */
    final boolean isOverdue() {
        return (life & LIFE_MASK) == OVERDUE;
    }

    /** Ends the request; nothing of this object may be touched afterwards. No transfer of it is under way. */
    final void finish(DiskError error, long errorOffset) {
        VirtualDisk owner = disk;
        long now = life;
        if ((now & LIFE_MASK) == ANSWERED) {
            throw new IllegalStateException("a request was answered twice: " + error);
        }
        if ((now & LIFE_MASK) != OPEN || !LIFE.compareAndSet(this, now, now & ~LIFE_MASK)) {
            awaitOverdue();
            lastTransferEnded();
            return;
        }
        if (error != DiskError.NONE) {
            owner.counters.failedRequests.increment();
            releasePages();
        }
        request.pages = pages;
        pages = null;
        request.complete(error, errorOffset);
        owner.leave();
    }

    /** Whoever answers in our place is between two instructions. */
    private void awaitOverdue() {
        while (!isOverdue()) {
            Thread.onSpinWait();
        }
    }

    /** Of an overdue request: what it held is given back. */
    private void lastTransferEnded() {
        releasePages();
        disk.deadlines.ended(this);
        if (keepsBuffer) {
            buffer.release();
        }
        disk.leave();
    }

    final void releasePages() {
        if (pages != null) {
            pages.release();
            pages = null;
        }
    }

    // --- a segment at the engine

    /** Gives the transfer to the engine; {@code true}: it has ended, and the caller goes on. */
    final boolean transfer() {
        segment = (segment & ~SEGMENT_MASK) + NEXT_SEGMENT;
        disk.engine.submit(this);
        return ((long) SEGMENT.getAndAdd(this, SUBMITTER) & SEGMENT_MASK) == COMPLETER;
    }

    /** The transfer has ended; {@code true}: the caller goes on. */
    private boolean transferEnded() {
        long before = (long) SEGMENT.getAndAdd(this, COMPLETER) & SEGMENT_MASK;
        if ((before & CLAIMED) != 0) {
            awaitOverdue();
            leaveTable();
            lastTransferEnded();
            return false;
        }
        return before == SUBMITTER;
    }

    @Override
    public final void completed(DeviceException error) {
        noteOutcome(error);
        if (transferEnded()) {
            goOn();
        }
    }

    /** Remembers how a transfer ended, and nothing else. */
    abstract void noteOutcome(DeviceException error);

    /** A transfer has ended, and its submitter has left. */
    abstract void goOn();

    /** Gives up the entry in the table of transfers in flight. */
    abstract void leaveTable();

    /** Marks that entry as one of a transfer that hangs. */
    abstract void markInTable();

    /** One that takes a write that hangs to the spare instead; does not begin. */
    abstract PendingRequest successor();

    /** Begins as a successor. */
    abstract void takeToSpare();

    // --- the sweep

    /** Whether the sweep has to look again: the request is not answered. */
    final boolean isOpen() {
        return (life & LIFE_MASK) == OPEN;
    }

    /**
     * Answers the request if its time is over, or begins to write elsewhere what hangs. By the sweep.
     *
     * @return one that was put in its place, or {@code null}
     */
    final PendingRequest look(long nowNanos) {
        long lifeNow = life;
        if ((lifeNow & LIFE_MASK) != OPEN) {
            return null;
        }
        if (lifeNow != lifeSeen) {
            lifeSeen = lifeNow;
            lifeSeenNanos = nowNanos;
        }
        long segmentNow = segment;
        boolean atEngine = (segmentNow & SEGMENT_MASK & ~SUBMITTER) == 0;
        long number = segmentNow & ~SEGMENT_MASK;
        // Only a segment that was there in an earlier sweep is surely one of this request, and not of the next.
        boolean hangs = atEngine && number == segmentSeen;
        if (!hangs) {
            segmentSeen = atEngine ? number : -1;
            segmentSeenNanos = nowNanos;
        }
        long age = nowNanos - lifeSeenNanos;
        if (age >= disk.deadlines.answerNanos()) {
            expire(lifeNow, hangs ? segmentNow : -1);
        } else if (hangs
                && age >= disk.deadlines.redirectNanos()
                && nowNanos - segmentSeenNanos >= Deadlines.LATE_NANOS
                && canGoElsewhere()
                && disk.deadlines.mainAnsweredSince(segmentSeenNanos)
                && claim(segmentNow)) {
            return goElsewhere(lifeNow);
        }
        return null;
    }

    /** Whether it is a read whose transfer was late in the last sweep, and that somebody still waits for. By the sweep. */
    final boolean isSlowRead(long nowNanos) {
        return isOpen()
                && !changes()
                && segmentSeen >= 0
                && segmentSeen == (segment & ~SEGMENT_MASK)
                && nowNanos - segmentSeenNanos >= Deadlines.LATE_NANOS;
    }

    /**
     * The units of main of a read that is at the device for so long; told once, {@code null} if there is none. By the sweep. The
     * age is that which the sweep has seen itself, so the read is older.
     */
    final SectorRange takeSlowRead(long nowNanos, long slowNanos) {
        long number = segmentSeen;
        if (number < 0 || number == segmentTold || nowNanos - segmentSeenNanos <= slowNanos || changes() || !isOpen()) {
            return null;
        }
        BlockDevice at = device;
        long from = offsetBytes;
        long length = lengthBytes;
        // What was just read is of this transfer if that is still under way.
        VarHandle.loadLoadFence();
        long segmentNow = segment;
        if ((segmentNow & ~SEGMENT_MASK) != number
                || (segmentNow & SEGMENT_MASK & ~SUBMITTER) != 0
                || !disk.isMain(at)) {
            return null;
        }
        segmentTold = number;
        return disk.unitsAt(from, length);
    }

    private boolean canGoElsewhere() {
        return (asked == DiskRequest.Operation.WRITE || asked == DiskRequest.Operation.WRITE_ZEROES)
                && disk.isMain(device)
                && disk.redirectsWrites();
    }

    /** From now on the transfer that hangs goes on alone. It may come back between two looks; then nothing is claimed. */
    private boolean claim(long segmentNow) {
        return SEGMENT.compareAndSet(this, segmentNow, segmentNow | CLAIMED)
                || ((segmentNow & SUBMITTER) == 0
                        && SEGMENT.compareAndSet(this, segmentNow | SUBMITTER, segmentNow | SUBMITTER | CLAIMED));
    }

    private void expire(long lifeNow, long segmentNow) {
        boolean claimed = segmentNow >= 0 && claim(segmentNow);
        if (!claimed && !LIFE.compareAndSet(this, lifeNow, (lifeNow & ~LIFE_MASK) | EXPIRING)) {
            return;
        }
        detach(lifeNow, claimed);
        disk.counters.overdueRequests.increment();
        disk.counters.failedRequests.increment();
        disk.log.overdue(asked, firstByte, byteCount, disk.isEnding());
        DiskRequest answered = request;
        VirtualDisk owner = disk;
        answered.complete(owner.isEnding() ? DiskError.SHUTDOWN : DiskError.IO, -1);
        owner.leave();
    }

    /** What is under way belongs to itself from now on; it is known to the deadlines before anybody is answered. */
    private void detach(long lifeNow, boolean claimed) {
        request.diskContext = null;
        disk.holdOpen();
        keepsBuffer = buffer != null && !syncing;
        if (keepsBuffer) {
            buffer.retain();
        }
        boolean onMain = claimed && disk.isMain(device);
        disk.deadlines.begins(this, claimed && onMain, keepsBuffer ? buffer.lengthBytes() : 0);
        if (claimed && (changes() ? onMain : device.traits().direct())) {
            markInTable();
        }
        life = (lifeNow & ~LIFE_MASK) | OVERDUE;
    }

    private PendingRequest goElsewhere(long lifeNow) {
        PendingRequest next = successor();
        next.succeed(this);
        detach(lifeNow, true);
        request.diskContext = next;
        disk.counters.lateWrites.increment();
        next.takeToSpare();
        return next;
    }
}
