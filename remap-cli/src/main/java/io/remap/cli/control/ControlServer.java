package io.remap.cli.control;

import io.remap.api.Attribute;
import io.remap.api.Environment;
import io.remap.api.FeatureState;
import io.remap.api.FeatureStatus;
import io.remap.api.Refusal;
import io.remap.api.listen.UnixSocketFile;
import io.remap.api.spi.ControlCommands;
import io.remap.api.spi.Feature;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.UserPrincipal;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import jdk.net.ExtendedSocketOptions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers on the control socket of one service.
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>The socket never stands under its name with a mode other than 0600, and takes the place of no other but one
 *       that nobody listens on: see {@link UnixSocketFile}.
 *   <li>Whoever connects is the owner of the process or root, by the credentials that the kernel reports (SO_PEERCRED
 *       of unix(7)); anybody else is told so and cut off before a byte is read.
 *   <li>At most {@link #MAX_CONNECTIONS} connections, one request of each at a time, each bounded in size and time.
 *   <li>Only the file that this server made is removed at the end, while it holds the service lock.
 * </ul>
 *
 * <p>It uses the sockets of the JDK: they can be closed under a waiting thread, and their peer credentials compare by
 * number (a unit test pins this), so that no native library is needed to answer {@code status}.
 */
final class ControlServer implements Feature {
    static final int MAX_CONNECTIONS = 16;
    static final long IDLE_MILLIS = 60_000;
    static final long REQUEST_MILLIS = 10_000;

    private static final int BACKLOG = 16;
    private static final long ACCEPT_PAUSE_MILLIS = 500;
    private static final long JOIN_MILLIS = 2_000;
    private static final long UID_ROOT = 0;
    private static final Logger LOG = LoggerFactory.getLogger(ControlServer.class);

    private final Path socket;
    private final UnixSocketFile file;
    private final ServiceLock lock;
    private final ServerSocketChannel listener;
    private final ControlCommands commands;
    private final Environment environment;
    private final Set<UserPrincipal> allowed;
    private final Thread acceptor;
    private final AtomicLong requests = new AtomicLong();
    private final AtomicLong refused = new AtomicLong();

    /** Connections under way; guarded by itself. */
    private final Set<ControlConnection> connections = new HashSet<>();

    /** Guarded by {@link #connections}. */
    private boolean closed;

    /** Why no connection could be accepted the last time, empty if one was. */
    private volatile String failure = "";

    private ControlServer(
            Path socket,
            UnixSocketFile file,
            ServiceLock lock,
            ServerSocketChannel listener,
            ControlCommands commands,
            Environment environment,
            Set<UserPrincipal> allowed) {
        this.socket = socket;
        this.file = file;
        this.lock = lock;
        this.listener = listener;
        this.commands = commands;
        this.environment = environment;
        this.allowed = allowed;
        this.acceptor = new Thread(this::acceptAll, "remap-control");
        acceptor.setDaemon(true);
    }

    /** Starts to answer in a checked directory; leaves nothing behind if it cannot. */
    static ControlServer start(String name, Path directory, ControlCommands commands, Environment environment)
            throws Refusal {
        RunDirectory.checkName(name);
        RunDirectory.check(directory);
        Path socket = RunDirectory.controlSocket(directory, name);
        if (socket.toString().getBytes(StandardCharsets.UTF_8).length > UnixSocketFile.MAX_PATH_BYTES) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "the path of the control socket " + socket + " is longer than " + UnixSocketFile.MAX_PATH_BYTES
                            + " bytes: choose a shorter --name or XDG_RUNTIME_DIR");
        }
        // Before the lock is touched, which does not exclude within a process.
        if (LocalConnect.isListening(socket)) {
            throw new Refusal(Refusal.Kind.BUSY, ServiceLock.running(name, ""));
        }
        ServiceLock lock = ServiceLock.take(directory, name);
        try {
            ControlServer server = bind(socket, lock, commands, environment);
            server.acceptor.start();
            return server;
        } catch (IOException e) {
            lock.close();
            if (e instanceof Refusal refusal) {
                throw refusal.kind() == Refusal.Kind.BUSY
                        ? new Refusal(Refusal.Kind.BUSY, ServiceLock.running(name, ""), refusal)
                        : refusal;
            }
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "control socket " + socket + " cannot be made: " + RunDirectory.reason(e),
                    e);
        }
    }

    private static ControlServer bind(Path socket, ServiceLock lock, ControlCommands commands, Environment environment)
            throws IOException {
        ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        UnixSocketFile file = null;
        try {
            file = UnixSocketFile.bind(
                    socket, environment.random(), at -> listener.bind(UnixDomainSocketAddress.of(at), BACKLOG));
            return new ControlServer(socket, file, lock, listener, commands, environment, allowedPeers(socket));
        } catch (IOException e) {
            listener.close();
            if (file != null) {
                file.remove();
            }
            throw e;
        }
    }

    /** Whoever owns the new socket is the effective user of this process; root may always. */
    private static Set<UserPrincipal> allowedPeers(Path socket) throws IOException {
        UserPrincipal owner = Files.getOwner(socket, LinkOption.NOFOLLOW_LINKS);
        // A number stands for itself where no user has it as a name.
        UserPrincipal root =
                socket.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByName(Long.toString(UID_ROOT));
        return Set.of(owner).contains(root) ? Set.of(owner) : Set.of(owner, root);
    }

    /**
     * Accepts until it is closed. A failure (no descriptor, no thread left) is not the end: it is tried again, as the
     * status would else tell of a control that does not answer any more.
     */
    private void acceptAll() {
        while (listener.isOpen()) {
            try {
                admit(listener.accept());
                failure = "";
            } catch (ClosedChannelException e) {
                return;
            } catch (IOException e) {
                if (failure.isEmpty()) {
                    LOG.warn("control socket {} cannot accept connections for now: {}", socket, e.toString());
                }
                failure = "cannot accept connections: " + e.getMessage();
                pause();
            }
        }
    }

    private void pause() {
        synchronized (connections) {
            if (!closed) {
                try {
                    connections.wait(ACCEPT_PAUSE_MILLIS);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
        }
    }

    private void admit(SocketChannel channel) {
        ControlConnection connection = new ControlConnection(channel, this);
        String objection = null;
        synchronized (connections) {
            if (closed) {
                objection = "the service is stopping";
            } else if (connections.size() >= MAX_CONNECTIONS) {
                objection = "too many connections: at most " + MAX_CONNECTIONS;
            } else {
                connections.add(connection);
            }
        }
        if (objection == null && !mayConnect(channel)) {
            objection = "permission denied: this service answers its owner and root";
        }
        if (objection == null) {
            try {
                connection.start();
                return;
            } catch (OutOfMemoryError e) {
                objection = "there is no thread for another connection";
            }
        }
        refused.incrementAndGet();
        connection.turnAway(objection);
        ended(connection);
    }

    private boolean mayConnect(SocketChannel channel) {
        try {
            return allowed.contains(
                    channel.getOption(ExtendedSocketOptions.SO_PEERCRED).user());
        } catch (IOException | UnsupportedOperationException e) {
            LOG.warn("control socket {}: a peer without credentials was turned away: {}", socket, e.toString());
            return false;
        }
    }

    void ended(ControlConnection connection) {
        synchronized (connections) {
            connections.remove(connection);
        }
    }

    ControlCommands served() {
        return commands;
    }

    Environment environment() {
        return environment;
    }

    void countRequest() {
        requests.incrementAndGet();
    }

    /** A line for a connection that is not served. */
    static ByteBuffer objection(String message) {
        return ByteBuffer.wrap(RpcErrors.line(null, RpcErrors.TURNED_AWAY, message, null));
    }

    @Override
    public FeatureStatus status() {
        synchronized (connections) {
            if (!closed && !failure.isEmpty()) {
                return FeatureStatus.of("control", FeatureState.FAILED, failure);
            }
            return FeatureStatus.of("control", closed ? FeatureState.STOPPED : FeatureState.STARTED, "json-rpc");
        }
    }

    @Override
    public List<Attribute> attributes() {
        Supplier<Object> open = () -> {
            synchronized (connections) {
                return (long) connections.size();
            }
        };
        return List.of(
                Attribute.readOnly("control.socket", "text", "Path of the control socket.", socket::toString),
                Attribute.readOnly("control.connections", "count", "Connections to the control socket now.", open),
                Attribute.readOnly("control.requests", "count", "Requests on the control socket.", requests::get),
                Attribute.readOnly(
                        "control.refused-connections",
                        "count",
                        "Connections turned away: wrong user, or too many.",
                        refused::get));
    }

    @Override
    public void close() {
        List<ControlConnection> open;
        synchronized (connections) {
            if (closed) {
                return;
            }
            closed = true;
            connections.notifyAll();
            open = new ArrayList<>(connections);
        }
        try {
            listener.close();
        } catch (IOException e) {
            LOG.debug("cannot close {}: {}", socket, e.toString());
        }
        file.remove();
        long deadline = environment.time().nanoTime() + JOIN_MILLIS * 1_000_000;
        for (ControlConnection connection : open) {
            connection.finish(Math.max(1, (deadline - environment.time().nanoTime()) / 1_000_000));
        }
        lock.close();
    }
}
