package io.remap.core;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.SectorRange;
import io.remap.api.spi.SpareSlots;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads every sector that stands on the spare, and those of main beside them in the same unit, and tells which cannot be
 * read. Writes nothing. Of what is unreadable so many ranges are kept, the rest is counted. Used once, by one thread.
 */
final class SlotReading {
    static final int MAX_RANGES = 100;
    private static final int CHUNK_UNITS = 64;

    /**
     * Sectors of the virtual disk.
     *
     * @param read those that were read
     * @param unreadable those that could not be
     * @param ranges where these are, the first {@link #MAX_RANGES} ranges
     */
    record Result(long read, long unreadable, List<SectorRange> ranges) {}

    private final RemapTable table;
    private final int sectorBytes;
    private final ByteBuffer buffer;

    private final List<SectorRange> ranges = new ArrayList<>();
    private long read;
    private long unreadable;

    SlotReading(RemapTable table, int sectorBytes) {
        this.table = table;
        this.sectorBytes = sectorBytes;
        this.buffer =
                ByteBuffer.allocateDirect((CHUNK_UNITS + 1) * Place.UNIT_BYTES).alignedSlice(Place.UNIT_BYTES);
    }

    /** The sectors on one spare, through the direct door of the device. */
    Result readSlots(BlockDevice spare, int number, SpareSlots slots) throws DeviceException {
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        for (boolean found = cursor.seek(table, 0); found; found = cursor.next()) {
            if (Place.hasSlot(cursor.place()) && Place.spare(cursor.place()) == number) {
                readExtent(spare.direct(), slots, cursor);
            }
        }
        return new Result(read, unreadable, List.copyOf(ranges));
    }

    private void readExtent(BlockDevice spare, SpareSlots slots, RemapTable.Cursor extent) throws DeviceException {
        int mask = Place.onSlotMask(extent.place());
        boolean full = mask == Place.fullMask(sectorBytes);
        for (long done = 0; done < extent.lengthUnits(); ) {
            long slot = Place.slot(extent.place()) + done;
            long offset = slots.offsetBytes(slot);
            int count = 1;
            while (full
                    && count < CHUNK_UNITS
                    && done + count < extent.lengthUnits()
                    && slots.offsetBytes(slot + count) == offset + (long) count * Place.UNIT_BYTES) {
                count++;
            }
            if (full && tryRead(spare, offset, count * Place.UNIT_BYTES)) {
                read += (long) count * Place.UNIT_BYTES / sectorBytes;
            } else {
                for (int i = 0; i < count; i++) {
                    readUnit(spare, slots.offsetBytes(slot + i), extent.firstUnit() + done + i, mask);
                }
            }
            done += count;
        }
    }

    /** The sectors of main that share a unit with such as stand on the spare or are lost. */
    Result readBeside(BlockDevice main) throws DeviceException {
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        int all = Place.fullMask(sectorBytes);
        for (boolean found = cursor.seek(table, 0); found; found = cursor.next()) {
            int onMain = all & ~(Place.onSlotMask(cursor.place()) | Place.lostMask(cursor.place()));
            if (onMain != 0 && !Place.isZero(cursor.place())) {
                for (long unit = cursor.firstUnit(); unit < cursor.endUnit(); unit++) {
                    readUnit(main.direct(), unit << Place.UNIT_SHIFT, unit, onMain);
                }
            }
        }
        return new Result(read, unreadable, List.copyOf(ranges));
    }

    /** Those sectors of a unit that the mask names, one by one. */
    private void readUnit(BlockDevice device, long unitOffset, long unit, int mask) throws DeviceException {
        int sectors = Place.UNIT_BYTES / sectorBytes;
        int step = Math.max(sectorBytes, device.traits().alignmentBytes());
        for (int sector = 0; sector < sectors; sector++) {
            long offset = unitOffset + (long) sector * sectorBytes;
            long aligned = offset / step * step;
            boolean named = (mask >> sector & 1) != 0;
            // The last unit of a disk may be cut off.
            if (!named || aligned + step > device.traits().sizeBytes()) {
                continue;
            }
            if (tryRead(device, aligned, step)) {
                read++;
            } else {
                add(unit * sectors + sector);
            }
        }
    }

    private void add(long sector) {
        unreadable++;
        int last = ranges.size() - 1;
        if (last >= 0 && ranges.get(last).endSector() == sector) {
            SectorRange range = ranges.get(last);
            ranges.set(last, new SectorRange(range.firstSector(), range.lengthSectors() + 1));
        } else if (ranges.size() < MAX_RANGES) {
            ranges.add(new SectorRange(sector, 1));
        }
    }

    private boolean tryRead(BlockDevice device, long offset, int length) throws DeviceException {
        try {
            device.read(offset, buffer.duplicate().position(0).limit(length));
            return true;
        } catch (DeviceException e) {
            if (!e.errorClass().mayBeSector()) {
                throw e;
            }
            return false;
        }
    }
}
