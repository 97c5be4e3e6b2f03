/**
 * The commands, and the control feature: the attributes and commands of a service over a Unix socket.
 *
 * @provides io.remap.api.spi.ControlProvider {@code json-rpc}
 */
module io.remap.cli {
    requires io.remap.api;
    requires io.remap.core;
    requires com.fasterxml.jackson.jr.ob;
    requires info.picocli;
    requires jdk.net;

    // picocli fills annotated fields by reflection.
    opens io.remap.cli to
            info.picocli;

    provides io.remap.api.spi.ControlProvider with
            io.remap.cli.control.JsonRpcControlProvider;
}
