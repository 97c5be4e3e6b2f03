package io.remap.cli;

import io.remap.api.ListenAddress;
import io.remap.api.Refusal;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A TCP address as people write it: {@code HOST:PORT}, {@code [V6]:PORT}, {@code :PORT} or {@code PORT}. */
final class ListenArgument {
    private static final int MAX_PORT = 65_535;
    private static final Pattern FORM = Pattern.compile("(?:(?:\\[([0-9a-fA-F:.%]+)]|([A-Za-z0-9._-]*)):)?(\\d{1,5})");
    private static final Pattern LOOPBACK =
            Pattern.compile("|localhost|127(\\.\\d{1,3}){3}|::1", Pattern.CASE_INSENSITIVE);

    private ListenArgument() {}

    static ListenAddress.Tcp parse(String text) throws Refusal {
        Matcher matcher = FORM.matcher(text);
        if (matcher.matches()) {
            int port = Integer.parseInt(matcher.group(3));
            if (port <= MAX_PORT) {
                String host = matcher.group(1) != null ? matcher.group(1) : matcher.group(2);
                return new ListenAddress.Tcp(host == null ? "" : host, port);
            }
        }
        throw new Refusal(
                Refusal.Kind.USAGE,
                "'" + text + "' is no address to listen on: expected HOST:PORT, [IPv6]:PORT or PORT, for example"
                        + " 127.0.0.1:" + ListenAddress.Tcp.NBD_PORT);
    }

    /** Whether only this host can reach it; a name that is not known as such counts as reachable. */
    static boolean isLoopback(ListenAddress.Tcp address) {
        return LOOPBACK.matcher(address.host()).matches();
    }
}
