package io.remap.core;

import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.spi.MetadataStore;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/**
 * A digest of what a store states: CRC32C over the longest runs of the remap table by ascending unit, then over those of
 * the bad slots by spare and slot, whatever extents they are kept in. docs/ARCHITECTURE.md defines it byte by byte; it is
 * against mistakes, not against forgery.
 */
final class TableDigest {
    private static final int RUN_BYTES = 32;
    private static final int MAPPED = 1;
    private static final int BAD = 2;

    private final CRC32C crc = new CRC32C();
    private final ByteBuffer run = ByteBuffer.allocate(RUN_BYTES).order(ByteOrder.LITTLE_ENDIAN);

    // The run that is being collected; none with a length of 0.
    private long first;
    private long length;
    private long place;

    private TableDigest() {}

    static int of(MetadataStore store) {
        TableDigest digest = new TableDigest();
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        for (boolean found = cursor.seek(store.table(), 0); found; found = cursor.next()) {
            digest.extent(cursor.firstUnit(), cursor.lengthUnits(), cursor.place());
        }
        digest.endExtents();
        store.badSlots(digest::badSlots);
        digest.endBadSlots();
        return (int) digest.crc.getValue();
    }

    private void extent(long firstUnit, long lengthUnits, long firstPlace) {
        if (length > 0 && firstUnit == first + length && firstPlace == Place.advance(place, length)) {
            length += lengthUnits;
            return;
        }
        endExtents();
        first = firstUnit;
        length = lengthUnits;
        place = firstPlace;
    }

    private void endExtents() {
        if (length > 0) {
            int flags = (Place.hasSlot(place) ? 1 : 0) | (Place.isZero(place) ? 2 : 0);
            long slot = Place.hasSlot(place) ? Place.slot(place) : 0;
            add(MAPPED, flags, Place.spare(place), Place.onSlotMask(place), Place.lostMask(place), slot);
        }
        length = 0;
    }

    private void badSlots(int spare, long firstSlot, long slots) {
        if (length > 0 && place == spare && firstSlot == first + length) {
            length += slots;
            return;
        }
        endBadSlots();
        first = firstSlot;
        length = slots;
        place = spare;
    }

    private void endBadSlots() {
        if (length > 0) {
            add(BAD, 0, (int) place, 0, 0, first);
        }
        length = 0;
    }

    private void add(int kind, int flags, int spare, int onSlotMask, int lostMask, long slot) {
        run.clear();
        run.put((byte) kind)
                .put((byte) flags)
                .put((byte) spare)
                .put((byte) onSlotMask)
                .put((byte) lostMask);
        run.putLong(8, first).putLong(16, length).putLong(24, slot);
        crc.update(run.array(), 0, RUN_BYTES);
    }
}
