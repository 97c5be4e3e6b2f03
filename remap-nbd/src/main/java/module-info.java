/**
 * NBD: the protocol as a state machine without I/O, the server, and the plain transport.
 *
 * @provides io.remap.api.spi.FrontendProvider the NBD server {@code nbd}
 * @provides io.remap.api.spi.TransportProvider {@code plain}
 */
module io.remap.nbd {
    requires io.remap.api;
    requires org.jnrproject.unixsocket;
    requires jdk.net;

    provides io.remap.api.spi.FrontendProvider with
            io.remap.nbd.NbdFrontendProvider;
    provides io.remap.api.spi.TransportProvider with
            io.remap.nbd.plain.PlainTransportProvider;
}
