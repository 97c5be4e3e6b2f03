package io.remap.cli.control;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Refusal;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a client of a simulated disk makes of a server that is none. */
@Timeout(60)
class SimControlClientTest {
    @TempDir
    Path directory;

    /** Calls a server that sends this, whatever it is asked, and hangs up. */
    private Map<?, ?> callWhatAnswers(byte[] answer) throws Exception {
        Path socket = directory.resolve("s");
        try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            listener.bind(UnixDomainSocketAddress.of(socket));
            Thread server = new Thread(() -> {
                try (SocketChannel channel = listener.accept()) {
                    ByteBuffer bytes = ByteBuffer.wrap(answer);
                    while (bytes.hasRemaining()) {
                        channel.write(bytes);
                    }
                    channel.shutdownOutput();
                    channel.read(ByteBuffer.allocate(1000));
                } catch (IOException e) {
                    // The client has gone first.
                }
            });
            server.start();
            try {
                return SimControlClient.call(socket, "status");
            } finally {
                server.join();
            }
        }
    }

    private void assertRefused(byte[] answer, Refusal.Kind kind, String why) {
        Refusal refusal = assertThrows(Refusal.class, () -> callWhatAnswers(answer));
        assertEquals(kind, refusal.kind());
        assertTrue(refusal.getMessage().contains(why), refusal.getMessage());
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void theValuesOfAnAnswerArrive() throws Exception {
        assertEquals(Map.of("bad", true), callWhatAnswers(bytes("{\"ok\":true,\"result\":{\"bad\":true}}\n")));
    }

    @Test
    void anAnswerWithoutAnEndIsNotKept() {
        byte[] endless = new byte[JsonLines.MAX_ANSWER_BYTES + 1_000_000];
        assertRefused(endless, Refusal.Kind.ENVIRONMENT, "longer than " + JsonLines.MAX_ANSWER_BYTES);
    }

    @Test
    void aRefusalArrivesWithItsKind() {
        assertRefused(
                bytes("{\"ok\":false,\"error\":\"no such block\",\"kind\":\"USAGE\"}\n"),
                Refusal.Kind.USAGE,
                "no such block");
    }

    @Test
    void anotherServerIsNamedAsThat() {
        byte[] otherError = RpcErrors.line(null, RpcErrors.INVALID_REQUEST, "no request", null);
        assertRefused(otherError, Refusal.Kind.ENVIRONMENT, "no control of a simulated disk");
    }

    @Test
    void aServerThatHangsUpIsNamed() {
        assertRefused(bytes("{"), Refusal.Kind.ENVIRONMENT, "it closed the connection");
    }
}
