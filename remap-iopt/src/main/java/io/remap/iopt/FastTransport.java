package io.remap.iopt;

import io.netty.channel.DefaultSelectStrategyFactory;
import io.netty.channel.IoEventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.concurrent.EventExecutor;
import io.remap.api.Attribute;
import io.remap.api.Environment;
import io.remap.api.ListenAddress;
import io.remap.api.Refusal;
import io.remap.api.Scheduler;
import io.remap.api.SessionFactory;
import io.remap.api.listen.Connections;
import io.remap.api.listen.OccasionalLog;
import io.remap.api.listen.Unwelcome;
import io.remap.api.spi.Transport;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves all connections by a few event loops over epoll(7).
 *
 * <p>Invariants: a connection belongs to one loop for its life, the next one in turn to the next loop that has a thread.
 * The loops end when the transport was stopped and the last connection is gone; until then each of them can be asked for
 * attention.
 */
final class FastTransport implements Transport {
    /** Most events that a loop takes at a time. */
    private static final int MAX_EVENTS = 256;

    /** A loop that ends waits no longer for its tasks. */
    private static final long LOOP_END_MILLIS = 5_000;

    private static final Logger log = LoggerFactory.getLogger(FastTransport.class);

    private final Environment environment;
    private final OccasionalLog occasionalLog;
    private final TransportCounters counters = new TransportCounters();
    private final ThreadFactory threads;
    private final MultiThreadIoEventLoopGroup group;
    private final Loop[] loops;
    private final AtomicInteger nextLoop = new AtomicInteger();
    private final Connections<Connection, Acceptor> connections;
    private final AtomicBoolean ended = new AtomicBoolean();

    /** Starts loops, whose threads start with their first connection. */
    FastTransport(Environment environment, int connectionLimit, int loopCount) {
        this(environment, connectionLimit, loopCount, new LoopThreads());
    }

    /** {@code threads}: where the threads of loops come from, {@link LoopThread}s. */
    FastTransport(Environment environment, int connectionLimit, int loopCount, ThreadFactory threads) {
        this.threads = threads;
        this.environment = environment;
        this.occasionalLog = new OccasionalLog(log, environment.time());
        this.connections = new Connections<>(
                connectionLimit, FastTransportProvider.CONNECTION_LIMIT, occasionalLog, environment.time());
        this.group = newGroup(loopCount);
        List<Loop> made = new ArrayList<>();
        for (EventExecutor executor : group) {
            made.add(new Loop(this, (IoEventLoop) executor));
        }
        loops = made.toArray(Loop[]::new);
    }

    private MultiThreadIoEventLoopGroup newGroup(int loopCount) {
        return new MultiThreadIoEventLoopGroup(
                loopCount, threads, EpollIoHandler.newFactory(MAX_EVENTS, DefaultSelectStrategyFactory.INSTANCE));
    }

    /** One more event loop, for a {@link Loop} whose thread hangs. */
    IoEventLoop newEventLoop() {
        return newGroup(1).next();
    }

    /** Ends an event loop; what is registered there is closed. One that never began has nothing there, perhaps no thread. */
    void end(EventExecutor events) {
        try {
            var unused = events.shutdownGracefully(0, LOOP_END_MILLIS, TimeUnit.MILLISECONDS);
        } catch (OutOfMemoryError e) {
            log.debug("the host gives an event loop no thread to end with: {}", e.toString());
        }
    }

    /** Another thread runs the loop, which is the calling one. */
    void adoptAllOf(Loop loop) {
        for (Connection connection : connections.all()) {
            if (connection.loop() == loop) {
                connection.adopt();
            }
        }
        for (Acceptor acceptor : connections.listeners()) {
            if (acceptor.loop() == loop) {
                acceptor.adopt();
            }
        }
    }

    static final class LoopThreads implements ThreadFactory {
        private final AtomicInteger count = new AtomicInteger();

        @Override
        public Thread newThread(Runnable loop) {
            LoopThread thread = new LoopThread(loop, "remap-loop-" + count.getAndIncrement());
            thread.setDaemon(true);
            return thread;
        }
    }

    /** The next in turn, of those for which the host has a thread; the one that accepts has its own. */
    private Loop nextLoop() {
        OutOfMemoryError refused = null;
        for (int i = 0; i < loops.length; i++) {
            Loop loop = loops[Math.floorMod(nextLoop.getAndIncrement(), loops.length)];
            try {
                loop.start();
                return loop;
            } catch (OutOfMemoryError e) {
                warn("an event loop has no thread yet, so another one serves its connections: " + e.getMessage()
                        + "; raise the limit of processes (ulimit -u, or TasksMax= of the service)");
                refused = e;
            }
        }
        throw refused;
    }

    @Override
    public Listener listen(ListenAddress address, SessionFactory sessions) throws Refusal {
        ListeningSocket socket = ListeningSocket.bind(address, environment);
        return connections.listens(new Acceptor(this, socket, sessions, loops[0]));
    }

    /** Takes a connection, or hangs up if there are too many or it is unwelcome. Does not throw. */
    void admit(ListeningSocket.Accepted accepted, ListeningSocket listening, SessionFactory sessions) {
        try {
            String peer = listening.ready(accepted);
            Connection connection = new Connection(this, nextLoop(), accepted.socket(), peer, sessions);
            if (connections.add(connection, peer)) {
                connection.loop().execute(connection::begin);
                return;
            }
        } catch (Unwelcome e) {
            warn(e.getMessage());
        } catch (IOException e) {
            log.debug("{}: a connection broke at once: {}", listening.address(), e.toString());
        } catch (RuntimeException | Error e) {
            log.error("{}: an error in the program ended a connection at its beginning", listening.address(), e);
        }
        ListeningSocket.close(accepted.socket());
    }

    @Override
    public int connections() {
        return connections.count();
    }

    /** A connection is closed. */
    void ended(Connection connection) {
        connections.ended(connection);
        endLoopsIfIdle();
    }

    private void endLoopsIfIdle() {
        if (!connections.areOver() || !ended.compareAndSet(false, true)) {
            return;
        }
        // One by one: the group itself stops at the first that cannot.
        group.forEach(this::end);
        for (Loop loop : loops) {
            end(loop.events());
            loop.endSpare();
        }
    }

    void stopped(Acceptor acceptor) {
        connections.stopped(acceptor);
    }

    @Override
    public boolean drain(long timeoutMillis) {
        return connections.drain(timeoutMillis);
    }

    @Override
    public List<Attribute> attributes() {
        return counters.attributes();
    }

    @Override
    public void close() {
        connections.end();
        endLoopsIfIdle();
    }

    TransportCounters counters() {
        return counters;
    }

    Scheduler scheduler() {
        return environment.scheduler();
    }

    void warn(String message) {
        occasionalLog.warn(message);
    }
}
