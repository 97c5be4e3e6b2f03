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
     * An abstract Unix-domain address, of Linux: a name in the network namespace, without a file (unix(7)).
     *
     * @param name without the zero byte in front; 1 to 107 visible ASCII characters
     */
    record Abstract(String name) implements ListenAddress {
        @Override
        public String toString() {
            return "unix:@" + name;
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
