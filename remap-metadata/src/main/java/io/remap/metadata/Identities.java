package io.remap.metadata;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceTraits;
import io.remap.api.spi.PairIdentity;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/**
 * The four superblocks of a device, as they were read. Two whole ones that agree make a spare; one is enough for reading
 * only; markers say that a format was interrupted. Of two epochs that follow each other the newer one holds: an upgrade
 * was interrupted.
 */
final class Identities {
    static final int COUNT = 4;
    /** The first ones stand where they are whatever size the device has. */
    private static final int FIXED_PLACES = 2;
    /** Fewer whole superblocks do not prove that a format came to its end. */
    static final int QUORUM = 2;

    /** What stands at one of the four places. */
    enum State {
        WHOLE,
        /** The marker of a format under way. */
        MARKER,
        /** A superblock of ours that is not whole. */
        BROKEN,
        ZERO,
        OTHER,
        UNREADABLE
    }

    /**
     * One place.
     *
     * @param offsetBytes where
     * @param state what stands there
     * @param superblock if whole, {@code null} otherwise
     * @param body if whole, the block as it stands there without its CRC, which depends on the place: a newer program may
     *     have written more than this one knows
     * @param error if unreadable
     */
    record Found(long offsetBytes, State state, Superblock superblock, ByteBuffer body, DeviceException error) {}

    private final List<Found> found;

    private Identities(List<Found> found) {
        this.found = found;
    }

    /** Smallest transfer that all devices take and that holds a block. */
    static int readGranule(BlockDevice device) {
        DeviceTraits traits = device.traits();
        return Math.max(Block.BYTES, Math.max(traits.alignmentBytes(), traits.logicalSectorBytes()));
    }

    /** Reads all four. Unreadable sectors are part of the result; a device that fails as a whole is an error. */
    static Identities read(BlockDevice device) throws Damage, DeviceException {
        long size = device.traits().sizeBytes();
        Identities here = readAt(device, size);
        Superblock first = here.fixed();
        if (first == null || first.layout() == null || first.layout().sizeBytes() == Layout.alignDown(size)) {
            return here;
        }
        // The device has another size than when it was formatted; the last two places are where they were then.
        first.layout().check(size);
        return readAt(device, first.layout().sizeBytes());
    }

    private static Identities readAt(BlockDevice device, long sizeBytes) throws Damage, DeviceException {
        BlockIo io = new BlockIo(device, readGranule(device), 1);
        List<Found> all = new ArrayList<>();
        for (int i = 0; i < COUNT; i++) {
            long offset = Layout.identityOffset(i, sizeBytes);
            try {
                all.add(classify(io.read(offset), offset));
            } catch (DeviceException e) {
                if (!e.errorClass().mayBeSector()) {
                    throw e;
                }
                all.add(new Found(offset, State.UNREADABLE, null, null, e));
            }
        }
        return new Identities(all);
    }

    private static Found classify(ByteBuffer block, long offset) throws Damage {
        Superblock superblock = Superblock.decode(block, offset);
        State state = State.OTHER;
        if (superblock != null) {
            state = State.WHOLE;
        } else if (Superblock.isMarker(block, offset)) {
            state = State.MARKER;
        } else if (block.getLong(Block.MAGIC_AT) == Superblock.MAGIC) {
            state = State.BROKEN;
        } else if (Block.isZero(block, 0, Block.BYTES)) {
            state = State.ZERO;
        }
        return new Found(offset, state, superblock, superblock == null ? null : Block.withoutCrc(block), null);
    }

    List<Found> found() {
        return found;
    }

    int count(State state) {
        int count = 0;
        for (Found one : found) {
            count += one.state == state ? 1 : 0;
        }
        return count;
    }

    /** The newest whole one, or {@code null}. */
    Superblock first() {
        Found whole = firstWhole();
        return whole == null ? null : whole.superblock;
    }

