package io.remap.iopt;

import io.netty.channel.epoll.LinuxSocket;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketAddress;
import java.net.SocketOption;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.SocketChannel;
import java.nio.channels.spi.SelectorProvider;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * A client's end of a Unix socket with any address, which blocks for a limited time; the JDK has none for abstract
 * addresses. Only what a test client needs works.
 */
final class UnixClientChannel extends SocketChannel {
    private static final long LOOK_NANOS = 20_000;

    private final LinuxSocket socket = LinuxSocket.newSocketDomain();
    private final long waitNanos;

    /** @param path with a zero byte in front if it is an abstract address */
    UnixClientChannel(String path, long waitMillis) throws IOException {
        super(SelectorProvider.provider());
        waitNanos = TimeUnit.MILLISECONDS.toNanos(waitMillis);
        try {
            socket.connect(new DomainSocketAddress(path));
        } catch (IOException e) {
            socket.close();
            throw e;
        }
    }

    @Override
    public int read(ByteBuffer into) throws IOException {
        ByteBuffer direct = ByteBuffer.allocateDirect(into.remaining());
        long startNanos = System.nanoTime();
        int lengthBytes = socket.recv(direct, 0, direct.capacity());
        while (lengthBytes == 0 && System.nanoTime() - startNanos < waitNanos) {
            look();
            lengthBytes = socket.recv(direct, 0, direct.capacity());
        }
        if (lengthBytes > 0) {
            into.put(direct.limit(lengthBytes));
        }
        return lengthBytes;
    }

    @Override
    public int write(ByteBuffer from) throws IOException {
        ByteBuffer direct = ByteBuffer.allocateDirect(from.remaining()).put(from);
        int sentBytes = 0;
        while (sentBytes < direct.capacity()) {
            int lengthBytes = socket.send(direct, sentBytes, direct.capacity());
            sentBytes += lengthBytes;
            if (lengthBytes == 0) {
                look();
            }
        }
        return sentBytes;
    }

    private void look() throws ClosedByInterruptException {
        LockSupport.parkNanos(LOOK_NANOS);
        if (Thread.currentThread().isInterrupted()) {
            throw new ClosedByInterruptException();
        }
    }

    @Override
    public SocketChannel shutdownOutput() throws IOException {
        socket.shutdown(false, true);
        return this;
    }

    @Override
    protected void implCloseSelectableChannel() throws IOException {
        socket.close();
    }

    // ---- What no test needs -----------------------------------------------------------------------------------------

    @Override
    public SocketChannel bind(SocketAddress local) {
        throw new UnsupportedOperationException();
    }

    @Override
    public <T> SocketChannel setOption(SocketOption<T> name, T value) {
        throw new UnsupportedOperationException();
    }

    @Override
    public <T> T getOption(SocketOption<T> name) {
        throw new UnsupportedOperationException();
    }

    @Override
    public Set<SocketOption<?>> supportedOptions() {
        return Set.of();
    }

    @Override
    public SocketChannel shutdownInput() {
        throw new UnsupportedOperationException();
    }

    @Override
    public Socket socket() {
        throw new UnsupportedOperationException();
    }

    @Override
    public boolean isConnected() {
        return isOpen();
    }

    @Override
    public boolean isConnectionPending() {
        return false;
    }

    @Override
    public boolean connect(SocketAddress remote) {
        throw new UnsupportedOperationException();
    }

    @Override
    public boolean finishConnect() {
        return true;
    }

    @Override
    public SocketAddress getRemoteAddress() {
        throw new UnsupportedOperationException();
    }

    @Override
    public SocketAddress getLocalAddress() {
        throw new UnsupportedOperationException();
    }

    @Override
    public long read(ByteBuffer[] into, int offset, int length) {
        throw new UnsupportedOperationException();
    }

    @Override
    public long write(ByteBuffer[] from, int offset, int length) {
        throw new UnsupportedOperationException();
    }

    @Override
    protected void implConfigureBlocking(boolean block) {
        throw new UnsupportedOperationException();
    }
}
