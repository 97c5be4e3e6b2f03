package io.remap.cli.control;

import java.io.IOException;
import java.net.ConnectException;
import java.net.SocketTimeoutException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * Connects to a Unix socket within a time. A blocking connect(2) waits for as long as the queue of the listener is full,
 * which is for ever if its process stands still; a non-blocking one fails then, see unix(7), in a way that Java does not tell
 * from all others. So it is tried that way first, and what may be a full queue is tried again by one that blocks and
 * is broken off in time. Where nobody listens no time is taken: on a busy host it could be over before the call.
 */
final class LocalConnect {
    /** For the question whether somebody listens. */
    private static final long LOOK_MILLIS = 100;

    private LocalConnect() {}

    /**
     * A connection that does not block.
     *
     * @throws SocketTimeoutException if the queue was full all the time
     */
    static SocketChannel open(Path socket, long timeoutMillis) throws IOException {
        UnixDomainSocketAddress address = UnixDomainSocketAddress.of(socket);
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            channel.configureBlocking(false);
            if (channel.connect(address)) {
                return channel;
            }
        } catch (IOException e) {
            if (e instanceof ConnectException || Files.notExists(socket)) {
                close(channel);
                throw e;
            }
            // Perhaps the queue is full: the next one finds that out.
        }
        close(channel);
        return openBlocking(address, timeoutMillis);
    }

    private static SocketChannel openBlocking(UnixDomainSocketAddress address, long timeoutMillis) throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        CompletableFuture<Void> limit = CompletableFuture.runAsync(
                () -> close(channel), CompletableFuture.delayedExecutor(timeoutMillis, TimeUnit.MILLISECONDS));
        try {
            channel.connect(address);
            channel.configureBlocking(false);
            return channel;
        } catch (ClosedChannelException e) {
            throw new SocketTimeoutException(
                    "its queue is full, and it took nobody in within " + timeoutMillis + " ms");
        } catch (IOException e) {
            close(channel);
            throw e;
        } finally {
            limit.cancel(false);
        }
    }

    private static void close(SocketChannel channel) {
        try {
            channel.close();
        } catch (IOException e) {
            // Why it could not connect is what the caller is told.
        }
    }

    /** Whether somebody listens there, be he busy or not. */
    static boolean isListening(Path socket) {
        try (SocketChannel channel = open(socket, LOOK_MILLIS)) {
            return channel.isConnected();
        } catch (SocketTimeoutException e) {
            return true;
        } catch (IOException | IllegalArgumentException e) {
            return false;
        }
    }
}
