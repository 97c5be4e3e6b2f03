package io.remap.nbd.plain;

import io.remap.api.ListenAddress;
import io.remap.api.Refusal;
import io.remap.api.listen.AbstractName;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Locale;
import jnr.enxio.channels.Native;
import jnr.unixsocket.UnixServerSocketChannel;
import jnr.unixsocket.UnixSocketAddress;
import jnr.unixsocket.UnixSocketChannel;
import jnr.unixsocket.UnixSocketOptions;

/**
 * Listens on abstract Unix addresses (unix(7)), which the JDK cannot, through jnr-unixsocket. Loading that takes up to a
 * second, so nothing else may refer to its classes.
 *
 * <p>Bytes go through read(2) and write(2) of jnr-enxio and not through the channels, which allocate the room that is left
 * in the buffer for every transfer and copy it. Connections come from {@link AcceptCall}.
 */
final class AbstractAddressSocket implements ListeningSocket {
    private static final int BACKLOG = 128;

    private final ListenAddress.Abstract address;
    private final Descriptor descriptor;
    private final int ownUid;

    private AbstractAddressSocket(ListenAddress.Abstract address, UnixServerSocketChannel channel) throws IOException {
        this.address = address;
        this.descriptor = new Descriptor(channel.getFD());
        // What the peer of a listening socket is: who called listen(2).
        this.ownUid = uid(UnixSocketChannel.fromFD(channel.getFD()));
    }

    /** Begins to listen, or refuses. */
    static ListeningSocket bind(ListenAddress.Abstract address) throws Refusal {
        AbstractName.check(address);
        if (!System.getProperty("os.name").equals("Linux")) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    address + ": only Linux has abstract addresses; choose the path of a file");
        }
        try {
            return bind(address, UnixServerSocketChannel.open());
        } catch (IOException e) {
            // jnr has one exception for all errors of bind(2), and its text is the C library's.
            if (String.valueOf(e.getMessage()).toLowerCase(Locale.ROOT).contains("in use")) {
                throw AbstractName.inUse(address, e);
            }
            throw new Refusal(Refusal.Kind.ENVIRONMENT, address + " cannot be listened on: " + e.getMessage(), e);
        } catch (LinkageError e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    address + ": the native code for abstract addresses cannot be loaded (" + e.getMessage()
                            + "); choose the path of a file",
                    e);
        }
    }

    private static ListeningSocket bind(ListenAddress.Abstract address, UnixServerSocketChannel channel)
            throws IOException {
        try {
            channel.socket().bind(new UnixSocketAddress("\0" + address.name()), BACKLOG);
            return new AbstractAddressSocket(address, channel);
        } catch (IOException e) {
            close(channel);
            throw e;
        }
    }

    private static void close(UnixServerSocketChannel channel) {
        try {
            channel.close();
        } catch (IOException e) {
            // It never listened; there is nothing to give back.
        }
    }

    private static int uid(UnixSocketChannel channel) throws IOException {
        try {
            return channel.getOption(UnixSocketOptions.SO_PEERCRED).getUid();
        } catch (UnsupportedOperationException e) {
            throw new IOException("the system does not say who is at the other end: " + e.getMessage(), e);
        }
    }

    @Override
    public Wire accept() throws IOException {
        int number = descriptor.enter();
        try {
            int accepted = AcceptCall.INSTANCE.accept(number);
            if (accepted < 0) {
                String error = Native.getLastErrorString();
                descriptor.throwIfClosed();
                throw new IOException("accept: " + error);
            }
            return new Accepted(UnixSocketChannel.fromFD(accepted), accepted);
        } finally {
            descriptor.exit();
        }
    }

    @Override
    public void close() throws IOException {
        descriptor.close();
    }

    private final class Accepted implements Wire {
        private final UnixSocketChannel channel;
        private final Descriptor descriptor;

        Accepted(UnixSocketChannel channel, int number) {
            this.channel = channel;
            this.descriptor = new Descriptor(number);
        }

        @Override
        public String ready() throws IOException {
            int uid = uid(channel);
            AbstractName.demandWelcome(address, uid, ownUid);
            return AbstractName.peer(uid);
        }

        @Override
        public int read(ByteBuffer into) throws IOException {
            int number = descriptor.enter();
            try {
                int lengthBytes = Native.read(number, into);
                String error = lengthBytes < 0 ? Native.getLastErrorString() : "";
                descriptor.throwIfClosed();
                if (lengthBytes < 0) {
                    throw new IOException("read: " + error);
                }
                return lengthBytes == 0 ? -1 : lengthBytes;
            } finally {
                descriptor.exit();
            }
        }

        /** One system call for each buffer: jnr has no writev(2). */
        @Override
        public long write(ByteBuffer[] from, int count) throws IOException {
            int number = descriptor.enter();
            try {
                long sentBytes = 0;
                for (int i = 0; i < count; i++) {
                    while (from[i].hasRemaining()) {
                        sentBytes += write(number, from[i]);
                    }
                }
                return sentBytes;
            } finally {
                descriptor.exit();
            }
        }

        private int write(int number, ByteBuffer from) throws IOException {
            int lengthBytes = Native.write(number, from);
            if (lengthBytes < 0) {
                String error = Native.getLastErrorString();
                descriptor.throwIfClosed();
                throw new IOException("write: " + error);
            }
            return lengthBytes;
        }

        @Override
        public void close() throws IOException {
            descriptor.close();
        }
    }
}
