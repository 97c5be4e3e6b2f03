package io.remap.metadata;

import io.remap.api.DeviceException;
import io.remap.api.spi.MetadataReport.Part;
import io.remap.api.spi.MetadataReport.State;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * Reads one copy of the generation in force, step by step: header, table, log. It judges this copy alone; what the two
 * say together is for {@link TableRecovery}. Not thread-safe.
 */
final class CopyCheck {
    private final BlockIo io;
    private final Layout layout;
    private final ArenaCopy copy;
    private final ArenaHeader header;
    private final int logBlocks;
    private final boolean replacedKnown;

    private final Blocks table = new Blocks();
    private final Blocks log = new Blocks();
    private final CRC32C tableCrc = new CRC32C();
    private Part headerPart;

    /** The blocks of a table or a log. */
    private static final class Blocks {
        private int read;
        private int damaged;
        private int unreadable;
        private long firstBadOffset = -1;

        private void add(State state, long offset) {
            read++;
            damaged += state == State.DAMAGED ? 1 : 0;
            unreadable += state == State.UNREADABLE ? 1 : 0;
            if (state != State.VALID && firstBadOffset < 0) {
                firstBadOffset = offset;
            }
        }
    }

    /**
     * A copy to be read.
     *
     * @param header of the generation in force, as it is known
     * @param logBlocks blocks of the log in force
     * @param replacedKnown where the blocks of the copy lie is known, whatever its header says now
     */
    CopyCheck(BlockIo io, Layout layout, ArenaCopy copy, ArenaHeader header, int logBlocks, boolean replacedKnown) {
        this.io = io;
        this.layout = layout;
        this.copy = copy;
        this.header = header;
        this.logBlocks = logBlocks;
        this.replacedKnown = replacedKnown;
    }

    /** Reads the next few blocks; {@code false} if there are none left. */
    boolean step() throws DeviceException {
        if (headerPart == null) {
            headerPart = readHeader();
            return true;
        }
        if (headerPart.isBad() && !replacedKnown) {
            return false;
        }
        if (table.read < header.tableBlocks()) {
            int count = Math.min(BlockIo.CHUNK_BLOCKS, header.tableBlocks() - table.read);
            readBlocks(table, table.read, count);
            return true;
        }
        if (log.read < logBlocks) {
            int count = Math.min(BlockIo.CHUNK_BLOCKS, logBlocks - log.read);
            readBlocks(log, copy.logBody(log.read), count);
            return true;
        }
        return false;
    }

    private Part readHeader() throws DeviceException {
        long offset = copy.headerOffset(copy.headerPlace());
        String name = copy + " header";
        long number = header.generation().number();
        try {
            ArenaHeader found =
                    ArenaHeader.decode(io.read(offset), header.generation().pairUuid(), layout, offset);
            if (found != null
                    && found.generation().equals(header.generation())
                    && found.tableCrc() == header.tableCrc()) {
                return new Part(name, offset, number, State.VALID, true, "");
            }
            String detail = found == null
                    ? "no whole header of generation " + number
                    : "it is of generation " + found.generation().number() + ", not of " + number;
            return new Part(name, offset, number, State.DAMAGED, true, detail);
        } catch (Damage e) {
            return new Part(name, offset, number, State.DAMAGED, true, e.getMessage());
        } catch (DeviceException e) {
            refuseDeviceError(e);
            return new Part(name, offset, number, State.UNREADABLE, true, e.getMessage());
        }
    }

    /** Sectors that cannot be read are a result; a device that fails as a whole is an error. */
    static void refuseDeviceError(DeviceException e) throws DeviceException {
        if (!e.errorClass().mayBeSector()) {
            throw e;
        }
    }

    private void readBlocks(Blocks blocks, int firstBody, int count) throws DeviceException {
        boolean whole = copy.isContiguous(firstBody, count) && tryRead(firstBody, 0, count);
        for (int i = 0; i < count; i++) {
            long offset = copy.offset(firstBody + i);
            State state = State.UNREADABLE;
            if (whole || tryRead(firstBody + i, i, 1)) {
                ByteBuffer block = io.block(i);
                state = isValid(blocks, block, firstBody + i, offset) ? State.VALID : State.DAMAGED;
                if (blocks == table && state == State.VALID) {
                    tableCrc.update(TableBlock.entries(block));
                }
            }
            blocks.add(state, offset);
        }
    }

    private boolean isValid(Blocks blocks, ByteBuffer block, int body, long offset) {
        return blocks == table
                ? TableBlock.isValid(block, header.generation(), body, offset)
                : LogBlock.isValid(block, header.generation(), body - layout.tableBlocks() + 1L, offset);
    }

    private boolean tryRead(int firstBody, int toIndex, int count) throws DeviceException {
        try {
            io.read(copy.offset(firstBody), toIndex, count);
            return true;
        } catch (DeviceException e) {
            refuseDeviceError(e);
            return false;
        }
    }

    /** What was found, when there are no steps left. */
    List<Part> parts() {
        List<Part> parts = new ArrayList<>();
        parts.add(headerPart);
        if (header.tableBlocks() > 0) {
            Part part = part("table", table, header.tableBlocks(), 0);
            boolean other = part.state() == State.VALID && (int) tableCrc.getValue() != header.tableCrc();
            parts.add(other ? withState(part, State.DAMAGED, "it is not the one that the header names") : part);
        }
        if (logBlocks > 0) {
            parts.add(part("log", log, logBlocks, copy.logBody(0)));
        }
        return parts;
    }

    private Part part(String what, Blocks blocks, int count, int firstBody) {
        State state = State.VALID;
        String detail = count + (count == 1 ? " block" : " blocks");
        if (blocks.read < count) {
            state = State.UNKNOWN;
            detail = "not read, as its header is damaged";
        } else if (blocks.firstBadOffset >= 0) {
            state = blocks.unreadable > 0 ? State.UNREADABLE : State.DAMAGED;
            detail = blocks.damaged + " of " + detail + " damaged, " + blocks.unreadable
                    + " unreadable, the first at byte " + blocks.firstBadOffset;
        }
        return new Part(
                copy + " " + what, copy.offset(firstBody), header.generation().number(), state, true, detail);
    }

    private static Part withState(Part part, State state, String detail) {
        return new Part(part.name(), part.offsetBytes(), part.generation(), state, part.inForce(), detail);
    }

    /** Whether the copy is whole. */
    static boolean allValid(List<Part> parts) {
        return parts.stream().noneMatch(Part::isBad);
    }
}
