package io.remap.core.disk;

import io.remap.api.DeviceException;
import io.remap.api.DiskError;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.SectorRange;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.core.disk.SegmentCursor.Target;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Brings units back to main ({@code map remove}), one at a time: copy from the slot to main, flush main, read it back
 * past every cache and compare, durable UNMAP, publish, and only then is the slot free. Refused if the old place fails:
 * then the unit stays where it is. Lost sectors stay lost.
 */
final class Return extends Recovery {
    private final long unit;
    private final Consumer<Failure> done;
    private long old;

    private Return(VirtualDisk disk, long unit, Consumer<Failure> done) {
        super(disk, unit, unit + 1);
        this.unit = unit;
        this.done = done;
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
            if (Place.hasSlot(cursor.place()) || Place.isZero(cursor.place())) {
                long unit = Math.max(firstUnit, cursor.firstUnit());
                new Return(disk, unit, failure -> {
                            if (failure == null) {
                                disk.environment.scheduler().execute(() -> nextUnit(disk, unit + 1, endUnit, done));
                            } else {
                                done.accept(failure);
                            }
                        })
                        .begin();
                return;
            }
        }
        done.accept(null);
    }

    @Override
    void locked() {
        // Reads too: one that is on its way to the slot must not find it with another unit's data.
        fence(true, this::fenced);
    }

    private void fenced() throws Failure, TryLater {
        old = disk.state.current().table.placeOf(unit);
        if (!Place.hasSlot(old) && !Place.isZero(old)) {
            release(s -> s);
            done.accept(null);
            return;
        }
        if (MapSnapshot.Hint.barred(disk.state.current().hints.placeOf(unit)) || !disk.canRedirect()) {
            throw new Failure(DiskError.IO, unit << Place.UNIT_SHIFT, null);
        }
        copyBack();
        long now = Place.lost(Place.lostMask(old));
        disk.commit(List.of(MapChange.set(unit, 1, now)), outcome -> run(() -> committed(outcome)));
    }

    private void copyBack() throws Failure, TryLater {
        int sectorBytes = disk.traits().sectorBytes();
        int mask = Place.isZero(old) ? Place.fullMask(sectorBytes) & ~Place.lostMask(old) : Place.onSlotMask(old);
        VirtualDisk.Side main = disk.side(Target.MAIN);
        List<ByteBuffer> written = new ArrayList<>();
        try {
            for (int sector = 0; sector < Place.UNIT_BYTES / sectorBytes; sector++) {
                if ((mask & 1 << sector) != 0) {
                    ByteBuffer bytes = disk.sectorBuffer();
                    Zeros.fill(bytes);
                    if (Place.hasSlot(old)) {
                        disk.spare.read(disk.slotOffset(Place.slot(old)) + (long) sector * sectorBytes, bytes.clear());
                    }
                    main.direct().write(offsetOf(sector), bytes.clear());
                    written.add(bytes);
                }
            }
            disk.main.flush();
            int index = 0;
            for (int sector = 0; sector < Place.UNIT_BYTES / sectorBytes; sector++) {
                if ((mask & 1 << sector) != 0) {
                    ByteBuffer readBack = disk.sectorBuffer();
                    main.direct().read(offsetOf(sector), readBack);
                    if (!readBack.flip().equals(written.get(index++).clear())) {
                        throw new Failure(DiskError.IO, offsetOf(sector), null);
                    }
                }
            }
        } catch (DeviceException e) {
            throw new Failure(DiskError.IO, unit << Place.UNIT_SHIFT, e);
        }
    }

    private long offsetOf(int sector) {
        return (unit << Place.UNIT_SHIFT) + (long) sector * disk.traits().sectorBytes();
    }

    private void committed(Outcome outcome) throws Failure {
        switch (outcome) {
            case DURABLE -> {
                disk.holdOffs.succeeded(unit);
                release(s -> s.withTable(disk.committedTable()).withReadable(unit, 0xff));
                if (Place.hasSlot(old)) {
                    disk.slots.free(Place.slot(old));
                }
                done.accept(null);
            }
            case NOT_COMMITTED -> throw new Failure(DiskError.IO, unit << Place.UNIT_SHIFT, null);
            case STORE_FAILED -> {
                release(s -> s.withBarred(unit));
                failed(DiskError.IO, unit << Place.UNIT_SHIFT);
            }
        }
    }

    @Override
    void failed(DiskError error, long offsetBytes) {
        done.accept(new Failure(error, offsetBytes, null));
    }
}
