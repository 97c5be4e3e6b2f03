package io.remap.nbd.plain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.remap.api.Environment;
import io.remap.api.ListenAddress;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.api.spi.Transport;
import io.remap.testkit.EchoClient;
import io.remap.testkit.EchoSession;
import io.remap.testkit.EchoSession.Manner;
import io.remap.testkit.TransportContract;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import jnr.unixsocket.UnixSocketAddress;
import jnr.unixsocket.UnixSocketChannel;
import jnr.unixsocket.UnixSocketOptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class PlainTransportTest extends TransportContract {
    private static final int WORKERS = 8;

    @Override
    protected Transport open(Environment environment, int connectionLimit) throws Refusal {
        return open(environment, connectionLimit, WORKERS);
    }

    private static Transport open(Environment environment, int connectionLimit, int hungLimit) throws Refusal {
        return new PlainTransportProvider()
                .open(
                        environment,
                        new Settings(Map.of(
                                PlainTransportProvider.CONNECTION_LIMIT.name(), Integer.toString(connectionLimit),
                                PlainTransportProvider.WORKER_LIMIT.name(), Integer.toString(WORKERS),
                                PlainTransportProvider.HUNG_LIMIT.name(), Integer.toString(hungLimit))));
    }

    @Override
    protected SocketChannel connectAbstract(String name) throws IOException {
        UnixSocketChannel channel = UnixSocketChannel.open(new UnixSocketAddress("\0" + name));
        channel.setOption(UnixSocketOptions.SO_RCVTIMEO, (int) WAIT_MILLIS);
        return channel;
    }

    @Test
    void anAbstractAddressSaysWhoConnected() throws Exception {
        BlockingQueue<String> peers = new LinkedBlockingQueue<>();
        ListenAddress.Abstract address = new ListenAddress.Abstract(
                "remap-peer-" + ProcessHandle.current().pid());
        try (Transport.Listener listener = transport.listen(address, (peer, events) -> {
                    peers.add(peer);
                    return new EchoSession(shared, events);
                });
                EchoClient client = connect(address)) {
            listener.start();
            client.send(1, Manner.AT_ONCE, 1);
            client.receive();
            assertEquals("unix uid " + Files.getAttribute(directory, "unix:uid"), peers.remove());
        }
    }

    /** All arrive at once, and so does what is behind them: nothing that was decoded may wait for them. */
    @ParameterizedTest
    @EnumSource
    void requestsThatHangHoldUpNobody(Kind kind) throws Exception {
        try (EchoClient client = connect(listen(kind).address())) {
            ByteBuffer all = ByteBuffer.allocate(64 << 10);
            for (int tag = 0; tag < 40; tag++) {
                boolean hangs = tag % 5 == 2 && tag / 5 < WORKERS - 1;
                all.put(EchoClient.request(tag, hangs ? Manner.BLOCKED : Manner.AT_ONCE, 16));
            }
            client.send(all.flip());
            for (int i = 0; i < 40 - (WORKERS - 1); i++) {
                assertTrue(client.receive() >= 0);
            }
            // The last one may have been taken up and not have come to its wait yet.
            assertTimeoutPreemptively(Duration.ofSeconds(30), () -> {
                while (shared.blocked.get() < WORKERS - 1) {
                    Thread.onSpinWait();
                }
            });
            assertEquals(WORKERS - 1, shared.blocked.get());
            shared.release.countDown();
            for (int i = 0; i < WORKERS - 1; i++) {
                assertEquals(2, client.receive() % 5);
            }
        }
    }

    /** A file system that reads one stuck sector again and again must not lose the rest of the disk with it. */
    @ParameterizedTest
    @EnumSource
    void moreRequestsMayHangThanThereAreWorkers(Kind kind) throws Exception {
        int hung = 4 * WORKERS;
        transport.close();
        transport = open(environment, 10, hung + 1);
        try (EchoClient client = connect(listen(kind).address())) {
            for (int tag = 0; tag < hung; tag++) {
                client.send(tag, Manner.BLOCKED, 16);
            }
            client.send(hung, Manner.AT_ONCE, 16);
            assertEquals(hung, client.receive());
            assertEquals(hung, shared.blocked.get());
            shared.release.countDown();
            for (int i = 0; i < hung; i++) {
                assertTrue(client.receive() < hung);
            }
            client.send(1, Manner.AT_ONCE, 16);
            assertEquals(1, client.receive());
        }
    }

    @ParameterizedTest
    @EnumSource
    void whatOtherThreadsCompleteIsSentWhileAllWorkersHang(Kind kind) throws Exception {
        try (EchoClient client = connect(listen(kind).address())) {
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
        try (EchoClient client = connect(listen(kind).address())) {
            for (int tag = 0; tag < WORKERS; tag++) {
                client.send(tag, Manner.BLOCKED, 16);
            }
            eventually("all workers hang", () -> shared.blocked.get() == WORKERS);
            transport.close();
            eventually("the session is closed", () -> shared.closed.get() == 1);
            assertEquals(1, transport.connections(), "it counts until its threads have left");
        }
    }

    @ParameterizedTest
    @EnumSource
    void listensNowhereOnceItWasStopped(Kind kind) throws Exception {
        transport.close();
        assertThrows(IllegalStateException.class, () -> listen(kind));
        assertFalse(Files.exists(directory.resolve("s")));
        transport = open(environment, 10);
        try (EchoClient client = connect(listen(kind).address())) {
            client.send(1, Manner.AT_ONCE, 1);
            assertEquals(1, client.receive(), "the address was not kept");
        }
    }

    /** Whoever is in the network namespace can connect: an abstract address has no mode. */
    @Test
    void anAbstractAddressHangsUpOnStrangers() throws Exception {
        Path perl = Path.of("/usr/bin/perl");
        assumeTrue((Integer) Files.getAttribute(directory, "unix:uid") == 0, "only root can be somebody else");
        assumeTrue(Files.isExecutable(perl), "a client that is not ours");
        ListenAddress.Abstract address =
                (ListenAddress.Abstract) listen(Kind.ABSTRACT).address();
        Process stranger = new ProcessBuilder(
                        "setpriv",
                        "--reuid=65534",
                        "--regid=65534",
                        "--clear-groups",
                        perl.toString(),
                        "-MSocket",
                        "-e",
                        "socket(S, PF_UNIX, SOCK_STREAM, 0) && connect(S, pack_sockaddr_un(\"\\0$ARGV[0]\")) or die $!;"
                                + "print 'connected, then received ', sysread(S, $b, 1) // 'nothing'",
                        address.name())
                .redirectErrorStream(true)
                .start();
        assertEquals(
                "connected, then received 0",
                new String(stranger.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
        assertEquals(0, stranger.waitFor());
        assertEquals(0, shared.opened.get(), "no session for it");
        try (EchoClient client = connect(address)) {
            client.send(1, Manner.AT_ONCE, 1);
            assertEquals(1, client.receive());
        }
    }
}
