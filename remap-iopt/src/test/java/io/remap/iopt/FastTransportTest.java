package io.remap.iopt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Environment;
import io.remap.api.ListenAddress;
import io.remap.api.PagePipe;
import io.remap.api.Refusal;
import io.remap.api.Session;
import io.remap.api.Settings;
import io.remap.api.spi.Transport;
import io.remap.testkit.EchoClient;
import io.remap.testkit.EchoSession;
import io.remap.testkit.TransportContract;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

final class FastTransportTest extends TransportContract {
    private static final int REPLY_BYTES = 64 << 10;
    /** More than the piece in which the system counts what was taken. */
    private static final int SLOW_BYTES = 100 << 10;

    @Override
    protected Transport open(Environment environment, int connectionLimit) throws Refusal {
        return new FastTransportProvider()
                .open(
                        environment,
                        new Settings(Map.of(
                                FastTransportProvider.CONNECTION_LIMIT.name(),
                                Integer.toString(connectionLimit),
                                FastTransportProvider.LOOPS.name(),
                                "2")));
    }

    @Override
    protected Function<ByteBuffer, PagePipe> pipes() {
        return TestPipe::new;
    }

    private long counted(String attribute) {
        return transport.attributes().stream()
                .filter(each -> each.name().equals(attribute))
                .map(each -> (Long) each.get().get())
                .findAny()
                .orElseThrow();
    }

    @Test
    void requestsWaitWhileTheClientHasMuchToReadButNotForEver() throws Exception {
        try (EchoClient client = connect(listen(Kind.UNIX).address())) {
            int requests = 24;
            for (int tag = 0; tag < requests; tag++) {
                client.send(tag, EchoSession.Manner.PAGES, REPLY_BYTES);
            }
            eventually(
                    "all are answered", () -> counted("transport.pages-sent-bytes") == (long) requests * REPLY_BYTES);
            assertTrue(counted("transport.holds") > 0, "requests came while much was to be read");
            for (int tag = 0; tag < requests; tag++) {
                assertEquals(tag, client.receive());
            }
        }
    }

    @Test
    void nothingWaitsForAClientThatReadsAsItAsks() throws Exception {
        for (Kind kind : Kind.values()) {
            try (EchoClient client = connect(listen(kind).address())) {
                for (int tag = 0; tag < 100; tag++) {
                    client.send(tag, EchoSession.Manner.PAGES, REPLY_BYTES);
                    assertEquals(tag, client.receive());
                }
            }
        }
        assertEquals(0, counted("transport.holds"));
    }

    /** Of a full socket the system says that there is room when the client has taken three quarters, not before. */
    @Test
    void aSlowClientIsSeenToReadBeforeThereIsRoom() throws Exception {
        ListenAddress.Unix address = new ListenAddress.Unix(directory.resolve("slow"));
        CompletableFuture<Session.Events> connected = new CompletableFuture<>();
        Transport.Listener listener = transport.listen(address, (peer, events) -> {
            connected.complete(events);
            return new EchoSession(shared, events);
        });
        listener.start();
        SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(address.path()));
        try (EchoClient client = new EchoClient(channel)) {
            Session.Events events = connected.get(WAIT_MILLIS, TimeUnit.MILLISECONDS);
            assertEquals(0, events.readBytes(), "there is nothing to read");
            client.send(1, EchoSession.Manner.AT_ONCE, EchoSession.MAX_PAYLOAD_BYTES);
            eventually("the socket is full", () -> counted("transport.full-sockets") > 0);
            assertEquals(0, events.readBytes(), "it reads nothing");
            long full = counted("transport.full-sockets");
            for (int i = 0; i < 2; i++) {
                ByteBuffer some = ByteBuffer.allocateDirect(SLOW_BYTES);
                while (some.hasRemaining()) {
                    channel.read(some);
                }
                long readBytes = events.readBytes();
                assertTrue(readBytes > SLOW_BYTES / 2 && readBytes < 4 * SLOW_BYTES, "it reads: " + readBytes);
                assertEquals(0, events.readBytes(), "no more since then");
            }
            assertEquals(full, counted("transport.full-sockets"), "there was room for more");
            client.close();
            eventually("it is gone", () -> transport.connections() == 0);
            assertEquals(0, events.readBytes(), "gone");
        }
    }

    @Override
    protected int longestAbstractName() {
        return ListeningSocket.MAX_ABSTRACT_NAME_BYTES;
    }

    @Override
    protected SocketChannel connectAbstract(String name) throws IOException {
        return new UnixClientChannel("\0" + name, WAIT_MILLIS);
    }
}
