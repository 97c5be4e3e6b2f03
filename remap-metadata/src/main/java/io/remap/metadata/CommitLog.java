package io.remap.metadata;

import io.remap.api.DeviceException;
import io.remap.api.Environment;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import io.remap.api.MapChange;
import io.remap.api.spi.Lineage;
import io.remap.api.spi.SpareMember;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The active generation of an open spare: appends changes to its log, and begins a new generation where the log is full or
 * an append is uncertain. One call at a time; nothing here waits for anybody but the device.
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>{@link #tables} is what the spare states for certain: it changes only after the records are durable in both copies.
 *   <li>A block of the log is written once. After an append or a checkpoint that failed, nothing is appended to that
 *       generation any more.
 *   <li>Nothing is written after a flush has failed, or after another server has begun a generation.
 *   <li>The table never has more entries than the next generation has room for.
 * </ul>
 */
final class CommitLog {
    /** The changes are not in force, and will not be found at the next open. The log goes on. */
    static final class NotCommitted extends Exception {
        private static final long serialVersionUID = 1L;

        NotCommitted(String message, Throwable cause) {
            super(message, cause);
        }
    }

    /**
     * What is in force at a moment, for somebody who reads it beside us: it stays where it is as long as the generation is
     * the same.
     *
     * @param header of the generation
     * @param copies of its arena
     * @param logBlocks blocks of the log in force
     */
    record View(ArenaHeader header, List<ArenaCopy> copies, int logBlocks) {}
    /** Where the first changes of a generation stand. */
    private static final int FIRST_POSITION = Checkpoint.BEGIN_POSITION + 1;

    private static final int FILLING_NUMERATOR = 3;
    private static final int FILLING_DENOMINATOR = 4;

    private final BlockIo io;
    private final Superblock superblock;
    private final Layout layout;
    private final Lineage lineage;
    private final Checkpoint checkpoint;
    private final List<ArenaCopy[]> copies;

    // Written by the one caller, read by anybody who wants to know.
    private volatile Tables tables;
    private volatile ArenaHeader header;
    private volatile int nextPosition;
    private final AtomicLong checkpoints = new AtomicLong();
    private int active;
    private int previousCrc;

    /**
     * Goes on from what recovery found; the caller must {@link #begin()} before anything is committed.
     *
     * @param lineage of the generations that are begun here
     */
    CommitLog(BlockIo io, Superblock superblock, TableRecovery.Found found, Lineage lineage, Environment environment) {
        this.io = io;
        this.superblock = superblock;
        this.layout = superblock.layout();
        this.lineage = lineage;
        this.copies = found.copies();
        this.tables = found.tables();
        this.header = found.header();
        this.active = found.arena();
        this.nextPosition = layout.logBlocks();
        this.checkpoint =
                new Checkpoint(io, layout, superblock.pair().pairUuid(), lineage, environment, found.highestNumber());
    }

    Tables tables() {
        return tables;
    }

    long generation() {
        return header.generation().number();
    }

    /** Of the generation in force. */
    Lineage lineage() {
        return header.lineage();
    }

    /** Makes durable what was written to the spare, by anybody. */
    void flush() throws DeviceException {
        io.flush();
    }

    boolean flushFailed() {
        return io.flushFailed();
    }

    int usedBlocks() {
        return nextPosition;
    }

    long checkpoints() {
        return checkpoints.get();
    }

    /** Whether it is time to begin a new generation when there is nothing else to do. */
    boolean isFilling() {
        return nextPosition > FIRST_POSITION
                && (long) nextPosition * FILLING_DENOMINATOR >= (long) layout.logBlocks() * FILLING_NUMERATOR;
    }

    /** The first thing after recovery: what was seen once is durable anew before anybody relies on it. */
    void begin() throws DeviceException {
        checkpoint();
    }

    /** As {@link #begin}, of other tables than were found: those of another spare, with a number above its generation. */
    void begin(Tables stated, long above) throws DeviceException {
        checkpoint.raise(above);
        beginGeneration(stated);
    }

    /**
     * As {@link #begin}, by a repair: whether the store was closed in order stays as it is, wherever that is cut off.
     *
     * @param clean it was
     */
    void beginRepaired(boolean clean) throws DeviceException {
        beginGeneration(tables, clean);
    }

    /** The same table in the other arena too, so that nothing that was damaged is left. */
    void repairAhead(boolean clean) throws DeviceException {
        checkOwner();
        beginGeneration(tables, clean);
    }

    /** The next generation has a higher number than this one, too. */
    void raise(long number) {
        checkpoint.raise(number);
    }

    /** Makes room while nobody waits. */
    void checkpointAhead() throws DeviceException {
        checkOwner();
        checkpoint();
    }

    /** States the present tables in a new generation in the other arena, and goes on there. */
    private void checkpoint() throws DeviceException {
        beginGeneration(tables);
    }

    private void beginGeneration(Tables stated) throws DeviceException {
        beginGeneration(stated, false);
    }

    private void beginGeneration(Tables stated, boolean clean) throws DeviceException {
        int other = 1 - active;
        Checkpoint.Begun begun = checkpoint.write(copies.get(other), stated, clean);
        active = other;
        header = begun.header();
        tables = stated;
        nextPosition = FIRST_POSITION;
        previousCrc = begun.beginCrc();
        checkpoints.incrementAndGet();
    }

    /**
     * Makes changes durable, all or none.
     *
     * @param changed the tables after the changes
     * @throws NotCommitted if they are certainly not in force
     * @throws DeviceException if nothing can be made durable any more, and it is not known what the next open finds
     */
    void commit(List<MapChange> changes, Tables changed) throws NotCommitted, DeviceException {
        int blocks = (changes.size() + LogBlock.MAX_RECORDS - 1) / LogBlock.MAX_RECORDS;
        if (changed.entries() > layout.entryLimit()) {
            throw new NotCommitted(
                    io.name() + " has room for " + layout.entryLimit() + " entries, and the table would have "
                            + changed.entries(),
                    null);
        }
        io.flush();
        checkOwner();
        if (blocks > layout.logBlocks() - FIRST_POSITION) {
            commitByCheckpoint(changed);
            return;
        }
        if (blocks > layout.logBlocks() - nextPosition) {
            checkpoint();
        }
        DeviceException failure = append(changes, blocks);
        if (failure != null) {
            undo(failure);
        }
        tables = changed;
    }

    /**
     * States other spares, in a new generation.
     *
     * @throws NotCommitted if the former ones are certainly in force
     * @throws DeviceException as {@link #commit}
     */
    void changeMembers(List<SpareMember> members) throws NotCommitted, DeviceException {
        io.flush();
        checkOwner();
        commitByCheckpoint(tables.withMembers(members));
    }

    /** More changes than the log holds, or other spares: a new generation states them. */
    private void commitByCheckpoint(Tables changed) throws NotCommitted, DeviceException {
        try {
            beginGeneration(changed);
        } catch (DeviceException e) {
            undo(e);
        }
    }

    /**
     * A record, or a generation, may or may not be found at the next open: a new generation that states the present
     * tables takes it back. Always throws.
     */
    private void undo(DeviceException failure) throws NotCommitted, DeviceException {
        if (io.flushFailed()) {
            throw failure;
        }
        // What was half written must not share a flush with what takes its place.
        io.flush();
        checkpoint();
        throw new NotCommitted(failure.getMessage(), failure);
    }

    /** Writes the blocks of a batch to both copies, and flushes; gives the error if a block could not be written. */
    private DeviceException append(List<MapChange> changes, int blocks) throws DeviceException {
        DeviceException failure = null;
        int firstPosition = nextPosition;
        int crc = previousCrc;
        for (int i = 0; i < blocks && failure == null; i++) {
            ByteBuffer block = io.zeroedBlock(0);
            int from = i * LogBlock.MAX_RECORDS;
            int count = Math.min(LogBlock.MAX_RECORDS, changes.size() - from);
            for (int record = 0; record < count; record++) {
                Entry.encode(block, LogBlock.recordAt(record), changes.get(from + record));
            }
            LogBlock.finish(block, header.generation(), firstPosition + i + 1L, crc, count, i, blocks);
            crc = Block.bodyCrc(block);
            failure = writeCopies(block, firstPosition + i);
        }
        nextPosition = firstPosition + blocks;
        previousCrc = crc;
        if (failure == null) {
            io.flush();
        }
        return failure;
    }

    private DeviceException writeCopies(ByteBuffer block, int position) {
        for (ArenaCopy copy : copies.get(active)) {
            int body = copy.logBody(position);
            long offset = copy.offset(body);
            Block.seal(block, offset);
            try {
                io.write(offset);
            } catch (DeviceException e) {
                if (e.errorClass().mayBeSector()) {
                    copy.replace(body);
                }
                return e;
            }
        }
        return null;
    }

    /** The last block: the store was closed in order. */
    void markClean() throws DeviceException {
        io.flush();
        checkOwner();
        if (nextPosition == layout.logBlocks()) {
            checkpoint();
        }
        ByteBuffer block = io.zeroedBlock(0);
        Entry.encodeMark(block, LogBlock.recordAt(0), Entry.CLEAN, tables.entries());
        LogBlock.finish(block, header.generation(), nextPosition + 1L, previousCrc, 1, 0, 1);
        int position = nextPosition;
        nextPosition = position + 1;
        DeviceException failure = writeCopies(block, position);
        if (failure != null) {
            throw failure;
        }
        io.flush();
    }

    View view() {
        ArenaCopy[] inForce = copies.get(active);
        return new View(header, List.of(inForce[0].snapshot(), inForce[1].snapshot()), nextPosition);
    }

    /** Writes superblocks that are not whole; returns how many are whole then. */
    int repairSuperblocks(Identities identities) throws DeviceException {
        checkOwner();
        return LogMetadataProvider.complete(io, identities);
    }

    /**
     * Reads the headers of both arenas, and refuses to go on if somebody else has written one: a header that is not ours
     * where ours must be, or a newer one in the other arena. One readable copy of each arena is enough, since an owner
     * writes both.
     */
    void checkOwner() throws DeviceException {
        boolean seen = false;
        DeviceException unreadable = null;
        for (ArenaCopy copy : copies.get(active)) {
            long offset = copy.headerOffset(copy.headerPlace());
            try {
                ByteBuffer block = io.read(offset);
                seen |= isOurs(block, ArenaHeader.isWhole(block, offset), offset);
            } catch (DeviceException e) {
                unreadable = sectorsOnly(e);
            }
        }
        for (ArenaCopy copy : copies.get(1 - active)) {
            // The other server may have found that the first place cannot be written.
            for (int place = 0; place < Layout.HEADER_PLACES; place++) {
                long offset = copy.headerOffset(place);
                try {
                    ByteBuffer block = io.read(offset);
                    if (ArenaHeader.isWhole(block, offset) && isForeign(block)) {
                        throw fenced(offset);
                    }
                } catch (DeviceException e) {
                    unreadable = sectorsOnly(e);
                }
            }
        }
        if (!seen) {
            throw unreadable != null ? unreadable : fenced(copies.get(active)[0].headerOffset(0));
        }
    }

    private static DeviceException sectorsOnly(DeviceException error) throws DeviceException {
        if (!error.errorClass().mayBeSector()) {
            throw error;
        }
        return error;
    }

    private boolean isOurs(ByteBuffer block, boolean whole, long offset) throws DeviceException {
        if (!whole) {
            return false;
        }
        if (!Block.claims(block, ArenaHeader.MAGIC, header.generation())
                || !Block.uuid(block, ArenaHeader.SESSION_AT).equals(lineage.session())) {
            throw fenced(offset);
        }
        return true;
    }

    private boolean isForeign(ByteBuffer block) {
        return !Block.uuid(block, Block.UUID_AT).equals(superblock.pair().pairUuid())
                || block.getLong(Block.GENERATION_AT) > header.generation().number();
    }

    private DeviceException fenced(long offset) {
        return new DeviceException(
                io.name(),
                "write",
                offset,
                0,
                Errno.NONE,
                ErrorClass.RESERVED,
                "another server has taken over this spare, or formatted it; stop this one",
                null);
    }
}
