/**
 * NBD: the protocol as a state machine without I/O, the server, and the plain transport.
 *
 * @provides io.remap.api.spi.FrontendProvider the NBD server {@code nbd}
 */
module io.remap.nbd {
    requires io.remap.api;
    requires org.jnrproject.unixsocket;

    provides io.remap.api.spi.FrontendProvider with
            io.remap.nbd.NbdFrontendProvider;
}
