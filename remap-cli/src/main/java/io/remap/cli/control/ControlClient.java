package io.remap.cli.control;

import io.remap.api.Refusal;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Calls the commands of a running service over its control socket. Not thread-safe.
 *
 * <p>A service that does not answer in time, or answers with something else than JSON-RPC, is a {@link Refusal} of kind
 * {@code ENVIRONMENT}; a refusal of the service arrives with its own kind, and a mistake in its program as an
 * {@link IllegalStateException}.
 */
public final class ControlClient implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ControlClient.class);
    private static final long CONNECT_MILLIS = 10_000;

    private final String name;
    private final LineConnection connection;
    private long lastId;

    private ControlClient(String name, LineConnection connection) {
        this.name = name;
        this.connection = connection;
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
        try {
            return new ControlClient(name, LineConnection.open(socket, timeoutMillis));
        } catch (SocketTimeoutException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "service '" + name + "' does not answer on " + socket + ": " + e.getMessage()
                            + "; its process stands still (stopped, or out of memory)",
                    e);
        } catch (IOException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    Files.exists(socket)
                            ? "service '" + name + "' does not answer on " + socket + " (" + RunDirectory.reason(e)
                                    + "): it was killed; start it again with remap serve"
                            : "no service named '" + name + "' is running (looked in " + directory + ")",
                    e);
        }
    }

    /**
     * Calls a command and waits for its answer.
     *
     * @param timeoutMillis for the whole call
     * @return strings, numbers, booleans, lists and maps
     */
    public Object call(String method, Map<String, Object> arguments, long timeoutMillis) throws Refusal {
        long deadlineNanos = LineConnection.deadlineNanos(timeoutMillis);
        long id = ++lastId;
        Map<String, Object> request = new LinkedHashMap<>();
        request.put("jsonrpc", "2.0");
        request.put("method", method);
        request.put("params", arguments);
        request.put("id", id);
        Object answer;
        try {
            send(request, deadlineNanos);
            answer = JsonLines.parse(connection.receive(deadlineNanos));
        } catch (SocketTimeoutException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "service '" + name + "' did not answer " + method + " within " + timeoutMillis + " ms",
                    e);
        } catch (IOException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "service '" + name + "' broke off the call of " + method + ": " + e.getMessage(),
                    e);
        }
        return resultOf(answer, id, method);
    }

    private void send(Map<String, Object> request, long deadlineNanos) throws IOException {
        byte[] line = RpcErrors.withLineFeed(request);
        try {
            connection.send(line, deadlineNanos);
        } catch (SocketTimeoutException e) {
            throw e;
        } catch (IOException e) {
            // A server that turns a client away says why before it hangs up: its line is read, if there is one.
            LOG.debug("cannot send {}: {}", request.get("method"), e.toString());
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

    @Override
    public void close() {
        connection.close();
    }
}
