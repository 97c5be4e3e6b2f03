package io.remap.nbd.plain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Environment;
import io.remap.api.ListenAddress;
import io.remap.testkit.RealEnvironment;
import java.io.IOException;
import java.nio.channels.AsynchronousCloseException;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever becomes of one connection, the next one is let in. */
@Timeout(20)
class AcceptorTest {
    private static final ListenAddress ADDRESS = new ListenAddress.Tcp("test", 0);

    private final ScheduledThreadPoolExecutor timers = new ScheduledThreadPoolExecutor(1);
    private final Environment environment = RealEnvironment.on(timers);
    private final PlainTransport transport = new PlainTransport(environment, 10, 8, 64, Thread::start);

    @AfterEach
    void end() {
        transport.close();
        timers.shutdownNow();
    }

    /** What comes is an exception to throw, or a connection. */
    private static final class Scripted implements ListeningSocket {
        private static final Object CLOSED = new Object();
        final BlockingQueue<Object> coming = new LinkedBlockingQueue<>();

        @Override
        public Wire accept() throws IOException {
            Object next;
            try {
                next = coming.take();
            } catch (InterruptedException e) {
                throw new AssertionError("a transport interrupts nobody", e);
            }
            if (next instanceof RuntimeException broken) {
                throw broken;
            }
            if (next instanceof IOException failed) {
                throw failed;
            }
            if (next == CLOSED) {
                throw new AsynchronousCloseException();
            }
            return (Wire) next;
        }

        @Override
        public void close() {
            coming.add(CLOSED);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void goesOnAfterAConnectionThatCannotBeAccepted(boolean ofTheProgram) throws Exception {
        Scripted socket = new Scripted();
        CompletableFuture<FakeSession> admitted = new CompletableFuture<>();
        CompletableFuture<Boolean> stopped = new CompletableFuture<>();
        Acceptor acceptor = new Acceptor(transport, ADDRESS, socket, () -> stopped.complete(true), (peer, events) -> {
            FakeSession session = new FakeSession(events);
            admitted.complete(session);
            return session;
        });
        socket.coming.add(
                ofTheProgram ? new ArrayIndexOutOfBoundsException("a path of 108") : new IOException("no descriptors"));
        FakeWire wire = new FakeWire();
        socket.coming.add(wire);
        acceptor.start();
        FakeSession session = admitted.get(10, TimeUnit.SECONDS);
        assertEquals(0, wire.closes.get());
        assertEquals(1, transport.connections());
        acceptor.close();
        assertTrue(stopped.get(10, TimeUnit.SECONDS));
        assertEquals(0, session.closes.get(), "a connection outlives the socket that it came by");
    }
}
