package io.remap.core.disk;

import io.remap.api.BlockDevice;
import io.remap.api.CachedReads;
import io.remap.api.DescriptorTransfers;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceIo;
import io.remap.api.DeviceTraits;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import io.remap.api.MediumSequence;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.Lock;

/**
 * A device of which we know whether acknowledged writes may still be in its volatile cache, and that never turns a failed
 * flush into success. Everybody who writes to a device of a virtual disk does so through the same tracked device, so that
 * a failure that one sees is known to all; each writer has a {@link WriteAccount} of its own ({@link #apart}): the metadata
 * store that of the spare, the virtual disk another one for its slots.
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>A device begins dirty: a process that died may have left its writes in the cache.
 *   <li>A sync that fails, and a device that was away, put every account in doubt that has unflushed writes. Once an account
 *       is in doubt every flush by it fails: which writes were lost is not known, and a later success of the device says
 *       nothing about them. Only {@link #conclude} takes it back: what the {@link Ledger} holds was read back, and a new
 *       sync succeeded with nothing between. Without a ledger, or if somebody before us may have left writes in the cache
 *       too, it stays.
 *   <li>Whoever settles doubts is told of a new one before the operation that met it returns, and before a write that it fell
 *       into is acknowledged.
 * </ul>
 *
 * <p>The direct door shares the state of its device. Slots of a spare may have a {@link SlotGate} before them ({@link #guard}),
 * which every transfer passes.
 */
public final class TrackedDevice implements BlockDevice {
    /** Others may take the room that a flush made; who finds none so often tells of it, and is tried again later. */
    private static final int MOST_FLUSHES_FOR_ROOM = 8;

    private final BlockDevice device;
    private final State state;
    private final WriteAccount account;
    private final TrackedDevice directDoor;
    private final Optional<DescriptorTransfers> descriptorTransfers;
    private final Optional<MediumSequence> mediumSequence;
    private final OptionalLong mediumAtOpen;
    /** Before slots, set before the first client; {@code null}: everything passes. */
    private SlotGate gate;

    /** What all writers share. */
    private static final class State {
        private final SharedSync sync;
        private final List<WriteAccount> accounts = new CopyOnWriteArrayList<>();

        /** Of other parts of the same disk. */
        private final List<State> relatives = new CopyOnWriteArrayList<>();

        /** Set before the first client. */
        private RecentWrites recent;

        private State(BlockDevice device, WriteAccount first) {
            sync = new SharedSync(device);
            accounts.add(first);
        }
    }

    private TrackedDevice(BlockDevice device, State state, WriteAccount account) {
        this.device = device;
        this.state = state;
        this.account = account;
        BlockDevice direct = device.direct();
        this.directDoor = direct == device ? this : new TrackedDevice(direct, state, account);
        this.descriptorTransfers = device.capability(DescriptorTransfers.class).map(TrackedTransfers::new);
        this.mediumSequence = device.capability(MediumSequence.class);
        this.mediumAtOpen = mediumSequence.map(MediumSequence::current).orElse(OptionalLong.empty());
    }

    /** Transfers that somebody else executes count as those of {@link #read} and {@link #write}. */
    private final class TrackedTransfers implements DescriptorTransfers {
        private final DescriptorTransfers transfers;

        TrackedTransfers(DescriptorTransfers transfers) {
            this.transfers = transfers;
        }

        @Override
        public int begin(DeviceIo io) throws DeviceException {
            boolean write = io.operation == DeviceIo.Operation.WRITE;
            if (!write && gate != null && gate.needsRead(io.offsetBytes, io.data.remaining())) {
                throw SlotGate.cannotWait(name(), io.offsetBytes);
            }
            if (write) {
                enterGate("write", io.offsetBytes, io.data.remaining());
            }
            boolean begun = false;
            try {
                int descriptor = beginInside(io, write);
                begun = true;
                return descriptor;
            } finally {
                if (write && !begun) {
                    leaveGate(io.offsetBytes, io.data.remaining());
                }
            }
        }

