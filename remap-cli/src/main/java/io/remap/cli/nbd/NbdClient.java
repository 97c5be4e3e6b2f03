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
import java.util.ArrayList;
import java.util.List;

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
    public static final int MAX_PAYLOAD_BYTES = 32 * 1024 * 1024;

    public static final int FLAG_READ_ONLY = 1 << 1;
    public static final int FLAG_SEND_FLUSH = 1 << 2;
    public static final int FLAG_SEND_FUA = 1 << 3;
    public static final int FLAG_SEND_TRIM = 1 << 5;
    public static final int FLAG_SEND_WRITE_ZEROES = 1 << 6;
    public static final int FLAG_CAN_MULTI_CONN = 1 << 8;

    private static final long NBD_MAGIC = 0x4e42444d41474943L;
    private static final long OPTION_MAGIC = 0x49484156454F5054L;
    private static final long OPTION_REPLY_MAGIC = 0x3e889045565a9L;
    private static final int REQUEST_MAGIC = 0x25609513;
    private static final int SIMPLE_REPLY_MAGIC = 0x67446698;

    private static final int FIXED_NEWSTYLE = 1;
    private static final int NO_ZEROES = 2;
    private static final int OPTION_ABORT = 2;
    private static final int OPTION_LIST = 3;
    private static final int OPTION_GO = 7;
    private static final int REPLY_ACK = 1;
    private static final int REPLY_SERVER = 2;
    private static final int REPLY_INFO = 3;
    private static final int INFO_EXPORT = 0;

    private static final short READ = 0;
    private static final short WRITE = 1;
    private static final short DISCONNECT = 2;
    private static final short FLUSH = 3;
    private static final short TRIM = 4;
    private static final short WRITE_ZEROES = 6;
    private static final short COMMAND_FLAG_FUA = 1;

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
    private int transmissionFlags;
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

    /** The names of the exports that the server lists. */
    public static List<String> list(ListenAddress address, long timeoutMillis) throws IOException {
        NbdClient client = open(address, timeoutMillis);
        try {
            client.greet();
            List<String> names = client.askForList();
            client.sendOption(OPTION_ABORT, new byte[0]);
            return names;
        } finally {
            client.channel.close();
            client.selector.close();
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

    /** What the export can do, see the {@code FLAG_} constants. */
    public boolean has(int flag) {
        return (transmissionFlags & flag) != 0;
    }

    /** Reads so many bytes; an {@link NbdError} if the server cannot. */
    public byte[] read(long offsetBytes, int lengthBytes) throws IOException {
        checkPayload(lengthBytes);
        command("read", READ, (short) 0, offsetBytes, lengthBytes, null);
        ByteBuffer data = ByteBuffer.allocate(lengthBytes);
        receive(data);
        return data.array();
    }

    public void write(long offsetBytes, byte[] data) throws IOException {
        checkPayload(data.length);
        command("write", WRITE, (short) 0, offsetBytes, data.length, data);
    }

    /** Writes; when it returns, the data is on stable storage. */
    public void writeDurably(long offsetBytes, byte[] data) throws IOException {
        checkPayload(data.length);
        command("write with FUA", WRITE, COMMAND_FLAG_FUA, offsetBytes, data.length, data);
    }

    public void writeZeroes(long offsetBytes, long lengthBytes) throws IOException {
        command("write-zeroes", WRITE_ZEROES, (short) 0, offsetBytes, lengthBytes, null);
    }

    public void trim(long offsetBytes, long lengthBytes) throws IOException {
        command("trim", TRIM, (short) 0, offsetBytes, lengthBytes, null);
    }

    /** When it returns, every write completed before is on stable storage. */
    public void flush() throws IOException {
        command("flush", FLUSH, (short) 0, 0, 0, null);
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
                    transmissionFlags = Short.toUnsignedInt(reply.data().getShort());
                    described = true;
                }
            } else {
                throw new IOException("the server refuses the export '" + exportName + "' (option reply 0x"
                        + Integer.toHexString(reply.type()) + ") " + StandardCharsets.UTF_8.decode(reply.data()));
            }
        }
        throw new IOException("the server sends replies without end");
    }

    private List<String> askForList() throws IOException {
        sendOption(OPTION_LIST, new byte[0]);
        List<String> names = new ArrayList<>();
        for (int replies = 0; replies < MAX_OPTION_REPLIES; replies++) {
            OptionReply reply = optionReply(OPTION_LIST);
            if (reply.type() == REPLY_ACK) {
                return names;
            }
            int length = reply.data().remaining() < 4 ? -1 : reply.data().getInt();
            if (reply.type() != REPLY_SERVER
                    || length < 0
                    || length > reply.data().remaining()) {
                throw new IOException("the server refuses to list its exports");
            }
            names.add(StandardCharsets.UTF_8
                    .decode(reply.data().slice(reply.data().position(), length))
                    .toString());
        }
        throw new IOException("the server lists exports without end");
    }

    /** Sends a command and receives the reply header; the payload of a read follows it. */
    private void command(String what, short type, short flags, long offsetBytes, long lengthBytes, byte[] payload)
            throws IOException {
        long cookie = ++lastCookie;
        ByteBuffer request = ByteBuffer.allocate(REQUEST_BYTES);
        request.putInt(REQUEST_MAGIC).putShort(flags).putShort(type).putLong(cookie);
        request.putLong(offsetBytes).putInt((int) lengthBytes).flip();
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
                    .putShort((short) 0)
                    .putShort(DISCONNECT)
                    .putLong(++lastCookie);
            request.putLong(0).putInt(0).flip();
            channel.write(request);
        } catch (IOException e) {
            // The server has gone first; every command was answered before, or has thrown already.
        }
    }
}
