package io.remap.api;

import java.nio.ByteBuffer;

/**
 * Memory of one transfer on its way between socket and device, without a copy between.
 *
 * <p>{@link #data()} starts at a page boundary, so that it may go to a direct device. Before it lie
 * {@link #HEADROOM_BYTES} that belong to the buffer too: a protocol writes its reply header there, and header and payload
 * leave in one piece.
 *
 * <p><b>Ownership.</b> A buffer belongs to the I/O, not to the request: whoever starts an I/O that may outlive the
 * request (a read that answers after its deadline) retains the buffer and releases it when the I/O really ended.
 * {@link #retain()} and {@link #release()} may be called by any thread; the content follows the happens-before of
 * whatever hands the buffer over. After the last release the buffer must not be touched.
 */
public interface IoBuffer {
    /** Bytes before {@link #data()} that a protocol may use for a header. */
    int HEADROOM_BYTES = 64;

    /** Alignment of {@link #data()} in memory. */
    int ALIGNMENT_BYTES = 4096;

    /**
     * The payload, from 0 to {@link #lengthBytes()}: one view for the life of the acquisition. Its position and limit
     * belong to whoever holds the request at the moment; take {@link #slice} for concurrent use.
     */
    ByteBuffer data();

    /**
     * Headroom and payload as one view: byte {@link #HEADROOM_BYTES} of it is byte 0 of {@link #data()}. Position and
     * limit are the caller's.
     */
    ByteBuffer withHeadroom();

    /** Length of the payload in bytes, as asked for at {@link BufferPool#acquire}. */
    int lengthBytes();

    /** A view of its own of a part of the payload. Allocates: not for the path of every request. */
    default ByteBuffer slice(int offsetBytes, int lengthBytes) {
        return data().duplicate().clear().slice(offsetBytes, lengthBytes);
    }

    /** One more holder. */
    void retain();

    /** One holder less; the last one gives the memory back to its pool. */
    void release();
}
