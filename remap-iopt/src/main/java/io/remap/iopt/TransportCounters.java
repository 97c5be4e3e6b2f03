package io.remap.iopt;

import io.remap.api.Attribute;
import io.remap.api.Counter;
import java.util.List;

/** What the loops and whoever sends for them did. Counted for each system call or turn, not for each request. */
final class TransportCounters {
    final Counter receives = new Counter();
    final Counter receivedBytes = new Counter();
    final Counter started = new Counter();
    final Counter sends = new Counter();
    final Counter sentBuffers = new Counter();
    final Counter sentBytes = new Counter();
    final Counter pagesBytes = new Counter();
    final Counter fullSockets = new Counter();
    final Counter holds = new Counter();
    final Counter yields = new Counter();

    List<Attribute> attributes() {
        return List.of(
                receives.attribute("transport.receives", "Receives from sockets that gave bytes."),
                bytes("transport.received-bytes", "Bytes received.", receivedBytes),
                started.attribute("transport.requests-started", "Pieces of work started."),
                mean(
                        "transport.requests-per-receive",
                        "Pieces of work started for each receive, on average.",
                        started,
                        receives),
                sends.attribute("transport.sends", "Sends to sockets, those of pages too."),
                sentBuffers.attribute("transport.buffers-sent", "Buffers given to sends."),
                mean("transport.buffers-per-send", "Buffers given to each send, on average.", sentBuffers, sends),
                bytes("transport.sent-bytes", "Bytes sent, those of pages too.", sentBytes),
                bytes("transport.pages-sent-bytes", "Bytes sent by reference, without a copy.", pagesBytes),
                fullSockets.attribute("transport.full-sockets", "Times that a socket took no more."),
                holds.attribute(
                        "transport.holds",
                        "Times that requests were left in a socket, as the client had many replies to read."),
                yields.attribute("transport.turns-cut", "Times that a connection had to let others have their turn."));
    }

    private static Attribute bytes(String name, String doc, Counter counter) {
        return Counter.attribute(name, "bytes", doc, counter::value, () -> counter.add(-counter.value()));
    }

    private static Attribute mean(String name, String doc, Counter sum, Counter count) {
        return Attribute.readOnly(name, "count", doc, () -> {
            long divisor = count.value();
            return divisor == 0 ? 0.0 : (double) sum.value() / divisor;
        });
    }
}
