package io.remap.iopt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.netty.channel.IoEventLoop;
import io.netty.channel.IoHandle;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.LinuxSocket;
import io.netty.channel.unix.FileDescriptor;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import io.remap.api.Environment;
import io.remap.api.ListenAddress;
import io.remap.testkit.EchoClient;
import io.remap.testkit.EchoSession;
import io.remap.testkit.RealEnvironment;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Proxy;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Event loops on a host that has no room in epoll, or no thread, and has again later. */
@Timeout(60)
class LoopTest {
    private static final int TRIES = 10;

    @TempDir
    private Path directory;

    private final ScheduledExecutorService timers = Executors.newSingleThreadScheduledExecutor();
    private final Environment environment = RealEnvironment.on(timers);
    private final ThreadFactory threads = new FastTransport.LoopThreads();
    private volatile boolean noThread;
    private final FastTransport transport = new FastTransport(
            environment, TRIES, 1, task -> noThread ? new ThreadThatDoesNotStart() : threads.newThread(task));

    /** So many registrations find no room yet. */
    private final AtomicInteger failures = new AtomicInteger();

    private final AtomicInteger submitted = new AtomicInteger();
    private final IoEventLoop events = transport.newEventLoop();

    private static final class ThreadThatDoesNotStart extends Thread {
        @Override
        public synchronized void start() {
            throw new OutOfMemoryError("unable to create native thread");
        }
    }

    @AfterEach
    void close() {
        transport.close();
        transport.end(events);
        timers.shutdownNow();
    }

