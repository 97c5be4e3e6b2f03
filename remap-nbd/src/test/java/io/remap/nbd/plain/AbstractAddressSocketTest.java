package io.remap.nbd.plain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.ListenAddress;
import io.remap.api.Refusal;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.charset.StandardCharsets;
import jnr.unixsocket.UnixSocketAddress;
import jnr.unixsocket.UnixSocketChannel;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The edges of sockets of jnr: errors of read(2) and write(2), and a descriptor number that is somebody else's by now. */
@Timeout(20)
class AbstractAddressSocketTest {
    private final ListenAddress.Abstract address =
            new ListenAddress.Abstract("remap-socket-" + ProcessHandle.current().pid());
    private ListeningSocket listening;

    @BeforeEach
    void listen() throws Refusal {
        listening = AbstractAddressSocket.bind(address);
    }

    @AfterEach
    void close() throws IOException {
        listening.close();
    }

    private UnixSocketChannel connect() throws IOException {
        return UnixSocketChannel.open(new UnixSocketAddress("\0" + address.name()));
    }

    private static ByteBuffer[] bytes(String text) {
        return new ByteBuffer[] {
            ByteBuffer.allocateDirect(text.length())
                    .put(text.getBytes(StandardCharsets.US_ASCII))
                    .flip()
        };
    }

    private static String receive(Wire wire) throws IOException {
        ByteBuffer into = ByteBuffer.allocateDirect(100);
        return wire.read(into) < 0
                ? "end"
                : StandardCharsets.US_ASCII.decode(into.flip()).toString();
    }

    @Test
    void aClientThatGoesWithBytesUnreadIsAnErrorAndNoEnd() throws IOException {
        UnixSocketChannel client = connect();
        Wire wire = listening.accept();
        try {
            assertEquals(8, wire.write(bytes("greeting"), 1));
            client.close();
            IOException thrown = assertThrows(IOException.class, () -> receive(wire));
            assertEquals("read: Connection reset by peer", thrown.getMessage());
            thrown = assertThrows(IOException.class, () -> wire.write(bytes("more"), 1));
            assertEquals("write: Broken pipe", thrown.getMessage());
        } finally {
            wire.close();
        }
    }

    @Test
    void aClientThatGoesIsTheEndOfTheInput() throws IOException {
        UnixSocketChannel client = connect();
        Wire wire = listening.accept();
        try {
            client.write(bytes("bye")[0]);
            client.close();
            assertEquals("bye", receive(wire));
            assertEquals("end", receive(wire));
        } finally {
            wire.close();
        }
    }

    /** The system gives the lowest number that is free, so the second connection has the number of the first. */
    @Test
    void aSecondCloseDoesNotCloseWhatHasTheNumberNow() throws IOException {
        UnixSocketChannel first = connect();
        UnixSocketChannel second = connect();
        Wire firstWire = listening.accept();
        firstWire.close();
        Wire secondWire = listening.accept();
        try {
            firstWire.close();
            assertThrows(ClosedChannelException.class, () -> receive(firstWire));
            assertThrows(ClosedChannelException.class, () -> firstWire.write(bytes("not mine"), 1));
            second.write(bytes("still here")[0]);
            assertEquals("still here", receive(secondWire));
        } finally {
            secondWire.close();
            first.close();
            second.close();
        }
    }

    @Test
    void isRefusedWhereThereIsNoLinux() {
        String system = System.getProperty("os.name");
        Refusal refusal;
        System.setProperty("os.name", "FreeBSD");
        try {
            refusal = assertThrows(Refusal.class, () -> AbstractAddressSocket.bind(address));
        } finally {
            System.setProperty("os.name", system);
        }
        assertEquals(Refusal.Kind.ENVIRONMENT, refusal.kind());
        assertTrue(refusal.getMessage().contains("only Linux has abstract addresses"), refusal.getMessage());
    }
}