    /**
     * As {@link #first}, but one of the two places that every size has in common counts before the others: where a device has
     * grown, anything may stand at those of its new size.
     */
    private Superblock fixed() {
        Found whole = newest(found.subList(0, FIXED_PLACES));
        return whole == null ? first() : whole.superblock;
    }

    /** Whether {@link #first} is of a spare that this program knows, and holds. */
    boolean isOurs() {
        Superblock superblock = first();
        return superblock != null && !superblock.version().tooNew() && !interruptedFormat() && !disagree();
    }

    private Found firstWhole() {
        return newest(found);
    }

    private static Found newest(List<Found> among) {
        Found newest = null;
        for (Found one : among) {
            if (one.state == State.WHOLE && (newest == null || one.superblock.epoch() > newest.superblock.epoch())) {
                newest = one;
            }
        }
        return newest;
    }

    /** Whether whole ones contradict each other, and not by an upgrade that was interrupted. */
    boolean disagree() {
        Found newest = firstWhole();
        Found older = null;
        for (Found one : found) {
            if (one.state != State.WHOLE || one.body.equals(newest.body)) {
                continue;
            }
            older = older == null ? one : older;
            if (!one.body.equals(older.body) || !isEpochBefore(one.superblock, newest.superblock)) {
                return true;
            }
        }
        return false;
    }

    private static boolean isEpochBefore(Superblock older, Superblock newer) {
        return older.epoch() + 1 == newer.epoch()
                && older.pair().pairUuid().equals(newer.pair().pairUuid());
    }

    /**
     * A format began here and did not come to its end; what stood here before is given up. Not so if whole superblocks may
     * stand where nothing can be read.
     */
    boolean interruptedFormat() {
        return count(State.MARKER) > 0 && count(State.WHOLE) + count(State.UNREADABLE) < QUORUM;
    }

    /** The first error of a place that could not be read, or {@code null}. */
    DeviceException error() {
        for (Found one : found) {
            if (one.error != null) {
                return one.error;
            }
        }
        return null;
    }

    /** The pair of the first whole one, for messages. */
    PairIdentity pair() {
        Superblock first = first();
        return first == null ? null : first.pair();
    }

    /** Writes the superblock to places, and flushes. */
    static void write(BlockIo io, Superblock superblock, int... places) throws DeviceException {
        for (int place : places) {
            long offset = Layout.identityOffset(place, superblock.layout().sizeBytes());
            superblock.encode(io.zeroedBlock(0), offset);
            io.write(offset);
        }
        io.flush();
    }

    /** What all four places should hold, without the CRC: the newest whole one, as this program writes it. */
    ByteBuffer wanted() {
        Found whole = firstWhole();
        ByteBuffer body = Block.withoutCrc(whole.body);
        if (whole.superblock.version().isOlder()) {
            Superblock.upgrade(body);
        }
        return body;
    }

    /** What all four places should hold of the same spare with more slots. */
    ByteBuffer grown(Layout layout) {
        ByteBuffer body = Block.withoutCrc(firstWhole().body);
        Superblock.grow(body, layout);
        return body;
    }

    /** What all four places should hold of the same spare with more incompatible features. */
    ByteBuffer declared(int features) {
        ByteBuffer body = Block.withoutCrc(firstWhole().body);
        Superblock.declare(body, features);
        return body;
    }

    /** Writes the body of a superblock to its place, and flushes. */
    static void write(BlockIo io, ByteBuffer body, long offsetBytes) throws DeviceException {
        ByteBuffer block = io.zeroedBlock(0);
        block.put(0, body, 0, Block.BYTES);
        Block.seal(block, offsetBytes);
        io.write(offsetBytes);
        io.flush();
    }

    /** Writes markers to places, and flushes. */
    static void writeMarkers(BlockIo io, UUID pairUuid, long sizeBytes, int... places) throws DeviceException {
        for (int place : places) {
            long offset = Layout.identityOffset(place, sizeBytes);
            Superblock.encodeMarker(io.zeroedBlock(0), pairUuid, offset);
            io.write(offset);
        }
        io.flush();
    }
}
