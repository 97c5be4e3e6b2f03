package io.remap.metadata;

import io.remap.api.DeviceException;
import io.remap.api.TimeSource;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;
import java.util.zip.CRC32C;

/**
 * What is kept on the spare beside the mappings and may be lost: named sections of bytes, saved all together. Two places
 * take turns, so that one that is being written when the power goes leaves the one before.
 *
 * <p>A save is written in pieces, so that commits need not wait for all of it. Its header, which comes last, also says how
 * far the log was durable by then: a later opening that finds less knows that something was lost.
 *
 * <p>Invariants: what is written goes to the place that does not hold the newest whole save, as long as that one can be
 * written; nothing of it is written before a flush that comes after the last save. Used by one thread at a time.
 */
final class SavedArea {
    static final long MAGIC = Block.magic("REMAPSAV");
    static final int NUMBER_AT = 48;
    static final int BODY_BYTES_AT = 56;
    static final int BODY_CRC_AT = 60;
    static final int WRITTEN_AT = 64;
    static final int LOG_BLOCKS_AT = 72;

    static final int PLACES = 2;
    /** Most sections of a save, and bytes of the name of one. */
    static final int MAX_SECTIONS = 64;

    static final int MAX_NAME_BYTES = 64;

    /** Bytes that one call of {@link #writeOn} writes at most: the largest granule. */
    private static final int PIECE_BYTES = 64 << 10;

    /**
     * A save that was found.
     *
     * @param number 1, 2, 3 …
     * @param generation the generation that was in force when it was written
     * @param logBlocks blocks of its log that were durable then, BEGIN included
     * @param writtenMillis when, milliseconds since 1970
     * @param sections by name
     */
    record Found(long number, Generation generation, int logBlocks, long writtenMillis, Map<String, byte[]> sections) {}

    private final BlockIo io;
    private final Layout layout;
    private final UUID pairUuid;
    private final TimeSource time;
    private final int pieceBlocks;
    private Found found;
    private long newestNumber;
    private int newestPlace = PLACES - 1;
    /** A place that could not be written since the opening: the other one is written each time. -1: none. */
    private int badPlace = -1;

    // The save under way.
    private ByteBuffer body;
    private int writtenBlocks;
    private boolean flushed;

    private final long areaAt;
    private final long areaBytes;

    private SavedArea(BlockIo io, Layout layout, UUID pairUuid, TimeSource time, boolean further) {
        this.io = io;
        this.areaAt = Layout.SAVED_AT + (further ? MemberStamp.ROOM_BYTES : 0);
        this.areaBytes = Layout.SAVED_BYTES - (areaAt - Layout.SAVED_AT);
        this.layout = layout;
        this.pairUuid = pairUuid;
        this.time = time;
        this.pieceBlocks = PIECE_BYTES / layout.granuleBytes();
    }

    /** Reads what is there. Sectors that cannot be read, or damage, mean that nothing is. */
    static SavedArea read(BlockIo io, Superblock superblock, TimeSource time) throws DeviceException {
        Layout layout = superblock.layout();
        SavedArea area = new SavedArea(
                new BlockIo(io.device(), layout.granuleBytes(), PIECE_BYTES / layout.granuleBytes()),
                layout,
                superblock.pair().pairUuid(),
                time,
                superblock.member() != 0);
        for (int place = 0; place < PLACES; place++) {
            try {
                Found here = area.readPlace(place);
                if (here != null && here.number > area.newestNumber) {
                    area.found = here;
                    area.newestNumber = here.number;
                    area.newestPlace = place;
                }
            } catch (DeviceException e) {
                if (!e.errorClass().mayBeSector()) {
                    throw e;
                }
            }
        }
        return area;
    }

    /** The newest whole save, or {@code null}; for somebody who only looks. */
    static Found find(BlockIo io, Superblock superblock) throws DeviceException {
        return read(io, superblock, null).found;
    }

    /** The newest whole save that was read, or {@code null}. */
    Found found() {
        return found;
    }

    private long placeBytes() {
        return areaBytes / PLACES / layout.granuleBytes() * layout.granuleBytes();
    }

    private long offset(int place, int block) {
        return areaAt + place * placeBytes() + (long) block * layout.granuleBytes();
    }

    /** Most bytes of all sections together, their names included. */
    int capacityBytes() {
        return Math.toIntExact(placeBytes() - layout.granuleBytes());
    }

    /** Whether the block is the first one of a save, of any pair. */
    static boolean isHeader(ByteBuffer block, long offsetBytes) {
        return block.getLong(Block.MAGIC_AT) == MAGIC && Block.isSealed(block, offsetBytes);
    }

    private Found readPlace(int place) throws DeviceException {
        ByteBuffer read = io.read(offset(place, 0));
        if (!isHeader(read, offset(place, 0))
                || !Block.uuid(read, Block.UUID_AT).equals(pairUuid)) {
            return null;
        }
        ByteBuffer header = Block.withoutCrc(read);
        int bodyBytes = header.getInt(BODY_BYTES_AT);
        if (bodyBytes < 0 || bodyBytes > capacityBytes()) {
            return null;
        }
        ByteBuffer body = readBody(place, bodyBytes);
        CRC32C crc = new CRC32C();
        crc.update(body.duplicate());
        Map<String, byte[]> sections = (int) crc.getValue() == header.getInt(BODY_CRC_AT) ? decode(body) : null;
        return sections == null
                ? null
                : new Found(
                        header.getLong(NUMBER_AT),
                        new Generation(pairUuid, header.getLong(Block.GENERATION_AT), header.getLong(Block.NONCE_AT)),
                        header.getInt(LOG_BLOCKS_AT),
                        header.getLong(WRITTEN_AT),
                        sections);
    }

