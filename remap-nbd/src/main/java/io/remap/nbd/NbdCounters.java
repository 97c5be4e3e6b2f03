package io.remap.nbd;

import io.remap.api.Attribute;
import io.remap.nbd.Protocol.Command;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;

/** What all sessions of the frontend did. Thread-safe. */
final class NbdCounters {
    final LongAdder sessionsBegun = new LongAdder();
    final LongAdder sessionsEnded = new LongAdder();
    final LongAdder exportsGranted = new LongAdder();
    final LongAdder handshakeTimeouts = new LongAdder();
    final LongAdder violations = new LongAdder();
    final LongAdder stalledClients = new LongAdder();

    private final Map<Command, LongAdder> requests = new EnumMap<>(Command.class);
    private final LongAdder unknownRequests = new LongAdder();
    private final LongAdder errors = new LongAdder();
    private final LongAdder readBytes = new LongAdder();
    private final LongAdder writtenBytes = new LongAdder();

    NbdCounters() {
        for (Command command : Command.values()) {
            requests.put(command, new LongAdder());
        }
    }

    /** Counts a request whose reply is known. */
    void answered(NbdRequest request) {
        (request.command == null ? unknownRequests : requests.get(request.command)).increment();
        if (request.errno != 0) {
            errors.increment();
        } else if (request.buffer != null) {
            LongAdder bytes = request.command == Command.READ ? readBytes : writtenBytes;
            bytes.add(request.buffer.lengthBytes());
        }
    }

    List<Attribute> attributes() {
        List<Attribute> all = new ArrayList<>();
        all.add(Attribute.readOnly(
                "nbd.sessions", "count", "Clients connected now.", () -> sessionsBegun.sum() - sessionsEnded.sum()));
        all.add(count("nbd.sessions-begun", "Clients that connected.", sessionsBegun));
        all.add(count("nbd.exports-granted", "Clients that were given an export.", exportsGranted));
        all.add(count("nbd.handshake-timeouts", "Clients that did not ask for an export in time.", handshakeTimeouts));
        all.add(count("nbd.violations", "Clients cut off because they broke the protocol.", violations));
        all.add(count(
                "nbd.stalled-clients",
                "Clients cut off because they held memory that others waited for, and did nothing.",
                stalledClients));
        for (Command command : Command.values()) {
            String word = command.name().toLowerCase(Locale.ROOT).replace('_', '-');
            all.add(count("nbd.requests." + word, command + " requests answered.", requests.get(command)));
        }
        all.add(count("nbd.requests.unknown", "Requests of unknown kind, answered EINVAL.", unknownRequests));
        all.add(count("nbd.errors", "Requests answered with an error.", errors));
        all.add(Attribute.readOnly("nbd.read-bytes", "bytes", "Bytes given to clients by READ.", readBytes::sum));
        all.add(Attribute.readOnly(
                "nbd.written-bytes", "bytes", "Bytes taken from clients by WRITE.", writtenBytes::sum));
        return List.copyOf(all);
    }

    private static Attribute count(String name, String doc, LongAdder adder) {
        return Attribute.readOnly(name, "count", doc, adder::sum);
    }
}
