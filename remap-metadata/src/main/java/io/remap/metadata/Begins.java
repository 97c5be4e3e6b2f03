package io.remap.metadata;

import io.remap.api.DeviceException;
import java.nio.ByteBuffer;
import java.util.UUID;

/**
 * Which generations were in force, as the first blocks of the logs tell: whatever became of the headers since. Spares of
 * format 1.0 have no BEGIN there, but changes, which tell the same.
 *
 * <p>Where each generation has its BEGIN in both copies, one copy that can be read in all places where it may stand tells
 * alone: headers that cannot be read hide nothing then. Two power cuts may leave such, one after the other.
 */
final class Begins {
    private final BlockIo io;
    private final UUID pairUuid;
    private long highest;
    /** Of the places of a copy that were looked at one cannot be read. */
    private boolean unreadable;
    /** As above, one holds what is not whole. */
    private boolean broken;

    private Begins(BlockIo io, UUID pairUuid) {
        this.io = io;
        this.pairUuid = pairUuid;
    }

    /** The highest number of a generation of the pair whose log began, 0 if none did; settles what headers may hide. */
    static long highest(BlockIo io, Superblock superblock, Headers headers) throws DeviceException {
        Layout layout = superblock.layout();
        Begins begins = new Begins(io, superblock.pair().pairUuid());
        boolean eachBegins = superblock.version().has(Superblock.Version.BEGIN_BLOCKS);
        for (int arena = 0; arena < 2; arena++) {
            int unreadableBegins = 0;
            boolean told = false;
            for (ArenaCopy copy : Formatter.arena(layout, arena)) {
                begins.unreadable = false;
                begins.broken = false;
                begins.look(copy.offset(copy.logBody(Checkpoint.BEGIN_POSITION)));
                unreadableBegins += begins.unreadable ? 1 : 0;
                if (headers.isDoubtful(arena)) {
                    begins.lookAtReserve(copy, layout);
                }
                told |= eachBegins && !begins.unreadable && !begins.broken;
            }
            if (told) {
                headers.settle(arena);
            }
            if (unreadableBegins == 2 && headers.isDoubtful(arena)) {
                headers.doubt("whether the mappings in arena " + Headers.name(arena)
                        + " are newer cannot be told: its headers are damaged and its log cannot be read");
            }
        }
        return begins.highest;
    }

    /** Whether a copy of the arena tells that no generation of this number or a higher one began there. */
    static boolean neverBegan(BlockIo io, Superblock superblock, int arena, long number) throws DeviceException {
        Begins begins = new Begins(io, superblock.pair().pairUuid());
        boolean told = false;
        for (ArenaCopy copy : Formatter.arena(superblock.layout(), arena)) {
            begins.unreadable = false;
            begins.broken = false;
            begins.look(copy.offset(copy.logBody(Checkpoint.BEGIN_POSITION)));
            begins.lookAtReserve(copy, superblock.layout());
            told |= !begins.unreadable && !begins.broken;
        }
        return told && begins.highest < number && superblock.version().has(Superblock.Version.BEGIN_BLOCKS);
    }

    /** Refuses a generation that is not the newest that was in force. */
    static void refuseOlder(long begun, Headers.Candidate chosen) throws Damage {
        if (begun > chosen.number()) {
            throw new Damage("the mappings are those of generation " + begun
                    + ", whose header is damaged in both copies; the newest that is whole is " + chosen.number());
        }
    }

    /** Which of its blocks stands for the first one of the log a header would say. */
    private void lookAtReserve(ArenaCopy copy, Layout layout) throws DeviceException {
        for (int reserve = 0; reserve < layout.reserveBlocks(); reserve++) {
            look(copy.reserveOffset(reserve));
        }
    }

    private void look(long offsetBytes) throws DeviceException {
        try {
            ByteBuffer block = io.read(offsetBytes);
            if (block.getLong(Block.MAGIC_AT) != LogBlock.MAGIC
                    || block.getLong(LogBlock.SEQUENCE_AT) != Checkpoint.BEGIN_POSITION + 1L
                    || !Block.uuid(block, Block.UUID_AT).equals(pairUuid)) {
                return;
            }
            if (Block.isSealed(block, offsetBytes)) {
                highest = Math.max(highest, block.getLong(Block.GENERATION_AT));
            } else {
                broken = true;
            }
        } catch (DeviceException e) {
            if (!e.errorClass().mayBeSector()) {
                throw e;
            }
            unreadable = true;
        }
    }
}
