package io.remap.api.spi;

import io.remap.api.Attribute;
import io.remap.api.ListenAddress;
import io.remap.api.SessionFactory;
import java.util.List;

/** A block protocol: serves exports to clients through sessions. Thread-safe. */
public interface Frontend extends AutoCloseable {
    /** Makes the sessions for connections of a transport. */
    SessionFactory sessions();

    /** How clients name an export on a listener, for example {@code nbd+unix:///disk?socket=/run/x.sock}. */
    String uri(ListenAddress address, String exportName);

    /** Commands that attach a client to the export, for people to copy. */
    List<String> attachCommands(ListenAddress address, String exportName);

    /** What it shows of itself. */
    List<Attribute> attributes();

    /** Called once, after the transports have ended their sessions; does not throw. */
    @Override
    void close();
}
