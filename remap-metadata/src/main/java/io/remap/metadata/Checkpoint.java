package io.remap.metadata;

import io.remap.api.DeviceException;
import io.remap.api.Environment;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.spi.Lineage;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.UUID;
import java.util.zip.CRC32C;

/**
 * Writes a new generation: table and header, into an arena that holds nothing valid that is needed, and whose log can be
 * read, both copies, flush, read back and compare; then BEGIN as the first block of its log, in the same way. Blocks that
 * cannot be written, or do not read back, are replaced from the reserve.
 *
 * <p>BEGIN says for good that this generation was in force. Should its headers ever be damaged in both copies, the one
 * before is not taken for the newest. So it is written only when table and header are durable; and in an attempt that
 * fails after that, in whatever way, it is taken back before the next one writes over that header. Where it cannot be taken
 * back there is no next one.
 *
 * <p>Invariants: nothing is written twice without a flush between; every attempt has a number and a nonce of its own; when
 * {@link #write} returns, both copies were read back as they were written.
 */
final class Checkpoint {
    /** Each attempt replaces all blocks that the one before found bad. */
    static final int MAX_ATTEMPTS = 6;

    /** Of BEGIN in the log. */
    static final int BEGIN_POSITION = 0;

    /**
     * A generation that is in force.
     *
     * @param header as it stands in copy 0 (that of copy 1 differs in its replaced blocks alone)
     * @param beginCrc the body CRC of BEGIN, which the next block of the log names
     */
    record Begun(ArenaHeader header, int beginCrc) {}

    private final BlockIo io;
    private final Layout layout;
    private final UUID pairUuid;
    private final Lineage lineage;
    private final Environment environment;
    private final LogPlaces logPlaces;
    private long lastNumber;
    /** Why a BEGIN may stand whose generation must not be written over; {@code null} if none does. */
    private DeviceException begunForGood;

    /**
     * @param lineage of the generations that this writes
     * @param lastNumber the highest number that may have been used before
     */
    Checkpoint(BlockIo io, Layout layout, UUID pairUuid, Lineage lineage, Environment environment, long lastNumber) {
        this.io = io;
        this.layout = layout;
        this.pairUuid = pairUuid;
        this.lineage = lineage;
        this.environment = environment;
        this.logPlaces = new LogPlaces(io, layout);
        this.lastNumber = lastNumber;
    }

    /** The next number is higher than this one, too. */
    void raise(long number) {
        lastNumber = Math.max(lastNumber, number);
    }

    /** Entries one after the other; a fresh one for each pass. */
    private static final class EntryStream {
        private final RemapTable.Cursor cursor = new RemapTable.Cursor();
        private final Tables tables;
        private MapChange.Kind part = MapChange.Kind.SET;
        private boolean more;

        EntryStream(Tables tables) {
            this.tables = tables;
            more = cursor.seek(tables.map(), 0);
            settle();
        }

        private void settle() {
            if (!more && part == MapChange.Kind.SET) {
                part = MapChange.Kind.BAD_SLOT;
                more = cursor.seek(tables.bad(), 0);
            }
            if (!more && part == MapChange.Kind.BAD_SLOT) {
                part = MapChange.Kind.SEAL;
                more = cursor.seek(tables.seals(), 0);
            }
        }

        /** Fills a block with the next entries; returns how many. */
        int fill(ByteBuffer block) {
            int count = 0;
            while (more && count < TableBlock.MAX_ENTRIES) {
                int at = TableBlock.ENTRIES_AT + count * Entry.BYTES;
                long first = cursor.firstUnit();
                switch (part) {
                    case SET -> Entry.encodeSet(block, at, first, cursor.lengthUnits(), cursor.place());
                    case BAD_SLOT ->
                        Entry.encodeBadSlots(
                                block, at, Place.spareOfId(first), Place.slotOfId(first), cursor.lengthUnits());
                    default -> Entry.encodeSeal(block, at, Tables.regionOf(first), cursor.place());
                }
                count++;
                more = cursor.next();
                settle();
            }
            return count;
        }
    }

