package io.remap.iopt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Environment;
import io.remap.api.PagePipe;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.api.spi.Transport;
import io.remap.testkit.EchoClient;
import io.remap.testkit.EchoSession;
import io.remap.testkit.TransportContract;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

final class FastTransportTest extends TransportContract {
    private static final int REPLY_BYTES = 64 << 10;

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

    @Override
    protected int longestAbstractName() {
        return ListeningSocket.MAX_ABSTRACT_NAME_BYTES;
    }

    @Override
    protected SocketChannel connectAbstract(String name) throws IOException {
        return new UnixClientChannel("\0" + name, WAIT_MILLIS);
    }
}
