package io.remap.core.sim;

import io.remap.api.Refusal;
import io.remap.api.listen.UnixSocketFile;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers on the control socket of a simulated disk. A line is a command; the answer is its lines, and then {@code ok}, or
 * {@code error: …} alone. A line that begins with a brace is JSON, {@code {"command": "…"}}, and so is the answer, one line.
 *
 * <p>Invariants: the socket has mode 0600; at most {@link #MAX_CONNECTIONS} connections, one thread each; a line has at most
 * {@link #MAX_LINE_CHARS} characters. Closing it closes the sockets under the threads, which are not interrupted.
 */
final class SimControlServer implements AutoCloseable {
    static final int MAX_CONNECTIONS = 16;
    static final int MAX_LINE_CHARS = 4096;

    private static final Logger LOG = LoggerFactory.getLogger(SimControlServer.class);

    /** Does what a line says, as {@link SimControl#execute}. */
    @FunctionalInterface
    interface Commands {
        SimControl.Answer execute(String line) throws IOException;
    }

    private final Commands commands;
    private final ServerSocketChannel listener;
    private final UnixSocketFile file;
    /** Connections under way; guarded by itself. */
    private final Set<SocketChannel> connections = new HashSet<>();

    private SimControlServer(Commands commands, ServerSocketChannel listener, UnixSocketFile file) {
        this.commands = commands;
        this.listener = listener;
        this.file = file;
    }

    /** Listens at the path, or refuses. */
    static SimControlServer start(Path path, RandomGenerator random, Commands commands) throws Refusal, IOException {
        ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            UnixSocketFile file =
                    UnixSocketFile.bind(path, random, at -> listener.bind(UnixDomainSocketAddress.of(at)));
            SimControlServer server = new SimControlServer(commands, listener, file);
            daemon("remap-sim-control", server::accept).start();
            return server;
        } catch (IOException e) {
            listener.close();
            throw e;
        }
    }

    private static Thread daemon(String name, Runnable task) {
        Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        return thread;
    }

    private void accept() {
        while (true) {
            try {
                SocketChannel connection = listener.accept();
                synchronized (connections) {
                    if (connections.size() >= MAX_CONNECTIONS) {
                        connection.close();
                        continue;
                    }
                    connections.add(connection);
                }
                startServing(connection);
            } catch (ClosedChannelException e) {
                return;
            } catch (IOException e) {
                LOG.warn("the control of the simulated disk ends, it cannot accept: {}", e.toString());
                return;
            }
        }
    }

    private void startServing(SocketChannel connection) throws IOException {
        try {
            daemon("remap-sim-control-connection", () -> serve(connection)).start();
        } catch (OutOfMemoryError e) {
            LOG.warn("the control of the simulated disk hangs up, there is no thread for a connection");
            synchronized (connections) {
                connections.remove(connection);
            }
            connection.close();
        }
    }

    private void serve(SocketChannel connection) {
        try (connection;
                BufferedReader reader = new BufferedReader(
                        new InputStreamReader(Channels.newInputStream(connection), StandardCharsets.UTF_8))) {
            for (String line = readLine(reader); line != null; line = readLine(reader)) {
                if (!line.isBlank()) {
                    send(connection, line.startsWith("{") ? answerJson(line) : answerText(line));
                }
            }
        } catch (IOException e) {
            LOG.debug("a connection to the control of a simulated disk broke off: {}", e.toString());
        } finally {
            synchronized (connections) {
                connections.remove(connection);
            }
        }
    }

    /** The next line without its end; {@code null} after the last. */
    private static String readLine(BufferedReader reader) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int c = reader.read(); c != '\n'; c = reader.read()) {
            if (c < 0) {
                return line.length() == 0 ? null : line.toString();
            }
            if (line.length() == MAX_LINE_CHARS) {
                throw new IOException("a line has more than " + MAX_LINE_CHARS + " characters");
            }
            line.append((char) c);
        }
        return line.toString();
    }

    private String answerText(String line) {
        try {
            SimControl.Answer answer = commands.execute(line);
            return String.join("\n", answer.lines()) + (answer.lines().isEmpty() ? "" : "\n") + "ok\n";
        } catch (IOException | RuntimeException e) {
            return "error: " + message(e, line) + "\n";
        }
    }

    private String answerJson(String line) {
        Map<String, Object> reply = new LinkedHashMap<>();
        try {
            String command = SimJson.onlyString(line, "command");
            if (command == null) {
                throw new Refusal(Refusal.Kind.USAGE, "expected {\"command\": \"…\"}");
            }
            reply.put("ok", true);
            reply.put("result", commands.execute(command).values());
        } catch (IOException | RuntimeException e) {
            reply.put("ok", false);
            reply.put("error", message(e, line));
            reply.put("kind", e instanceof Refusal refusal ? refusal.kind().name() : Refusal.Kind.DEVICE_FAILED.name());
        }
        return SimJson.write(reply) + "\n";
    }

    /** For whoever gave the command; what is our own mistake also goes to the log. */
    private static String message(Exception e, String line) {
        if (e instanceof RuntimeException) {
            LOG.error("the command '{}' of a simulated disk broke off", line, e);
        }
        String message = e instanceof RuntimeException ? "broke off, see the log: " + e : e.getMessage();
        return String.valueOf(message).replaceAll("\\s*\\R\\s*", " ");
    }

    private static void send(SocketChannel connection, String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
            connection.write(bytes);
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
        file.remove();
        synchronized (connections) {
            for (SocketChannel connection : connections) {
                connection.close();
            }
        }
    }
}
