package io.remap.metadata;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Transfers of whole blocks to and from the spare, through one aligned buffer.
 *
 * <p>Invariant: once a flush has failed, every later one fails with the same error, whatever the device says.
 *
 * <p>Not thread-safe.
 */
final class BlockIo {
    /** Blocks in one transfer of a table or a log. */
    static final int CHUNK_BLOCKS = 64;

    private static final byte[] ZEROS = new byte[Block.BYTES];

    private final BlockDevice device;
    private final int granuleBytes;
    private final ByteBuffer buffer;
    private DeviceException flushFailure;

    BlockIo(BlockDevice device, int granuleBytes) {
        this(device, granuleBytes, CHUNK_BLOCKS);
    }

    /** @param blocks size of the buffer: the most blocks in one transfer */
    BlockIo(BlockDevice device, int granuleBytes, int blocks) {
        this.device = device;
        this.granuleBytes = granuleBytes;
        this.buffer = ByteBuffer.allocateDirect((blocks + 1) * granuleBytes)
                .alignedSlice(granuleBytes)
                .limit(blocks * granuleBytes)
                .slice()
                .order(ByteOrder.LITTLE_ENDIAN);
    }

    String name() {
        return device.name();
    }

    BlockDevice device() {
        return device;
    }

    /** Block {@code index} of the buffer. */
    ByteBuffer block(int index) {
        return Block.view(buffer, index * granuleBytes);
    }

    /** Block {@code index} of the buffer, as zeros. */
    ByteBuffer zeroedBlock(int index) {
        for (int at = 0; at < granuleBytes; at += Block.BYTES) {
            buffer.put(index * granuleBytes + at, ZEROS);
        }
        return block(index);
    }

    /** The first bytes of the buffer. */
    ByteBuffer bytes(int lengthBytes) {
        return buffer.slice(0, lengthBytes);
    }

    /** Reads one block to the beginning of the buffer. */
    ByteBuffer read(long offsetBytes) throws DeviceException {
        read(offsetBytes, 0, 1);
        return block(0);
    }

    void read(long offsetBytes, int firstBlock, int blocks) throws DeviceException {
        device.read(offsetBytes, part(firstBlock, blocks));
    }

    /** As the other; {@code false} if sectors of them are unreadable. A device that fails as a whole is an error. */
    boolean tryRead(long offsetBytes, int firstBlock, int blocks) throws DeviceException {
        try {
            read(offsetBytes, firstBlock, blocks);
            return true;
        } catch (DeviceException e) {
            if (!e.errorClass().mayBeSector()) {
                throw e;
            }
            return false;
        }
    }

    /** Writes the first block of the buffer. */
    void write(long offsetBytes) throws DeviceException {
        write(offsetBytes, 0, 1);
    }

    void write(long offsetBytes, int firstBlock, int blocks) throws DeviceException {
        device.write(offsetBytes, part(firstBlock, blocks));
    }

    private ByteBuffer part(int firstBlock, int blocks) {
        return buffer.duplicate().limit((firstBlock + blocks) * granuleBytes).position(firstBlock * granuleBytes);
    }

    void flush() throws DeviceException {
        if (flushFailure != null) {
            throw flushFailure;
        }
        try {
            device.flush();
        } catch (DeviceException e) {
            flushFailure = e;
            throw e;
        }
    }

    boolean flushFailed() {
        return flushFailure != null;
    }

    /** Whether a range reads as zeros; stops at the first byte that is none. */
    boolean isZero(long offsetBytes, long lengthBytes) throws DeviceException {
        for (long done = 0; done < lengthBytes; ) {
            int blocks = (int) Math.min(buffer.capacity() / granuleBytes, (lengthBytes - done) / granuleBytes);
            read(offsetBytes + done, 0, blocks);
            if (!Block.isZero(buffer, 0, blocks * granuleBytes)) {
                return false;
            }
            done += (long) blocks * granuleBytes;
        }
        return true;
    }
}
