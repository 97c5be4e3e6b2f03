package io.remap.core.disk;

import io.remap.api.DeviceException;
import io.remap.api.DiskError;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.SectorRange;
import io.remap.api.spi.MetadataStore.Outcome;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * Brings one unit back to main, in two phases. First it is copied while its slot serves: clients read and write there, and
 * nobody is served from main's place of these sectors, so that it is ours to write, past every cache; main is synced, read
 * back and compared. Then the fence goes up, and only if no write touched the slot since the copy began: durable UNMAP,
 * publish, and the slot is free. Otherwise the copy is made again; the last one under the fence, so that it ends.
 *
 * <p>The unit stays where it is if main's place fails. Sectors of the unit that stand on main are not touched, lost ones
 * stay lost.
 */
final class Return extends Recovery {
    /** Copies that a write to the slot may spoil, before the last one keeps writes out. */
    static final int MAX_UNFENCED_COPIES = 3;

    /** How long a slot that is being written is left alone before it is copied. */
    private static final long BUSY_SLOT_MILLIS = 10;

    private final long unit;
    private final BooleanSupplier wanted;
    private final Listener listener;
    private final ByteBuffer copy;
    private final ByteBuffer readBack;
    private long old;
    private int copyMask;
    private int copies;
    private boolean mainRefused;

    /** How the return of a unit ended. */
    enum End {
        RETURNED,
        /** It has no place to be brought back from, or is not wanted back any more. */
        NOTHING_TO_DO,
        /** Main does not take it. */
        REFUSED,
        /** Something else is in the way. */
        FAILED
    }

    /** Told once, after the range was released. */
    interface Listener {
        /**
         * The unit is where it stays for now.
         *
         * @param failure why, for the last two ends; otherwise {@code null}
         */
        void ended(End end, Failure failure);
    }

    private Return(VirtualDisk disk, long unit, BooleanSupplier wanted, Listener listener) {
        super(disk, unit, unit + 1);
        this.unit = unit;
        this.wanted = wanted;
        this.listener = listener;
        this.copy = disk.unitBuffer();
        this.readBack = disk.unitBuffer();
    }

    /**
     * Brings back every unit with an entry that the range touches.
     *
     * @param done told once: {@code null}, or how it ended; what was brought back before that stays so
     */
    static void bringBack(VirtualDisk disk, SectorRange range, Consumer<Failure> done) {
        long sectorBytes = disk.traits().sectorBytes();
        nextUnit(
                disk,
                (range.firstSector() * sectorBytes) >> Place.UNIT_SHIFT,
                SegmentCursor.endUnit(range.endSector() * sectorBytes),
                done);
    }

    private static void nextUnit(VirtualDisk disk, long firstUnit, long endUnit, Consumer<Failure> done) {
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        RemapTable table = disk.state.current().table;
        for (boolean found = cursor.seek(table, firstUnit);
                found && cursor.firstUnit() < endUnit;
                found = cursor.next()) {
            if (isAway(cursor.place())) {
                long unit = Math.max(firstUnit, cursor.firstUnit());
                bringBack(disk, unit, () -> true, (end, failure) -> {
                    if (failure == null) {
                        disk.environment.scheduler().execute(() -> nextUnit(disk, unit + 1, endUnit, done));
                    } else {
                        done.accept(failure);
                    }
                });
                return;
            }
        }
        done.accept(null);
    }

    /**
     * Brings back one unit.
     *
     * @param wanted asked once nobody else can change the place of the unit: whether it shall still be brought back
     */
    static void bringBack(VirtualDisk disk, long unit, BooleanSupplier wanted, Listener listener) {
        new Return(disk, unit, wanted, listener).begin();
    }

    private static boolean isAway(long place) {
        return Place.hasSlot(place) || Place.isZero(place);
    }

    @Override
    void locked() throws Failure, TryLater {
        old = disk.state.current().table.placeOf(unit);
        if (!isAway(old) || !wanted.getAsBoolean()) {
            release(s -> s);
            listener.ended(End.NOTHING_TO_DO, null);
            return;
        }
        requireNothingLate();
        int full = Place.fullMask(disk.traits().sectorBytes());
        copyMask = Place.isZero(old) ? full & ~Place.lostMask(old) : Place.onSlotMask(old);
        copyWhileTheSlotServes();
    }

    private void copyWhileTheSlotServes() throws Failure, TryLater {
        copies++;
        watch();
        if (!touched()) {
            copyBack(this::raiseFence);
        } else if (copies < MAX_UNFENCED_COPIES) {
            disk.counters.repeatedReturnCopies.increment();
            disk.environment.scheduler().schedule(() -> run(this::copyWhileTheSlotServes), BUSY_SLOT_MILLIS);
        } else {
            raiseFence();
        }
    }

    /** Reads too: one that is on its way to the slot must not find it with another unit's data. */
    private void raiseFence() {
        fence(true, this::fenced);
    }

