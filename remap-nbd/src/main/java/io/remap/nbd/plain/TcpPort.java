package io.remap.nbd.plain;

import io.remap.api.ListenAddress;
import io.remap.api.Refusal;
import io.remap.api.listen.TcpHost;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;

/** Listens on TCP ports. */
final class TcpPort {
    private static final int BACKLOG = 128;

    private TcpPort() {}

    /** Begins to listen, or refuses. */
    static ServerSocketChannel bind(ListenAddress.Tcp address) throws Refusal {
        InetSocketAddress resolved = TcpHost.resolve(address);
        try {
            return bind(resolved, ServerSocketChannel.open());
        } catch (IOException e) {
            throw TcpHost.refusal(address, resolved.getAddress(), e);
        }
    }

    private static ServerSocketChannel bind(InetSocketAddress resolved, ServerSocketChannel channel)
            throws IOException {
        try {
            return channel.bind(resolved, BACKLOG);
        } catch (IOException e) {
            JdkWire.close(channel);
            throw e;
        }
    }
}
