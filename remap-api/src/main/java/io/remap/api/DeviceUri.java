package io.remap.api;

import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * Names a device: {@code scheme:path?key=value&…}. A name without a scheme is a {@code file:}.
 *
 * <p>{@code offset} and {@code length} (bytes, or with a suffix K, M, G, T in powers of 1024) select a part of the
 * device; they are handled for every scheme alike. All other keys belong to the provider of the scheme, which must
 * refuse those it does not know.
 *
 * @param scheme lower-case name of the provider
 * @param path what the scheme makes of it; never empty
 * @param parameters the other keys, in the order given
 * @param offsetBytes first byte of the part
 * @param lengthBytes length of the part, {@link #TO_END} for the rest of the device
 */
public record DeviceUri(
        String scheme, String path, Map<String, String> parameters, long offsetBytes, long lengthBytes) {
    /** Length of a part that reaches to the end of the device. */
    public static final long TO_END = -1;

    public static final int MAX_URI_CHARS = 4096;

    private static final Pattern SCHEME = Pattern.compile("([a-z][a-z0-9+.-]*):(.*)", Pattern.DOTALL);

    public DeviceUri {
        parameters = Collections.unmodifiableMap(new LinkedHashMap<>(parameters));
    }

    /** Reads a name as the user wrote it; throws a {@link Refusal} that says what is wrong with it. */
    public static DeviceUri parse(String text) throws Refusal {
        if (text.isEmpty() || text.length() > MAX_URI_CHARS) {
            throw new Refusal(Refusal.Kind.USAGE, "a device name has 1 to " + MAX_URI_CHARS + " characters");
        }
        String scheme = "file";
        String rest = text;
        var matcher = SCHEME.matcher(text);
        if (!text.startsWith("/") && !text.startsWith(".") && matcher.matches()) {
            scheme = matcher.group(1);
            rest = matcher.group(2);
        }
        int question = rest.indexOf('?');
        String path = question < 0 ? rest : rest.substring(0, question);
        Map<String, String> parameters =
                question < 0 ? new LinkedHashMap<>() : parseParameters(text, rest.substring(question + 1));
        if (path.isEmpty()) {
            throw new Refusal(Refusal.Kind.USAGE, "'" + text + "' names no device after '" + scheme + ":'");
        }
        String offset = parameters.remove("offset");
        String length = parameters.remove("length");
        return new DeviceUri(
                scheme,
                path,
                parameters,
                offset == null ? 0 : ByteSize.parse(offset),
                length == null ? TO_END : ByteSize.parse(length));
    }

    private static Map<String, String> parseParameters(String text, String query) throws Refusal {
        Map<String, String> parameters = new LinkedHashMap<>();
        for (String part : query.split("&", -1)) {
            int equals = part.indexOf('=');
            if (equals < 1) {
                throw new Refusal(
                        Refusal.Kind.USAGE, "'" + text + "': expected key=value after '?', found '" + part + "'");
            }
            if (parameters.put(part.substring(0, equals), part.substring(equals + 1)) != null) {
                throw new Refusal(Refusal.Kind.USAGE, "'" + text + "' gives '" + part.substring(0, equals) + "' twice");
            }
        }
        return parameters;
    }

    /** Whether only a part of the device is meant. */
    public boolean isPart() {
        return offsetBytes != 0 || lengthBytes != TO_END;
    }

    /** The same for whoever has another working directory: another process, or the next start. Memory has no path. */
    public DeviceUri absolute() {
        return scheme.equals("mem")
                ? this
                : new DeviceUri(
                        scheme,
                        Path.of(path).toAbsolutePath().normalize().toString(),
                        parameters,
                        offsetBytes,
                        lengthBytes);
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder(scheme).append(':').append(path);
        char separator = '?';
        for (var entry : parameters.entrySet()) {
            text.append(separator).append(entry.getKey()).append('=').append(entry.getValue());
            separator = '&';
        }
        if (offsetBytes != 0) {
            text.append(separator).append("offset=").append(offsetBytes);
            separator = '&';
        }
        if (lengthBytes != TO_END) {
            text.append(separator).append("length=").append(lengthBytes);
        }
        return text.toString();
    }
}
