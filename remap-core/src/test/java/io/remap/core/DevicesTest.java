package io.remap.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceUri;
import io.remap.api.Refusal;
import io.remap.api.spi.BlockDeviceProvider.Door;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import io.remap.core.device.BlockTopology;
import io.remap.core.device.FileDeviceProvider;
import io.remap.core.device.MountTable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Devices by scheme, parts of them, and the list of this host. */
class DevicesTest {
    @TempDir
    Path directory;

    private final OpenOptions serve = OpenOptions.serve(false, Door.AUTO, OptionalInt.empty());

    private Devices devices() throws Refusal {
        return new Devices(Providers.of(List.of(new FileDeviceProvider())));
    }

    @Test
    void thePartIsWhatTheUriSays() throws IOException {
        Path image = directory.resolve("disk.img");
        Files.write(image, new byte[8192]);
        try (BlockDevice part = devices().open(DeviceUri.parse("file:" + image + "?offset=4K"), serve)) {
            assertEquals(4096, part.traits().sizeBytes());
            assertEquals(4096, part.identity().startBytes());
        }
        try (BlockDevice whole = devices().open(DeviceUri.parse(image.toString()), serve)) {
            assertEquals(8192, whole.traits().sizeBytes());
        }
        DeviceUri outside = DeviceUri.parse(image + "?offset=8K");
        assertEquals(
                Refusal.Kind.USAGE,
                assertThrows(Refusal.class, () -> devices().open(outside, serve))
                        .kind());
        devices().open(DeviceUri.parse(image.toString()), serve).close();
    }

    @Test
    void anUnknownSchemeIsRefused() throws IOException {
        DeviceUri uri = DeviceUri.parse("tape:x");
        Refusal refusal = assertThrows(Refusal.class, () -> devices().open(uri, serve));
        assertTrue(refusal.getMessage().contains("tape"), refusal.getMessage());
    }

    @Test
    void theListLeavesEmptyDrivesOut() throws IOException {
        put("sda/dev", "8:0");
        put("sda/size", "2048");
        put("sda/queue/rotational", "1");
        put("sr0/dev", "11:0");
        put("sr0/size", "0");
        Path mounts = Files.writeString(directory.resolve("mountinfo"), "1 0 8:0 / /srv rw - ext4 /dev/sda rw\n");
        BlockTopology topology = new BlockTopology(
                directory.resolve("class"), directory, new MountTable(mounts, directory.resolve("swaps")));
        assertEquals(
                List.of(new Devices.Found("/dev/sda", 1 << 20, 512, 512, "", true, false, List.of("mounted at /srv"))),
                Devices.list(topology));
    }

    private void put(String file, String text) throws IOException {
        Path path = directory.resolve("class").resolve(file);
        Files.createDirectories(path.getParent());
        Files.writeString(path, text);
    }
}
