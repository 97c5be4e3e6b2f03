package io.remap.cli;

import io.remap.api.ByteSize;
import io.remap.core.Devices;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** The block devices of this host. */
@Command(
        name = "devices",
        header = "Show the block devices of this host.",
        subcommands = DevicesCommand.ListCommand.class)
final class DevicesCommand extends VerbGroup {
    /** Made by picocli. */
    DevicesCommand() {}

    /** Lists disks and partitions. */
    @Command(
            name = "list",
            header = "List disks and partitions, and who uses them.",
            description = {"", "A device that is in use cannot be served.", "", "Example: remap devices list", ""})
    static final class ListCommand extends Verb {
        @Mixin
        final JsonOption json = new JsonOption();

        /** Made by picocli. */
        ListCommand() {}

        @Override
        int run() {
            List<Devices.Found> devices = Devices.list();
            if (json.wanted) {
                List<Map<String, Object>> entries = new ArrayList<>();
                for (Devices.Found device : devices) {
                    entries.add(entry(device));
                }
                out().println(JsonOption.document("devices", entries));
                return ExitStatus.OK;
            }
            List<List<String>> rows = new ArrayList<>();
            rows.add(List.of("DEVICE", "SIZE", "SECTOR", "KIND", "MODEL", "USED BY"));
            for (Devices.Found device : devices) {
                String sector = device.logicalSectorBytes() == device.physicalSectorBytes()
                        ? Integer.toString(device.logicalSectorBytes())
                        : device.logicalSectorBytes() + "/" + device.physicalSectorBytes();
                rows.add(List.of(
                        device.path(),
                        ByteSize.format(device.sizeBytes()),
                        sector,
                        (device.rotational() ? "disk" : "flash") + (device.readOnly() ? ", read-only" : ""),
                        device.model(),
                        String.join(", ", device.usedBy())));
            }
            terminal().table(rows);
            return ExitStatus.OK;
        }

        private static Map<String, Object> entry(Devices.Found device) {
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("path", device.path());
            entry.put("sizeBytes", device.sizeBytes());
            entry.put("logicalSectorBytes", device.logicalSectorBytes());
            entry.put("physicalSectorBytes", device.physicalSectorBytes());
            entry.put("model", device.model());
            entry.put("rotational", device.rotational());
            entry.put("readOnly", device.readOnly());
            entry.put("usedBy", device.usedBy());
            return entry;
        }
    }
}
