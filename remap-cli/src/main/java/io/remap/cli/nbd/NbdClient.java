package io.remap.cli.nbd;

import io.remap.api.ListenAddress;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;

/**
 * A small NBD client: fixed newstyle handshake without TLS, simple replies, one command at a time. It shares no code
 * with the server, so that an error in the one does not hide an error in the other.
 *
 * <p>Not thread-safe: one client, one thread. Every answer is awaited for a limited time, and every length that the
 * server sends is checked before memory is taken for it.
 *
 * <p>Source: doc/proto.md of the NBD project.
 */
public final class NbdClient implements AutoCloseable {
    /** Longest payload of a command. */
    private static final int MAX_PAYLOAD_BYTES = 32 * 1024 * 1024;

    private static final long NBD_MAGIC = 0x4e42444d41474943L;
    private static final long OPTION_MAGIC = 0x49484156454F5054L;
    private static final long OPTION_REPLY_MAGIC = 0x3e889045565a9L;
    private static final int REQUEST_MAGIC = 0x25609513;
    private static final int SIMPLE_REPLY_MAGIC = 0x67446698;

    private static final int FIXED_NEWSTYLE = 1;
    private static final int NO_ZEROES = 2;
    private static final int OPTION_GO = 7;
    private static final int REPLY_ACK = 1;
    private static final int REPLY_INFO = 3;
    private static final int INFO_EXPORT = 0;

    private static final short READ = 0;
    private static final short WRITE = 1;
    private static final short DISCONNECT = 2;
    private static final short FLUSH = 3;
    private static final short NO_COMMAND_FLAGS = 0;

    private static final int MAX_OPTION_REPLIES = 10_000;
    private static final int MAX_OPTION_REPLY_BYTES = 64 * 1024;
    private static final int REQUEST_BYTES = 28;
    private static final int SIMPLE_REPLY_BYTES = 16;
    private static final int OPTION_HEADER_BYTES = 16;
    private static final int OPTION_REPLY_BYTES = 20;

    private final SocketChannel channel;
    private final Selector selector;
    private final long timeoutMillis;
    private long sizeBytes;
    private long lastCookie;

    private NbdClient(SocketChannel channel, Selector selector, long timeoutMillis) {
        this.channel = channel;
        this.selector = selector;
        this.timeoutMillis = timeoutMillis;
    }

    /**
     * Connects and asks for an export.
     *
     * @param timeoutMillis for each answer of the server
     */
    public static NbdClient connect(NbdUri uri, long timeoutMillis) throws IOException {
        NbdClient client = open(uri.address(), timeoutMillis);
        boolean done = false;
        try {
            client.greet();
            client.go(uri.exportName());
            done = true;
            return client;
        } finally {
            if (!done) {
                client.channel.close();
                client.selector.close();
            }
        }
    }

    private static NbdClient open(ListenAddress address, long timeoutMillis) throws IOException {
        SocketChannel channel = null;
        try {
            if (address instanceof ListenAddress.Unix unix) {
                channel = SocketChannel.open(StandardProtocolFamily.UNIX);
                channel.connect(UnixDomainSocketAddress.of(unix.path()));
            } else {
                ListenAddress.Tcp tcp = (ListenAddress.Tcp) address;
                InetAddress host =
                        tcp.host().isEmpty() ? InetAddress.getLoopbackAddress() : InetAddress.getByName(tcp.host());
                channel = SocketChannel.open(new InetSocketAddress(host, tcp.port()));
                channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
            }
            channel.configureBlocking(false);
            Selector selector = Selector.open();
            channel.register(selector, 0);
            return new NbdClient(channel, selector, timeoutMillis);
        } catch (IOException e) {
            if (channel != null) {
                channel.close();
            }
            throw new IOException("cannot connect to " + address + ": " + e.getMessage(), e);
        }
    }

    /** Size of the export in bytes. */
    public long sizeBytes() {
        return sizeBytes;
    }

    /** Reads so many bytes; an {@link NbdError} if the server cannot. */
    public byte[] read(long offsetBytes, int lengthBytes) throws IOException {
        checkPayload(lengthBytes);
        command("read", READ, offsetBytes, lengthBytes, null);
        ByteBuffer data = ByteBuffer.allocate(lengthBytes);
        receive(data);
        return data.array();
    }

    public void write(long offsetBytes, byte[] data) throws IOException {
        checkPayload(data.length);
        command("write", WRITE, offsetBytes, data.length, data);
    }

    /** When it returns, every write completed before is on stable storage. */
    public void flush() throws IOException {
        command("flush", FLUSH, 0, 0, null);
    }

    private static void checkPayload(int lengthBytes) {
        if (lengthBytes < 0 || lengthBytes > MAX_PAYLOAD_BYTES) {
            throw new IllegalArgumentException("payload of " + lengthBytes + " bytes");
        }
    }

    private void greet() throws IOException {
        ByteBuffer greeting = receive(18);
        if (greeting.getLong() != NBD_MAGIC || greeting.getLong() != OPTION_MAGIC) {
            throw new IOException("the server speaks no newstyle NBD");
        }
        int serverFlags = greeting.getShort();
        if ((serverFlags & FIXED_NEWSTYLE) == 0) {
            throw new IOException("the server does not speak the fixed newstyle of NBD");
        }
        ByteBuffer answer = ByteBuffer.allocate(4);
        answer.putInt(FIXED_NEWSTYLE | (serverFlags & NO_ZEROES)).flip();
        send(answer);
    }

