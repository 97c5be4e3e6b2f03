package io.remap.core;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.SectorRange;
import io.remap.api.spi.SpareSlots;
import io.remap.core.disk.SealedSlots;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads every sector that stands on the spare, and those of main beside them in the same unit, and tells which cannot be
 * read, and which are not what their checksums say. Writes nothing. Of what is not sound so many ranges are kept, the rest is
 * counted. Used once, by one thread.
 */
final class SlotReading {
    static final int MAX_RANGES = 100;
    private static final int CHUNK_UNITS = 64;

    /**
     * Sectors of the virtual disk.
     *
     * @param read those that were read
     * @param unreadable those that could not be
     * @param rotten those that were read, and are not what was written there
     */
    record Result(long read, Places unreadable, Places rotten) {}

    /** How many, and where the first of them are: up to {@link #MAX_RANGES} ranges. */
    record Places(long sectors, List<SectorRange> ranges) {}

    private static final class Found {
        private final List<SectorRange> ranges = new ArrayList<>();
        private long sectors;

        private void add(long sector) {
            sectors++;
            int last = ranges.size() - 1;
            if (last >= 0 && ranges.get(last).endSector() == sector) {
                SectorRange range = ranges.get(last);
                ranges.set(last, new SectorRange(range.firstSector(), range.lengthSectors() + 1));
            } else if (ranges.size() < MAX_RANGES) {
                ranges.add(new SectorRange(sector, 1));
            }
        }

        private Places places() {
            return new Places(sectors, List.copyOf(ranges));
        }
    }

    private final RemapTable table;
    private final int sectorBytes;
    private final ByteBuffer buffer;

    private final Found unreadable = new Found();
    private final Found rotten = new Found();
    private long read;

    SlotReading(RemapTable table, int sectorBytes) {
        this.table = table;
        this.sectorBytes = sectorBytes;
        this.buffer =
                ByteBuffer.allocateDirect((CHUNK_UNITS + 1) * Place.UNIT_BYTES).alignedSlice(Place.UNIT_BYTES);
    }

    /** The sectors on one spare, through the direct door of the device, compared with its checksums. */
    Result readSlots(BlockDevice spare, int number, SpareSlots slots, SealedSlots sealed) throws DeviceException {
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        for (boolean found = cursor.seek(table, 0); found; found = cursor.next()) {
            if (Place.hasSlot(cursor.place()) && Place.spare(cursor.place()) == number) {
                readExtent(spare.direct(), slots, sealed, cursor);
            }
        }
        return new Result(read, unreadable.places(), rotten.places());
    }

    private void readExtent(BlockDevice spare, SpareSlots slots, SealedSlots sealed, RemapTable.Cursor extent)
            throws DeviceException {
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
                for (int i = 0; i < count; i++) {
                    addRotten(
                            extent.firstUnit() + done + i,
                            sealed.rottenSectors(slot + i, mask, buffer, i * Place.UNIT_BYTES));
                }
            } else {
                for (int i = 0; i < count; i++) {
                    long unit = extent.firstUnit() + done + i;
                    int found = readUnit(spare, slots.offsetBytes(slot + i), unit, mask);
                    addRotten(unit, sealed.rottenSectors(slot + i, found, buffer, 0));
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
        return new Result(read, unreadable.places(), rotten.places());
    }

    /**
     * Those sectors of a unit that the mask names, one by one, each to its place in the first unit of the buffer; gives which
     * were read.
     */
    private int readUnit(BlockDevice device, long unitOffset, long unit, int mask) throws DeviceException {
        int found = 0;
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
            if (tryRead(device, aligned, (int) (aligned - unitOffset), step)) {
                read++;
                found |= 1 << sector;
            } else {
                unreadable.add(unit * sectors + sector);
            }
        }
        return found;
    }

    private void addRotten(long unit, int mask) {
        for (int left = mask; left != 0; left &= left - 1) {
            rotten.add(unit * (Place.UNIT_BYTES / sectorBytes) + Integer.numberOfTrailingZeros(left));
        }
    }

    private boolean tryRead(BlockDevice device, long offset, int length) throws DeviceException {
        return tryRead(device, offset, 0, length);
    }

    private boolean tryRead(BlockDevice device, long offset, int at, int length) throws DeviceException {
        try {
            device.read(offset, buffer.duplicate().limit(at + length).position(at));
            return true;
        } catch (DeviceException e) {
            if (!e.errorClass().mayBeSector()) {
                throw e;
            }
            return false;
        }
    }
}
