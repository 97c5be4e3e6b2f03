package io.remap.cli.control;

import io.remap.api.Refusal;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.slf4j.LoggerFactory;

/**
 * Calls the commands of a running service over its control socket. Not thread-safe.
 *
 * <p>A service that does not answer in time, or answers with something else than JSON-RPC, is a {@link Refusal} of kind
 * {@code ENVIRONMENT}; a refusal of the service arrives with its own kind, and a mistake in its program as an
 * {@link IllegalStateException}.
 */
public final class ControlClient implements AutoCloseable {
    private static final int READ_BYTES = 64 * 1024;
    private static final long CONNECT_MILLIS = 10_000;

    private final String name;
    private final SocketChannel channel;
    private final Selector selector;
    private long lastId;

    private ControlClient(String name, SocketChannel channel, Selector selector) {
        this.name = name;
        this.channel = channel;
        this.selector = selector;
    }

    /** Whether a service of this name answers in the checked directory. */
    public static boolean isRunning(Path directory, String name) {
        return LocalConnect.isListening(RunDirectory.controlSocket(directory, name));
    }

    /** Connects to the service of a name in a directory that was checked. */
    public static ControlClient connect(Path directory, String name) throws Refusal {
        return connect(directory, name, CONNECT_MILLIS);
    }

    static ControlClient connect(Path directory, String name, long timeoutMillis) throws Refusal {
        RunDirectory.checkName(name);
        Path socket = RunDirectory.controlSocket(directory, name);
        SocketChannel channel = null;
        try {
            channel = LocalConnect.open(socket, timeoutMillis);
            Selector selector = Selector.open();
            channel.register(selector, 0);
            return new ControlClient(name, channel, selector);
        } catch (SocketTimeoutException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "service '" + name + "' does not answer on " + socket + ": " + e.getMessage()
                            + "; its process stands still (stopped, or out of memory)",
                    e);
        } catch (IOException e) {
            abandon(channel);
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    Files.exists(socket)
                            ? "service '" + name + "' does not answer on " + socket + " (" + RunDirectory.reason(e)
                                    + "): it was killed; start it again with remap serve"
                            : "no service named '" + name + "' is running (looked in " + directory + ")",
                    e);
        }
    }

    private static void abandon(SocketChannel channel) {
        if (channel != null) {
            try {
                channel.close();
            } catch (IOException e) {
                // The failure to connect is what the caller is told.
            }
        }
    }

    /**
     * Calls a command and waits for its answer.
     *
     * @param timeoutMillis for the whole call
     * @return strings, numbers, booleans, lists and maps
     */
    public Object call(String method, Map<String, Object> arguments, long timeoutMillis) throws Refusal {
        long deadlineNanos = System.nanoTime() + timeoutMillis * 1_000_000;
        long id = ++lastId;
        Map<String, Object> request = new LinkedHashMap<>();
        request.put("jsonrpc", "2.0");
        request.put("method", method);
        request.put("params", arguments);
        request.put("id", id);
        Object answer;
        try {
            send(request, deadlineNanos, method, timeoutMillis);
            answer = JsonLines.parse(readLine(deadlineNanos, method, timeoutMillis));
        } catch (Refusal e) {
            throw e;
        } catch (IOException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "service '" + name + "' broke off the call of " + method + ": " + e.getMessage(),
                    e);
        }
        return resultOf(answer, id, method);
    }

    private void send(Map<String, Object> request, long deadlineNanos, String method, long timeoutMillis)
            throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(RpcErrors.withLineFeed(request));
        try {
            while (bytes.hasRemaining()) {
                if (channel.write(bytes) == 0) {
                    await(SelectionKey.OP_WRITE, deadlineNanos, method, timeoutMillis);
                }
            }
        } catch (Refusal e) {
            throw e;
        } catch (IOException e) {
            // A server that turns a client away says why before it hangs up: its line is read, if there is one.
            LoggerFactory.getLogger(ControlClient.class).debug("cannot send {}: {}", method, e.toString());
        }
    }

    private Object resultOf(Object answer, long id, String method) throws Refusal {
        if (!(answer instanceof Map<?, ?> map)) {
            throw new Refusal(Refusal.Kind.ENVIRONMENT, "service '" + name + "' does not speak JSON-RPC");
        }
        if (map.get("error") instanceof Map<?, ?> error) {
            long code = error.get("code") instanceof Number number ? number.longValue() : RpcErrors.INTERNAL;
            throw new Refusal(
                    RpcErrors.kind(code, Refusal.Kind.ENVIRONMENT), messageOf(code, error.get("message"), method));
        }
        if (!(map.get("id") instanceof Number number) || number.longValue() != id || !map.containsKey("result")) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT, "service '" + name + "' answered something else than " + method);
        }
        return map.get("result");
    }

    private String messageOf(long code, Object message, String method) {
        if (code == RpcErrors.INTERNAL) {
            throw new IllegalStateException("service '" + name + "': " + message);
        }
        return code == RpcErrors.NO_SUCH_METHOD
                ? "service '" + name + "' has no '" + method
                        + "' now: the part of it that brings that is switched off, has "
                        + "failed, or has not started yet; 'remap status " + name + "' says which"
                : String.valueOf(message);
    }

    private ByteBuffer readLine(long deadlineNanos, String method, long timeoutMillis) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        ByteBuffer piece = ByteBuffer.allocate(READ_BYTES);
        while (true) {
            int length = channel.read(piece.clear());
            if (length < 0) {
                throw new IOException("it closed the connection");
            }
            if (length == 0) {
                await(SelectionKey.OP_READ, deadlineNanos, method, timeoutMillis);
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

    private void await(int operation, long deadlineNanos, String method, long timeoutMillis) throws IOException {
        channel.keyFor(selector).interestOps(operation);
        long leftMillis = (deadlineNanos - System.nanoTime()) / 1_000_000;
        selector.selectedKeys().clear();
        if (leftMillis <= 0 || (selector.select(leftMillis) == 0 && System.nanoTime() - deadlineNanos >= 0)) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "service '" + name + "' did not answer " + method + " within " + timeoutMillis + " ms");
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
