package io.remap.core.sim;

import java.util.Map;
import java.util.stream.Collectors;

/** As much of JSON as the control of a simulated disk needs: it writes values, and reads one string of an object. */
final class SimJson {
    private SimJson() {}

    /** Strings, numbers, booleans, and maps and lists of these. */
    static String write(Object value) {
        if (value instanceof Map<?, ?> map) {
            return map.entrySet().stream()
                    .map(entry -> quote(String.valueOf(entry.getKey())) + ":" + write(entry.getValue()))
                    .collect(Collectors.joining(",", "{", "}"));
        }
        if (value instanceof Iterable<?> list) {
            StringBuilder text = new StringBuilder("[");
            for (Object element : list) {
                text.append(text.length() == 1 ? "" : ",").append(write(element));
            }
            return text.append("]").toString();
        }
        return value instanceof Number || value instanceof Boolean || value == null
                ? String.valueOf(value)
                : quote(value.toString());
    }

    static String quote(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                quoted.append('\\').append(c);
            } else if (c < ' ') {
                quoted.append(String.format("\\u%04x", (int) c));
            } else {
                quoted.append(c);
            }
        }
        return quoted.append('"').toString();
    }

    /**
     * The string of a key in an object that holds that key alone, {@code {"command": "…"}}.
     *
     * @return {@code null} if it is not such an object
     */
    static String onlyString(String json, String key) {
        String start = "{" + quote(key) + ":";
        String text = json.strip();
        // White space may stand between the marks, outside of the string.
        int colon = text.indexOf(':');
        if (colon < 0 || !text.endsWith("}")) {
            return null;
        }
        String head = text.substring(0, colon + 1).replaceAll("\\s", "");
        String value = text.substring(colon + 1, text.length() - 1).strip();
        if (!head.equals(start) || value.length() < 2 || value.charAt(0) != '"' || !value.endsWith("\"")) {
            return null;
        }
        return unquote(value.substring(1, value.length() - 1));
    }

    private static String unquote(String text) {
        StringBuilder plain = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"') {
                return null;
            }
            if (c != '\\') {
                plain.append(c);
            } else if (i + 1 < text.length() && "\"\\/".indexOf(text.charAt(i + 1)) >= 0) {
                plain.append(text.charAt(++i));
            } else {
                return null;
            }
        }
        return plain.toString();
    }
}
