package io.remap.core;

import io.remap.api.Place;
import io.remap.core.disk.RecentWrites;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What main held at a clean stop, by samples: kept in the section {@value #SECTION} of what is saved on the spare. Little-endian:
 *
 * <pre>
 *  0  4  1, the version             32  8  mtime of main in nanoseconds, or the smallest number
 *  4  4  flags: 1 main was found    40  8  seed by which the random blocks were drawn
 *        changed, and nobody has    48  4  number of blocks
 *        accepted that              52  4  sector of the virtual disk in bytes
 *  8  8  id of the stop, or 0       56  …  blocks of 16 bytes: unit (8), digest (4), mask of the
 * 16  8  generation in force               sectors that it is over (1), kind (1), zeros (2)
 * 24  8  size of main in bytes
 * </pre>
 *
 * @param stopId id of the stop; 0 while the pair is open: then there are no blocks
 * @param generation in force then: of a later one this fingerprint says nothing
 * @param mainBytes size of main
 * @param modifiedNanos mtime of main, where it is a file
 * @param seed by which the random blocks were drawn
 * @param changed main was found changed without us, and nobody has accepted that so far
 * @param sectorBytes of the virtual disk
 * @param blocks the samples, in the order of their worth
 */
record Fingerprint(
        long stopId,
        long generation,
        long mainBytes,
        OptionalLong modifiedNanos,
        long seed,
        boolean changed,
        int sectorBytes,
        List<Block> blocks) {
    static final String SECTION = "main";

    /** First and last bytes of main that are part of it. */
    static final long EDGE_BYTES = RecentWrites.EDGE_UNITS << Place.UNIT_SHIFT;

    /** Those of them that are compared before a disk is opened: where file systems have what every mount changes. */
    static final long NEAR_EDGE_BYTES = 128 << 10;

    static final int RANDOM_BLOCKS = 1024;

    private static final int VERSION = 1;
    private static final int CHANGED = 1;
    private static final int HEADER_BYTES = 56;
    private static final int BLOCK_BYTES = 16;
    private static final int MAX_BLOCKS = 1 << 14;

    /** Why a block is part of it. */
    enum Kind {
        /** In the first or last 128 KiB. */
        NEAR_EDGE(0),
        /** One of those written last, the newest first. */
        RECENT(1),
        /** In the first or last MiB. */
        EDGE(2),
        RANDOM(3);

        private final int code;

        Kind(int code) {
            this.code = code;
        }

        private static Optional<Kind> of(int code) {
            return Arrays.stream(values()).filter(kind -> kind.code == code).findFirst();
        }
    }

    /**
     * A unit of main.
     *
     * @param unit which
     * @param mask the sectors that stood on main and could be read
     * @param digest of these sectors, one after the other: the first 4 bytes of SHA-256. Not CRC32C: file systems end their
     *     own blocks with that of the rest, and then it is the same whatever stands there
     */
    record Block(Kind kind, long unit, int mask, int digest) {
        long offsetBytes() {
            return unit << Place.UNIT_SHIFT;
        }
    }

    Fingerprint {
        blocks = List.copyOf(blocks);
    }

    /** The units that were written last, the newest first. */
    List<Long> recentUnits() {
        return blocks.stream()
                .filter(block -> block.kind == Kind.RECENT)
                .map(Block::unit)
                .toList();
    }

    byte[] encode() {
        ByteBuffer bytes =
                ByteBuffer.allocate(HEADER_BYTES + blocks.size() * BLOCK_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putInt(VERSION).putInt(changed ? CHANGED : 0).putLong(stopId).putLong(generation);
        bytes.putLong(mainBytes).putLong(modifiedNanos.orElse(Long.MIN_VALUE)).putLong(seed);
        bytes.putInt(blocks.size()).putInt(sectorBytes);
        for (Block block : blocks) {
            bytes.putLong(block.unit).putInt(block.digest);
            bytes.put((byte) block.mask).put((byte) block.kind.code).putShort((short) 0);
        }
        return bytes.array();
    }

    /** The one among sections; empty if there is none, or one that this program does not understand. */
    static Optional<Fingerprint> find(Map<String, byte[]> sections) {
        byte[] section = sections.get(SECTION);
        if (section == null) {
            return Optional.empty();
        }
        ByteBuffer bytes = ByteBuffer.wrap(section).order(ByteOrder.LITTLE_ENDIAN);
        try {
            int version = bytes.getInt();
            boolean changed = (bytes.getInt() & CHANGED) != 0;
            long stopId = bytes.getLong();
            long generation = bytes.getLong();
            long mainBytes = bytes.getLong();
            long modified = bytes.getLong();
            long seed = bytes.getLong();
            int count = bytes.getInt();
            int sectorBytes = bytes.getInt();
            if (version != VERSION || count < 0 || count > MAX_BLOCKS) {
                return Optional.empty();
            }
            List<Block> blocks = new ArrayList<>(count);
            for (int i = 0; i < count; i++) {
                long unit = bytes.getLong();
                int digest = bytes.getInt();
                int mask = Byte.toUnsignedInt(bytes.get());
                Optional<Kind> kind = Kind.of(Byte.toUnsignedInt(bytes.get()));
                bytes.getShort();
                if (unit < 0 || unit >= (mainBytes + Place.UNIT_BYTES - 1) >> Place.UNIT_SHIFT || kind.isEmpty()) {
                    return Optional.empty();
                }
                blocks.add(new Block(kind.get(), unit, mask, digest));
            }
            OptionalLong nanos = modified == Long.MIN_VALUE ? OptionalLong.empty() : OptionalLong.of(modified);
            return Optional.of(
                    new Fingerprint(stopId, generation, mainBytes, nanos, seed, changed, sectorBytes, blocks));
        } catch (BufferUnderflowException e) {
            return Optional.empty();
        }
    }
}
