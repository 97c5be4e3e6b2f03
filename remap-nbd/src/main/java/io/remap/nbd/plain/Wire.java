package io.remap.nbd.plain;

import java.io.IOException;
import java.nio.ByteBuffer;

/** One connected socket of whatever kind, blocking. One thread may read while another writes; any may close. */
interface Wire extends AutoCloseable {
    /**
     * Readies a new connection.
     *
     * @return who is at the other end, without control characters
     * @throws io.remap.api.listen.Unwelcome if it is nobody to be served
     */
    String ready() throws IOException;

    /** Receives at least one byte; returns how many, or -1 at the end of the input. */
    int read(ByteBuffer into) throws IOException;

    /** Sends what it can of the first {@code count} buffers; returns how many bytes. */
    long write(ByteBuffer[] from, int count) throws IOException;

    /** Whoever is blocked in the socket is woken, with an exception. Idempotent. */
    @Override
    void close() throws IOException;
}
