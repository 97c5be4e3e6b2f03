package io.remap.iopt;

import static org.junit.jupiter.api.Assertions.assertFalse;

import io.netty.channel.epoll.LinuxSocket;
import org.junit.jupiter.api.Test;

/** What {@link SendQueue} says where the kernel tells nothing; the rest is of {@link FastTransportTest}. */
class SendQueueTest {
    @Test
    void aSocketThatCannotBeAskedIsNeverLong() throws Exception {
        LinuxSocket socket = LinuxSocket.newSocketDomain();
        SendQueue queue = new SendQueue(socket);
        assertFalse(queue.isLong(), "it is empty");
        socket.close();
        assertFalse(queue.isLong(), "asked before, and closed since");
        assertFalse(new SendQueue(socket).isLong(), "closed");
    }
}