    /**
     * Makes the tables durable in both copies of an arena.
     *
     * @throws IllegalArgumentException before anything is written, if the tables do not fit: behind an arena are others, and
     *     slots
     * @throws DeviceException if that cannot be done; the arena may then hold the generation, or not
     */
    Begun write(ArenaCopy[] arena, Tables tables) throws DeviceException {
        return write(arena, tables, false);
    }

    /**
     * As the other.
     *
     * @param clean the first block says beside BEGIN that the store was closed in order: of a repair, after which that is so
     *     as before, from the moment on in which the generation is in force
     */
    Begun write(ArenaCopy[] arena, Tables tables, boolean clean) throws DeviceException {
        if (tables.entries() > layout.entryLimit()) {
            throw new IllegalArgumentException(
                    tables.entries() + " entries, and room for " + layout.entryLimit() + " on " + io.name());
        }
        if (begunForGood != null) {
            throw begunForGood;
        }
        int tableBlocks = (int) ((tables.entries() + TableBlock.MAX_ENTRIES - 1) / TableBlock.MAX_ENTRIES);
        for (int attempt = 1; ; attempt++) {
            lastNumber++;
            Generation generation =
                    new Generation(pairUuid, lastNumber, environment.random().nextLong());
            logPlaces.makeReadable(arena);
            int crc = writeTable(arena, generation, tables, tableBlocks);
            ArenaHeader header = null;
            for (ArenaCopy copy : arena) {
                ArenaHeader written = new ArenaHeader(
                        generation,
                        lineage,
                        environment.host(),
                        tableBlocks,
                        tables.entries(),
                        crc,
                        environment.time().wallMillis(),
                        copy.firstPlaceAbandoned(),
                        copy.replaced(),
                        tables.members());
                writeHeader(copy, written);
                header = header == null ? written : header;
            }
            io.flush();
            DeviceException bad = verify(arena, header);
            int beginCrc = 0;
            if (bad == null) {
                beginCrc = prepareBegin(header, clean);
                bad = begin(arena, generation);
            }
            if (bad == null) {
                return new Begun(header, beginCrc);
            }
            if (attempt == MAX_ATTEMPTS) {
                throw bad;
            }
        }
    }

