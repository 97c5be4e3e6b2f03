package io.remap.metadata;

import io.remap.api.DeviceException;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * Reads the log of one generation and replays it.
 *
 * <p>A block counts if it is whole in either copy, continues the chain, and its batch is there whole. Since one batch at a
 * time is in flight, a crash can damage the last one only: a whole block of a <i>later</i> batch behind a missing one is
 * corruption, and is never cut off silently.
 */
final class LogReader {
    /** What stands at a position, in one copy or in both together. */
    private enum State {
        /** Whole. */
        VALID,
        /** Nothing of this generation. */
        FRESH,
        /** Of this generation, but not whole: torn, or damaged later. */
        BROKEN,
        UNREADABLE,
        /** Neither copy tells whether a committed block stood here. */
        UNKNOWN
    }

    private final BlockIo io;
    private final Generation generation;
    private final ArenaCopy[] copies;
    private final boolean[] headerKnown;
    private final ByteBuffer blocks;
    private final State[] states;
    private int wholeBlocks;
    private int blocksReplayed;
    private boolean clean;

    /** @param headers which copies have a header of this generation; without it, replaced blocks are not known */
    LogReader(BlockIo io, Layout layout, Generation generation, ArenaCopy[] copies, ArenaHeader[] headers)
            throws Damage, DeviceException {
        this.io = io;
        this.generation = generation;
        this.copies = copies;
        this.headerKnown = new boolean[] {headers[0] != null, headers[1] != null};
        this.blocks = ByteBuffer.allocate(layout.logBlocks() * Block.BYTES);
        this.states = new State[layout.logBlocks()];
        for (int first = 0; first < layout.logBlocks(); first += BlockIo.CHUNK_BLOCKS) {
            int count = Math.min(BlockIo.CHUNK_BLOCKS, layout.logBlocks() - first);
            State[] one = readChunk(0, first, count);
            State[] two = readChunk(1, first, count);
            for (int i = 0; i < count; i++) {
                states[first + i] = together(one[i], two[i]);
            }
        }
    }

    private static State together(State one, State two) {
        if (one == State.VALID || two == State.VALID) {
            return State.VALID;
        }
        if (one == State.FRESH || two == State.FRESH) {
            // A committed block was whole in both copies, and no damage makes it a block of another generation.
            return State.FRESH;
        }
        return one == State.BROKEN && two == State.BROKEN ? State.BROKEN : State.UNKNOWN;
    }

    /** Reads part of one copy, keeps the whole blocks of it, and says what stands at each position. */
    private State[] readChunk(int copyIndex, int first, int count) throws Damage, DeviceException {
        ArenaCopy copy = copies[copyIndex];
        State[] result = new State[count];
        boolean whole = copy.isContiguous(copy.logBody(first), count) && tryRead(copy, first, 0, count);
        for (int i = 0; i < count; i++) {
            if (!whole && !tryRead(copy, first + i, i, 1)) {
                result[i] = State.UNREADABLE;
                continue;
            }
            ByteBuffer block = io.block(i);
            if (LogBlock.isValid(block, generation, first + i + 1L, copy.offset(copy.logBody(first + i)))) {
                result[i] = State.VALID;
                keep(first + i, block, copyIndex);
            } else if (!headerKnown[copyIndex]) {
                result[i] = State.UNREADABLE;
            } else {
                result[i] = Block.claims(block, LogBlock.MAGIC, generation) ? State.BROKEN : State.FRESH;
            }
        }
        return result;
    }

    private boolean tryRead(ArenaCopy copy, int position, int toIndex, int count) throws DeviceException {
        return io.tryRead(copy.offset(copy.logBody(position)), toIndex, count);
    }

    private void keep(int position, ByteBuffer block, int copyIndex) throws Damage {
        ByteBuffer kept = kept(position);
        boolean first = copyIndex == 0 || kept.getLong(Block.MAGIC_AT) == 0;
        if (!first && Block.bodyCrc(kept) != Block.bodyCrc(block)) {
            throw new Damage("the copies of log block " + (position + 1) + " of generation " + generation.number()
                    + " contradict each other");
        }
        kept.put(0, block, 0, Block.BYTES);
    }

    private ByteBuffer kept(int position) {
        return Block.view(blocks, position * Block.BYTES);
    }

    boolean hasAnyBlock() {
        for (State state : states) {
            if (state == State.VALID) {
                return true;
            }
        }
        return false;
    }

    /** Whether nothing of this generation stands where its log begins. */
    boolean neverBegan() {
        return states[Checkpoint.BEGIN_POSITION] == State.FRESH;
    }

    /** Whether neither copy tells, as far as their headers say where that is. */
    boolean isBeginUnknown() {
        return states[Checkpoint.BEGIN_POSITION] == State.UNKNOWN;
    }

    /** It is known by other means that the log never began. */
    void settleBegin() {
        states[Checkpoint.BEGIN_POSITION] = State.FRESH;
    }

    /** The table after all committed changes; where that is not certain, the doubts say why. */
    Tables replay(Tables table, List<String> doubts) throws Damage {
        Tables result = table;
        int position = 0;
        int previousCrc = 0;
        while (position < states.length) {
            int batch = states[position] == State.VALID ? LogBlock.batchCount(kept(position)) : 1;
            int whole = wholeBlocks(position, batch, previousCrc);
            if (whole < batch) {
                examineEnd(position, position + whole, doubts);
                break;
            }
            for (int i = 0; i < batch; i++) {
                ByteBuffer block = kept(position + i);
                result = TableRecovery.apply(result, block);
                previousCrc = Block.bodyCrc(block);
                clean = block.get(LogBlock.recordAt(LogBlock.count(block) - 1) + Entry.KIND_AT) == Entry.CLEAN;
            }
            position += batch;
        }
        wholeBlocks = position;
        blocksReplayed = position;
        if (position > 0 && kept(0).get(LogBlock.recordAt(0) + Entry.KIND_AT) == Entry.BEGIN) {
            blocksReplayed--;
        }
        return result;
    }

    /** How many blocks of the batch that begins here are there, one after the other. */
    private int wholeBlocks(int position, int batch, int previousCrc) {
        int crc = previousCrc;
        for (int i = 0; i < batch; i++) {
            if (position + i >= states.length || states[position + i] != State.VALID) {
                return i;
            }
            ByteBuffer block = kept(position + i);
            if (LogBlock.previousCrc(block) != crc
                    || LogBlock.batchIndex(block) != i
                    || LogBlock.batchCount(block) != batch) {
                return i;
            }
            crc = Block.bodyCrc(block);
        }
        return batch;
    }

    /** The log seems to end with the batch at {@code start}, whose block at {@code missing} is not there: is that so? */
    private void examineEnd(int start, int missing, List<String> doubts) {
        String where = "log block " + (missing + 1) + " of generation " + generation.number();
        if (missing < states.length && states[missing] == State.UNKNOWN) {
            doubts.add(where + " cannot be read in either copy");
            return;
        }
        if (missing < states.length && states[missing] == State.VALID) {
            doubts.add(where + " does not continue the one before it");
            return;
        }
        for (int later = missing + 1; later < states.length; later++) {
            if (states[later] == State.VALID && later - LogBlock.batchIndex(kept(later)) > start) {
                doubts.add(where + " is damaged in both copies, and later ones are not");
                return;
            }
        }
    }

    /** Blocks up to the end of the log, BEGIN included. */
    int wholeBlocks() {
        return wholeBlocks;
    }

    int blocksReplayed() {
        return blocksReplayed;
    }

    boolean clean() {
        return clean;
    }
}
