package io.remap.metadata;

import io.remap.api.ByteSize;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.spi.SparePlan;
import io.remap.api.spi.SpareSlots;

/**
 * Where everything lies on a spare. Computed by {@link #plan} when a spare is formatted; from then on read from the
 * superblock, so that a later program may plan otherwise.
 *
 * <pre>
 * identity 0 | events | identity 1 | A copy 0 | B copy 0 | slots … | identity 2 | A copy 1 | B copy 1 | slots … | identity 3
 * 0            64 KiB   1 MiB                                       middle                                       end
 * </pre>
 *
 * An arena copy is {@code header | table | log | reserve | second header place}, in blocks of one granule.
 *
 * <p>Invariants (checked when read): all offsets are multiples of the granule and all parts lie one after the other
 * inside the spare.
 *
 * @param sizeBytes size of the spare, a multiple of {@link #IDENTITY_BYTES}
 * @param granuleBytes 4096 or the physical sector, if that is larger: no two blocks or slots share one
 * @param arenaOffsets byte offsets of A copy 0, A copy 1, B copy 0, B copy 1
 * @param tableBlocks blocks for the table in each arena copy
 * @param logBlocks blocks for the log in each arena copy
 * @param reserveBlocks blocks in each arena copy that replace bad ones
 * @param frontSlotsOffset first byte of the slots in the front half
 * @param frontSlots their number
 * @param backSlotsOffset first byte of the slots in the back half
 * @param backSlots their number
 * @param grownSlotsOffset first byte of the slots behind the end that it was formatted with
 * @param grownSlots their number, 0 if it has not grown
 */
