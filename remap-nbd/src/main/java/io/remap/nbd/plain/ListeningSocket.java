package io.remap.nbd.plain;

import java.io.IOException;

/** A socket of whatever kind that listens. */
interface ListeningSocket extends AutoCloseable {
    /**
     * Waits for the next connection.
     *
     * @throws java.nio.channels.ClosedChannelException when this was closed
     * @throws IOException if it did not work this time (out of descriptors, mostly)
     */
    Wire accept() throws IOException;

    /** Nobody can connect any more; whoever waits in {@link #accept} is woken. Idempotent. */
    @Override
    void close() throws IOException;
}
