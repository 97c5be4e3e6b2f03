/** The commands, and the control feature: the attributes and commands of a service over a Unix socket. */
module io.remap.cli {
    requires io.remap.api;
    requires io.remap.core;
    requires com.fasterxml.jackson.jr.ob;
    requires info.picocli;
    requires org.jnrproject.unixsocket;
}
