package io.remap.cli;

import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.Refusal;
import io.remap.cli.control.ControlClient;
import io.remap.core.SpareCare;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A spare that a running service of this user has.
 *
 * @param service the service
 * @param disk name of its disk
 */
record ServedSpare(Services.Found service, String disk) {
    private static final Logger LOG = LoggerFactory.getLogger(ServedSpare.class);

    /** All those of a service. */
    static List<ServedSpare> of(Services.Found service) throws Refusal {
        List<ServedSpare> found = new ArrayList<>();
        try (ControlClient client = service.connect()) {
            for (Map<?, ?> disk : disks(client)) {
                if (disk.get("spare") != null) {
                    found.add(new ServedSpare(service, StatusText.text(disk, "name")));
                }
            }
        }
        return found;
    }

    /** All those of the service of a name; at least one. */
    static List<ServedSpare> ofName(String name) throws Refusal, NotSo {
        List<ServedSpare> found = of(Services.ofThisUser().findOrOnly(name));
        if (found.isEmpty()) {
            throw new NotSo("no disk of the service has a spare");
        }
        return found;
    }

    /**
     * The one that a command met which wanted the device for itself.
     *
     * @param refusal what that got, thrown again if it is about something else
     */
    static ServedSpare behind(Refusal refusal, SpareCare care, DeviceUri spare) throws Refusal, DeviceException {
        Optional<ServedSpare> served = refusal.kind() == Refusal.Kind.BUSY ? find(care, spare) : Optional.empty();
        return served.orElseThrow(() -> refusal);
    }

    /** The one that has this device, of those services that answer. */
    private static Optional<ServedSpare> find(SpareCare care, DeviceUri spare) throws Refusal, DeviceException {
        String wanted = care.stableId(spare);
        for (Services.Found service : running()) {
            try (ControlClient client = service.connect()) {
                for (Map<?, ?> disk : disks(client)) {
                    if (has(client, disk, wanted)) {
                        return Optional.of(new ServedSpare(service, StatusText.text(disk, "name")));
                    }
                }
            } catch (Refusal e) {
                // It has ended, or hangs: another one may be it.
                LOG.debug("service '{}' is passed over: {}", service.name(), e.getMessage());
            }
        }
        return Optional.empty();
    }

    /** The first spare, or a further one. */
    private static boolean has(ControlClient client, Map<?, ?> disk, String stableId) throws Refusal {
        if (!(disk.get("spare") instanceof Map<?, ?> first)) {
            return false;
        }
        if (stableId.equals(first.get("stableId"))) {
            return true;
        }
        Map<String, Object> which = Map.of("disk", StatusText.text(disk, "name"));
        Map<?, ?> listed = (Map<?, ?>) client.call("spare.list", which, Services.ANSWER_MILLIS);
        return StatusText.list(listed, "spares").stream()
                .anyMatch(spare -> stableId.equals(((Map<?, ?>) spare).get("stableId")));
    }

    private static List<Services.Found> running() {
        try {
            return Services.ofThisUser().running();
        } catch (Refusal e) {
            LOG.debug("no service is looked for: {}", e.getMessage());
            return List.of();
        }
    }

    private static List<Map<?, ?>> disks(ControlClient client) throws Refusal {
        List<Map<?, ?>> disks = new ArrayList<>();
        for (Object disk : (List<?>) client.call("disks", Map.of(), Services.ANSWER_MILLIS)) {
            disks.add((Map<?, ?>) disk);
        }
        return disks;
    }

    /** Calls a command for this disk. */
    Map<?, ?> call(String command, Map<String, Object> more) throws Refusal {
        Map<String, Object> arguments = new LinkedHashMap<>(more);
        arguments.put("disk", disk);
        try (ControlClient client = service.connect()) {
            return (Map<?, ?>) client.call(command, arguments, Services.DEVICE_MILLIS);
        }
    }
}
