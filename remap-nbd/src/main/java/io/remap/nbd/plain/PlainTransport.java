package io.remap.nbd.plain;

import io.remap.api.Environment;
import io.remap.api.ListenAddress;
import io.remap.api.Refusal;
import io.remap.api.Scheduler;
import io.remap.api.SessionFactory;
import io.remap.api.TimeSource;
import io.remap.api.listen.Connections;
import io.remap.api.listen.OccasionalLog;
import io.remap.api.listen.TcpHost;
import io.remap.api.listen.UnixSocketFile;
import io.remap.api.listen.Unwelcome;
import io.remap.api.spi.Transport;
import java.io.IOException;
import java.nio.channels.ServerSocketChannel;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Accepts connections and gives each its workers.
 *
 * <p>Data goes through the JDK's channels on Unix sockets too. Those of jnr-unixsocket take 4 to 6 times as long for the
 * replies of 32 reads of 4 KiB (7.3 to 9.3 µs each instead of 1.2 to 2.6, measured: one system call for each buffer instead
 * of one for all) and twice as long for 1 MiB (427 to 575 µs instead of 213 to 248), do not wake a thread that is blocked
 * in a channel that is closed, and let it go on with a descriptor number that is somebody else's by then. What only
 * jnr-unixsocket can do, abstract addresses, goes through it, see {@link AbstractAddressSocket} and {@link Descriptor}.
 *
 * <p>Invariant: a connection counts until its last thread has left, so that clients who come, hang and go do not pile up
 * threads.
 */
final class PlainTransport implements Transport {
    /**
     * Most threads in place of those that hang, of all connections: where a whole disk hangs, more threads would only wait
     * with it.
     */
    private static final int MAX_SUBSTITUTES = 1024;

    private static final Logger log = LoggerFactory.getLogger(PlainTransport.class);

    private final Environment environment;
    private final int workerLimit;
    private final int hungLimit;
    private final Consumer<Thread> starter;

    /** Threads in place of those that hang, of all connections. */
    private final Semaphore substitutes = new Semaphore(MAX_SUBSTITUTES);

    private final OccasionalLog occasionalLog;
    private final StallWatch stallWatch = new StallWatch();
    private final AtomicLong accepted = new AtomicLong();
    private final Connections<Connection, Acceptor> connections;

    /** {@code starter} starts the threads of connections: {@link Thread#start}, or what a test has in its place. */
    PlainTransport(
            Environment environment, int connectionLimit, int workerLimit, int hungLimit, Consumer<Thread> starter) {
        this.environment = environment;
        this.workerLimit = workerLimit;
        this.hungLimit = hungLimit;
        this.starter = starter;
        this.occasionalLog = new OccasionalLog(log, environment.time());
        this.connections = new Connections<>(
                connectionLimit, PlainTransportProvider.CONNECTION_LIMIT, occasionalLog, environment.time());
    }

    @Override
    public Listener listen(ListenAddress address, SessionFactory sessions) throws Refusal {
        Acceptor acceptor;
        if (address instanceof ListenAddress.Unix unix) {
            ServerSocketChannel channel = UnixPath.open(unix);
            UnixSocketFile file = UnixPath.bind(unix, channel, environment.random());
            acceptor = new Acceptor(this, address, new JdkWire.Listening(channel), file::remove, sessions);
        } else if (address instanceof ListenAddress.Tcp tcp) {
            ServerSocketChannel channel = TcpPort.bind(tcp);
            ListenAddress.Tcp bound = TcpHost.bound(tcp, channel.socket().getLocalPort());
            acceptor = new Acceptor(this, bound, new JdkWire.Listening(channel), () -> {}, sessions);
        } else {
            ListenAddress.Abstract name = (ListenAddress.Abstract) address;
            acceptor = new Acceptor(this, address, AbstractAddressSocket.bind(name), () -> {}, sessions);
        }
        return connections.listens(acceptor);
    }

    /** Takes a connection, or hangs up if there are too many or it is unwelcome. Does not throw. */
    void admit(Wire wire, ListenAddress address, SessionFactory sessions) {
        Connection connection = null;
        try {
            String peer = wire.ready();
            connection = new Connection(this, wire, peer, accepted.incrementAndGet(), workerLimit);
            if (!connections.add(connection, peer)) {
                hangUp(wire);
                return;
            }
            connection.start(sessions.create(peer, connection));
        } catch (Unwelcome e) {
            warn(e.getMessage());
            hangUp(wire);
        } catch (IOException e) {
            log.debug("{}: a connection broke at once: {}", address, e.toString());
            hangUp(wire);
        } catch (RuntimeException | Error e) {
            log.error("{}: an error in the program ended a connection at its beginning", address, e);
            hangUp(wire);
            ended(connection);
        }
    }

    private static void hangUp(Wire wire) {
        try {
            wire.close();
        } catch (IOException e) {
            log.debug("hanging up: {}", e.toString());
        }
    }

    @Override
    public int connections() {
        return connections.count();
    }

    int hungLimit() {
        return hungLimit;
    }

    /**
     * Starts a thread of a connection.
     *
     * @throws OutOfMemoryError if the system gives no further thread
     */
    void start(Thread worker) {
        starter.accept(worker);
    }

    /** Whether most of them are left: then nobody lacks what one connection takes before it is sure to need it. */
    boolean hasManySubstitutes() {
        return substitutes.availablePermits() > MAX_SUBSTITUTES / 2;
    }

    /** Whether a connection may have one more thread than its workers. */
    boolean takeSubstitute() {
        return substitutes.tryAcquire();
    }

    void giveBackSubstitutes(int count) {
        substitutes.release(count);
    }

    /** The last thread of a connection has left. */
    void ended(Connection connection) {
        connections.ended(connection);
    }

    void stopped(Acceptor acceptor) {
        connections.stopped(acceptor);
    }

    @Override
    public boolean drain(long timeoutMillis) {
        return connections.drain(timeoutMillis);
    }

    @Override
    public void close() {
        connections.end();
        stallWatch.close();
    }

    TimeSource time() {
        return environment.time();
    }

    Scheduler scheduler() {
        return environment.scheduler();
    }

    StallWatch stallWatch() {
        return stallWatch;
    }

    void warn(String message) {
        occasionalLog.warn(message);
    }
}
