package io.remap.iopt;

import io.netty.channel.ChannelException;
import io.netty.channel.epoll.LinuxSocket;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.Errors;
import io.netty.channel.unix.NativeInetAddress;
import io.remap.api.Environment;
import io.remap.api.ListenAddress;
import io.remap.api.Refusal;
import io.remap.api.listen.AbstractName;
import io.remap.api.listen.TcpHost;
import io.remap.api.listen.UnixSocketFile;
import java.io.IOException;
import java.net.BindException;
import java.net.Inet6Address;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A socket that listens, of one of the three kinds. Thread-safe. */
final class ListeningSocket implements AutoCloseable {
    /** The native library wants a zero behind a name, even where there is no room for one. */
    static final int MAX_ABSTRACT_NAME_BYTES = AbstractName.MAX_BYTES - 1;

    private static final int BACKLOG = 128;

    /** Of socket(7), the same on all architectures that there are native libraries for. */
    private static final int SOL_SOCKET = 1;

    private static final int SO_PEERCRED = 17;
    private static final int SO_SNDBUFFORCE = 32;

    /**
     * What a Unix socket takes before it is full; the kernel doubles it, for what it needs itself. Room for a long reply: a
     * socket that is full is not writable again before three quarters of it were taken, which would be once for each 256 KiB.
     */
    private static final int UNIX_SEND_BYTES = 1 << 20;

    /** {@code struct ucred}: pid, uid, gid, 4 bytes each. */
    private static final int UCRED_BYTES = 12;

    private static final int UCRED_UID_OFFSET = 4;
    private static final int EADDRINUSE = 98;
    private static final int EADDRNOTAVAIL = 99;
    private static final int EACCES = 13;

    /** What accept(2) of the native library gives: a length, an IPv6 address, a scope and a port. */
    private static final int ADDRESS_BYTES = 26;

    private static final Logger log = LoggerFactory.getLogger(ListeningSocket.class);

    private final LinuxSocket socket;
    private final ListenAddress address;
    private final Runnable cleanUp;
    private final int ownUid;
    private final byte[] acceptedAddress = new byte[ADDRESS_BYTES];

    private ListeningSocket(LinuxSocket socket, ListenAddress address, Runnable cleanUp, int ownUid) {
        this.socket = socket;
        this.address = address;
        this.cleanUp = cleanUp;
        this.ownUid = ownUid;
    }

    /** Begins to listen, or refuses. */
    static ListeningSocket bind(ListenAddress address, Environment environment) throws Refusal {
        try {
            if (address instanceof ListenAddress.Unix unix) {
                return bindUnix(unix, environment);
            }
            if (address instanceof ListenAddress.Tcp tcp) {
                return bindTcp(tcp);
            }
            if (address instanceof ListenAddress.Abstract name) {
                return bindAbstract(name);
            }
        } catch (ChannelException e) {
            // There is no socket: out of descriptors, or no such family of addresses.
            throw new Refusal(Refusal.Kind.ENVIRONMENT, address + " cannot be listened on: " + e.getMessage(), e);
        }
        throw new IllegalArgumentException("a new kind of address: " + address);
    }

    private static ListeningSocket bindUnix(ListenAddress.Unix address, Environment environment) throws Refusal {
        LinuxSocket socket = LinuxSocket.newSocketDomain();
        try {
            UnixSocketFile file =
                    UnixSocketFile.bind(address.path(), environment.random(), path -> claim(socket, path));
            return new ListeningSocket(socket, address, file::remove, -1);
        } catch (Refusal | RuntimeException e) {
            close(socket);
            throw e;
        }
    }

    /**
     * Binds to a path where nothing is. The native library removes whatever is there before it binds; so an empty file of
     * our own is put there first, which only works if nothing is.
     */
    private static void claim(LinuxSocket socket, Path path) throws IOException {
        Files.createFile(path);
        try {
            listen(socket, new DomainSocketAddress(path.toString()));
        } catch (IOException e) {
            Files.deleteIfExists(path);
            throw e;
        }
    }

    private static ListeningSocket bindTcp(ListenAddress.Tcp address) throws Refusal {
        InetSocketAddress resolved = TcpHost.resolve(address);
        LinuxSocket socket = LinuxSocket.newSocketStream(resolved.getAddress() instanceof Inet6Address);
        try {
            socket.setReuseAddress(true);
            listen(socket, resolved);
            ListenAddress bound = TcpHost.bound(address, socket.localAddress().getPort());
            return new ListeningSocket(socket, bound, () -> {}, -1);
        } catch (IOException e) {
            close(socket);
            throw TcpHost.refusal(address, resolved.getAddress(), e);
        }
    }