    private ByteBuffer readBody(int place, int bodyBytes) throws DeviceException {
        ByteBuffer all = ByteBuffer.allocate(bodyBytes).order(ByteOrder.LITTLE_ENDIAN);
        for (int block = 1; all.hasRemaining(); block += pieceBlocks) {
            int count = Math.min(pieceBlocks, blocksFor(all.remaining()));
            io.read(offset(place, block), 0, count);
            all.put(io.bytes(Math.min(all.remaining(), count * layout.granuleBytes())));
        }
        return all.flip();
    }

    private int blocksFor(int bytes) {
        return (bytes + layout.granuleBytes() - 1) / layout.granuleBytes();
    }

    private static Map<String, byte[]> decode(ByteBuffer body) {
        Map<String, byte[]> sections = new LinkedHashMap<>();
        while (body.hasRemaining()) {
            if (body.remaining() < Long.BYTES) {
                return null;
            }
            int nameBytes = body.getInt();
            int bytes = body.getInt();
            if (nameBytes < 1 || nameBytes > MAX_NAME_BYTES || bytes < 0 || bytes > body.remaining() - nameBytes) {
                return null;
            }
            byte[] name = new byte[nameBytes];
            byte[] content = new byte[bytes];
            body.get(name).get(content);
            sections.put(new String(name, StandardCharsets.UTF_8), content);
        }
        return sections;
    }

    /** Bytes of all sections as one, or {@code null} if they do not fit. */
    static ByteBuffer encode(Map<String, byte[]> sections, int capacityBytes) {
        long bytes = 0;
        for (Map.Entry<String, byte[]> section : sections.entrySet()) {
            int nameBytes = section.getKey().getBytes(StandardCharsets.UTF_8).length;
            if (nameBytes < 1 || nameBytes > MAX_NAME_BYTES) {
                throw new IllegalArgumentException("the name of a section: '" + section.getKey() + "'");
            }
            bytes += Long.BYTES + nameBytes + section.getValue().length;
        }
        if (bytes > capacityBytes || sections.size() > MAX_SECTIONS) {
            return null;
        }
        ByteBuffer body = ByteBuffer.allocate((int) bytes).order(ByteOrder.LITTLE_ENDIAN);
        sections.forEach((name, content) -> {
            byte[] nameBytes = name.getBytes(StandardCharsets.UTF_8);
            body.putInt(nameBytes.length).putInt(content.length).put(nameBytes).put(content);
        });
        return body.flip();
    }

    /** The one that does not hold the newest save, unless it cannot be written: one save that may be torn is more than none ever. */
    private int nextPlace() {
        int other = 1 - newestPlace;
        return other == badPlace ? newestPlace : other;
    }

    /** Begins a save in the other place; one that was not finished is given up. */
    void begin(ByteBuffer encoded) {
        body = encoded;
        writtenBlocks = 0;
        flushed = false;
    }

    /**
     * Writes the next piece.
     *
     * @param log whose flush makes durable all that was written before, and whose end the header names
     * @return whether the save is complete
     */
    boolean writeOn(CommitLog log) throws DeviceException {
        if (!flushed) {
            log.flush();
            // Also how a server that has nothing to commit finds out that another one has taken over.
            log.checkOwner();
            flushed = true;
        }
        int place = nextPlace();
        try {
            return writeOn(place, log);
        } catch (DeviceException e) {
            if (badPlace >= 0 || !e.errorClass().mayBeSector()) {
                throw e;
            }
            badPlace = place;
            writtenBlocks = 0;
            return false;
        }
    }

    private boolean writeOn(int place, CommitLog log) throws DeviceException {
        int blocks = blocksFor(body.limit());
        if (writtenBlocks < blocks) {
            int count = Math.min(pieceBlocks, blocks - writtenBlocks);
            int from = writtenBlocks * layout.granuleBytes();
            int bytes = Math.min(body.limit() - from, count * layout.granuleBytes());
            for (int i = 0; i < count; i++) {
                io.zeroedBlock(i);
            }
            io.bytes(bytes).put(body.slice(from, bytes));
            io.write(offset(place, 1 + writtenBlocks), 0, count);
            writtenBlocks += count;
            return false;
        }
        writeHeader(place, log.view());
        newestNumber++;
        newestPlace = place;
        body = null;
        return true;
    }

    private void writeHeader(int place, CommitLog.View durable) throws DeviceException {
        CRC32C crc = new CRC32C();
        crc.update(body.duplicate());
        ByteBuffer header = io.zeroedBlock(0);
        Block.putClaim(header, MAGIC, durable.header().generation());
        header.putLong(NUMBER_AT, newestNumber + 1);
        header.putInt(BODY_BYTES_AT, body.limit());
        header.putInt(BODY_CRC_AT, (int) crc.getValue());
        header.putLong(WRITTEN_AT, time.wallMillis());
        header.putInt(LOG_BLOCKS_AT, durable.logBlocks());
        Block.seal(header, offset(place, 0));
        io.write(offset(place, 0));
    }
}
