package io.remap.api.listen;

import io.remap.api.ListenAddress;
import io.remap.api.Refusal;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.UnknownHostException;
import java.util.Locale;

/** What is said of a TCP port that cannot be listened on, whatever library the socket is of. */
public final class TcpHost {
    private static final int MAX_PORT = 65_535;

    private TcpHost() {}

    /** Finds the address of this host, loopback if none is named. */
    public static InetSocketAddress resolve(ListenAddress.Tcp address) throws Refusal {
        if (address.port() < 0 || address.port() > MAX_PORT) {
            throw new Refusal(
                    Refusal.Kind.USAGE, address + " is no TCP port: expected a port from 0 (any) to " + MAX_PORT);
        }
        if (address.host().isEmpty()) {
            return new InetSocketAddress(InetAddress.getLoopbackAddress(), address.port());
        }
        try {
            return new InetSocketAddress(InetAddress.getByName(address.host()), address.port());
        } catch (UnknownHostException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "no address is known for the host '" + address.host() + "': give one of this host",
                    e);
        }
    }

    /** The address with the port that the system chose. */
    public static ListenAddress.Tcp bound(ListenAddress.Tcp asked, int port) {
        return new ListenAddress.Tcp(
                asked.host().isEmpty() ? InetAddress.getLoopbackAddress().getHostAddress() : asked.host(), port);
    }

    /**
     * Why the port cannot be listened on.
     *
     * @param e a {@link BindException} where bind(2) said EADDRINUSE, EADDRNOTAVAIL or EACCES, with the C library's text
     */
    public static Refusal refusal(ListenAddress.Tcp address, InetAddress host, IOException e) {
        if (!isOurs(host)) {
            return new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    address + " cannot be listened on: " + host.getHostAddress() + " is no address of this host",
                    e);
        }
        // There is one exception for three errors.
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
}
