package io.remap.nbd.plain;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import jdk.net.ExtendedSocketOptions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A connection over a channel of the JDK: TCP, or a Unix socket with a file. */
record JdkWire(SocketChannel channel) implements Wire {
    private static final Logger log = LoggerFactory.getLogger(JdkWire.class);

    /** The listening side. */
    record Listening(ServerSocketChannel channel) implements ListeningSocket {
        @Override
        public Wire accept() throws IOException {
            return new JdkWire(channel.accept());
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }

    /** Closes a channel that never listened, so that there is nothing to give back; does not throw. */
    static void close(ServerSocketChannel channel) {
        try {
            channel.close();
        } catch (IOException e) {
            log.debug("closing: {}", e.toString());
        }
    }

    @Override
    public String ready() throws IOException {
        if (channel.getRemoteAddress() instanceof InetSocketAddress remote) {
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
            channel.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
            return remote.getAddress().getHostAddress() + " port " + remote.getPort();
        }
        String user =
                channel.getOption(ExtendedSocketOptions.SO_PEERCRED).user().getName();
        return "unix user " + user.replaceAll("\\p{Cntrl}", "?");
    }

    @Override
    public int read(ByteBuffer into) throws IOException {
        return channel.read(into);
    }

    @Override
    public long write(ByteBuffer[] from, int count) throws IOException {
        return channel.write(from, 0, count);
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
