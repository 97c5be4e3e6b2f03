package io.remap.cli.control;

import io.remap.api.Refusal;
import io.remap.api.Scheduler;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.LinkedHashMap;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection to the control socket: reads a request, answers it, and so on until the peer goes or its time is over.
 *
 * <p>A request that is no JSON, or longer than a request may be, ends the connection after the error: where the next
 * request begins is not known any more. Any other mistake gets an error and nothing else. A request without an
 * {@code id} is carried out and not answered, as JSON-RPC wants it.
 *
 * <p>Time is bounded by closing the socket under the thread that waits on it: {@link ControlServer#IDLE_MILLIS} for the
 * first byte of a request, {@link ControlServer#REQUEST_MILLIS} for the rest of it, as long for the answer to leave.
 * A command takes as long as it takes.
 */
final class ControlConnection {
    private static final int READ_BYTES = 4096;
    private static final Logger LOG = LoggerFactory.getLogger(ControlConnection.class);

    private final SocketChannel channel;
    private final ControlServer server;
    private final Thread thread;

    /** Bytes received and not yet taken, from 0 to its position. */
    private ByteBuffer received = ByteBuffer.allocate(READ_BYTES);

    ControlConnection(SocketChannel channel, ControlServer server) {
        this.channel = channel;
        this.server = server;
        this.thread = new Thread(this::run, "remap-control-connection");
        thread.setDaemon(true);
    }

    void start() {
        thread.start();
    }

    /** Says why and hangs up, without ever waiting for the peer. */
    void turnAway(String message) {
        try (channel) {
            channel.configureBlocking(false);
            channel.write(ControlServer.objection(message));
        } catch (IOException e) {
            LOG.debug("cannot tell a peer that it was turned away: {}", e.toString());
        }
    }

    /** Waits for the command that runs, at most so long, and closes. */
    void finish(long timeoutMillis) {
        try {
            // The peer sees the end of the answers; a thread that waits for a request sees the end of the requests.
            channel.shutdownInput();
        } catch (IOException e) {
            LOG.debug("control connection is gone already: {}", e.toString());
        }
        if (thread != Thread.currentThread()) {
            try {
                thread.join(timeoutMillis);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        if (thread != Thread.currentThread()) {
            hangUp();
        }
    }

    private void hangUp() {
        try {
            channel.close();
        } catch (IOException e) {
            LOG.debug("control connection: {}", e.toString());
        }
    }

    private void run() {
        try {
            boolean goOn = true;
            while (goOn) {
                ByteBuffer line = nextLine();
                goOn = line != null && answer(line);
            }
        } catch (IOException e) {
            LOG.debug("control connection ended: {}", e.toString());
        } finally {
            hangUp();
            server.ended(this);
        }
    }

    /** The next request without its line feed; {@code null} at the end. */
    private ByteBuffer nextLine() throws IOException {
        Scheduler.Cancellable timeout = null;
        boolean begun = received.position() > 0;
        int searched = 0;
        try {
            timeout = server.environment()
                    .scheduler()
                    .schedule(this::hangUp, begun ? ControlServer.REQUEST_MILLIS : ControlServer.IDLE_MILLIS);
            while (true) {
                for (; searched < received.position(); searched++) {
                    if (received.get(searched) == '\n') {
                        return takeLine(searched);
                    }
                }
                if (received.position() > JsonLines.MAX_REQUEST_BYTES) {
                    send(RpcErrors.line(
                            null,
                            RpcErrors.INVALID_REQUEST,
                            "the request is longer than " + JsonLines.MAX_REQUEST_BYTES + " bytes",
                            null));
                    return null;
                }
                makeRoom();
                if (channel.read(received) < 0) {
                    return null;
                }
                if (!begun && received.position() > 0) {
                    begun = true;
                    timeout.cancel();
                    timeout = server.environment().scheduler().schedule(this::hangUp, ControlServer.REQUEST_MILLIS);
                }
            }
        } finally {
            if (timeout != null) {
                timeout.cancel();
            }
        }
    }

    private void makeRoom() {
        if (!received.hasRemaining()) {
            ByteBuffer larger = ByteBuffer.allocate(received.capacity() * 2);
            received.flip();
            received = larger.put(received);
        }
    }

    private ByteBuffer takeLine(int lengthBytes) {
        ByteBuffer line = ByteBuffer.allocate(lengthBytes);
        received.flip();
        line.put(received.slice(0, lengthBytes)).flip();
        received.position(lengthBytes + 1);
        received.compact();
        return line;
    }

    /** Answers one request; returns whether the connection goes on. */
    private boolean answer(ByteBuffer line) throws IOException {
        server.countRequest();
        Object request;
        try {
            request = JsonLines.parse(line);
        } catch (IOException e) {
            send(RpcErrors.line(null, RpcErrors.PARSE, "the request is no JSON in one line of UTF-8", null));
            return false;
        }
        if (!(request instanceof Map<?, ?> map)) {
            send(RpcErrors.line(null, RpcErrors.INVALID_REQUEST, "a request is a JSON object", null));
            return true;
        }
        boolean answered = map.containsKey("id");
        Object id = map.get("id");
        if (id != null && !(id instanceof String) && !(id instanceof Number)) {
            send(RpcErrors.line(null, RpcErrors.INVALID_REQUEST, "'id' is a string or a number", null));
            return true;
        }
        byte[] reply = call(map, id);
        if (answered) {
            send(reply);
        }
        return true;
    }

    private byte[] call(Map<?, ?> request, Object id) {
        if (!"2.0".equals(request.get("jsonrpc")) || !(request.get("method") instanceof String method)) {
            return RpcErrors.line(
                    id, RpcErrors.INVALID_REQUEST, "a request has \"jsonrpc\": \"2.0\" and a string \"method\"", null);
        }
        if (!server.served().names().contains(method)) {
            return RpcErrors.line(
                    id,
                    RpcErrors.NO_SUCH_METHOD,
                    "no such method; there are " + server.served().names(),
                    null);
        }
        Map<String, Object> arguments = new LinkedHashMap<>();
        if (request.get("params") instanceof Map<?, ?> given) {
            given.forEach((name, value) -> arguments.put((String) name, value));
        } else if (request.get("params") != null) {
            return RpcErrors.line(id, RpcErrors.INVALID_PARAMETERS, "'params' are given by name, as an object", null);
        }
        try {
            Map<String, Object> answer = new LinkedHashMap<>();
            answer.put("jsonrpc", "2.0");
            answer.put("result", server.served().call(method, arguments));
            answer.put("id", id);
            byte[] reply = RpcErrors.withLineFeed(answer);
            return reply.length <= JsonLines.MAX_ANSWER_BYTES
                    ? reply
                    : RpcErrors.line(id, RpcErrors.INTERNAL, "the answer is too long; ask for a part of it", null);
        } catch (Refusal e) {
            return RpcErrors.line(id, RpcErrors.code(e.kind()), e.getMessage(), e.kind());
        } catch (RuntimeException e) {
            // A programmer error of one command: it must not take the control of the disk down with it.
            LOG.error("control command {} failed", method, e);
            return RpcErrors.line(id, RpcErrors.INTERNAL, "internal error, see the log of the service: " + e, null);
        }
    }

    private void send(byte[] line) throws IOException {
        Scheduler.Cancellable timeout =
                server.environment().scheduler().schedule(this::hangUp, ControlServer.REQUEST_MILLIS);
        try {
            ByteBuffer bytes = ByteBuffer.wrap(line);
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        } finally {
            timeout.cancel();
        }
    }
}
