package io.remap.cli.control;

import io.remap.api.Refusal;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * Gives a command to a simulated disk over its control socket, one connection each. A disk that does not answer in time is
 * a {@link Refusal} of kind {@code ENVIRONMENT}; a refusal of the disk arrives with its own kind.
 */
public final class SimControlClient {
    private static final long ANSWER_MILLIS = 60_000;

    private SimControlClient() {}

    /** The values that the disk answers with. */
    public static Map<?, ?> call(Path socket, String command) throws Refusal {
        try (LineConnection connection = connect(socket)) {
            return resultOf(ask(connection, socket, command), socket);
        }
    }

    private static LineConnection connect(Path socket) throws Refusal {
        try {
            return LineConnection.open(socket, ANSWER_MILLIS);
        } catch (IOException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    Files.exists(socket)
                            ? "nobody answers on " + socket + " (" + RunDirectory.reason(e) + ")"
                            : "there is no " + socket + ": is the disk served, by 'remap sim serve' or with control= ?",
                    e);
        }
    }

    private static Object ask(LineConnection connection, Path socket, String command) throws Refusal {
        long deadlineNanos = LineConnection.deadlineNanos(ANSWER_MILLIS);
        try {
            connection.send(RpcErrors.withLineFeed(Map.of("command", command)), deadlineNanos);
            return JsonLines.parse(connection.receive(deadlineNanos));
        } catch (SocketTimeoutException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT, socket + " did not answer within " + ANSWER_MILLIS / 1000 + " s", e);
        } catch (IOException e) {
            throw new Refusal(Refusal.Kind.ENVIRONMENT, socket + " did not answer: " + RunDirectory.reason(e), e);
        }
    }

    private static Map<?, ?> resultOf(Object answer, Path socket) throws Refusal {
        if (answer instanceof Map<?, ?> map) {
            if (map.get("result") instanceof Map<?, ?> result) {
                return result;
            }
            for (Refusal.Kind kind : Refusal.Kind.values()) {
                if (kind.name().equals(map.get("kind"))) {
                    throw new Refusal(kind, String.valueOf(map.get("error")));
                }
            }
        }
        throw new Refusal(Refusal.Kind.ENVIRONMENT, socket + " is no control of a simulated disk");
    }
}