    private void sendOption(int option, byte[] data) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(OPTION_HEADER_BYTES + data.length);
        bytes.putLong(OPTION_MAGIC).putInt(option).putInt(data.length).put(data).flip();
        send(bytes);
    }

    /** One reply to an option: its type, then its data. */
    private record OptionReply(int type, ByteBuffer data) {}

    private OptionReply optionReply(int option) throws IOException {
        ByteBuffer header = receive(OPTION_REPLY_BYTES);
        if (header.getLong() != OPTION_REPLY_MAGIC || header.getInt() != option) {
            throw new IOException("the server sent no reply to option " + option);
        }
        int type = header.getInt();
        int length = header.getInt();
        if (length < 0 || length > MAX_OPTION_REPLY_BYTES) {
            throw new IOException("the server sent a reply of " + Integer.toUnsignedString(length) + " bytes");
        }
        return new OptionReply(type, receive(length));
    }

    private void go(String exportName) throws IOException {
        byte[] name = exportName.getBytes(StandardCharsets.UTF_8);
        ByteBuffer data = ByteBuffer.allocate(4 + name.length + 2);
        data.putInt(name.length).put(name).putShort((short) 0);
        sendOption(OPTION_GO, data.array());
        boolean described = false;
        for (int replies = 0; replies < MAX_OPTION_REPLIES; replies++) {
            OptionReply reply = optionReply(OPTION_GO);
            if (reply.type() == REPLY_ACK && described) {
                return;
            } else if (reply.type() == REPLY_INFO) {
                if (reply.data().remaining() >= 12 && reply.data().getShort() == INFO_EXPORT) {
                    sizeBytes = reply.data().getLong();
                    described = true;
                }
            } else {
                throw new IOException("the server refuses the export '" + exportName + "' (option reply 0x"
                        + Integer.toHexString(reply.type()) + ") " + StandardCharsets.UTF_8.decode(reply.data()));
            }
        }
        throw new IOException("the server sends replies without end");
    }

    /** Sends a command and receives the reply header; the payload of a read follows it. */
    private void command(String what, short type, long offsetBytes, int lengthBytes, byte[] payload)
            throws IOException {
        long cookie = ++lastCookie;
        ByteBuffer request = ByteBuffer.allocate(REQUEST_BYTES);
        request.putInt(REQUEST_MAGIC).putShort(NO_COMMAND_FLAGS).putShort(type).putLong(cookie);
        request.putLong(offsetBytes).putInt(lengthBytes).flip();
        send(request);
        if (payload != null) {
            send(ByteBuffer.wrap(payload));
        }
        ByteBuffer reply = receive(SIMPLE_REPLY_BYTES);
        int magic = reply.getInt();
        int error = reply.getInt();
        if (magic != SIMPLE_REPLY_MAGIC || reply.getLong() != cookie) {
            throw new IOException(what + ": the server sent no reply to it");
        }
        if (error != 0) {
            throw new NbdError(what, offsetBytes, lengthBytes, error);
        }
    }

    private void send(ByteBuffer bytes) throws IOException {
        long deadlineNanos = System.nanoTime() + timeoutMillis * 1_000_000;
        while (bytes.hasRemaining()) {
            if (channel.write(bytes) == 0) {
                await(SelectionKey.OP_WRITE, deadlineNanos);
            }
        }
    }

    private ByteBuffer receive(int lengthBytes) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(lengthBytes);
        receive(bytes);
        return bytes.flip();
    }

    private void receive(ByteBuffer bytes) throws IOException {
        long deadlineNanos = System.nanoTime() + timeoutMillis * 1_000_000;
        while (bytes.hasRemaining()) {
            int length = channel.read(bytes);
            if (length < 0) {
                throw new EOFException("the server closed the connection");
            }
            if (length == 0) {
                await(SelectionKey.OP_READ, deadlineNanos);
            }
        }
    }

    private void await(int operation, long deadlineNanos) throws IOException {
        channel.keyFor(selector).interestOps(operation);
        selector.selectedKeys().clear();
        long leftMillis = (deadlineNanos - System.nanoTime()) / 1_000_000;
        if (leftMillis <= 0 || (selector.select(leftMillis) == 0 && System.nanoTime() - deadlineNanos >= 0)) {
            throw new IOException("the server did not answer within " + timeoutMillis + " ms");
        }
    }

    /** Says good-bye, if the server still listens, and closes the connection. */
    @Override
    public void close() throws IOException {
        try (selector;
                channel) {
            ByteBuffer request = ByteBuffer.allocate(REQUEST_BYTES);
            request.putInt(REQUEST_MAGIC)
                    .putShort(NO_COMMAND_FLAGS)
                    .putShort(DISCONNECT)
                    .putLong(++lastCookie);
            request.putLong(0).putInt(0).flip();
            channel.write(request);
        } catch (IOException e) {
            // The server has gone first; every command was answered before, or has thrown already.
        }
    }
}
