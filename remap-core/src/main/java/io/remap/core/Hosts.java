package io.remap.core;

import io.remap.api.HostIdentity;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.UUID;

/**
 * Which host this is: {@code $REMAP_HOST_ID} (any text), else the id of machine-id(5). Where neither is there, as in some
 * containers, it is not known.
 */
final class Hosts {
    /** For hosts without an id, or that were cloned with it. */
    static final String VARIABLE = "REMAP_HOST_ID";

    private static final Path MACHINE_ID = Path.of("/etc/machine-id");
    private static final Path HOST_NAME = Path.of("/proc/sys/kernel/hostname");

    private Hosts() {}

    static HostIdentity thisOne() {
        return of(System.getenv(), firstLine(MACHINE_ID), firstLine(HOST_NAME));
    }

    static HostIdentity of(Map<String, String> variables, String machineId, String hostName) {
        String chosen = variables.getOrDefault(VARIABLE, "");
        if (!chosen.isEmpty()) {
            return new HostIdentity(UUID.nameUUIDFromBytes(chosen.getBytes(StandardCharsets.UTF_8)), chosen);
        }
        if (!machineId.matches("[0-9a-f]{32}")) {
            return HostIdentity.UNKNOWN;
        }
        return new HostIdentity(
                new UUID(
                        Long.parseUnsignedLong(machineId.substring(0, 16), 16),
                        Long.parseUnsignedLong(machineId.substring(16), 16)),
                hostName);
    }

    private static String firstLine(Path file) {
        try {
            return Files.readString(file).lines().findFirst().orElse("").strip();
        } catch (IOException e) {
            return "";
        }
    }
}