        private int beginInside(DeviceIo io, boolean write) throws DeviceException {
            Ledger ledger = write ? account.ledger() : null;
            int lengthBytes = io.data.remaining();
            int records = Ledger.recordsOfData(io.offsetBytes, lengthBytes);
            if (ledger != null
                    && (io.offsetBytes + lengthBytes > ledger.endOfRecordable(io.offsetBytes)
                            || !ledger.promise(records))) {
                // Not a thread that may wait for a flush: the recovery of the write has one.
                throw noRoom("write", io.offsetBytes, lengthBytes, null);
            }
            if (write && state.recent != null) {
                state.recent.note(io.offsetBytes, io.data.remaining());
            }
            io.deviceNote = account.events();
            io.deviceMoment = account.ledger() == null ? 0 : account.ledger().now();
            if (write) {
                io.deviceEntry = account.begins(io.offsetBytes, io.data.remaining());
            }
            try {
                return transfers.begin(io);
            } catch (DeviceException e) {
                if (write) {
                    account.ended(io.deviceEntry);
                }
                if (ledger != null) {
                    ledger.takeBack(records);
                }
                noteDeviceEvent(e);
                throw e;
            }
        }

        @Override
        public DeviceException ended(DeviceIo io, int result) {
            int from = io.data.position();
            int limit = io.data.limit();
            boolean whole = limit - from == result;
            DeviceException error = transfers.ended(io, result);
            if (error != null) {
                noteDeviceEvent(error);
            }
            if (io.operation != DeviceIo.Operation.WRITE) {
                return error == null && whole ? compared(io, from) : error;
            }
            leaveGate(io.offsetBytes, limit - from);
            if (error == null && !whole) {
                // It goes on with the rest; a part of it may stand there by now.
                int position = io.data.position();
                int newLimit = io.data.limit();
                account.record(
                        io.deviceMoment, io.offsetBytes, io.data.limit(limit).position(from), from, false);
                io.data.limit(newLimit).position(position);
                account.ended(io.deviceEntry);
                return null;
            }
            account.record(io.deviceMoment, io.offsetBytes, io.data.limit(limit), from, error == null);
            account.ended(io.deviceEntry);
            if (error != null) {
                io.data.position(from);
                return error;
            }
            account.noteWritten(io.deviceNote);
            return null;
        }

        private DeviceException compared(DeviceIo io, int from) {
            if (gate != null) {
                try {
                    gate.compare(false, io.offsetBytes, io.data, from);
                } catch (DeviceException e) {
                    io.data.position(from);
                    return e;
                }
            }
            return null;
        }
    }

    /** Has all transfers by this door, from the first one on, pass a gate. */
    void guard(SlotGate newGate) {
        gate = newGate;
    }

    /** The same device, with the same account, past the gate. */
    TrackedDevice unguarded() {
        return new TrackedDevice(device, state, account);
    }

    private void enterGate(String operation, long offsetBytes, long lengthBytes) throws DeviceException {
        if (gate != null && !gate.enter(offsetBytes, lengthBytes)) {
            throw SlotGate.refusal(this, operation, offsetBytes, lengthBytes);
        }
    }

    private void leaveGate(long offsetBytes, long lengthBytes) {
        if (gate != null) {
            gate.leave(offsetBytes, lengthBytes);
        }
    }

    /** The device itself if it is tracked already. */
    public static TrackedDevice of(BlockDevice device) {
        if (device instanceof TrackedDevice tracked) {
            return tracked;
        }
        WriteAccount first = new WriteAccount(!device.traits().readOnly());
        return new TrackedDevice(device, new State(device, first), first);
    }

    /** The same device for another writer: what puts the writes of one in doubt concerns the other only if it has some. */
    TrackedDevice apart() {
        WriteAccount other = account.apart();
        state.accounts.add(other);
        return new TrackedDevice(device, state, other);
    }

    /**
     * Notes from now on what is written, before the first client.
     *
     * @param inDoubt told of every doubt that the ledger can settle, by the thread that meets it; must not block
     */
    void keep(Ledger ledger, Runnable inDoubt) {
        account.keep(ledger, inDoubt);
    }

    /** Syncs wait for each other by this from now on. */
    void syncUnder(Lock turn) {
        state.sync.useLock(turn);
    }

