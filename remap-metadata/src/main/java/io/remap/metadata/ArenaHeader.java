package io.remap.metadata;

import io.remap.api.HostIdentity;
import io.remap.api.spi.Lineage;
import io.remap.api.spi.SpareMember;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/**
 * The header of an arena copy: which generation stands there, and how to read it. It names the CRC of the whole table, so
 * that an old table is never taken for the one of this header.
 *
 * <p>See docs/FORMAT.md. The field for the fingerprint of main is a place only, written as zeros.
 *
 * @param generation the generation
 * @param lineage which opening it is of: tells our own headers from those of another server
 * @param host where that server runs; unknown where nobody was to serve it yet
 * @param tableBlocks blocks of the table
 * @param entries entries in it
 * @param tableCrc CRC32C of all entries in order
 * @param writtenMillis when, milliseconds since 1970
 * @param firstPlaceAbandoned the first header place of this copy cannot be written: what stands there does not count
 * @param replaced bad blocks of this copy: element <i>i</i> is the body block that reserve block <i>i</i> stands for, or
 *     {@link ArenaCopy#RESERVE_BAD}
 * @param members the spares of the pair, by number
 */
record ArenaHeader(
        Generation generation,
        Lineage lineage,
        HostIdentity host,
        int tableBlocks,
        long entries,
        int tableCrc,
        long writtenMillis,
        boolean firstPlaceAbandoned,
        List<Integer> replaced,
        List<SpareMember> members) {
    static final long MAGIC = Block.magic("REMAPHDR");
    static final int SESSION_AT = 48;
    static final int HOST_ID_AT = 64;
    static final int ARENA_AT = 80;
    static final int COPY_AT = 81;
    static final int PLACE_AT = 82;
    static final int FLAGS_AT = 83;
    static final int TABLE_BLOCKS_AT = 84;
    static final int ENTRIES_AT = 88;
    static final int TABLE_CRC_AT = 96;
    static final int MEMBER_COUNT_AT = 100;
    static final int WRITTEN_AT = 104;
    static final int MAIN_DIGEST_AT = 112;
    static final int HOST_NAME_AT = 144;
    static final int MAX_HOST_NAME_BYTES = 64;
    static final int ANCESTOR_AT = 208;
    static final int REPLACED_COUNT_AT = 248;
    static final int REPLACED_AT = 256;
    static final int MEMBERS_AT = REPLACED_AT + Layout.MAX_RESERVE_BLOCKS * Integer.BYTES;
    static final int MEMBER_BYTES = 32;
    static final int MEMBER_INDEX_AT = 0;
    static final int MEMBER_STATE_AT = 1;
    static final int MEMBER_FLAGS_AT = 2;
    static final int MEMBER_PRIORITY_AT = 3;
    static final int MEMBER_SLOTS_AT = 4;
    static final int MEMBER_SEEN_AT = 8;
    static final int MEMBER_ID_AT = 16;

    static final int FIRST_PLACE_ABANDONED = 1;
    static final byte MEMBER_ACTIVE = 1;
    static final byte MEMBER_LEAVING = 2;
    static final int MEMBER_STANDBY = 1;
    static final int MEMBER_TABLE = 2;
    static final int MEMBER_LEFT_BEHIND = 4;

    /** Writes this into a zeroed block. */
    void encode(ByteBuffer block, int arena, int copy, int place, long offsetBytes) {
        Block.putClaim(block, MAGIC, generation);
        Block.putUuid(block, SESSION_AT, lineage.session());
        Block.putUuid(block, ANCESTOR_AT, lineage.ancestor());
        Block.putUuid(block, HOST_ID_AT, host.id());
        byte[] name = host.name().getBytes(StandardCharsets.US_ASCII);
        block.put(HOST_NAME_AT, name, 0, Math.min(name.length, MAX_HOST_NAME_BYTES));
        block.put(ARENA_AT, (byte) arena);
        block.put(COPY_AT, (byte) copy);
        block.put(PLACE_AT, (byte) place);
        block.put(FLAGS_AT, (byte) (firstPlaceAbandoned ? FIRST_PLACE_ABANDONED : 0));
        block.putInt(TABLE_BLOCKS_AT, tableBlocks);
        block.putLong(ENTRIES_AT, entries);
        block.putInt(TABLE_CRC_AT, tableCrc);
        block.putLong(WRITTEN_AT, writtenMillis);
        block.putInt(REPLACED_COUNT_AT, replaced.size());
        for (int i = 0; i < replaced.size(); i++) {
            block.putInt(REPLACED_AT + i * Integer.BYTES, replaced.get(i));
        }
        block.putInt(MEMBER_COUNT_AT, members.size());
        for (int i = 0; i < members.size(); i++) {
            encode(block, MEMBERS_AT + i * MEMBER_BYTES, members.get(i));
        }
        Block.seal(block, offsetBytes);
    }

    private void encode(ByteBuffer block, int at, SpareMember member) {
        block.put(at + MEMBER_INDEX_AT, (byte) member.index());
        block.put(at + MEMBER_STATE_AT, member.leaving() ? MEMBER_LEAVING : MEMBER_ACTIVE);
        block.put(at + MEMBER_FLAGS_AT, flags(member));
        block.put(at + MEMBER_PRIORITY_AT, (byte) member.use().priority());
        boolean ofItself = saysItself(member);
        block.putLong(at + MEMBER_SEEN_AT, ofItself ? generation.number() : member.seen());
        // Its own are in its superblock.
        block.putInt(at + MEMBER_SLOTS_AT, ofItself ? 0 : (int) member.slots());
        Block.putUuid(block, at + MEMBER_ID_AT, member.id());
    }

    /** Whether this is what the first spare says of itself, and not what a copy of its table elsewhere does. */
    private static boolean saysItself(SpareMember member) {
        return member.index() == 0 && member.seen() == 0;
    }

    private static byte flags(SpareMember member) {
        int flags = member.use().standby() ? MEMBER_STANDBY : 0;
        if (member.index() == 0) {
            // As it was before there were copies elsewhere: nothing said means that it has the table.
            return (byte) (flags | (member.table() ? 0 : MEMBER_LEFT_BEHIND));
        }
        return (byte) (flags | (member.table() ? MEMBER_TABLE : 0));
    }

    private static List<SpareMember> decodeMembers(ByteBuffer block, Layout layout, long offsetBytes) throws Damage {
        int count = block.getInt(MEMBER_COUNT_AT);
        List<SpareMember> members = new ArrayList<>();
        int last = -1;
        for (int i = 0; i < count && count <= SpareMember.MAX_MEMBERS; i++) {
            int at = MEMBERS_AT + i * MEMBER_BYTES;
            int index = Byte.toUnsignedInt(block.get(at + MEMBER_INDEX_AT));
            byte state = block.get(at + MEMBER_STATE_AT);
            boolean known = state == MEMBER_ACTIVE || state == MEMBER_LEAVING;
            if (!known || index <= last || index >= SpareMember.MAX_MEMBERS) {
                throw new Damage("the arena header at byte " + offsetBytes + " names an impossible spare: number "
                        + index + " in state " + state);
            }
            last = index;
            long slots = Integer.toUnsignedLong(block.getInt(at + MEMBER_SLOTS_AT));
            boolean ofItself = index == 0 && slots == 0;
            byte flags = block.get(at + MEMBER_FLAGS_AT);
            members.add(new SpareMember(
                    index,
                    Block.uuid(block, at + MEMBER_ID_AT),
                    use(block, at),
                    ofItself ? layout.slots() : slots,
                    ofItself ? 0 : block.getLong(at + MEMBER_SEEN_AT),
                    index == 0 ? (flags & MEMBER_LEFT_BEHIND) == 0 : (flags & MEMBER_TABLE) != 0));
        }
        if (members.isEmpty()) {
            throw new Damage("the arena header at byte " + offsetBytes + " names " + count + " spares");
        }
        return members;
    }

    /** A preference, so that a value that only a newer program knows does no harm. */
    private static SpareMember.Use use(ByteBuffer block, int at) {
        return new SpareMember.Use(
                block.get(at + MEMBER_STATE_AT) == MEMBER_LEAVING,
                (block.get(at + MEMBER_FLAGS_AT) & MEMBER_STANDBY) != 0,
                Math.min(Byte.toUnsignedInt(block.get(at + MEMBER_PRIORITY_AT)), SpareMember.MAX_PRIORITY));
    }

    /** Reads the header of a pair, or gives {@code null} if none of it stands there whole. */
    static ArenaHeader decode(ByteBuffer block, UUID pairUuid, Layout layout, long offsetBytes) throws Damage {
        if (!isWhole(block, offsetBytes) || !Block.uuid(block, Block.UUID_AT).equals(pairUuid)) {
            return null;
        }
        int tableBlocks = block.getInt(TABLE_BLOCKS_AT);
        long entries = block.getLong(ENTRIES_AT);
        int replacedCount = block.getInt(REPLACED_COUNT_AT);
        if (tableBlocks < 0
                || tableBlocks > layout.tableBlocks()
                || entries < 0
                || entries > (long) tableBlocks * TableBlock.MAX_ENTRIES
                || replacedCount < 0
                || replacedCount > layout.reserveBlocks()) {
            throw new Damage("the arena header at byte " + offsetBytes + " describes an impossible table: "
                    + tableBlocks + " blocks, " + entries + " entries, " + replacedCount + " blocks replaced");
        }
        List<Integer> replaced = new ArrayList<>(replacedCount);
        for (int i = 0; i < replacedCount; i++) {
            replaced.add(block.getInt(REPLACED_AT + i * Integer.BYTES));
        }
        return new ArenaHeader(
                new Generation(pairUuid, block.getLong(Block.GENERATION_AT), block.getLong(Block.NONCE_AT)),
                new Lineage(Block.uuid(block, SESSION_AT), Block.uuid(block, ANCESTOR_AT)),
                new HostIdentity(Block.uuid(block, HOST_ID_AT), hostName(block)),
                tableBlocks,
                entries,
                block.getInt(TABLE_CRC_AT),
                block.getLong(WRITTEN_AT),
                (block.get(FLAGS_AT) & FIRST_PLACE_ABANDONED) != 0,
                replaced,
                decodeMembers(block, layout, offsetBytes));
    }

    private static String hostName(ByteBuffer block) {
        byte[] name = new byte[MAX_HOST_NAME_BYTES];
        block.get(HOST_NAME_AT, name);
        return new String(name, StandardCharsets.US_ASCII).replace("\0", "");
    }

    /** Whether a header of any pair stands here whole. */
    static boolean isWhole(ByteBuffer block, long offsetBytes) {
        return block.getLong(Block.MAGIC_AT) == MAGIC && Block.isSealed(block, offsetBytes);
    }
}
