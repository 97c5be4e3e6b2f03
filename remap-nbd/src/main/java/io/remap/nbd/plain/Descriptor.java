package io.remap.nbd.plain;

import java.io.IOException;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;
import java.util.concurrent.atomic.AtomicInteger;
import jnr.enxio.channels.Native;

/**
 * The descriptor of a socket of jnr, whose channels neither wake a thread that is blocked in them when they are closed nor
 * keep the number from being given to another file while it is in use.
 *
 * <p>Invariant: close(2) is called once, when it was asked for and no thread is in a system call on the descriptor. It does
 * not have to be waited for: shutdown(2) comes before, which wakes all and, on a listening socket, refuses who comes
 * (Linux: accept(2) then fails with EINVAL).
 */
final class Descriptor {
    private static final int SHUT_RDWR = 2;

    /** The sign bit; below it stands the number of threads in a system call. */
    private static final int CLOSED = Integer.MIN_VALUE;

    private final int number;
    private final AtomicInteger state = new AtomicInteger();

    Descriptor(int number) {
        this.number = number;
    }

    /** Enters a system call; returns the number, which is valid until {@link #exit}. */
    int enter() throws ClosedChannelException {
        if (state.getAndUpdate(now -> now < 0 ? now : now + 1) < 0) {
            throw new ClosedChannelException();
        }
        return number;
    }

    /** Leaves the system call, and closes the descriptor if this was the last one. */
    void exit() throws IOException {
        if (state.decrementAndGet() == CLOSED) {
            Native.close(number);
        }
    }

    /** After a system call: whether close was the reason for its result. */
    void throwIfClosed() throws AsynchronousCloseException {
        if (state.get() < 0) {
            throw new AsynchronousCloseException();
        }
    }

    /** Idempotent. */
    void close() throws IOException {
        if (state.getAndUpdate(now -> now < 0 ? now : (now + 1) | CLOSED) < 0) {
            return;
        }
        Native.shutdown(number, SHUT_RDWR);
        exit();
    }
}