    /** What a killed process left in the ledger is in doubt. */
    void takeOver() {
        account.takeOver(new DeviceException(
                name(),
                "flush",
                0,
                0,
                Errno.NONE,
                ErrorClass.UNKNOWN,
                "the server before this one was killed before it was flushed",
                null));
    }

    /** Notes from now on where is written, before the first client. */
    public void watch(RecentWrites recent) {
        state.recent = recent;
    }

    private void noteRecent(long offsetBytes, long lengthBytes) {
        if (state.recent != null) {
            state.recent.note(offsetBytes, lengthBytes);
        }
    }

    /**
     * Whether nothing acknowledged can be in a volatile cache, and no sync is needed for room in the ledger either: writes
     * that failed are recorded too.
     */
    boolean isClean() {
        return account.isClean();
    }

    /** Whether there is so little room in the ledger that writes had better wait for a flush. */
    boolean ledgerIsCrowded() {
        return account.ledgerIsCrowded();
    }

    /** Whether a doubt can be settled by reading back what the ledger holds. */
    boolean canBeVerified() {
        return account.canBeVerified();
    }

    /** Why flushes fail now, if they do. */
    public Optional<DeviceException> doubt() {
        return Optional.ofNullable(account.doubt());
    }

    /** Throws if there is another medium in the device than at the beginning: nothing of it is to be believed. */
    void requireSameMedium() throws DeviceException {
        OptionalLong now = mediumSequence.map(MediumSequence::current).orElse(mediumAtOpen);
        if (!now.equals(mediumAtOpen)) {
            throw new DeviceException(
                    name(),
                    "verification",
                    0,
                    0,
                    Errno.ENXIO,
                    ErrorClass.GONE,
                    now.isEmpty()
                            ? "the device is away"
                            : "it is another device than at the start (diskseq was " + mediumAtOpen.getAsLong()
                                    + " and is " + now.getAsLong() + "): what was not flushed is not looked for there;"
                                    + " put the right one back, or stop the server",
                    null);
        }
    }

    /** How many doubts came up so far, for {@link #conclude}. */
    long doubts() {
        return account.doubts();
    }

    /** The device answered as if it had gone: what was in its cache may be lost. */
    private void noteDeviceEvent(DeviceException error) {
        switch (error.errorClass()) {
            case GONE, LINK, UNKNOWN -> wentAway(error);
            // Most often it was reset; where nothing can be verified, that alone is not worth a latch.
            case SLOW ->
                state.accounts.stream().filter(WriteAccount::canBeVerified).forEach(each -> each.noteEvent(error));
            default -> {}
        }
    }

    /** The device is, or was, not there, as its canary or its errors say: what was in its cache may be lost. */
    void wentAway(DeviceException error) {
        state.accounts.forEach(each -> each.noteEvent(error));
        for (State relative : state.relatives) {
            relative.accounts.forEach(each -> each.noteEvent(error));
        }
    }

    /** The two are parts of one disk, with one cache: what happens to the one may have happened to the other. */
    void sharesFateWith(TrackedDevice other) {
        state.relatives.add(other.state);
        other.state.relatives.add(state);
    }

    /**
     * The moment at which a write begins, with room for its records. Flushes if the ledger is full: a device operation like
     * any other on this thread. If that fails, nothing has been written.
     */
    private long beginWrite(String operation, long offsetBytes, long lengthBytes, int records) throws DeviceException {
        Ledger ledger = account.ledger();
        if (ledger == null) {
            return 0;
        }
        for (int flushes = 0; !ledger.promise(records); flushes++) {
            if (flushes == MOST_FLUSHES_FOR_ROOM) {
                throw noRoom(operation, offsetBytes, lengthBytes, null);
            }
            flushForRoom(operation, offsetBytes, lengthBytes);
        }
        return ledger.now();
    }

    private void flushForRoom(String operation, long offsetBytes, long lengthBytes) throws DeviceException {
        try {
            flush();
        } catch (DeviceException e) {
            throw noRoom(operation, offsetBytes, lengthBytes, e);
        }
    }

