package io.remap.metadata;

import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.RemapTable;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareMember;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.UUID;

/**
 * The identity of a spare, four times on it, written by a format, and by an upgrade. Static, so that no update can tear it.
 *
 * <p>The first 48 bytes and the rule of the CRC are the same in every major version, so that an old program can name a
 * newer spare. See docs/FORMAT.md.
 *
 * @param version which program may do what with it
 * @param epoch grows by one with each upgrade, so that an interrupted one is told from a mix of spares
 * @param pair the pairing
 * @param layout where everything lies
 * @param createdMillis when it was formatted, milliseconds since 1970
 * @param member number of this spare: 0 is the first one, which was made with the table
 * @param memberId drawn when it became a spare; zeros for the first one
 */
record Superblock(
        Version version, long epoch, PairIdentity pair, Layout layout, long createdMillis, int member, UUID memberId) {
    static final long MAGIC = Block.magic("REMAPSPR");
    /** Stands in place of a superblock while a format is under way. */
    static final long MARKER_MAGIC = Block.magic("REMAPFMT");
    /** A marker lies in one sector, so that it cannot tear. */
    static final int MARKER_BYTES = 512;

    static final int MAJOR = 1;
    static final int MINOR = 1;

    static final int MAJOR_AT = 12;
    static final int MINOR_AT = 14;
    static final int COMPAT_AT = 32;
    static final int RO_COMPAT_AT = 36;
    static final int INCOMPAT_AT = 40;
    static final int EPOCH_AT = 48;
    static final int SIZE_AT = 56;
    static final int GRANULE_AT = 64;
    static final int SLOT_BYTES_AT = 68;
    static final int MEMBER_AT = 72;
    static final int SAVED_OFFSET_AT = 80;
    static final int SAVED_BYTES_AT = 88;
    static final int ARENAS_AT = 96;
    static final int TABLE_BLOCKS_AT = 128;
    static final int LOG_BLOCKS_AT = 132;
    static final int RESERVE_BLOCKS_AT = 136;
    static final int FRONT_SLOTS_OFFSET_AT = 144;
    static final int FRONT_SLOTS_AT = 152;
    static final int BACK_SLOTS_OFFSET_AT = 160;
    static final int BACK_SLOTS_AT = 168;
    static final int CHECKSUMS_OFFSET_AT = 176;
    static final int CHECKSUMS_BYTES_AT = 184;
    static final int MAIN_SIZE_AT = 192;
    static final int MAIN_SECTOR_AT = 200;
    static final int MAIN_ID_LENGTH_AT = 204;
    static final int CREATED_AT = 208;
    static final int MAIN_FINGERPRINT_AT = 216;
    static final int MAIN_FINGERPRINT_BYTES = 32;
    static final int MEMBER_ID_AT = 248;
    static final int GROWN_SLOTS_OFFSET_AT = 264;
    static final int GROWN_SLOTS_AT = 272;
    static final int MAIN_ID_AT = 512;
    static final int MAX_MAIN_ID_BYTES = 3072;

    /** Version and feature bits, as ext4 has them: unknown compat is fine, ro-compat read-only, incompat refused. */
    record Version(int major, int minor, int compat, int roCompat, int incompat) {
        /** An incompatible feature, of format 1.1: the log of a generation begins with BEGIN. */
        static final int BEGIN_BLOCKS = 1;

        /** An incompatible feature: this is not the first spare of its pair. Without {@link #SPREAD}: no table. */
        static final int FURTHER_MEMBER = 2;

        /** An incompatible feature: there are slots behind the end that the spare was formatted with. */
        static final int GROWN = 4;

        /** An incompatible feature: copies of the table may be in force on further spares, on this one or on others. */
        static final int SPREAD = 8;

        /** An incompatible feature: regions of slots may be sealed, and must be opened before they are written. */
        static final int SEALED = 16;

        /** An incompatible feature: the pair may go on without its first spare, which a header need not name then. */
        static final int WITHOUT_FIRST = 32;

        private static final int KNOWN_INCOMPAT =
                BEGIN_BLOCKS | FURTHER_MEMBER | GROWN | SPREAD | SEALED | WITHOUT_FIRST;

        static final Version CURRENT = new Version(MAJOR, MINOR, 0, 0, BEGIN_BLOCKS);
        static final Version OF_MEMBER = new Version(MAJOR, MINOR, 0, 0, BEGIN_BLOCKS | FURTHER_MEMBER);

        boolean tooNew() {
            return major != MAJOR || (incompat & ~KNOWN_INCOMPAT) != 0;
        }

        /** Whether an upgrade makes it what this program writes. */
        boolean isOlder() {
            return !tooNew() && (incompat & CURRENT.incompat) != CURRENT.incompat;
        }

        boolean isSpread() {
            return has(SPREAD);
        }

        /** Whether it has all of these features. */
        boolean has(int features) {
            return !tooNew() && (incompat & features) == features;
        }

        boolean readOnly() {
            return roCompat != 0;
        }
    }

    /** That of a first spare, as this program writes it. */
    static Superblock first(PairIdentity pair, Layout layout, long createdMillis) {
        return new Superblock(Version.CURRENT, 0, pair, layout, createdMillis, 0, SpareMember.FIRST_ID);
    }

    /** Refuses a pairing that does not fit the format. */
    static void checkFits(PairIdentity pair) throws Refusal {
        if (pair.mainStableId().getBytes(StandardCharsets.UTF_8).length > MAX_MAIN_ID_BYTES) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "the name of main is longer than " + MAX_MAIN_ID_BYTES + " bytes; use a shorter path");
        }
    }

    /** Writes this into a zeroed block that will stand at the offset. */
    void encode(ByteBuffer block, long offsetBytes) {
        block.putLong(Block.MAGIC_AT, MAGIC);
        block.putShort(MAJOR_AT, (short) version.major);
        block.putShort(MINOR_AT, (short) version.minor);
        Block.putUuid(block, Block.UUID_AT, pair.pairUuid());
        block.putInt(COMPAT_AT, version.compat);
        block.putInt(RO_COMPAT_AT, version.roCompat);
        block.putInt(INCOMPAT_AT, version.incompat);
        block.putLong(EPOCH_AT, epoch);
        block.putLong(SIZE_AT, layout.sizeBytes());
        block.putInt(GRANULE_AT, layout.granuleBytes());
        block.putInt(SLOT_BYTES_AT, Place.UNIT_BYTES);
        block.putInt(MEMBER_AT, member);
        block.putLong(SAVED_OFFSET_AT, Layout.SAVED_AT);
        block.putLong(SAVED_BYTES_AT, Layout.SAVED_BYTES);
        block.putLong(ARENAS_AT, layout.arenaOffsets().a0());
        block.putLong(ARENAS_AT + 8, layout.arenaOffsets().a1());
        block.putLong(ARENAS_AT + 16, layout.arenaOffsets().b0());
        block.putLong(ARENAS_AT + 24, layout.arenaOffsets().b1());
        block.putInt(TABLE_BLOCKS_AT, layout.tableBlocks());
        block.putInt(LOG_BLOCKS_AT, layout.logBlocks());
        block.putInt(RESERVE_BLOCKS_AT, layout.reserveBlocks());
        block.putLong(FRONT_SLOTS_OFFSET_AT, layout.frontSlotsOffset());
        block.putLong(FRONT_SLOTS_AT, layout.frontSlots());
        block.putLong(BACK_SLOTS_OFFSET_AT, layout.backSlotsOffset());
        block.putLong(BACK_SLOTS_AT, layout.backSlots());
        block.putLong(GROWN_SLOTS_OFFSET_AT, layout.grownSlotsOffset());
        block.putLong(GROWN_SLOTS_AT, layout.grownSlots());
        block.putLong(MAIN_SIZE_AT, pair.mainSizeBytes());
        block.putInt(MAIN_SECTOR_AT, pair.sectorBytes());
        byte[] id = pair.mainStableId().getBytes(StandardCharsets.UTF_8);
        block.putInt(MAIN_ID_LENGTH_AT, id.length);
        block.putLong(CREATED_AT, createdMillis);
        Block.putUuid(block, MEMBER_ID_AT, memberId);
        block.put(MAIN_ID_AT, id);
        Block.seal(block, offsetBytes);
    }

    /**
     * Reads a superblock, or gives {@code null} if none stands there whole. Of a major version that this program does not
     * know, only the version and the UUID are read.
     */
    static Superblock decode(ByteBuffer block, long offsetBytes) throws Damage {
        if (block.getLong(Block.MAGIC_AT) != MAGIC || !Block.isSealed(block, offsetBytes)) {
            return null;
        }
        Version version = new Version(
                Short.toUnsignedInt(block.getShort(MAJOR_AT)),
                Short.toUnsignedInt(block.getShort(MINOR_AT)),
                block.getInt(COMPAT_AT),
                block.getInt(RO_COMPAT_AT),
                block.getInt(INCOMPAT_AT));
        UUID uuid = Block.uuid(block, Block.UUID_AT);
        if (version.tooNew()) {
            long epoch = version.major() == MAJOR ? block.getLong(EPOCH_AT) : Long.MAX_VALUE;
            return new Superblock(version, epoch, new PairIdentity(uuid, 0, 0, ""), null, 0, 0, SpareMember.FIRST_ID);
        }
        int idLength = block.getInt(MAIN_ID_LENGTH_AT);
        int sectorBytes = block.getInt(MAIN_SECTOR_AT);
        long mainBytes = block.getLong(MAIN_SIZE_AT);
        if (idLength < 0
                || idLength > MAX_MAIN_ID_BYTES
                || Integer.bitCount(sectorBytes) != 1
                || sectorBytes < 512
                || sectorBytes > Block.BYTES
                || mainBytes < 0
                || mainBytes > RemapTable.MAX_UNITS << Place.UNIT_SHIFT) {
            throw new Damage("the superblock at byte " + offsetBytes + " describes an impossible main");
        }
        byte[] id = new byte[idLength];
        block.get(MAIN_ID_AT, id);
        PairIdentity pair = new PairIdentity(uuid, mainBytes, sectorBytes, new String(id, StandardCharsets.UTF_8));
        boolean grown = (version.incompat() & Version.GROWN) != 0;
        Layout layout = new Layout(
                block.getLong(SIZE_AT),
                block.getInt(GRANULE_AT),
                new Layout.ArenaOffsets(
                        block.getLong(ARENAS_AT),
                        block.getLong(ARENAS_AT + 8),
                        block.getLong(ARENAS_AT + 16),
                        block.getLong(ARENAS_AT + 24)),
                block.getInt(TABLE_BLOCKS_AT),
                block.getInt(LOG_BLOCKS_AT),
                block.getInt(RESERVE_BLOCKS_AT),
                block.getLong(FRONT_SLOTS_OFFSET_AT),
                block.getLong(FRONT_SLOTS_AT),
                block.getLong(BACK_SLOTS_OFFSET_AT),
                block.getLong(BACK_SLOTS_AT),
                grown ? block.getLong(GROWN_SLOTS_OFFSET_AT) : 0,
                grown ? block.getLong(GROWN_SLOTS_AT) : 0);
        int member = block.getInt(MEMBER_AT);
        if (member < 0
                || member >= SpareMember.MAX_MEMBERS
                || (member != 0) != ((version.incompat() & Version.FURTHER_MEMBER) != 0)) {
            throw new Damage("the superblock at byte " + offsetBytes + " names an impossible spare: number " + member);
        }
        return new Superblock(
                version,
                block.getLong(EPOCH_AT),
                pair,
                layout,
                block.getLong(CREATED_AT),
                member,
                Block.uuid(block, MEMBER_ID_AT));
    }

    /** Makes a block, without its CRC, what this program writes of the same spare; what it does not know of stays. */
    static void upgrade(ByteBuffer block) {
        block.putShort(MINOR_AT, (short) Math.max(MINOR, Short.toUnsignedInt(block.getShort(MINOR_AT))));
        block.putInt(INCOMPAT_AT, block.getInt(INCOMPAT_AT) | Version.CURRENT.incompat);
        block.putLong(EPOCH_AT, block.getLong(EPOCH_AT) + 1);
    }

    /** Makes a block, without its CRC, that of the same spare with more slots; what this program does not know of stays. */
    static void grow(ByteBuffer block, Layout grown) {
        block.putInt(INCOMPAT_AT, block.getInt(INCOMPAT_AT) | Version.GROWN);
        block.putLong(EPOCH_AT, block.getLong(EPOCH_AT) + 1);
        block.putLong(GROWN_SLOTS_OFFSET_AT, grown.grownSlotsOffset());
        block.putLong(GROWN_SLOTS_AT, grown.grownSlots());
    }

    /** Makes a block, without its CRC, that of the same spare with more incompatible features. */
    static void declare(ByteBuffer block, int features) {
        block.putInt(INCOMPAT_AT, block.getInt(INCOMPAT_AT) | features);
        block.putLong(EPOCH_AT, block.getLong(EPOCH_AT) + 1);
    }

    /** Fills a zeroed block with the marker of a format under way. */
    static void encodeMarker(ByteBuffer block, UUID pairUuid, long offsetBytes) {
        block.putLong(Block.MAGIC_AT, MARKER_MAGIC);
        Block.putUuid(block, Block.UUID_AT, pairUuid);
        block.putInt(Block.CRC_AT, Block.sealOf(Block.crcOfBody(block, MARKER_BYTES), offsetBytes));
    }

    static boolean isMarker(ByteBuffer block, long offsetBytes) {
        return block.getLong(Block.MAGIC_AT) == MARKER_MAGIC
                && block.getInt(Block.CRC_AT) == Block.sealOf(Block.crcOfBody(block, MARKER_BYTES), offsetBytes);
    }
}
