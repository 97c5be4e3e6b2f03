package io.remap.cli.control;

import io.remap.api.Refusal;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The error codes on the control socket: those of JSON-RPC 2.0 (section 5.1), and in the range left to servers one for
 * each kind of {@link Refusal}: -32000 less its exit status.
 */
final class RpcErrors {
    static final int PARSE = -32700;
    static final int INVALID_REQUEST = -32600;
    static final int NO_SUCH_METHOD = -32601;
    static final int INVALID_PARAMETERS = -32602;
    static final int INTERNAL = -32603;
    static final int TURNED_AWAY = -32050;

    private static final int REFUSAL_BASE = -32000;

    /** Longest text that is sent in an error. */
    private static final int MAX_MESSAGE_CHARS = 2000;

    private RpcErrors() {}

    static int code(Refusal.Kind kind) {
        return REFUSAL_BASE - kind.exitStatus();
    }

    /** The kind of refusal a code stands for, {@code fallback} if it stands for none. */
    static Refusal.Kind kind(long code, Refusal.Kind fallback) {
        for (Refusal.Kind kind : Refusal.Kind.values()) {
            if (code(kind) == code) {
                return kind;
            }
        }
        return code == INVALID_PARAMETERS ? Refusal.Kind.USAGE : fallback;
    }

    /** An error as a line with its line feed. */
    static byte[] line(Object id, int code, String message, Refusal.Kind kind) {
        Map<String, Object> error = new LinkedHashMap<>();
        error.put("code", code);
        error.put("message", message.length() > MAX_MESSAGE_CHARS ? message.substring(0, MAX_MESSAGE_CHARS) : message);
        if (kind != null) {
            error.put("data", Map.of("kind", kind.name(), "exit_status", kind.exitStatus()));
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("jsonrpc", "2.0");
        answer.put("error", error);
        answer.put("id", id);
        return withLineFeed(answer);
    }

    static byte[] withLineFeed(Map<String, Object> answer) {
        try {
            byte[] json = JsonLines.compact(answer);
            byte[] line = java.util.Arrays.copyOf(json, json.length + 1);
            line[json.length] = '\n';
            return line;
        } catch (IOException e) {
            throw new IllegalStateException("a command answered with something that is no JSON", e);
        }
    }
}
