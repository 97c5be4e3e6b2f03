package io.remap.cli.control;

import io.remap.api.Refusal;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * Gives a command to a simulated disk over its control socket, one connection each. A disk that does not answer in time is
 * a {@link Refusal} of kind {@code ENVIRONMENT}; a refusal of the disk arrives with its own kind.
 */
public final class SimControlClient {
    private static final int READ_BYTES = 64 * 1024;
    private static final long ANSWER_MILLIS = 60_000;

    private SimControlClient() {}

    /** The values that the disk answers with. */
    public static Map<?, ?> call(Path socket, String command) throws Refusal {
        try (SocketChannel channel = LocalConnect.open(socket, ANSWER_MILLIS);
                Selector selector = Selector.open()) {
            // A command is short, and nothing was sent before it: it fits.
            channel.write(ByteBuffer.wrap(
                    (JsonLines.line(Map.of("command", command)) + "\n").getBytes(StandardCharsets.UTF_8)));
            channel.register(selector, SelectionKey.OP_READ);
            Object answer = JsonLines.parse(readLine(channel, selector, socket));
            if (answer instanceof Map<?, ?> map && map.get("result") instanceof Map<?, ?> result) {
                return result;
            }
            if (answer instanceof Map<?, ?> map && map.get("error") != null) {
                throw new Refusal(
                        Refusal.Kind.valueOf(String.valueOf(map.get("kind"))), String.valueOf(map.get("error")));
            }
            throw new Refusal(Refusal.Kind.ENVIRONMENT, socket + " is no control of a simulated disk");
        } catch (Refusal e) {
            throw e;
        } catch (IOException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    Files.exists(socket)
                            ? "nobody answers on " + socket + " (" + RunDirectory.reason(e) + ")"
                            : "there is no " + socket + ": is the disk served, by 'remap sim serve' or with control= ?",
                    e);
        }
    }

    private static ByteBuffer readLine(SocketChannel channel, Selector selector, Path socket) throws IOException {
        long deadlineNanos = System.nanoTime() + ANSWER_MILLIS * 1_000_000;
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        ByteBuffer piece = ByteBuffer.allocate(READ_BYTES);
        while (true) {
            int length = channel.read(piece.clear());
            if (length < 0) {
                throw new IOException("it closed the connection");
            }
            if (length > 0) {
                boolean complete = piece.get(length - 1) == '\n';
                line.write(piece.array(), 0, complete ? length - 1 : length);
                if (complete) {
                    return ByteBuffer.wrap(line.toByteArray());
                }
            }
            long leftMillis = (deadlineNanos - System.nanoTime()) / 1_000_000;
            selector.selectedKeys().clear();
            if (leftMillis <= 0 || selector.select(leftMillis) == 0) {
                throw new Refusal(
                        Refusal.Kind.ENVIRONMENT, socket + " did not answer within " + ANSWER_MILLIS / 1000 + " s");
            }
        }
    }
}