    /** No verdict on a sector: an error of the host. */
    private DeviceException noRoom(String operation, long offsetBytes, long lengthBytes, DeviceException cause) {
        return new DeviceException(
                device.name(),
                operation,
                offsetBytes,
                lengthBytes,
                cause == null ? Errno.NONE : cause.errno(),
                ErrorClass.HOST,
                "the ledger of unflushed writes is full" + (cause == null ? "" : ", and " + cause.getMessage()),
                cause);
    }

    @Override
    public void read(long offsetBytes, ByteBuffer target) throws DeviceException {
        int from = target.position();
        try {
            device.read(offsetBytes, target);
        } catch (DeviceException e) {
            noteDeviceEvent(e);
            throw e;
        }
        if (gate != null) {
            gate.compare(true, offsetBytes, target, from);
        }
    }

    @Override
    public void write(long offsetBytes, ByteBuffer source) throws DeviceException {
        int lengthBytes = source.remaining();
        enterGate("write", offsetBytes, lengthBytes);
        try {
            writePieces(offsetBytes, source);
        } finally {
            leaveGate(offsetBytes, lengthBytes);
        }
    }

    private void writePieces(long offsetBytes, ByteBuffer source) throws DeviceException {
        int from = source.position();
        int limit = source.limit();
        noteRecent(offsetBytes, limit - from);
        long endBytes = offsetBytes + (limit - from);
        long at = offsetBytes;
        try {
            do {
                long pieceEnd = account.ledger() == null
                        ? endBytes
                        : Math.min(endBytes, account.ledger().endOfRecordable(at));
                int position = from + (int) (at - offsetBytes);
                writePiece(at, source.limit(position + (int) (pieceEnd - at)).position(position));
                at = pieceEnd;
            } while (at < endBytes);
        } finally {
            source.limit(limit).position(limit);
        }
    }

    /** Writes what is recorded as one. */
    private void writePiece(long offsetBytes, ByteBuffer source) throws DeviceException {
        int from = source.position();
        int limit = source.limit();
        long began = beginWrite("write", offsetBytes, limit - from, Ledger.recordsOfData(offsetBytes, limit - from));
        long eventsBefore = account.events();
        int underWay = account.begins(offsetBytes, limit - from);
        try {
            try {
                device.write(offsetBytes, source);
            } catch (DeviceException e) {
                // It may stand there or not.
                account.record(began, offsetBytes, source.limit(limit), from, false);
                noteDeviceEvent(e);
                throw e;
            }
            account.record(began, offsetBytes, source, from, true);
        } finally {
            account.ended(underWay);
        }
        account.noteWritten(eventsBefore);
    }

    /** Writes once more what the ledger says of a range, while it is in doubt: needs no record. */
    void rewrite(long offsetBytes, ByteBuffer source) throws DeviceException {
        noteRecent(offsetBytes, source.remaining());
        try {
            device.write(offsetBytes, source);
        } catch (DeviceException e) {
            noteDeviceEvent(e);
            throw e;
        }
    }

