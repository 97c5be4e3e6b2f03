package io.remap.cli.nbd;

import io.remap.api.ListenAddress;
import io.remap.api.Refusal;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Where an export is, as {@code nbd://host:port/export} or {@code nbd+unix:///export?socket=/path} (doc/uri.md of the
 * NBD project). TLS is not spoken here, so {@code nbds} is refused.
 *
 * @param address where the server listens
 * @param exportName the export, empty for the default one
 */
public record NbdUri(ListenAddress address, String exportName) {
    private static final String SOCKET = "socket=";

    /** Reads a URI. */
    public static NbdUri parse(String text) throws Refusal {
        URI uri;
        try {
            uri = new URI(text);
        } catch (URISyntaxException e) {
            throw new Refusal(Refusal.Kind.USAGE, "'" + text + "' is no NBD URI: " + e.getReason(), e);
        }
        String path = uri.getPath() == null ? "" : uri.getPath();
        String export = path.startsWith("/") ? path.substring(1) : path;
        if ("nbd".equals(uri.getScheme())) {
            String host = uri.getHost() == null ? "" : uri.getHost();
            if (host.startsWith("[")) {
                host = host.substring(1, host.length() - 1);
            }
            int port = uri.getPort() < 0 ? ListenAddress.Tcp.NBD_PORT : uri.getPort();
            return new NbdUri(new ListenAddress.Tcp(host, port), export);
        }
        if ("nbd+unix".equals(uri.getScheme()) && uri.getRawQuery() != null) {
            for (String part : uri.getRawQuery().split("&", -1)) {
                if (part.startsWith(SOCKET)) {
                    // A plus sign stands for itself in this query, unlike in a form.
                    String socket = part.substring(SOCKET.length()).replace("+", "%2B");
                    return new NbdUri(
                            new ListenAddress.Unix(Path.of(URLDecoder.decode(socket, StandardCharsets.UTF_8))), export);
                }
            }
        }
        throw new Refusal(
                Refusal.Kind.USAGE,
                "'" + text + "': expected nbd://HOST:PORT/EXPORT or nbd+unix:///EXPORT?socket=PATH");
    }
}
