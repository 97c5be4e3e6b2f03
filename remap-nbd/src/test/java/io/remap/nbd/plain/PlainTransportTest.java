package io.remap.nbd.plain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.api.spi.Transport;
import io.remap.testkit.EchoClient;
import io.remap.testkit.EchoSession.Manner;
import io.remap.testkit.TransportContract;
import java.nio.ByteBuffer;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class PlainTransportTest extends TransportContract {
    private static final int WORKERS = 8;

    @Override
    protected Transport open(Environment environment, int connectionLimit) throws Refusal {
        return new PlainTransportProvider()
                .open(
                        environment,
                        new Settings(Map.of(
                                PlainTransportProvider.CONNECTION_LIMIT.name(), Integer.toString(connectionLimit),
                                PlainTransportProvider.WORKER_LIMIT.name(), Integer.toString(WORKERS))));
    }

    /** All arrive at once, and so does what is behind them: nothing that was decoded may wait for them. */
    @ParameterizedTest
    @EnumSource
    void requestsThatHangHoldUpNobody(Kind kind) throws Exception {
        try (EchoClient client = new EchoClient(listen(kind).address())) {
            ByteBuffer all = ByteBuffer.allocate(64 << 10);
            for (int tag = 0; tag < 40; tag++) {
                boolean hangs = tag % 5 == 2 && tag / 5 < WORKERS - 1;
                all.put(EchoClient.request(tag, hangs ? Manner.BLOCKED : Manner.AT_ONCE, 16));
            }
            client.send(all.flip());
            for (int i = 0; i < 40 - (WORKERS - 1); i++) {
                assertTrue(client.receive() >= 0);
            }
            assertEquals(WORKERS - 1, shared.blocked.get());
            shared.release.countDown();
            for (int i = 0; i < WORKERS - 1; i++) {
                assertEquals(2, client.receive() % 5);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void whatOtherThreadsCompleteIsSentWhileAllWorkersHang(Kind kind) throws Exception {
        try (EchoClient client = new EchoClient(listen(kind).address())) {
            client.send(100, Manner.HELD, 16);
            for (int tag = 0; tag < 2 * WORKERS; tag++) {
                client.send(tag, Manner.BLOCKED, 16);
            }
            eventually("all workers hang", () -> shared.blocked.get() == WORKERS);
            nextHeld().complete();
            assertEquals(100, client.receive());
            assertEquals(WORKERS, shared.blocked.get());
            shared.release.countDown();
            for (int tag = 0; tag < 2 * WORKERS; tag++) {
                client.receive();
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void aSessionIsClosedAlthoughAllItsWorkersHang(Kind kind) throws Exception {
        try (EchoClient client = new EchoClient(listen(kind).address())) {
            for (int tag = 0; tag < WORKERS; tag++) {
                client.send(tag, Manner.BLOCKED, 16);
            }
            eventually("all workers hang", () -> shared.blocked.get() == WORKERS);
            transport.close();
            eventually("the session is closed", () -> shared.closed.get() == 1);
            assertEquals(1, transport.connections(), "it counts until its threads have left");
        }
    }
}
