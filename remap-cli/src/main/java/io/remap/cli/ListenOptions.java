package io.remap.cli;

import io.remap.api.ListenAddress;
import io.remap.api.Refusal;
import io.remap.cli.control.RunDirectory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import picocli.CommandLine.Option;

/** Where a server listens: for every command that serves something over NBD. */
final class ListenOptions {
    @Option(
            names = "--socket",
            paramLabel = "PATH",
            description = "Listen on this Unix socket; @NAME is the abstract address NAME, for you and root. Without "
                    + "--socket and --listen: one in the run directory.")
    List<String> sockets = new ArrayList<>();

    @Option(
            names = "--listen",
            paramLabel = "HOST:PORT",
            description = "Listen on this TCP address; port 0 takes a free one. Whoever reaches it may read and write.")
    List<String> listen = new ArrayList<>();

    /** Made by picocli. */
    ListenOptions() {}

    /** The addresses that were asked for, maybe none; {@code warn} is told of those that a network reaches. */
    List<ListenAddress> addresses(Consumer<String> warn) throws Refusal {
        List<ListenAddress> addresses = new ArrayList<>();
        for (String socket : sockets) {
            addresses.add(
                    socket.startsWith("@")
                            ? new ListenAddress.Abstract(socket.substring(1))
                            : new ListenAddress.Unix(
                                    Path.of(socket).toAbsolutePath().normalize()));
        }
        for (String text : listen) {
            ListenAddress.Tcp address = ListenArgument.parse(text);
            if (!ListenArgument.isLoopback(address)) {
                warn.accept("warning: " + address + ": whoever reaches this address over the network may read and write"
                        + " the disk, unencrypted");
            }
            addresses.add(address);
        }
        return addresses;
    }

    /** Where a server listens that was not told where: it is found there by its name. */
    static ListenAddress inRunDirectory(Path prepared, String name) {
        return new ListenAddress.Unix(RunDirectory.nbdSocket(prepared, name));
    }
}