    @Override
    public void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) throws DeviceException {
        enterGate("zero", offsetBytes, lengthBytes);
        try {
            zeroInside(offsetBytes, lengthBytes, keepAllocated);
        } finally {
            leaveGate(offsetBytes, lengthBytes);
        }
    }

    private void zeroInside(long offsetBytes, long lengthBytes, boolean keepAllocated) throws DeviceException {
        noteRecent(offsetBytes, lengthBytes);
        long began = beginWrite("zero", offsetBytes, lengthBytes, Ledger.recordsOfRange(offsetBytes, lengthBytes));
        long eventsBefore = account.events();
        int underWay = account.begins(offsetBytes, lengthBytes);
        try {
            try {
                device.zero(offsetBytes, lengthBytes, keepAllocated);
            } catch (DeviceException e) {
                account.recordZeros(began, offsetBytes, lengthBytes, false);
                noteDeviceEvent(e);
                throw e;
            }
            account.recordZeros(began, offsetBytes, lengthBytes, true);
        } finally {
            account.ended(underWay);
        }
        account.noteWritten(eventsBefore);
    }

    @Override
    public void discard(long offsetBytes, long lengthBytes) throws DeviceException {
        enterGate("discard", offsetBytes, lengthBytes);
        try {
            discardInside(offsetBytes, lengthBytes);
        } finally {
            leaveGate(offsetBytes, lengthBytes);
        }
    }

    private void discardInside(long offsetBytes, long lengthBytes) throws DeviceException {
        // One that refuses discards changes nothing, and file systems go on with them all the same.
        RecentWrites recent = device.discards() ? state.recent : null;
        if (recent != null) {
            recent.noteDiscardBegins(offsetBytes, lengthBytes);
        }
        long began = beginWrite("discard", offsetBytes, lengthBytes, Ledger.recordsOfRange(offsetBytes, lengthBytes));
        long eventsBefore = account.events();
        int underWay = account.begins(offsetBytes, lengthBytes);
        try {
            try {
                device.discard(offsetBytes, lengthBytes);
            } catch (DeviceException e) {
                account.recordNothing(began, offsetBytes, lengthBytes);
                noteDeviceEvent(e);
                throw e;
            }
            account.recordNothing(began, offsetBytes, lengthBytes);
        } finally {
            // Also of one that failed: it may have discarded a part.
            if (recent != null && device.discards()) {
                recent.noteDiscarded(offsetBytes, lengthBytes);
            }
            account.ended(underWay);
        }
        account.noteWritten(eventsBefore);
    }

    @Override
    public boolean discards() {
        return device.discards();
    }

    @Override
    public void flush() throws DeviceException {
        long doubts = account.doubts();
        DeviceException doubt = account.doubt();
        if (doubt != null) {
            throw stillInDoubt(doubt);
        }
        if (!sync(doubts, false)) {
            // A device event during the flush leaves open on which side of it the cache was emptied.
            doubt = account.doubt();
            throw stillInDoubt(doubt == null ? account.lastEvent() : doubt);
        }
    }

    /**
     * Ends a doubt with a sync that begins now, after everything that the ledger held was read back.
     *
     * @param doubtsAtReadBack {@link #doubts} before the reading began
     * @return {@code false} if another doubt has come up since
     * @throws DeviceException if the sync fails, which is another doubt
     */
    boolean conclude(long doubtsAtReadBack) throws DeviceException {
        return sync(doubtsAtReadBack, true);
    }

    private boolean sync(long doubtsBefore, boolean settles) throws DeviceException {
        WriteAccount.Covered own = account.covered();
        List<WriteAccount.Covered> others = new ArrayList<>();
        for (WriteAccount each : state.accounts) {
            if (each != account) {
                others.add(each.covered());
            }
        }
        state.sync.sync(this::syncFailed);
        others.forEach(WriteAccount.Covered::flushed);
        return account.settle(own, doubtsBefore, settles);
    }

    private void syncFailed(DeviceException error) {
        wentAway(error);
        if (account.isFlushed()) {
            // Whoever flushes is told the same until it is settled, also without writes of its own.
            account.latch(error);
        }
    }

    private DeviceException stillInDoubt(DeviceException first) {
        return new DeviceException(
                device.name(),
                "flush",
                0,
                0,
                first.errno(),
                first.errorClass(),
                canBeVerified()
                        ? "acknowledged writes may have been lost by an earlier failure and are being verified ("
                                + first.getMessage() + ")"
                        : "acknowledged writes may have been lost by an earlier failure (" + first.getMessage()
                                + "); stop the server, check the file system, start again",
                first);
    }

    @Override
    public String name() {
        return device.name();
    }

    @Override
    public DeviceTraits traits() {
        return device.traits();
    }

    @Override
    public DeviceIdentity identity() {
        return device.identity();
    }

    @Override
    public TrackedDevice direct() {
        return directDoor;
    }

    @Override
    public <C> Optional<C> capability(Class<C> type) {
        if (type == DescriptorTransfers.class) {
            // The same object each time: it is asked for with every transfer.
            @SuppressWarnings("unchecked")
            Optional<C> ability = (Optional<C>) descriptorTransfers;
            return ability;
        }
        if (gate != null && type == CachedReads.class) {
            // They would be compared with nothing.
            return Optional.empty();
        }
        return device.capability(type);
    }

    @Override
    public void close() {
        device.close();
    }
}
