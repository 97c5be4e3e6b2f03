package io.remap.iopt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.LinuxSocket;
import org.junit.jupiter.api.Test;

/** What {@link SendQueue} says where the kernel tells nothing; the rest is of {@link FastTransportTest}. */
class SendQueueTest {
    @Test
    void aSocketThatCannotBeAskedIsNeverLong() throws Exception {
        // Which loads the native library, whatever test comes first.
        Epoll.ensureAvailability();
        LinuxSocket socket = LinuxSocket.newSocketDomain();
        SendQueue queue = new SendQueue(socket);
        assertFalse(queue.isLong(), "it is empty");
        assertEquals(0, queue.heldBytes());
        socket.close();
        assertFalse(queue.isLong(), "asked before, and closed since");
        assertFalse(new SendQueue(socket).isLong(), "closed");
        assertEquals(-1, queue.heldBytes());
    }
}