    private static ListeningSocket bindAbstract(ListenAddress.Abstract address) throws Refusal {
        AbstractName.check(address);
        if (address.name().length() > MAX_ABSTRACT_NAME_BYTES) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    address + " has " + address.name().length() + " characters, of which the fast transport takes "
                            + MAX_ABSTRACT_NAME_BYTES + ": choose a shorter name, or --transport plain");
        }
        LinuxSocket socket = LinuxSocket.newSocketDomain();
        try {
            listen(socket, new DomainSocketAddress("\0" + address.name()));
            // What the peer of a listening socket is: who called listen(2).
            return new ListeningSocket(socket, address, () -> {}, uid(socket));
        } catch (BindException e) {
            close(socket);
            throw AbstractName.inUse(address, e);
        } catch (IOException e) {
            close(socket);
            throw new Refusal(Refusal.Kind.ENVIRONMENT, address + " cannot be listened on: " + e.getMessage(), e);
        }
    }

    /** @throws BindException as the JDK does */
    private static void listen(LinuxSocket socket, SocketAddress address) throws IOException {
        try {
            socket.bind(address);
            socket.listen(BACKLOG);
        } catch (Errors.NativeIoException e) {
            int errno = -e.expectedErr();
            if (errno == EADDRINUSE || errno == EADDRNOTAVAIL || errno == EACCES) {
                throw (IOException) new BindException(e.getMessage()).initCause(e);
            }
            throw e;
        }
    }

    private static int uid(LinuxSocket socket) throws IOException {
        ByteBuffer credentials = ByteBuffer.allocate(UCRED_BYTES).order(ByteOrder.nativeOrder());
        socket.getRawOpt(SOL_SOCKET, SO_PEERCRED, credentials);
        return credentials.getInt(UCRED_UID_OFFSET);
    }

    LinuxSocket socket() {
        return socket;
    }

    ListenAddress address() {
        return address;
    }

    /**
     * A new connection, non-blocking.
     *
     * @param remote where it comes from, {@code null} if it is a Unix socket
     */
    record Accepted(LinuxSocket socket, InetSocketAddress remote) {}

    /** The next connection that waits; {@code null} if there is none, or this was closed. */
    synchronized Accepted accept() throws IOException {
        int number = socket.isOpen() ? socket.accept(acceptedAddress) : -1;
        if (number < 0) {
            return null;
        }
        // Asked for later it would not be known any more if the client has gone.
        InetSocketAddress remote = address instanceof ListenAddress.Tcp
                ? NativeInetAddress.address(acceptedAddress, 1, acceptedAddress[0])
                : null;
        return new Accepted(LinuxSocket.newSocket(number), remote);
    }

    /**
     * Readies a new connection.
     *
     * @return who is at the other end
     * @throws io.remap.api.listen.Unwelcome if it is nobody to be served
     */
    String ready(Accepted accepted) throws IOException {
        InetSocketAddress remote = accepted.remote();
        if (remote != null) {
            accepted.socket().setTcpNoDelay(true);
            accepted.socket().setKeepAlive(true);
            return remote.getAddress().getHostAddress() + " port " + remote.getPort();
        }
        int uid = uid(accepted.socket());
        if (address instanceof ListenAddress.Abstract name) {
            AbstractName.demandWelcome(name, uid, ownUid);
        }
        makeRoom(accepted.socket());
        return AbstractName.peer(uid);
    }

    /** As much as we may have: beyond net.core.wmem_max with CAP_NET_ADMIN only (socket(7)). */
    private static void makeRoom(LinuxSocket socket) throws IOException {
        try {
            socket.setIntOpt(SOL_SOCKET, SO_SNDBUFFORCE, UNIX_SEND_BYTES);
        } catch (IOException e) {
            socket.setSendBufferSize(UNIX_SEND_BYTES);
        }
    }

    /** Nobody can connect any more. Idempotent; does not throw. */
    @Override
    public void close() {
        synchronized (this) {
            if (!socket.isOpen()) {
                return;
            }
            close(socket);
        }
        cleanUp.run();
    }

    /** Closes a socket; does not throw. */
    static void close(LinuxSocket socket) {
        try {
            socket.close();
        } catch (IOException e) {
            log.debug("closing a socket: {}", e.toString());
        }
    }
}
