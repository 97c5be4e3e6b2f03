package io.remap.metadata;

import io.remap.api.DeviceException;
import io.remap.api.spi.MetadataReport.Part;
import io.remap.api.spi.MetadataReport.State;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/**
 * The number on a further spare that tells it from older copies of itself, twice, where a first spare has its saved area. It
 * lies in one sector, so that it cannot tear. See docs/FORMAT.md.
 */
final class MemberStamp {
    static final long MAGIC = Block.magic("REMAPMEM");
    static final int STAMP_AT = 32;
    private static final int COPIES = 2;
    /** Of a further spare, before its saved area: both stamps, whatever the granule. */
    static final long ROOM_BYTES = 2L * Layout.MAX_GRANULE_BYTES;

    /** Covered by the CRC. */
    private static final int BYTES = Superblock.MARKER_BYTES;

    private MemberStamp() {}

    private static long offset(Layout layout, int copy) {
        return Layout.SAVED_AT + (long) copy * layout.granuleBytes();
    }

    /** Writes both, one after the other, each durable before the next. */
    static void write(BlockIo io, Layout layout, UUID pairUuid, long stamp) throws DeviceException {
        DeviceException bad = null;
        int written = 0;
        for (int copy = 0; copy < COPIES; copy++) {
            long offset = offset(layout, copy);
            ByteBuffer block = io.zeroedBlock(0);
            block.putLong(Block.MAGIC_AT, MAGIC);
            Block.putUuid(block, Block.UUID_AT, pairUuid);
            block.putLong(STAMP_AT, stamp);
            block.putInt(Block.CRC_AT, Block.sealOf(Block.crcOfBody(block, BYTES), offset));
            try {
                io.write(offset);
                io.flush();
                written++;
            } catch (DeviceException e) {
                if (io.flushFailed() || !e.errorClass().mayBeSector()) {
                    throw e;
                }
                bad = e;
            }
        }
        if (written == 0) {
            throw bad;
        }
    }

    /** The highest that stands there, -1 if none does that can be read. */
    static long read(BlockIo io, Layout layout, UUID pairUuid) throws DeviceException {
        long highest = -1;
        for (int copy = 0; copy < COPIES; copy++) {
            try {
                highest = Math.max(highest, read(io, layout, pairUuid, copy));
            } catch (DeviceException e) {
                if (!e.errorClass().mayBeSector()) {
                    throw e;
                }
            }
        }
        return highest;
    }

    /** That of one copy, -1 if no whole one stands there. */
    private static long read(BlockIo io, Layout layout, UUID pairUuid, int copy) throws DeviceException {
        long offset = offset(layout, copy);
        ByteBuffer block = io.read(offset);
        boolean whole = isOne(block, offset) && Block.uuid(block, Block.UUID_AT).equals(pairUuid);
        return whole ? block.getLong(STAMP_AT) : -1;
    }

    /** Whether a whole one stands there, of any pair. */
    static boolean isOne(ByteBuffer block, long offset) {
        return block.getLong(Block.MAGIC_AT) == MAGIC
                && block.getInt(Block.CRC_AT) == Block.sealOf(Block.crcOfBody(block, BYTES), offset);
    }

    /** How both copies stand. One that is behind the other is not whole: a power cut came between. */
    static List<Part> parts(BlockIo io, Layout layout, UUID pairUuid) throws DeviceException {
        long highest = read(io, layout, pairUuid);
        List<Part> parts = new ArrayList<>();
        for (int copy = 0; copy < COPIES; copy++) {
            State state = State.DAMAGED;
            String detail = "no whole stamp of this pair";
            try {
                long stamp = read(io, layout, pairUuid, copy);
                boolean current = stamp >= 0 && stamp == highest;
                state = current ? State.VALID : State.DAMAGED;
                detail = current ? "stamp " + stamp : stamp < 0 ? detail : "stamp " + stamp + ", expected " + highest;
            } catch (DeviceException e) {
                CopyCheck.refuseDeviceError(e);
                state = State.UNREADABLE;
                detail = e.getMessage();
            }
            parts.add(new Part("stamp " + copy, offset(layout, copy), 0, state, true, detail));
        }
        return parts;
    }
}
