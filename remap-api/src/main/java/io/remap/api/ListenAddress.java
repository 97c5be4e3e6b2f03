package io.remap.api;

import java.nio.file.Path;

/** Where a transport listens. */
public sealed interface ListenAddress {
    /** A Unix-domain socket. */
    record Unix(Path path) implements ListenAddress {
        @Override
        public String toString() {
            return "unix:" + path;
        }
    }

    /**
     * A TCP port.
     *
     * @param host name or address, empty for loopback
     * @param port 0 to 65535, 0 lets the system choose
     */
    record Tcp(String host, int port) implements ListenAddress {
        public static final int NBD_PORT = 10809;

        @Override
        public String toString() {
            return "tcp:" + (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + port;
        }
    }
}
