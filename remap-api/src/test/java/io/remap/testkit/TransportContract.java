package io.remap.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Environment;
import io.remap.api.ListenAddress;
import io.remap.api.PagePipe;
import io.remap.api.Refusal;
import io.remap.api.spi.Transport;
import io.remap.testkit.EchoSession.Manner;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What every {@link Transport} does, on real sockets with {@link EchoSession}. A subclass opens the transport; waiting is
 * bounded by {@link #WAIT_MILLIS} and by the timeout of a test.
 */
@Timeout(20)
public abstract class TransportContract {
    protected static final long WAIT_MILLIS = 10_000;
    private static final int CONNECTION_LIMIT = 60;

    /** 107 characters. */
    private static final String LONGEST_ABSTRACT_NAME =
            "remap-test-abstract-unix-address/of-the-greatest-length-that-fits-into-sun_path-behind-the-zero-byte/------";

    /** The kinds of sockets. */
    protected enum Kind {
        UNIX,
        TCP,
        ABSTRACT
    }

    @TempDir
    protected Path directory;

    protected final EchoSession.Shared shared = new EchoSession.Shared();
    protected Environment environment;
    protected Transport transport;
    private ScheduledThreadPoolExecutor timers;
    private ExecutorService clients;

    /** What fits into any pipe. */
    private static final int PIPE_BYTES = 64 << 10;

    /** Opens the transport under test. */
    protected abstract Transport open(Environment environment, int connectionLimit) throws Refusal;

    /**
     * Makes pipes of the system with given bytes in them, at most 64 KiB, for a transport that takes pages.
     *
     * @return {@code null} if it takes none, which every session checks
     */
    protected Function<ByteBuffer, PagePipe> pipes() {
        return null;
    }

    @BeforeEach
    void open() throws Refusal {
        timers = new ScheduledThreadPoolExecutor(1);
        clients = Executors.newCachedThreadPool();
        environment = RealEnvironment.on(timers);
        shared.pipes = pipes();
        transport = open(environment, CONNECTION_LIMIT);
    }

    @AfterEach
    void close() {
        shared.release.countDown();
        transport.close();
        eventually("every session is closed", () -> shared.closed.get() == shared.opened.get());
        eventually("no connection is left", () -> transport.connections() == 0);
        shared.held.forEach(EchoSession.Echo::complete);
        assertEquals(0, shared.pipesOut.get(), "pipes that were not released");
        clients.shutdownNow();
        timers.shutdownNow();
        assertEquals(List.of(), List.copyOf(shared.violations));
    }

    protected static void eventually(String what, BooleanSupplier condition) {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(WAIT_MILLIS);
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < deadline, what);
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
        }
    }

    protected Transport.Listener listen(Kind kind) throws Refusal {
        Transport.Listener listener = take(kind);
        listener.start();
        return listener;
    }

    private Transport.Listener take(Kind kind) throws Refusal {
        ListenAddress address = switch (kind) {
            case UNIX -> new ListenAddress.Unix(directory.resolve("s"));
            case TCP -> new ListenAddress.Tcp("", 0);
            case ABSTRACT ->
                new ListenAddress.Abstract(
                        "remap-test-" + ProcessHandle.current().pid());
        };
        return transport.listen(address, (peer, events) -> new EchoSession(shared, events));
    }

    protected EchoClient connect(ListenAddress address) throws IOException {
        return address instanceof ListenAddress.Abstract name
                ? new EchoClient(connectAbstract(name.name()))
                : new EchoClient(address);
    }

    /** Most characters of an abstract address that the transport takes. */
    protected int longestAbstractName() {
        return LONGEST_ABSTRACT_NAME.length();
    }

    /** Connects to an abstract Unix address, which the JDK cannot; reads give 0 after {@link #WAIT_MILLIS}. */
    protected abstract SocketChannel connectAbstract(String name) throws IOException;

    protected EchoSession.Echo nextHeld() throws InterruptedException {
        EchoSession.Echo echo = shared.held.poll(WAIT_MILLIS, TimeUnit.MILLISECONDS);
        assertTrue(echo != null, "the request was started");
        return echo;
    }

    private Future<Void> inBackground(Callable<Void> task) {
        return clients.submit(task);
    }

    /** Sends all and receives all, both at once, and checks that each was answered once. */
    private void exchange(EchoClient client, int requests, int payloadBytes) throws Exception {
        Future<Void> sender = inBackground(() -> {
            for (int tag = 0; tag < requests; tag++) {
                client.send(tag, Manner.AT_ONCE, payloadBytes);
            }
            return null;
        });
        Set<Long> tags = new HashSet<>();
        for (int i = 0; i < requests; i++) {
            tags.add(client.receive());
        }
        assertEquals(requests, tags.size());
        sender.get();
    }

    // ---- Data ------------------------------------------------------------------------------------------------------

    @ParameterizedTest
    @EnumSource
    void answersManyRequestsInFlight(Kind kind) throws Exception {
        try (EchoClient client = connect(listen(kind).address())) {
            exchange(client, 5_000, 100);
        }
    }

    @ParameterizedTest
    @EnumSource
    void movesLargePayloadsWhole(Kind kind) throws Exception {
        try (EchoClient client = connect(listen(kind).address())) {
            exchange(client, 2, EchoSession.MAX_PAYLOAD_BYTES);
            exchange(client, 30, (1 << 20) + 1);
        }
    }

    @ParameterizedTest
    @EnumSource
    void sendsWhatOtherThreadsComplete(Kind kind) throws Exception {
        try (EchoClient client = connect(listen(kind).address())) {
            for (int round = 0; round < 20; round++) {
                List<EchoSession.Echo> held = new ArrayList<>();
                for (int tag = 0; tag < 32; tag++) {
                    client.send(tag, Manner.HELD, 64);
                    held.add(nextHeld());
                }
                Collections.reverse(held);
                for (EchoSession.Echo echo : held) {
                    echo.complete();
                    assertEquals(echo.tag(), client.receive(), "nobody but the completion can wake the sender");
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void heldRequestsDoNotHoldUpOthers(Kind kind) throws Exception {
        try (EchoClient client = connect(listen(kind).address())) {
            for (int i = 0; i < EchoSession.IN_FLIGHT_LIMIT - 1; i++) {
                client.send(1_000_000 + i, Manner.HELD, 10);
            }
            exchange(client, 500, 10);
            for (int i = 0; i < EchoSession.IN_FLIGHT_LIMIT - 1; i++) {
                nextHeld().complete();
                client.receive();
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void sendsWhatTheSessionAnswersByItselfWhenPolled(Kind kind) throws Exception {
        try (EchoClient client = connect(listen(kind).address())) {
            for (int tag = 0; tag < 20; tag += 2) {
                // In one piece, so that the second is found when the next work is asked for, not when bytes arrive.
                ByteBuffer both = ByteBuffer.allocate(1024)
                        .put(EchoClient.request(tag, Manner.HELD, 0))
                        .put(EchoClient.request(tag + 1, Manner.BY_ITSELF, 0));
                client.send(both.flip());
                assertEquals(tag + 1, client.receive());
            }
            shared.held.forEach(EchoSession.Echo::complete);
        }
    }

    @ParameterizedTest
    @EnumSource
    void goesOnAfterTheLimitOfRequestsInFlight(Kind kind) throws Exception {
        try (EchoClient client = connect(listen(kind).address())) {
            int requests = 3 * EchoSession.IN_FLIGHT_LIMIT;
            for (int tag = 0; tag < requests; tag++) {
                client.send(tag, Manner.HELD, 10);
            }
            List<EchoSession.Echo> held = new ArrayList<>();
            for (int i = 0; i < EchoSession.IN_FLIGHT_LIMIT; i++) {
                held.add(nextHeld());
            }
            assertTrue(shared.held.isEmpty());
            held.forEach(EchoSession.Echo::complete);
            for (int i = EchoSession.IN_FLIGHT_LIMIT; i < requests; i++) {
                nextHeld().complete();
            }
            for (int i = 0; i < requests; i++) {
                client.receive();
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void servesManyConnectionsAtOnce(Kind kind) throws Exception {
        Transport.Listener listener = listen(kind);
        List<Future<Void>> done = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            done.add(inBackground(() -> {
                try (EchoClient client = connect(listener.address())) {
                    for (int tag = 0; tag < 40; tag++) {
                        client.send(tag, Manner.AT_ONCE, 4096);
                    }
                    for (int tag = 0; tag < 40; tag++) {
                        client.receive();
                    }
                }
                return null;
            }));
        }
        for (Future<Void> one : done) {
            one.get();
        }
        eventually("connections end with their clients", () -> transport.connections() == 0);
    }

    @ParameterizedTest
    @EnumSource
    void aClientThatDoesNotReadHoldsUpNobodyElse(Kind kind) throws Exception {
        Transport.Listener listener = listen(kind);
        try (EchoClient lazy = connect(listener.address());
                EchoClient other = connect(listener.address())) {
            int requests = 40;
            Future<Void> sender = inBackground(() -> {
                for (int tag = 0; tag < requests; tag++) {
                    lazy.send(tag, Manner.AT_ONCE, 1 << 20);
                }
                return null;
            });
            exchange(other, 500, 1000);
            for (int i = 0; i < requests; i++) {
                lazy.receive();
            }
            sender.get();
        }
    }

    // ---- Pages; a transport that takes none is asked for the same bytes
    // -----------------------------------------------

    @ParameterizedTest
    @EnumSource
    void sendsPagesBetweenOtherReplies(Kind kind) throws Exception {
        try (EchoClient client = connect(listen(kind).address())) {
            int requests = 2_000;
            Random random = new Random(1);
            Future<Void> sender = inBackground(() -> {
                for (int tag = 0; tag < requests; tag++) {
                    Manner manner = random.nextInt(3) == 0 ? Manner.AT_ONCE : Manner.PAGES;
                    client.send(tag, manner, random.nextInt(10) == 0 ? PIPE_BYTES : random.nextInt(5000));
                }
                return null;
            });
            Set<Long> tags = new HashSet<>();
            for (int i = 0; i < requests; i++) {
                tags.add(client.receive());
            }
            assertEquals(requests, tags.size());
            sender.get();
            eventually("all pipes are released", () -> shared.pipesOut.get() == 0);
        }
    }

    @ParameterizedTest
    @EnumSource
    void sendsPagesInPartsToAClientThatReadsSlowly(Kind kind) throws Exception {
        Transport.Listener listener = listen(kind);
        try (EchoClient slow = connect(listener.address());
                EchoClient other = connect(listener.address())) {
            int requests = 40;
            Future<Void> sender = inBackground(() -> {
                for (int tag = 0; tag < requests; tag++) {
                    slow.send(tag, Manner.PAGES, PIPE_BYTES - tag);
                }
                return null;
            });
            exchange(other, 500, 1000);
            slow.pieceBytes = 777;
            Set<Long> tags = new HashSet<>();
            for (int i = 0; i < requests; i++) {
                tags.add(slow.receive());
            }
            assertEquals(requests, tags.size());
            sender.get();
        }
    }

    @ParameterizedTest
    @EnumSource
    void pagesThatWereNotSentAreReleasedWithTheirConnection(Kind kind) throws Exception {
        Transport.Listener listener = listen(kind);
        try (EchoClient gone = connect(listener.address());
                EchoClient left = connect(listener.address())) {
            for (EchoClient client : List.of(gone, left)) {
                var unused = inBackground(() -> {
                    for (int tag = 0; tag < 100; tag++) {
                        client.send(tag, Manner.PAGES, PIPE_BYTES);
                    }
                    return null;
                });
                client.receive();
            }
            if (shared.pipes != null) {
                eventually("the sockets are full", () -> shared.pipesOut.get() > 10);
            }
            gone.close();
            eventually("one is closed", () -> shared.closed.get() == 1);
            transport.close();
            eventually("both are closed", () -> shared.closed.get() == 2);
            eventually("all pipes are released", () -> shared.pipesOut.get() == 0);
        }
    }

    // ---- Ends ------------------------------------------------------------------------------------------------------

    @ParameterizedTest
    @EnumSource
    void answersWhatCameBeforeTheClientEndedItsInput(Kind kind) throws Exception {
        try (EchoClient client = connect(listen(kind).address())) {
            for (int tag = 0; tag < 100; tag++) {
                client.send(tag, tag % 10 == 0 ? Manner.HELD : Manner.AT_ONCE, 100);
            }
            client.channel.shutdownOutput();
            for (int i = 0; i < 10; i++) {
                nextHeld().complete();
            }
            for (int tag = 0; tag < 100; tag++) {
                client.receive();
            }
            assertTrue(client.isHungUp());
        }
    }

    @ParameterizedTest
    @EnumSource
    void aLastReplyLeavesBeforeTheSocketIsClosed(Kind kind) throws Exception {
        Transport.Listener listener = listen(kind);
        try (EchoClient client = connect(listener.address());
                EchoClient abrupt = connect(listener.address())) {
            client.send(7, Manner.LAST, 1 << 20);
            assertEquals(7, client.receive());
            assertTrue(client.isHungUp());
            abrupt.send(8, Manner.ABRUPT, 0);
            assertTrue(abrupt.isHungUp());
        }
    }

    @ParameterizedTest
    @EnumSource
    void aClientThatBreaksOffLeavesNothingBehind(Kind kind) throws Exception {
        Transport.Listener listener = listen(kind);
        try (EchoClient other = connect(listener.address())) {
            for (int i = 0; i < 20; i++) {
                try (EchoClient client = connect(listener.address())) {
                    client.send(1, Manner.HELD, 1000);
                    client.send(2, Manner.AT_ONCE, 1 << 20);
                    client.send(EchoClient.request(3, Manner.AT_ONCE, 1 << 20).limit(1000 * i));
                    if (kind == Kind.TCP) {
                        client.channel.setOption(StandardSocketOptions.SO_LINGER, 0);
                    }
                }
            }
            eventually("all of them are closed", () -> shared.closed.get() == 20);
            eventually("only the other one is left", () -> transport.connections() == 1);
            shared.held.forEach(EchoSession.Echo::complete);
            exchange(other, 100, 100);
        }
    }

    @ParameterizedTest
    @EnumSource
    void anErrorInTheProgramEndsOnlyItsConnection(Kind kind) throws Exception {
        Transport.Listener listener = listen(kind);
        try (EchoClient client = connect(listener.address());
                EchoClient other = connect(listener.address())) {
            client.send(1, Manner.BROKEN, 0);
            assertTrue(client.isHungUp());
            exchange(other, 100, 100);
        }
    }

    @ParameterizedTest
    @EnumSource
    void hangsUpOnConnectionsBeyondTheLimit(Kind kind) throws Exception {
        transport.close();
        transport = open(environment, 2);
        Transport.Listener listener = listen(kind);
        try (EchoClient first = connect(listener.address());
                EchoClient second = connect(listener.address())) {
            exchange(first, 1, 1);
            exchange(second, 1, 1);
            for (int i = 0; i < 5; i++) {
                try (EchoClient third = connect(listener.address())) {
                    assertTrue(third.isHungUp());
                }
            }
            first.close();
            eventually("there is a place again", () -> transport.connections() == 1);
            try (EchoClient third = connect(listener.address())) {
                exchange(third, 10, 10);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void drainSendsWhatIsUnderWay(Kind kind) throws Exception {
        Transport.Listener listener = listen(kind);
        try (EchoClient client = connect(listener.address());
                EchoClient silent = connect(listener.address())) {
            exchange(silent, 1, 1);
            client.send(1, Manner.HELD, 1000);
            EchoSession.Echo echo = nextHeld();
            Future<Boolean> drained = clients.submit(() -> transport.drain(WAIT_MILLIS));
            assertTrue(silent.isHungUp());
            assertThrows(IOException.class, () -> connect(listener.address()));
            assertFalse(drained.isDone());
            echo.complete();
            assertEquals(1, client.receive());
            assertTrue(client.isHungUp());
            assertTrue(drained.get());
        }
    }

    @ParameterizedTest
    @EnumSource
    void drainHangsUpWhenItsTimeIsOver(Kind kind) throws Exception {
        try (EchoClient client = connect(listen(kind).address())) {
            client.send(1, Manner.HELD, 1000);
            nextHeld();
            assertFalse(transport.drain(50));
            assertTrue(client.isHungUp());
        }
    }

    @ParameterizedTest
    @EnumSource
    void closeWakesWhoeverIsSending(Kind kind) throws Exception {
        try (EchoClient client = connect(listen(kind).address())) {
            client.send(1, Manner.AT_ONCE, EchoSession.MAX_PAYLOAD_BYTES);
            assertFalse(client.isHungUp(), "the reply has begun; the rest of it does not fit into the socket");
            transport.close();
            eventually("the sender has left", () -> transport.connections() == 0);
        }
    }

    @ParameterizedTest
    @EnumSource
    void whoComesBeforeTheStartWaits(Kind kind) throws Exception {
        Transport.Listener listener = take(kind);
        try (EchoClient client = connect(listener.address())) {
            assertEquals(0, transport.connections());
            listener.start();
            exchange(client, 10, 10);
        }
    }

    @ParameterizedTest
    @EnumSource
    void closingAListenerLeavesItsConnections(Kind kind) throws Exception {
        Transport.Listener listener = listen(kind);
        try (EchoClient client = connect(listener.address())) {
            exchange(client, 1, 1);
            listener.close();
            listener.close();
            assertThrows(IOException.class, () -> connect(listener.address()));
            exchange(client, 100, 100);
        }
    }

    // ---- Addresses -------------------------------------------------------------------------------------------------

    @Test
    void aUnixSocketIsPrivateAndRemovedAtTheEnd() throws Exception {
        Path socket = directory.resolve("s");
        try (Transport.Listener listener = listen(Kind.UNIX)) {
            assertEquals(new ListenAddress.Unix(socket), listener.address());
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)));
        }
        assertFalse(Files.exists(socket, LinkOption.NOFOLLOW_LINKS));
    }

    @Test
    void aSocketThatNobodyListensOnIsReplaced() throws Exception {
        try (ServerSocketChannel dead = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            dead.bind(UnixDomainSocketAddress.of(directory.resolve("s")));
        }
        try (EchoClient client = connect(listen(Kind.UNIX).address())) {
            exchange(client, 10, 10);
        }
        try (var files = Files.list(directory)) {
            assertEquals(List.of(directory.resolve("s")), files.toList());
        }
    }

    @Test
    void aSocketThatSomebodyListensOnIsRefused() throws Exception {
        try (Transport.Listener live = listen(Kind.UNIX)) {
            Refusal refusal = assertThrows(Refusal.class, () -> listen(Kind.UNIX));
            assertEquals(Refusal.Kind.BUSY, refusal.kind());
            assertTrue(refusal.getMessage().contains(directory.resolve("s").toString()), refusal.getMessage());
            try (EchoClient client = connect(live.address())) {
                exchange(client, 10, 10);
            }
        }
    }

    @Test
    void anAbstractAddressIsTakenOnceAndFreeAtTheEnd() throws Exception {
        try (Transport.Listener listener = listen(Kind.ABSTRACT)) {
            Refusal refusal = assertThrows(Refusal.class, () -> listen(Kind.ABSTRACT));
            assertEquals(Refusal.Kind.BUSY, refusal.kind());
            assertTrue(refusal.getMessage().contains(listener.address().toString()), refusal.getMessage());
        }
        try (EchoClient client = connect(listen(Kind.ABSTRACT).address())) {
            exchange(client, 10, 10);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "a b", "a\0b", "\u00fc", LONGEST_ABSTRACT_NAME + "x"})
    void abstractNamesThatCannotBeAreRefused(String name) {
        Refusal refusal = assertThrows(
                Refusal.class,
                () -> transport.listen(
                        new ListenAddress.Abstract(name), (peer, events) -> new EchoSession(shared, events)));
        assertEquals(Refusal.Kind.USAGE, refusal.kind());
    }

    @Test
    void anAbstractNameOfFullLengthWorks() throws Exception {
        try (Transport.Listener listener = transport.listen(
                        new ListenAddress.Abstract(LONGEST_ABSTRACT_NAME.substring(0, longestAbstractName())),
                        (peer, events) -> new EchoSession(shared, events));
                EchoClient client = connect(listener.address())) {
            listener.start();
            exchange(client, 10, 10);
        }
    }

    @Test
    void aFileThatIsNoSocketIsRefused() throws Exception {
        Path file = Files.writeString(directory.resolve("s"), "precious");
        assertEquals(
                Refusal.Kind.ENVIRONMENT,
                assertThrows(Refusal.class, () -> listen(Kind.UNIX)).kind());
        assertEquals("precious", Files.readString(file));
    }

    @Test
    void aSocketOfSomebodyElseIsNotRemoved() throws Exception {
        Path socket = directory.resolve("s");
        try (Transport.Listener listener = listen(Kind.UNIX)) {
            Files.move(socket, directory.resolve("mine"));
            Files.writeString(socket, "precious");
        }
        assertEquals("precious", Files.readString(socket));
    }

    @Test
    void pathsThatCannotBeAreRefused() throws Exception {
        int room = 107 - directory.toString().length() - 1;
        Refusal tooLong = assertThrows(Refusal.class, () -> listenAt(directory.resolve("x".repeat(room + 1))));
        assertEquals(Refusal.Kind.USAGE, tooLong.kind());
        listenAt(directory.resolve("x".repeat(room))).close();
        Refusal nowhere = assertThrows(Refusal.class, () -> listenAt(directory.resolve("absent/s")));
        assertEquals(Refusal.Kind.ENVIRONMENT, nowhere.kind());
        assertTrue(nowhere.getMessage().contains("absent is no directory"), nowhere.getMessage());
    }

    private Transport.Listener listenAt(Path path) throws Refusal {
        Transport.Listener listener =
                transport.listen(new ListenAddress.Unix(path), (peer, events) -> new EchoSession(shared, events));
        listener.start();
        return listener;
    }

    @Test
    void aPortInUseIsRefused() throws Exception {
        ListenAddress.Tcp taken = (ListenAddress.Tcp) listen(Kind.TCP).address();
        assertTrue(taken.port() > 0);
        Refusal refusal = assertThrows(
                Refusal.class, () -> transport.listen(taken, (peer, events) -> new EchoSession(shared, events)));
        assertEquals(Refusal.Kind.BUSY, refusal.kind());
        assertTrue(refusal.getMessage().contains(taken.toString()), refusal.getMessage());
    }

    @Test
    void anAddressOfAnotherHostIsRefused() {
        // 192.0.2.0/24 is for documentation: no host has it (RFC 5737).
        Refusal refusal = assertThrows(
                Refusal.class,
                () -> transport.listen(
                        new ListenAddress.Tcp("192.0.2.1", 0), (peer, events) -> new EchoSession(shared, events)));
        assertEquals(Refusal.Kind.ENVIRONMENT, refusal.kind());
    }
}