record Layout(
        long sizeBytes,
        int granuleBytes,
        ArenaOffsets arenaOffsets,
        int tableBlocks,
        int logBlocks,
        int reserveBlocks,
        long frontSlotsOffset,
        long frontSlots,
        long backSlotsOffset,
        long backSlots,
        long grownSlotsOffset,
        long grownSlots) {
    /** Room for one superblock, and the alignment of all four: they are found before the granule is known. */
    static final int IDENTITY_BYTES = 64 << 10;

    static final long SECOND_IDENTITY_AT = 1 << 20;
    static final long SAVED_AT = IDENTITY_BYTES;
    static final long SAVED_BYTES = SECOND_IDENTITY_AT - SAVED_AT;

    /** Below this the copies would stand too near to each other. */
    static final long MIN_SIZE_BYTES = 4 << 20;

    static final int MIN_SLOTS = 64;
    static final int MAX_GRANULE_BYTES = IDENTITY_BYTES;
    /** Most entries that a table is planned for: 192 MiB on each copy, about as much in memory. */
    static final int MAX_ENTRIES = 1 << 23;

    static final int MIN_LOG_BLOCKS = 16;
    static final int MAX_LOG_BLOCKS = 1024;
    static final int MIN_RESERVE_BLOCKS = 8;
    static final int MAX_RESERVE_BLOCKS = 512;
    static final int HEADER_PLACES = 2;
    /** Far behind the last slot that a place can name: no sum of offsets overflows. */
    private static final long MAX_GROWN_BYTES = 1L << 60;

    /** Where the arena copies begin. */
    record ArenaOffsets(long a0, long a1, long b0, long b1) {
        long of(int arena, int copy) {
            return arena == 0 ? (copy == 0 ? a0 : a1) : (copy == 0 ? b0 : b1);
        }
    }

    /** The granule for a device; an odd physical sector size (some bridges report nonsense) counts as 4096. */
    static int granule(int physicalSectorBytes) {
        boolean sane = Integer.bitCount(physicalSectorBytes) == 1 && physicalSectorBytes <= MAX_GRANULE_BYTES;
        return sane ? Math.max(Block.BYTES, physicalSectorBytes) : Block.BYTES;
    }

    /**
     * The layout for a spare of this size.
     *
     * @throws Refusal if it is too small, naming the size that would do
     */
    static Layout plan(long deviceBytes, int granuleBytes) throws Refusal {
        Layout layout = tryPlan(deviceBytes, granuleBytes, 0);
        if (layout == null) {
            long enough = MIN_SIZE_BYTES;
            while (tryPlan(enough, granuleBytes, 0) == null) {
                enough += 1 << 20;
            }
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "the spare is too small: it has " + ByteSize.format(deviceBytes) + ", and needs at least "
                            + ByteSize.format(enough));
        }
        return layout;
    }

    /**
     * The layout, or {@code null} if the device is too small.
     *
     * @param fixedLogBlocks a log of this size, 0 to choose by the size of the spare
     */
    static Layout tryPlan(long deviceBytes, int granuleBytes, int fixedLogBlocks) {
        long size = alignDown(deviceBytes);
        if (size < MIN_SIZE_BYTES) {
            return null;
        }
        long mostSlots = Math.min(size / granuleBytes, Place.MAX_SLOT);
        long entries = Math.min(MAX_ENTRIES, mostSlots + mostSlots / 8 + MIN_SLOTS);
        int table = (int) ((entries + TableBlock.MAX_ENTRIES - 1) / TableBlock.MAX_ENTRIES);
        int log = fixedLogBlocks > 0
                ? fixedLogBlocks
                : (int) Math.max(MIN_LOG_BLOCKS, Math.min(MAX_LOG_BLOCKS, mostSlots / 512));
        int reserve = Math.max(MIN_RESERVE_BLOCKS, Math.min(MAX_RESERVE_BLOCKS, (table + log) / 16));
        long arenaBytes = (long) (HEADER_PLACES + table + log + reserve) * granuleBytes;

        long front = SECOND_IDENTITY_AT + IDENTITY_BYTES;
        long middle = identityOffset(2, size);
        long back = middle + IDENTITY_BYTES;
        long frontSlotsAt = front + 2 * arenaBytes;
        long backSlotsAt = back + 2 * arenaBytes;
        long frontSlots = Math.min(Math.floorDiv(middle - frontSlotsAt, granuleBytes), Place.MAX_SLOT);
        long backSlots = Math.min(
                Math.floorDiv(identityOffset(3, size) - backSlotsAt, granuleBytes), Place.MAX_SLOT - frontSlots);
        if (frontSlots < 0 || backSlots < 0 || frontSlots + backSlots < MIN_SLOTS) {
            return null;
        }
        ArenaOffsets arenas = new ArenaOffsets(front, back, front + arenaBytes, back + arenaBytes);
        return new Layout(
                size,
                granuleBytes,
                arenas,
                table,
                log,
                reserve,
                frontSlotsAt,
                frontSlots,
                backSlotsAt,
                backSlots,
                0,
                0);
    }

    /** The same on a device of this size: what lies behind the former end becomes slots, and nothing moves. */
    Layout grownTo(long deviceBytes) {
        long most = Place.MAX_SLOT - frontSlots - backSlots;
        long room = Math.max(0, (alignDown(deviceBytes) - sizeBytes) / granuleBytes);
        return new Layout(
                sizeBytes,
                granuleBytes,
                arenaOffsets,
                tableBlocks,
                logBlocks,
                reserveBlocks,
                frontSlotsOffset,
                frontSlots,
                backSlotsOffset,
                backSlots,
                sizeBytes,
                Math.max(grownSlots, Math.min(room, most)));
    }

    /** End of all that it uses. */
    long endBytes() {
        return grownSlots == 0 ? sizeBytes : grownSlotsOffset + grownSlots * granuleBytes;
    }

    /** Where superblock 0 to 3 stands on a spare of this size. */
    static long identityOffset(int index, long sizeBytes) {
        return switch (index) {
            case 0 -> 0;
            case 1 -> SECOND_IDENTITY_AT;
            case 2 -> alignDown(sizeBytes / 2);
            default -> alignDown(sizeBytes) - IDENTITY_BYTES;
        };
    }

    static long alignDown(long bytes) {
        return bytes & -IDENTITY_BYTES;
    }

    /** Checks numbers that were read from a superblock. */
    void check(long deviceBytes) throws Damage {
        long arenaBytes = arenaBytes();
        boolean sane = Integer.bitCount(granuleBytes) == 1
                && granuleBytes >= Block.BYTES
                && granuleBytes <= MAX_GRANULE_BYTES
                && sizeBytes >= MIN_SIZE_BYTES
                && sizeBytes == alignDown(sizeBytes)
                && tableBlocks > 0
                && tableBlocks <= MAX_ENTRIES
                && logBlocks > 0
                && logBlocks <= MAX_LOG_BLOCKS
                && reserveBlocks >= 0
                && reserveBlocks <= MAX_RESERVE_BLOCKS
                && inOrder(SECOND_IDENTITY_AT + IDENTITY_BYTES, arenaOffsets.a0, 1, arenaBytes, arenaOffsets.b0)
                && inOrder(arenaOffsets.b0, arenaOffsets.b0, 1, arenaBytes, frontSlotsOffset)
                && inOrder(frontSlotsOffset, frontSlotsOffset, frontSlots, granuleBytes, identityOffset(2, sizeBytes))
                && inOrder(
                        identityOffset(2, sizeBytes) + IDENTITY_BYTES, arenaOffsets.a1, 1, arenaBytes, arenaOffsets.b1)
                && inOrder(arenaOffsets.b1, arenaOffsets.b1, 1, arenaBytes, backSlotsOffset)
                && inOrder(backSlotsOffset, backSlotsOffset, backSlots, granuleBytes, identityOffset(3, sizeBytes))
                && (grownSlots == 0 || inOrder(sizeBytes, grownSlotsOffset, grownSlots, granuleBytes, MAX_GROWN_BYTES))
                && frontSlots + backSlots + grownSlots <= Place.MAX_SLOT;
        if (!sane) {
            throw new Damage("the superblock describes an impossible layout: " + this);
        }
        if (endBytes() > deviceBytes) {
            throw new Damage("the spare had " + endBytes() + " bytes when it was formatted or grown, and has "
                    + deviceBytes + " now: it was truncated, or this is a part of it");
        }
    }

    private boolean inOrder(long from, long at, long count, long eachBytes, long to) {
        return at >= from && at % granuleBytes == 0 && count >= 0 && at <= to && count <= (to - at) / eachBytes;
    }

    long arenaBytes() {
        return (long) (HEADER_PLACES + tableBlocks + logBlocks + reserveBlocks) * granuleBytes;
    }

    long slots() {
        return frontSlots + backSlots + grownSlots;
    }

    long slotOffsetBytes(long slot) {
        return spareSlots().offsetBytes(slot);
    }

    SpareSlots spareSlots() {
        return new SpareSlots(
                frontSlotsOffset, frontSlots, backSlotsOffset, backSlots, grownSlotsOffset, grownSlots, granuleBytes);
    }

    /** Most entries of the table, bad slots included. */
    long entryLimit() {
        return Math.min(MAX_ENTRIES, (long) tableBlocks * TableBlock.MAX_ENTRIES);
    }

    SparePlan sparePlan() {
        long metadata = 4 * arenaBytes() + Identities.COUNT * IDENTITY_BYTES + SAVED_BYTES;
        return new SparePlan(slots(), entryLimit(), metadata);
    }
}
