package io.remap.testkit;

import io.remap.api.ListenAddress;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.SocketTimeoutException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.Arrays;
import java.util.Random;

/** A blocking client of {@link EchoSession}. Who waits in it is woken by an interrupt, so tests are bounded by a timeout. */
public final class EchoClient implements AutoCloseable {
    final SocketChannel channel;

    /** Most bytes that it receives at a time. */
    int pieceBytes = Integer.MAX_VALUE;

    public EchoClient(ListenAddress address) throws IOException {
        SocketAddress target = address instanceof ListenAddress.Unix unix
                ? UnixDomainSocketAddress.of(unix.path())
                : new InetSocketAddress(((ListenAddress.Tcp) address).host(), ((ListenAddress.Tcp) address).port());
        channel = SocketChannel.open(target);
    }

    /** A client on a connected, blocking channel. */
    public EchoClient(SocketChannel channel) {
        this.channel = channel;
    }

    /** A request as it is sent; its payload follows from the tag. */
    public static ByteBuffer request(long tag, EchoSession.Manner manner, int payloadBytes) {
        byte[] payload = new byte[payloadBytes];
        new Random(tag).nextBytes(payload);
        return ByteBuffer.allocate(EchoSession.HEADER_BYTES + payloadBytes)
                .putInt(payloadBytes)
                .putInt(manner.code())
                .putLong(tag)
                .put(payload)
                .flip();
    }

    public void send(long tag, EchoSession.Manner manner, int payloadBytes) throws IOException {
        send(request(tag, manner, payloadBytes));
    }

    public void send(ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /** Waits for the next reply, compares its payload with what was sent under its tag, and returns the tag. */
    public long receive() throws IOException {
        ByteBuffer header = read(EchoSession.HEADER_BYTES);
        int payloadBytes = header.getInt(0);
        long tag = header.getLong(8);
        byte[] expected = new byte[payloadBytes];
        new Random(tag).nextBytes(expected);
        if (!Arrays.equals(expected, read(payloadBytes).array())) {
            throw new AssertionError("the reply with tag " + tag + " has another payload than was sent");
        }
        return tag;
    }

    private ByteBuffer read(int lengthBytes) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(lengthBytes);
        while (bytes.hasRemaining()) {
            bytes.limit((int) Math.min(lengthBytes, (long) bytes.position() + pieceBytes));
            int receivedBytes = channel.read(bytes);
            bytes.limit(lengthBytes);
            if (receivedBytes < 0) {
                throw new EOFException("the server hung up");
            }
            if (receivedBytes == 0) {
                throw new SocketTimeoutException("nothing came");
            }
        }
        return bytes.flip();
    }

    /** Whether the server hung up; waits until it does or sends. */
    public boolean isHungUp() {
        try {
            return channel.read(ByteBuffer.allocate(1)) < 0;
        } catch (IOException e) {
            return true; // A reset: hung up with bytes unread.
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
