package io.remap.iopt;

import io.netty.channel.epoll.LinuxSocket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Asks the kernel how much of what was sent to a socket the client has not taken yet (socket(7); SO_MEMINFO is of Linux 4.12).
 * Allocates nothing per call. Not thread-safe.
 */
final class SendQueue {
    /** Of asm-generic/socket.h. */
    private static final int SOL_SOCKET = 1;

    /** An array of 32 bits each, of which linux/sock_diag.h has the indices ({@code SK_MEMINFO_WMEM_ALLOC} …). */
    private static final int SO_MEMINFO = 55;

    private static final int MEMINFO_BYTES = 9 * Integer.BYTES;
    private static final int HELD_AT = 2 * Integer.BYTES;
    private static final int LIMIT_AT = 3 * Integer.BYTES;

    /** A Unix socket is writable while it holds no more than this share of its limit (unix_writable() of net/unix). */
    private static final int WRITABLE_SHARE = 4;

    private static final int SO_DOMAIN = 39;
    private static final int AF_UNIX = 1;

    private final LinuxSocket socket;
    private final ByteBuffer info = ByteBuffer.allocateDirect(MEMINFO_BYTES).order(ByteOrder.nativeOrder());
    private boolean asked;
    private boolean known;

    SendQueue(LinuxSocket socket) {
        this.socket = socket;
    }

    /** How much memory the bytes take that are there; -1 where the kernel does not tell. */
    int heldBytes() {
        return ask() ? info.getInt(HELD_AT) : -1;
    }

    /** Whether so much is there that the socket does not count as writable; never true where the kernel does not tell. */
    boolean isLong() {
        return ask() && info.getInt(HELD_AT) > info.getInt(LIMIT_AT) / WRITABLE_SHARE;
    }

    private boolean ask() {
        try {
            if (!asked) {
                asked = true;
                known = socket.getIntOpt(SOL_SOCKET, SO_DOMAIN) == AF_UNIX;
            }
            if (!known) {
                return false;
            }
            info.clear().putInt(HELD_AT, 0).putInt(LIMIT_AT, 0);
            socket.getRawOpt(SOL_SOCKET, SO_MEMINFO, info);
            return true;
        } catch (IOException e) {
            // A kernel or a sandbox without it; of a socket that broke, who receives or sends is told.
            known = false;
            return false;
        }
    }
}
