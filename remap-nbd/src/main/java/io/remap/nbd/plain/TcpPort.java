package io.remap.nbd.plain;

import io.remap.api.ListenAddress;
import io.remap.api.Refusal;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.UnknownHostException;
import java.nio.channels.ServerSocketChannel;
import java.util.Locale;

/** Listens on TCP ports. */
final class TcpPort {
    private static final int BACKLOG = 128;
    private static final int MAX_PORT = 65_535;

    private TcpPort() {}

    /** Begins to listen, or refuses. */
    static ServerSocketChannel bind(ListenAddress.Tcp address) throws Refusal {
        if (address.port() < 0 || address.port() > MAX_PORT) {
            throw new Refusal(
                    Refusal.Kind.USAGE, address + " is no TCP port: expected a port from 0 (any) to " + MAX_PORT);
        }
        InetAddress host = resolve(address.host());
        ServerSocketChannel channel = null;
        try {
            channel = ServerSocketChannel.open();
            channel.bind(new InetSocketAddress(host, address.port()), BACKLOG);
            return channel;
        } catch (IOException e) {
            close(channel);
            throw refusal(address, host, e);
        }
    }

    /** The address with the port that the system chose. */
    static ListenAddress.Tcp bound(ListenAddress.Tcp asked, ServerSocketChannel channel) {
        int port = channel.socket().getLocalPort();
        return new ListenAddress.Tcp(
                asked.host().isEmpty() ? InetAddress.getLoopbackAddress().getHostAddress() : asked.host(), port);
    }

    private static InetAddress resolve(String host) throws Refusal {
        if (host.isEmpty()) {
            return InetAddress.getLoopbackAddress();
        }
        try {
            return InetAddress.getByName(host);
        } catch (UnknownHostException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "no address is known for the host '" + host + "': give one of this host",
                    e);
        }
    }

    private static Refusal refusal(ListenAddress.Tcp address, InetAddress host, IOException e) {
        if (!isOurs(host)) {
            return new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    address + " cannot be listened on: " + host.getHostAddress() + " is no address of this host",
                    e);
        }
        // The JDK has one exception for three errors of bind(2), and its text is the C library's.
        String text = String.valueOf(e.getMessage()).toLowerCase(Locale.ROOT);
        if (text.contains("denied") || text.contains("not permitted")) {
            return new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    address + " cannot be listened on: no permission; choose a port above 1023",
                    e);
        }
        if (e instanceof BindException) {
            return new Refusal(
                    Refusal.Kind.BUSY,
                    address + " is in use by another program: stop that one, or choose another port",
                    e);
        }
        return new Refusal(Refusal.Kind.ENVIRONMENT, address + " cannot be listened on: " + e.getMessage(), e);
    }

    private static boolean isOurs(InetAddress host) {
        try {
            return host.isAnyLocalAddress()
                    || host.isLoopbackAddress()
                    || NetworkInterface.getByInetAddress(host) != null;
        } catch (IOException e) {
            return true; // Not known, so not to blame.
        }
    }

    private static void close(ServerSocketChannel channel) {
        try {
            if (channel != null) {
                channel.close();
            }
        } catch (IOException e) {
            // It never listened; there is nothing to give back.
        }
    }
}
