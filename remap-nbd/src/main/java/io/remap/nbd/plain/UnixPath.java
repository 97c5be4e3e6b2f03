package io.remap.nbd.plain;

import io.remap.api.ListenAddress;
import io.remap.api.Refusal;
import io.remap.api.listen.UnixSocketFile;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.util.random.RandomGenerator;

/** Listens on Unix sockets with a file. */
final class UnixPath {
    private static final int BACKLOG = 128;

    private UnixPath() {}

    /** A socket to bind. */
    static ServerSocketChannel open(ListenAddress.Unix address) throws Refusal {
        try {
            return ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        } catch (IOException e) {
            throw new Refusal(Refusal.Kind.ENVIRONMENT, address + " cannot be listened on: " + e.getMessage(), e);
        }
    }

    /** Begins to listen, or refuses and closes the socket. */
    static UnixSocketFile bind(ListenAddress.Unix address, ServerSocketChannel channel, RandomGenerator random)
            throws Refusal {
        try {
            return UnixSocketFile.bind(
                    address.path(), random, path -> channel.bind(UnixDomainSocketAddress.of(path), BACKLOG));
        } catch (Refusal e) {
            JdkWire.close(channel);
            throw e;
        }
    }
}
