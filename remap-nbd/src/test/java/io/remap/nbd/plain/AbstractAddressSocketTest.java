package io.remap.nbd.plain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.kenai.jffi.CallContext;
import com.kenai.jffi.CallingConvention;
import com.kenai.jffi.Invoker;
import com.kenai.jffi.LastError;
import com.kenai.jffi.Library;
import com.kenai.jffi.MemoryIO;
import com.kenai.jffi.Type;
import io.remap.api.ListenAddress;
import io.remap.api.Refusal;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedChannelException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import jnr.unixsocket.UnixSocketAddress;
import jnr.unixsocket.UnixSocketChannel;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The edges of sockets of jnr: errors of read(2) and write(2), and a descriptor number that is somebody else's by now. */
@Timeout(20)
class AbstractAddressSocketTest {
    private static final int AF_UNIX = 1;
    private static final int SOCK_STREAM = 1;
    /** All of {@code sun_path}. */
    private static final int FULL_PATH_BYTES = 108;

    @TempDir
    Path directory;

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

    /** Without a final zero in {@code sun_path} accept(2) says that it has a byte more than there is room for. */
    @Test
    void aClientWhoseOwnAddressIsOfFullLengthIsOneLikeOthers() throws IOException {
        Path own = Files.createDirectory(directory.resolve(
                        "x".repeat(FULL_PATH_BYTES - 3 - directory.toString().length())))
                .resolve("s");
        assertEquals(FULL_PATH_BYTES, own.toString().length());
        long before = openDescriptors();
        for (int i = 0; i < 3; i++) {
            int client = connectFrom(own);
            Wire wire = listening.accept();
            assertTrue(wire.ready().startsWith("unix uid"), wire.ready());
            assertEquals(8, wire.write(bytes("greeting"), 1));
            wire.close();
            call("close", client, 0, 0);
            Files.delete(own);
        }
        assertEquals(before, openDescriptors(), "open descriptors");
        UnixSocketChannel usual = connect();
        Wire wire = listening.accept();
        usual.write(bytes("hello")[0]);
        assertEquals("hello", receive(wire));
        wire.close();
        usual.close();
    }

    private static long openDescriptors() throws IOException {
        try (var all = Files.list(Path.of("/proc/self/fd"))) {
            return all.count();
        }
    }

    /** A socket that is bound to the path and connected; its descriptor. No library gives a path of this length. */
    private int connectFrom(Path own) {
        int client = call("socket", AF_UNIX, SOCK_STREAM, 0);
        call("bind", client, sockaddr(own.toString()));
        call("connect", client, sockaddr("\0" + address.name()));
        return client;
    }

    private static ByteBuffer sockaddr(String path) {
        return ByteBuffer.allocateDirect(Short.BYTES + path.length())
                .order(ByteOrder.nativeOrder())
                .putShort((short) AF_UNIX)
                .put(path.getBytes(StandardCharsets.US_ASCII));
    }

    private static void call(String function, int descriptor, ByteBuffer sockaddr) {
        try {
            call(function, descriptor, MemoryIO.getInstance().getDirectBufferAddress(sockaddr), sockaddr.capacity());
        } finally {
            Reference.reachabilityFence(sockaddr);
        }
    }

    private static int call(String function, long first, long second, long third) {
        CallContext words = CallContext.getCallContext(
                Type.SLONG, new Type[] {Type.SLONG, Type.SLONG, Type.SLONG}, CallingConvention.DEFAULT, true);
        long symbol = Library.getDefault().getSymbolAddress(function);
        int result = (int) Invoker.getInstance().invokeN3(words, symbol, first, second, third);
        assertTrue(
                result >= 0,
                () -> function + ": errno " + LastError.getInstance().get());
        return result;
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
