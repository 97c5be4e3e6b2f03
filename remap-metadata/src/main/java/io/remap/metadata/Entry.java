package io.remap.metadata;

import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.Seal;
import java.nio.ByteBuffer;

/**
 * The 24 bytes that state the place of a run of units, or a run of bad slots; the same in the table and in a log record.
 *
 * <pre>
 *  0  1  kind: 1 SET, 2 BAD_SLOT, 5 SEAL; in the log only: 3 CLEAN, 4 OPEN, 8 BEGIN; 6 OWNER, 7 EVENT are reserved
 *  1  1  flags: 1 has a slot, 2 zero
 *  2  1  sectors on the slot; low byte of the tag (SEAL)
 *  3  1  sectors lost; high byte of the tag (SEAL)
 *  4  1  number of the spare
 *  5  3  zeros
 *  8  8  first unit of the run (SET), first region (SEAL, OPEN), 0 (BAD_SLOT), entries of the table (CLEAN, BEGIN)
 * 16  4  units in the run, or bad slots, or regions (of a SEAL 1)
 * 20  4  slot of the first unit, or first bad slot, or slot of the block with the checksums (SEAL)
 * </pre>
 *
 * Flags 0 with empty masks means main: an UNMAP. Flags 0 with sectors lost is LOST.
 */
final class Entry {
    static final int BYTES = 24;

    static final int KIND_AT = 0;
    static final int FLAGS_AT = 1;
    static final int ON_SLOT_AT = 2;
    static final int LOST_AT = 3;
    static final int SPARE_AT = 4;
    static final int UNIT_AT = 8;
    static final int LENGTH_AT = 16;
    static final int SLOT_AT = 20;

    static final byte SET = 1;
    static final byte BAD_SLOT = 2;
    static final byte CLEAN = 3;
    static final byte OPEN = 4;
    static final byte SEAL = 5;
    static final byte BEGIN = 8;

    private static final int HAS_SLOT = 1;
    private static final int ZERO = 2;

    private Entry() {}

    static void encodeSet(ByteBuffer block, int at, long firstUnit, long lengthUnits, long place) {
        int flags = (Place.hasSlot(place) ? HAS_SLOT : 0) | (Place.isZero(place) ? ZERO : 0);
        block.put(at + KIND_AT, SET);
        block.put(at + FLAGS_AT, (byte) flags);
        block.put(at + ON_SLOT_AT, (byte) Place.onSlotMask(place));
        block.put(at + LOST_AT, (byte) Place.lostMask(place));
        block.put(at + SPARE_AT, (byte) Place.spare(place));
        block.putLong(at + UNIT_AT, firstUnit);
        block.putInt(at + LENGTH_AT, (int) lengthUnits);
        block.putInt(at + SLOT_AT, (int) Place.slot(place));
    }

    static void encodeBadSlots(ByteBuffer block, int at, int spare, long firstSlot, long lengthSlots) {
        block.put(at + KIND_AT, BAD_SLOT);
        block.put(at + SPARE_AT, (byte) spare);
        block.putInt(at + LENGTH_AT, (int) lengthSlots);
        block.putInt(at + SLOT_AT, (int) firstSlot);
    }

    /** CLEAN or BEGIN: says something of the log, and changes nothing. */
    static void encodeMark(ByteBuffer block, int at, byte kind, long entries) {
        block.put(at + KIND_AT, kind);
        block.putLong(at + UNIT_AT, entries);
    }

    static boolean isMark(ByteBuffer block, int at) {
        byte kind = block.get(at + KIND_AT);
        return kind == CLEAN || kind == BEGIN;
    }

    static void encodeSeal(ByteBuffer block, int at, long region, long seal) {
        block.put(at + KIND_AT, SEAL);
        block.putShort(at + ON_SLOT_AT, (short) Seal.tag(seal));
        block.put(at + SPARE_AT, (byte) Seal.spare(seal));
        block.putLong(at + UNIT_AT, region);
        block.putInt(at + LENGTH_AT, 1);
        block.putInt(at + SLOT_AT, (int) Seal.slot(seal));
    }

    private static void encodeOpen(ByteBuffer block, int at, int spare, long firstRegion, long lengthRegions) {
        block.put(at + KIND_AT, OPEN);
        block.put(at + SPARE_AT, (byte) spare);
        block.putLong(at + UNIT_AT, firstRegion);
        block.putInt(at + LENGTH_AT, (int) lengthRegions);
    }

    static void encode(ByteBuffer block, int at, MapChange change) {
        long first = change.firstUnit();
        int spare = Place.spare(change.place());
        switch (change.kind()) {
            case SET -> encodeSet(block, at, first, change.lengthUnits(), change.place());
            case BAD_SLOT -> encodeBadSlots(block, at, spare, first, change.lengthUnits());
            case SEAL -> encodeSeal(block, at, first, change.place());
            case OPEN -> encodeOpen(block, at, spare, first, change.lengthUnits());
        }
    }

    /** Reads what changes something. */
    static MapChange decode(ByteBuffer block, int at) throws Damage {
        long length = Integer.toUnsignedLong(block.getInt(at + LENGTH_AT));
        long slot = Integer.toUnsignedLong(block.getInt(at + SLOT_AT));
        int spare = Byte.toUnsignedInt(block.get(at + SPARE_AT));
        if (length < 1 || length > RemapTable.MAX_RUN_UNITS) {
            throw new Damage("a run of " + length + " units");
        }
        return switch (block.get(at + KIND_AT)) {
            case SET -> {
                long unit = block.getLong(at + UNIT_AT);
                if (unit < 0 || unit > RemapTable.MAX_UNITS - length) {
                    throw new Damage("a run that begins at unit " + unit);
                }
                yield MapChange.set(unit, length, place(block, at, spare, slot));
            }
            case BAD_SLOT -> MapChange.badSlot(spare, slot, length);
            case SEAL -> {
                int tag = Short.toUnsignedInt(block.getShort(at + ON_SLOT_AT));
                yield MapChange.seal(region(block, at, length), Seal.of(spare, slot, tag));
            }
            case OPEN -> MapChange.open(spare, region(block, at, length), length);
            default -> throw new Damage("a record of the unknown kind " + block.get(at + KIND_AT));
        };
    }

    private static long region(ByteBuffer block, int at, long length) throws Damage {
        long region = block.getLong(at + UNIT_AT);
        if (region < 0 || region + length > Seal.MAX_REGION + 1) {
            throw new Damage("a region of the number " + region);
        }
        return region;
    }

    private static long place(ByteBuffer block, int at, int spare, long slot) throws Damage {
        int onSlot = Byte.toUnsignedInt(block.get(at + ON_SLOT_AT));
        int lost = Byte.toUnsignedInt(block.get(at + LOST_AT));
        int flags = block.get(at + FLAGS_AT);
        boolean slotless = onSlot == 0 && slot == 0 && spare == 0;
        if ((onSlot & lost) == 0) {
            if (flags == HAS_SLOT) {
                return Place.onSlot(spare, slot, onSlot, lost);
            }
            if (flags == ZERO && slotless) {
                return Place.zero(lost);
            }
            if (flags == 0 && slotless) {
                return Place.lost(lost);
            }
        }
        throw new Damage("an impossible place: flags " + flags + ", masks " + onSlot + " and " + lost);
    }
}