    /** Whether a table that was written is this one, as far as its header tells. */
    static boolean isOf(Tables tables, ArenaHeader header) {
        EntryStream entries = new EntryStream(tables);
        ByteBuffer block = ByteBuffer.allocate(Block.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        CRC32C crc = new CRC32C();
        for (int index = 0; index < header.tableBlocks(); index++) {
            block.put(0, new byte[Block.BYTES]);
            TableBlock.finish(block, header.generation(), index, entries.fill(block));
            crc.update(TableBlock.entries(block));
        }
        return tables.entries() == header.entries()
                && (int) crc.getValue() == header.tableCrc()
                && tables.members().equals(header.members());
    }

    /** Puts BEGIN into the buffer, all but what depends on the copy; gives its body CRC. */
    private int prepareBegin(ArenaHeader header, boolean clean) {
        ByteBuffer block = io.zeroedBlock(0);
        Entry.encodeMark(block, LogBlock.recordAt(0), Entry.BEGIN, header.entries());
        if (clean) {
            Entry.encodeMark(block, LogBlock.recordAt(1), Entry.CLEAN, header.entries());
        }
        LogBlock.finish(block, header.generation(), BEGIN_POSITION + 1L, 0, clean ? 2 : 1, 0, 1);
        return Block.bodyCrc(block);
    }

    /**
     * Writes BEGIN to both copies, flushes, reads it back; what is bad is replaced, and the error given. Whatever the error,
     * it is taken back then.
     */
    private DeviceException begin(ArenaCopy[] arena, Generation generation) throws DeviceException {
        long[] written = new long[arena.length];
        DeviceException bad;
        try {
            bad = writeBegin(arena, generation, written);
        } catch (DeviceException e) {
            retract(written, generation, e);
            throw e;
        }
        if (bad != null) {
            retract(written, generation, bad);
        }
        return bad;
    }

    /** @param written gets the places where it may stand */
    private DeviceException writeBegin(ArenaCopy[] arena, Generation generation, long[] written)
            throws DeviceException {
        DeviceException bad = null;
        for (int i = 0; i < arena.length && bad == null; i++) {
            written[i] = arena[i].offset(arena[i].logBody(BEGIN_POSITION));
            Block.seal(io.block(0), written[i]);
            try {
                io.write(written[i]);
            } catch (DeviceException e) {
                replace(arena[i], arena[i].logBody(BEGIN_POSITION), e);
                bad = e;
            }
        }
        if (bad == null) {
            io.flush();
            for (ArenaCopy copy : arena) {
                DeviceException inCopy = verifyBegin(copy, generation);
                bad = bad == null ? inCopy : bad;
            }
        }
        return bad;
    }

    private DeviceException verifyBegin(ArenaCopy copy, Generation generation) throws DeviceException {
        int body = copy.logBody(BEGIN_POSITION);
        long offset = copy.offset(body);
        try {
            if (LogBlock.isValid(io.read(offset), generation, BEGIN_POSITION + 1L, offset)) {
                return null;
            }
            throw notAsWritten(offset);
        } catch (DeviceException e) {
            replace(copy, body, e);
            return e;
        }
    }

    /** Takes BEGIN back, where it may stand; throws, and remembers it, if it may stand there still. */
    private void retract(long[] offsets, Generation generation, DeviceException cause) throws DeviceException {
        try {
            retract(offsets, generation);
        } catch (DeviceException e) {
            begunForGood = cause;
            // After a flush that failed each one fails with the same error.
            if (e != cause) {
                cause.addSuppressed(e);
            }
            throw cause;
        }
    }

    private void retract(long[] offsets, Generation generation) throws DeviceException {
        io.flush();
        for (long offset : offsets) {
            if (offset == 0) {
                continue;
            }
            try {
                io.zeroedBlock(0);
                io.write(offset);
            } catch (DeviceException e) {
                if (!e.errorClass().mayBeSector() || isBegin(offset, generation)) {
                    throw e;
                }
            }
        }
        io.flush();
    }

    /** Whether it stands at a place that takes no zeros; one that cannot be read gives nothing back. */
    private boolean isBegin(long offset, Generation generation) throws DeviceException {
        try {
            return LogBlock.isValid(io.read(offset), generation, BEGIN_POSITION + 1L, offset);
        } catch (DeviceException e) {
            if (!e.errorClass().mayBeSector()) {
                throw e;
            }
            return false;
        }
    }

    private int writeTable(ArenaCopy[] arena, Generation generation, Tables tables, int tableBlocks)
            throws DeviceException {
        EntryStream entries = new EntryStream(tables);
        CRC32C crc = new CRC32C();
        for (int first = 0; first < tableBlocks; first += BlockIo.CHUNK_BLOCKS) {
            int count = Math.min(BlockIo.CHUNK_BLOCKS, tableBlocks - first);
            for (int i = 0; i < count; i++) {
                ByteBuffer block = io.zeroedBlock(i);
                TableBlock.finish(block, generation, first + i, entries.fill(block));
                crc.update(TableBlock.entries(block));
            }
            for (ArenaCopy copy : arena) {
                for (int i = 0; i < count; i++) {
                    Block.seal(io.block(i), copy.offset(first + i));
                }
                writeChunk(copy, first, count);
            }
        }
        return (int) crc.getValue();
    }

    private void writeChunk(ArenaCopy copy, int first, int count) throws DeviceException {
        if (copy.isContiguous(first, count)) {
            try {
                io.write(copy.offset(first), 0, count);
                return;
            } catch (DeviceException e) {
                if (!e.errorClass().mayBeSector()) {
                    throw e;
                }
                // Some of the blocks are bad. What was written of the chunk is written again with the same bytes.
            }
        }
        for (int i = 0; i < count; i++) {
            while (true) {
                try {
                    io.write(copy.offset(first + i), i, 1);
                    break;
                } catch (DeviceException e) {
                    replace(copy, first + i, e);
                    Block.seal(io.block(i), copy.offset(first + i));
                }
            }
        }
    }

    private static void replace(ArenaCopy copy, int body, DeviceException error) throws DeviceException {
        if (!error.errorClass().mayBeSector() || !copy.replace(body)) {
            throw error;
        }
    }

    private void writeHeader(ArenaCopy copy, ArenaHeader header) throws DeviceException {
        try {
            writeHeader(copy, header, copy.headerPlace());
        } catch (DeviceException e) {
            if (!e.errorClass().mayBeSector() || !copy.abandonFirstPlace()) {
                throw e;
            }
            writeHeader(
                    copy,
                    new ArenaHeader(
                            header.generation(),
                            header.lineage(),
                            header.host(),
                            header.tableBlocks(),
                            header.entries(),
                            header.tableCrc(),
                            header.writtenMillis(),
                            true,
                            header.replaced(),
                            header.members()),
                    copy.headerPlace());
        }
    }

    private void writeHeader(ArenaCopy copy, ArenaHeader header, int place) throws DeviceException {
        long offset = copy.headerOffset(place);
        header.encode(io.zeroedBlock(0), copy.arena, copy.copy, place, offset);
        io.write(offset);
    }

    /** Reads both copies back; replaces what is bad, and gives the error then. */
    private DeviceException verify(ArenaCopy[] arena, ArenaHeader header) throws DeviceException {
        DeviceException bad = null;
        for (ArenaCopy copy : arena) {
            for (int first = 0; first < header.tableBlocks(); first += BlockIo.CHUNK_BLOCKS) {
                int count = Math.min(BlockIo.CHUNK_BLOCKS, header.tableBlocks() - first);
                DeviceException inChunk = verifyChunk(copy, header.generation(), first, count);
                bad = bad == null ? inChunk : bad;
            }
            DeviceException inHeader = verifyHeader(copy, header);
            bad = bad == null ? inHeader : bad;
        }
        return bad;
    }

    private DeviceException verifyChunk(ArenaCopy copy, Generation generation, int first, int count)
            throws DeviceException {
        DeviceException bad = null;
        boolean whole = false;
        if (copy.isContiguous(first, count)) {
            try {
                io.read(copy.offset(first), 0, count);
                whole = true;
            } catch (DeviceException e) {
                if (!e.errorClass().mayBeSector()) {
                    throw e;
                }
            }
        }
        for (int i = 0; i < count; i++) {
            long offset = copy.offset(first + i);
            try {
                if (!whole) {
                    io.read(offset, i, 1);
                }
                if (!TableBlock.isValid(io.block(i), generation, first + i, offset)) {
                    throw notAsWritten(offset);
                }
            } catch (DeviceException e) {
                replace(copy, first + i, e);
                bad = e;
            }
        }
        return bad;
    }

    private DeviceException verifyHeader(ArenaCopy copy, ArenaHeader header) throws DeviceException {
        long offset = copy.headerOffset(copy.headerPlace());
        try {
            ArenaHeader read = ArenaHeader.decode(io.read(offset), pairUuid, layout, offset);
            if (read != null
                    && read.generation().equals(header.generation())
                    && read.tableCrc() == header.tableCrc()
                    && read.lineage().equals(lineage)) {
                return null;
            }
            throw notAsWritten(offset);
        } catch (Damage e) {
            throw new IllegalStateException("a header that we wrote: " + e.getMessage(), e);
        } catch (DeviceException e) {
            if (!e.errorClass().mayBeSector() || !copy.abandonFirstPlace()) {
                throw e;
            }
            return e;
        }
    }

    private DeviceException notAsWritten(long offset) {
        return new DeviceException(
                io.name(),
                "read",
                offset,
                Block.BYTES,
                Errno.NONE,
                ErrorClass.SECTOR,
                "the block does not read back as it was written",
                null);
    }
}
