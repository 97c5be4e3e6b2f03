package io.remap.api;

/**
 * Bytes of a device on their way to a socket by reference: pages of its page cache in a pipe (splice(2)). They are
 * sent with splice(2) from {@link #descriptor()}; who has the pipe tells {@link #taken} after each part, and releases it.
 *
 * <p>What stands in it is what the device held when it was filled, or something newer: a buffered write that comes before
 * the receiver has read the bytes shows through. So pages are handed out only for sectors that stand on main.
 *
 * <p>Not thread-safe: it is handed from the device to the request and to whoever sends the reply.
 */
public interface PagePipe {
    /** Most bytes of a pipe: what an unprivileged process may ask for (fs.pipe-max-size), if it is not set lower. */
    int MAX_BYTES = 1 << 20;

    /** The end to read from, non-blocking; the pipe's own to close. */
    int descriptor();

    /** Bytes that stand in it and were not taken. */
    int remainingBytes();

    /** So many bytes were moved on. */
    void taken(int lengthBytes);

    /** Gives the pipe back, with or without bytes in it. Once; nothing may be touched afterwards. */
    void release();
}
