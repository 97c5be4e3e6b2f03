package io.remap.metadata;

import io.remap.api.DeviceException;
import java.nio.ByteBuffer;
import java.util.UUID;

/**
 * Which generations were in force, as the first blocks of the logs tell: whatever became of the headers since. Spares of
 * format 1.0 have no BEGIN there, but changes, which tell the same.
 */
final class Begins {
    private final BlockIo io;
    private final UUID pairUuid;
    private long highest;
    private int unreadableCopies;

    private Begins(BlockIo io, UUID pairUuid) {
        this.io = io;
        this.pairUuid = pairUuid;
    }

    /** The highest number of a generation of the pair whose log began, 0 if none did. */
    static long highest(BlockIo io, Layout layout, UUID pairUuid, Headers headers) throws DeviceException {
        Begins begins = new Begins(io, pairUuid);
        for (int arena = 0; arena < 2; arena++) {
            begins.unreadableCopies = 0;
            for (ArenaCopy copy : Formatter.arena(layout, arena)) {
                begins.look(copy.offset(copy.logBody(Checkpoint.BEGIN_POSITION)), true);
                if (headers.isDoubtful(arena)) {
                    // Which blocks are replaced a header would say.
                    for (int reserve = 0; reserve < layout.reserveBlocks(); reserve++) {
                        begins.look(copy.reserveOffset(reserve), false);
                    }
                }
            }
            if (begins.unreadableCopies == 2 && headers.isDoubtful(arena)) {
                headers.doubt("whether the mappings in arena " + Headers.name(arena)
                        + " are newer cannot be told: its headers are damaged and its log cannot be read");
            }
        }
        return begins.highest;
    }

    /** Refuses a generation that is not the newest that was in force. */
    static void refuseOlder(long begun, Headers.Candidate chosen) throws Damage {
        if (begun > chosen.number()) {
            throw new Damage("the mappings are those of generation " + begun
                    + ", whose header is damaged in both copies; the newest that is whole is " + chosen.number());
        }
    }

    private void look(long offsetBytes, boolean isBegin) throws DeviceException {
        try {
            ByteBuffer block = io.read(offsetBytes);
            if (block.getLong(Block.MAGIC_AT) == LogBlock.MAGIC
                    && block.getLong(LogBlock.SEQUENCE_AT) == Checkpoint.BEGIN_POSITION + 1L
                    && Block.uuid(block, Block.UUID_AT).equals(pairUuid)
                    && Block.isSealed(block, offsetBytes)) {
                highest = Math.max(highest, block.getLong(Block.GENERATION_AT));
            }
        } catch (DeviceException e) {
            if (!e.errorClass().mayBeSector()) {
                throw e;
            }
            unreadableCopies += isBegin ? 1 : 0;
        }
    }
}
