package io.remap.cli.control;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;

/**
 * The end of a client of ours at a Unix socket where each line that is sent gets one line as its answer.
 *
 * <p>Invariants: nothing waits longer than until the deadline that it is given, whatever the server does; and of an
 * answer at most {@link JsonLines#MAX_ANSWER_BYTES} are kept. One thread at a time.
 */
final class LineConnection implements AutoCloseable {
    private static final int READ_BYTES = 64 * 1024;

    private final SocketChannel channel;
    private final Selector selector;

    private LineConnection(SocketChannel channel, Selector selector) {
        this.channel = channel;
        this.selector = selector;
    }

    /**
     * Connects.
     *
     * @throws SocketTimeoutException if the server took nobody in within the time
     */
    static LineConnection open(Path socket, long timeoutMillis) throws IOException {
        SocketChannel channel = LocalConnect.open(socket, timeoutMillis);
        try {
            Selector selector = Selector.open();
            channel.register(selector, 0);
            return new LineConnection(channel, selector);
        } catch (IOException e) {
            channel.close();
            throw e;
        }
    }

    static long deadlineNanos(long timeoutMillis) {
        return System.nanoTime() + timeoutMillis * 1_000_000;
    }

    /**
     * Sends a line.
     *
     * @param line with its line feed
     * @throws SocketTimeoutException at the deadline
     */
    void send(byte[] line, long deadlineNanos) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(line);
        while (bytes.hasRemaining()) {
            if (channel.write(bytes) == 0) {
                await(SelectionKey.OP_WRITE, deadlineNanos);
            }
        }
    }

    /**
     * Receives the answer, without its line feed.
     *
     * @throws SocketTimeoutException at the deadline
     */
    ByteBuffer receive(long deadlineNanos) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        ByteBuffer piece = ByteBuffer.allocate(READ_BYTES);
        while (true) {
            int length = channel.read(piece.clear());
            if (length < 0) {
                throw new IOException("it closed the connection");
            }
            if (length == 0) {
                await(SelectionKey.OP_READ, deadlineNanos);
                continue;
            }
            // A server sends nothing on its own, so a line feed ends what was received.
            boolean complete = piece.get(length - 1) == '\n';
            line.write(piece.array(), 0, complete ? length - 1 : length);
            if (complete) {
                return ByteBuffer.wrap(line.toByteArray());
            }
            if (line.size() > JsonLines.MAX_ANSWER_BYTES) {
                throw new IOException("its answer is longer than " + JsonLines.MAX_ANSWER_BYTES + " bytes");
            }
        }
    }

    private void await(int operation, long deadlineNanos) throws IOException {
        channel.keyFor(selector).interestOps(operation);
        long leftMillis = (deadlineNanos - System.nanoTime()) / 1_000_000;
        selector.selectedKeys().clear();
        if (leftMillis <= 0 || (selector.select(leftMillis) == 0 && System.nanoTime() - deadlineNanos >= 0)) {
            throw new SocketTimeoutException("no answer in time");
        }
    }

    @Override
    public void close() {
        try (selector) {
            channel.close();
        } catch (IOException e) {
            // A client that goes has nothing left to lose.
        }
    }
}