    private void fenced() throws Failure, TryLater {
        if (!touched()) {
            commit();
            return;
        }
        disk.counters.repeatedReturnCopies.increment();
        if (copies < MAX_UNFENCED_COPIES) {
            unfence();
            // A stage of its own: if this one were run again, it would find the watch begun anew.
            goOn(this::copyWhileTheSlotServes);
        } else {
            copyBack(this::commit);
        }
    }

    /** Copies from the slot to main, and goes on once main has it for certain. */
    private void copyBack(Stage then) throws Failure, TryLater {
        requirePossible();
        Zeros.fill(copy.clear());
        if (Place.hasSlot(old)) {
            Spare spare = spare();
            long slot = spare.offsetOf(Place.slot(old));
            forEachRun((from, length) -> {
                if (!succeeds(
                        spare.side,
                        true,
                        byteOf(from),
                        () -> spare.device.read(slot + from, part(copy, from, length)))) {
                    throw new Failure(DiskError.IO, byteOf(from), null);
                }
            });
        }
        forEachRun((from, length) ->
                requireOfMain(false, from, () -> disk.main.direct().write(byteOf(from), part(copy, from, length))));
        disk.mainSyncer.flush(error -> goOn(() -> compare(error, then)));
    }

    private Spare spare() throws Failure {
        Spare spare = disk.spares.get(Place.spare(old));
        if (spare == null) {
            throw new Failure(DiskError.IO, byteOf(0), null);
        }
        return spare;
    }

    private void goOn(Stage stage) {
        disk.environment.scheduler().execute(() -> run(stage));
    }

    private void compare(DeviceException syncError, Stage then) throws Failure, TryLater {
        if (syncError != null) {
            throw new Failure(DiskError.IO, byteOf(0), syncError);
        }
        requirePossible();
        forEachRun((from, length) -> {
            requireOfMain(true, from, () -> disk.main.direct().read(byteOf(from), part(readBack, from, length)));
            if (!part(readBack, from, length).equals(part(copy, from, length))) {
                mainRefused = true;
                throw new Failure(DiskError.IO, byteOf(from), null);
            }
        });
        then.run();
    }

    private void requireOfMain(boolean read, int from, Transfer transfer) throws Failure, TryLater {
        if (!succeeds(disk.mainSide, read, byteOf(from), transfer)) {
            mainRefused = true;
            throw new Failure(DiskError.IO, byteOf(from), null);
        }
    }

    /** Sectors of the unit that lie side by side and are brought back. */
    @FunctionalInterface
    private interface RunOfSectors {
        void at(int from, int length) throws Failure, TryLater;
    }

    private void forEachRun(RunOfSectors action) throws Failure, TryLater {
        for (int from = 0; from < Place.UNIT_BYTES; ) {
            int length = disk.runLength(copyMask, from);
            if (length > 0) {
                action.at(from, length);
            }
            from += Math.max(length, disk.traits().sectorBytes());
        }
    }

    private static ByteBuffer part(ByteBuffer unitBytes, int from, int length) {
        return unitBytes.clear().limit(from + length).position(from);
    }

    private long byteOf(int from) {
        return (unit << Place.UNIT_SHIFT) + from;
    }

    private void requirePossible() throws Failure {
        if (disk.isStopping()) {
            throw new Failure(DiskError.SHUTDOWN, byteOf(0), null);
        }
        if (disk.state.current().isAvoided(unit, unit + 1)) {
            // It could not be read there afterwards.
            mainRefused = true;
            throw new Failure(DiskError.IO, byteOf(0), null);
        }
        if (MapSnapshot.Hint.barred(disk.state.current().hints.placeOf(unit)) || !disk.canRedirect()) {
            throw new Failure(DiskError.IO, byteOf(0), null);
        }
    }

    /** What was read in the slot is what was acknowledged only if nothing of it was lost before. */
    private void commit() throws Failure {
        requirePossible();
        if (Place.hasSlot(old)) {
            flushSlots(1 << spare().index, this::commitFlushed, () -> {});
        } else {
            commitFlushed();
        }
    }

    private void commitFlushed() throws Failure {
        requirePossible();
        long now = Place.lost(Place.lostMask(old));
        disk.commit(List.of(MapChange.set(unit, 1, now)), outcome -> run(() -> committed(outcome)));
    }

    private void committed(Outcome outcome) throws Failure {
        switch (outcome) {
            case DURABLE -> {
                disk.holdOffs.succeeded(unit);
                disk.counters.returnedUnits.increment();
                disk.log.returned(unit);
                disk.failback.forget(unit, unit + 1);
                release(s -> s.withTable(disk.committedTable()).withReadable(unit, 0xff));
                if (Place.hasSlot(old)) {
                    disk.spares.free(Spares.idOf(old));
                }
                listener.ended(End.RETURNED, null);
            }
            case NOT_COMMITTED -> throw new Failure(DiskError.IO, byteOf(0), null);
            case STORE_FAILED -> {
                release(s -> s.withBarred(unit));
                failed(DiskError.IO, byteOf(0));
            }
        }
    }

    @Override
    void failed(DiskError error, long offsetBytes) {
        listener.ended(mainRefused ? End.REFUSED : End.FAILED, new Failure(error, offsetBytes, null));
    }
}