    private static void eventually(String what, BooleanSupplier condition) {
        long startNanos = System.nanoTime();
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() - startNanos < TimeUnit.SECONDS.toNanos(30), what);
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
        }
    }

    /** The events, of which some registrations fail when they are first submitted, as epoll_ctl(2) does then. */
    private IoEventLoop failing() {
        return (IoEventLoop) Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {IoEventLoop.class}, (proxy, method, arguments) -> {
                    Object result = method.invoke(events, arguments);
                    return method.getName().equals("register") && arguments[0] instanceof IoHandle
                            ? wrapped((Future<?>) result)
                            : result;
                });
    }

    private Promise<IoRegistration> wrapped(Future<?> registered) {
        Promise<IoRegistration> wrapped = events.newPromise();
        registered.addListener(future -> wrapped.setSuccess(failing((IoRegistration) future.getNow())));
        return wrapped;
    }

    private IoRegistration failing(IoRegistration registration) {
        return (IoRegistration) Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {IoRegistration.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("submit")) {
                        submitted.incrementAndGet();
                        if (failures.getAndDecrement() > 0) {
                            throw new UncheckedIOException(new IOException("no room"));
                        }
                    }
                    return method.invoke(registration, arguments);
                });
    }

    /** It is closed if the loop attends to it. */
    private void assertAttendsToAConnection(Loop loop) {
        LinuxSocket socket = LinuxSocket.newSocketDomain();
        new Connection(transport, loop, socket, "nobody", (peer, itsEvents) -> null).end();
        eventually("the connection is attended to", () -> !socket.isOpen());
    }

    @Test
    void aLoopWithoutRoomForItsBellAttendsAllTheSameAndTriesAgain() {
        failures.set(1);
        Loop loop = new Loop(transport, failing());
        loop.start();
        FileDescriptor first = loop.fd();
        eventually("the bell is closed", () -> !first.isOpen());
        for (int i = 0; i < TRIES; i++) {
            assertAttendsToAConnection(loop);
        }
        loop.start();
        assertNotSame(first, loop.fd());
        eventually("it was tried again", () -> submitted.get() == 2);
        for (int i = 0; i < TRIES; i++) {
            assertAttendsToAConnection(loop);
        }
        loop.start();
        assertTrue(loop.fd().isOpen());
        assertEquals(2, submitted.get());
    }

    @Test
    void aListenerWithoutRoomInEpollTriesAgain() throws Exception {
        failures.set(2);
        Path path = directory.resolve("s");
        CompletableFuture<String> connected = new CompletableFuture<>();
        EchoSession.Shared shared = new EchoSession.Shared();
        ListeningSocket socket = ListeningSocket.bind(new ListenAddress.Unix(path), environment);
        Acceptor acceptor = new Acceptor(
                transport,
                socket,
                (peer, itsEvents) -> {
                    connected.complete(peer);
                    return new EchoSession(shared, itsEvents);
                },
                new Loop(transport, failing()));
        acceptor.start();
        try (SocketChannel client = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
            assertFalse(connected.get(30, TimeUnit.SECONDS).isEmpty());
            assertTrue(client.isConnected());
            assertEquals(3, submitted.get());
        } finally {
            acceptor.close();
        }
    }

    private static long descriptors() throws IOException {
        try (var all = Files.list(Path.of("/proc/self/fd"))) {
            return all.count();
        }
    }

    @Test
    void rescuesForWhichThereIsNoThreadTakeNoDescriptors() throws Exception {
        Loop loop = new Loop(transport, events);
        loop.start();
        assertAttendsToAConnection(loop);
        noThread = true;
        assertFalse(loop.rescue(() -> true));
        long before = descriptors();
        for (int i = 0; i < TRIES; i++) {
            assertFalse(loop.rescue(() -> true));
        }
        assertTrue(descriptors() < before + TRIES, before + " descriptors, and now " + descriptors());
        noThread = false;
        assertTrue(loop.rescue(() -> true));
        assertNotSame(events, loop.events());
        assertAttendsToAConnection(loop);
        transport.end(loop.events());

        noThread = true;
        Loop other = new Loop(transport, events);
        assertFalse(other.rescue(() -> true));
        long with = descriptors();
        noThread = false;
        other.endSpare();
        eventually("what was kept is closed", () -> {
            try {
                return descriptors() < with;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    @Test
    void aLoopForWhichThereIsNoThreadAtItsStartHearsItsBellOnceThereIsOne() throws Exception {
        Loop loop = new Loop(transport, events);
        noThread = true;
        long before = descriptors();
        for (int i = 0; i < TRIES; i++) {
            assertThrows(OutOfMemoryError.class, loop::start);
        }
        assertTrue(descriptors() < before + TRIES, before + " descriptors, and now " + descriptors());
        noThread = false;
        loop.start();
        FileDescriptor bell = loop.fd();
        for (int i = 0; i < TRIES; i++) {
            assertAttendsToAConnection(loop);
        }
        loop.start();
        assertSame(bell, loop.fd());
        assertTrue(bell.isOpen());
    }

    /** The number of the bell that was closed is the next file's: it must not be registered in its place. */
    @Test
    void aLoopWithoutABellIsTakenOverWithoutOne() throws Exception {
        failures.set(1);
        Loop loop = new Loop(transport, failing());
        loop.start();
        FileDescriptor bell = loop.fd();
        eventually("the bell is closed", () -> !bell.isOpen());
        LinuxSocket socket = LinuxSocket.newSocketDomain();
        try {
            assumeTrue(socket.intValue() == bell.intValue(), "somebody else has the number");
            assertTrue(loop.rescue(() -> true));
            Connection other = new Connection(transport, loop, socket, "nobody", (peer, itsEvents) -> null);
            Future<IoRegistration> registered = loop.events().register(other);
            assertTrue(registered.await(30, TimeUnit.SECONDS));
            assertTrue(registered.isSuccess(), () -> "refused: " + registered.cause());
            registered.getNow().cancel();
            for (int i = 0; i < TRIES; i++) {
                assertAttendsToAConnection(loop);
            }
            transport.end(loop.events());
        } finally {
            socket.close();
        }
    }

    @Test
    void connectionsGoToTheLoopThatHasAThreadAndItEndsThoughTheOthersCannot() throws Exception {
        List<Thread> begun = new CopyOnWriteArrayList<>();
        FastTransport several = new FastTransport(environment, TRIES, 3, task -> {
            if (noThread) {
                return new ThreadThatDoesNotStart();
            }
            begun.add(threads.newThread(task));
            return begun.get(0);
        });
        Path path = directory.resolve("several");
        EchoSession.Shared shared = new EchoSession.Shared();
        several.listen(new ListenAddress.Unix(path), (peer, itsEvents) -> new EchoSession(shared, itsEvents))
                .start();
        assertEquals(1, begun.size());
        noThread = true;
        for (int i = 0; i < TRIES; i++) {
            try (EchoClient client = new EchoClient(SocketChannel.open(UnixDomainSocketAddress.of(path)))) {
                client.send(i, EchoSession.Manner.AT_ONCE, 100);
                assertEquals(i, client.receive());
            }
            eventually("it is gone", () -> several.connections() == 0);
        }
        several.close();
        begun.get(0).join(TimeUnit.SECONDS.toMillis(30));
        assertFalse(begun.get(0).isAlive(), "its loop has not ended");

        FastTransport idle = new FastTransport(environment, TRIES, 2, task -> new ThreadThatDoesNotStart());
        Path other = directory.resolve("idle");
        idle.listen(new ListenAddress.Unix(other), (peer, itsEvents) -> null);
        idle.close();
        assertFalse(Files.exists(other), "its socket is left");
    }
}
