/**
 * NBD: the protocol as a state machine without I/O, the server, and the plain transport.
 *
 * @provides io.remap.api.spi.FrontendProvider the NBD server {@code nbd}
 * @provides io.remap.api.spi.TransportProvider {@code plain}
 */
module io.remap.nbd {
    requires io.remap.api;
    requires jdk.net;
    requires org.jnrproject.enxio;
    requires org.jnrproject.jffi;
    requires org.jnrproject.unixsocket;
    // jnr-ffi, which these run on, is an automatic module and cannot say that it needs these itself.
    requires org.objectweb.asm.commons;
    requires org.objectweb.asm.util;

    provides io.remap.api.spi.FrontendProvider with
            io.remap.nbd.NbdFrontendProvider;
    provides io.remap.api.spi.TransportProvider with
            io.remap.nbd.plain.PlainTransportProvider;
}
