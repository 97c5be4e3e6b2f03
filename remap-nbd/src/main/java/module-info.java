/** NBD: the protocol as a state machine without I/O, the server, and the plain transport. */
module io.remap.nbd {
    requires io.remap.api;
    requires org.jnrproject.unixsocket;
}
